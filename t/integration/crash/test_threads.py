"""Consumer threads that die in memory, whose connections nobody closes."""

from __future__ import annotations

import random
import threading
import time
from uuid import uuid4

from kombu import Connection, Consumer, Producer, Queue

MESSAGES = 5000
CONSUMERS = 4
LEASE = 0.2
PATIENCE = 60.0

#: One in so many deliveries, and one in so many acknowledgements, is fatal.
FATAL = 100


class Killed(BaseException):
    """Ends a thread as nothing else would: no handler of the library catches it."""


class Fleet:
    """Consumer threads, each with a connection that is never closed."""

    def __init__(self, url):
        self.url = url
        self.random = random.Random(1)
        self.acked = []
        self.delivered = []
        self.kills = 0
        self.is_over = False
        # Dropped connections would be noticed: these are merely left alone.
        self.connections = []

    def receive(self, number, message):
        self.delivered.append(number)
        if self.random.randrange(FATAL) == 0:
            raise Killed
        message.ack()
        self.acked.append(number)
        if self.random.randrange(FATAL) == 0:
            raise Killed

    def consume(self):
        connection = Connection(
            self.url, transport_options={"visibility_timeout": LEASE}
        )
        self.connections.append(connection)
        consumer = Consumer(
            connection.channel(),
            [Queue("jobs")],
            callbacks=[self.receive],
            prefetch_count=5,
        )
        consumer.consume()
        try:
            while not self.is_over:
                try:
                    connection.drain_events(timeout=0.05)
                except TimeoutError:
                    continue
        except Killed:
            self.kills += 1

    def run(self, numbers):
        threads = []
        ends = time.monotonic() + PATIENCE
        while set(self.acked) != numbers:
            assert time.monotonic() < ends, f"lost: {sorted(numbers - set(self.acked))}"
            threads = [thread for thread in threads if thread.is_alive()]
            while len(threads) < CONSUMERS:
                threads.append(threading.Thread(target=self.consume, daemon=True))
                threads[-1].start()
            time.sleep(0.01)
        self.is_over = True
        for thread in threads:
            thread.join()


def test_threads_that_die_lose_nothing():
    url = f"memory://{uuid4()}"
    numbers = set(range(MESSAGES))
    with Connection(url) as connection:
        queue = Queue("jobs")(connection.default_channel)
        queue.declare()
        producer = Producer(connection, routing_key="jobs")
        for number in range(MESSAGES):
            producer.publish(number)

        fleet = Fleet(url)
        fleet.run(numbers)

        assert fleet.kills > 10
        assert queue.queue_declare(passive=True).message_count == 0
    assert len(fleet.acked) == MESSAGES, "some were acknowledged twice"
    assert len(fleet.delivered) > MESSAGES, "what the dead had in hand came again"
