"""A broker that is killed, by a signal that it can't catch, and started again."""

from __future__ import annotations

import threading
import time

import pytest

from kombu import Connection, Consumer, Queue

PATIENCE = 60
MESSAGES = 3_000

#: Numbers of confirmed messages after which the broker is killed.
CRASHES = (500, 1_500)

#: Seconds until the broker has written what was declared.
ON_DISK = 2.0

POLICY = {"max_retries": 200, "interval_start": 0.1, "interval_max": 0.5}


class Publisher(threading.Thread):
    """Publishes numbers, and goes on whatever happens.

    Attributes:
        confirmed: Numbers that the broker says it has.
    """

    def __init__(self, url, window):
        super().__init__(daemon=True)
        self.url = url
        self.window = window
        self.confirmed = []
        self.errors = []

    def run(self):
        options = {"confirm_window": self.window}
        try:
            with Connection(self.url, transport_options=options) as connection:
                producer = connection.Producer()
                for number in range(MESSAGES):
                    producer.publish(
                        number, routing_key="q", retry=True, retry_policy=POLICY
                    ).then(self._note(number))
                producer.wait_until_published(PATIENCE)
        except Exception as exc:
            self.errors.append(exc)

    def _note(self, number):
        return lambda promise: self.confirmed.append(number)


class Crashes:
    """Kills the broker, and starts it again: by the thread that started it first."""

    def __init__(self, broker, publisher):
        self._broker = broker
        self._publisher = publisher
        self._left = list(CRASHES)
        self._declared = time.monotonic()

    def happen(self, *ignored):
        """Let the next one happen, if so much was confirmed; repair what did."""
        if self._left and len(self._publisher.confirmed) >= self._left[0]:
            self._left.pop(0)
            # A queue is on disk a moment after it was declared, not at once.
            time.sleep(max(self._declared + ON_DISK - time.monotonic(), 0))
            self._broker.kill()
        self._broker.start()

    @property
    def are_over(self):
        return not self._left


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_what_was_confirmed_is_consumed(rabbitmq, url, queue_type):
    queue = Queue("q", queue_arguments={"x-queue-type": queue_type})
    with Connection(url) as connection:
        queue(connection.default_channel).declare()
    publisher = Publisher(url, 100)
    crashes = Crashes(rabbitmq, publisher)
    publisher.start()
    received = set()

    def on_message(message):
        received.add(message.payload)
        message.ack()

    def drain():
        crashes.happen()
        try:
            connection.drain_events(timeout=0.5)
        except TimeoutError:
            pass

    with Connection(url) as connection:
        consumer = Consumer(
            connection.channel(),
            [queue],
            on_message=on_message,
            prefetch_count=50,
            auto_declare=False,
        )
        consumer.consume()
        drain = connection.ensure(consumer, drain, errback=crashes.happen, **POLICY)
        until = time.monotonic() + PATIENCE
        while len(received) < MESSAGES and time.monotonic() < until:
            drain()
    publisher.join(PATIENCE)

    assert publisher.errors == []
    assert crashes.are_over
    assert sorted(set(publisher.confirmed)) == list(range(MESSAGES))
    assert set(publisher.confirmed) <= received
