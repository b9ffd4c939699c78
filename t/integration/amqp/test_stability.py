"""A great many of everything: nothing is lost, and nothing grows."""

from __future__ import annotations

import gc
import inspect
import os
import threading
import tracemalloc
from collections import Counter

import pytest

from kombu import Connection, Consumer, Queue
from kombu.exceptions import NotFound
from kombu.testing import FaultProxy

PATIENCE = 60

CLOSURES = 10_000
RECONNECTS = 1_000

THREADS = 32
MESSAGES_OF_A_THREAD = 2_000

#: What caches and the like may take, in bytes; a leak of 100 bytes would take more.
ALLOWANCE = 400_000


class Watch:
    """Sees whether memory, stack, threads and descriptors are what they were."""

    def __init__(self):
        gc.collect()
        self.memory, _ = tracemalloc.get_traced_memory()
        self.threads = threading.active_count()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.deepest = 0

    def note_stack(self):
        self.deepest = max(self.deepest, len(inspect.stack(0)))

    def check(self, allowance):
        gc.collect()
        memory, _ = tracemalloc.get_traced_memory()
        assert memory - self.memory < allowance
        assert threading.active_count() <= self.threads + 1
        assert len(os.listdir("/proc/self/fd")) <= self.descriptors + 1


@pytest.fixture
def watch():
    tracemalloc.start()
    yield Watch
    tracemalloc.stop()


@pytest.fixture
def connection(url):
    with Connection(url) as connection:
        Queue("q")(connection.default_channel).declare()
        yield connection


def close_channel(connection):
    """Have the broker close the channel; return how many errors hang together."""
    channel = connection.default_channel
    with pytest.raises(NotFound) as caught:
        channel.queue_declare("nothing", passive=True)
    depth, cause = 0, caught.value
    while cause is not None:
        depth, cause = depth + 1, cause.__context__
    return depth


def test_channels_that_are_closed_leave_nothing(connection, watch):
    for _ in range(100):  # what is made once
        close_channel(connection)
    channel = connection.default_channel
    seen = watch()

    depths = set()
    for number in range(CLOSURES):
        depths.add(close_channel(connection))
        if number % 500 == 0:
            seen.note_stack()

    seen.check(ALLOWANCE)
    assert depths == {1}  # no error drags those before it along
    assert seen.deepest < 100
    assert connection.default_channel is channel
    connection.Producer().publish("x", routing_key="q").wait(PATIENCE)


def test_publishes_that_close_the_channel_leave_nothing(connection, watch):
    producer = connection.Producer(auto_declare=False)
    seen = watch()

    for _ in range(CLOSURES // 10):
        with pytest.raises(NotFound):
            producer.publish("x", exchange="none", confirm_timeout=PATIENCE)

    seen.check(ALLOWANCE)
    producer.publish("x", routing_key="q").wait(PATIENCE)


def test_reconnects_leave_nothing(rabbitmq, url, connection, watch):
    with FaultProxy("127.0.0.1", rabbitmq.port) as proxy:
        with Connection(proxy.url_for(url), heartbeat=60) as unlucky:
            producer = unlucky.Producer()

            def publish():
                producer.publish(
                    "x",
                    routing_key="q",
                    retry=True,
                    retry_policy={"max_retries": 5, "interval_start": 0},
                    confirm_timeout=PATIENCE,
                )

            publish()
            seen = watch()
            for _ in range(RECONNECTS):
                proxy.cut()
                publish()
            seen.note_stack()

            # The proxy's own links, and what the message itself is kept in.
            seen.check(ALLOWANCE)
            assert proxy.connections > RECONNECTS
            assert seen.deepest < 100


def test_threads_publish_on_one_connection(url, connection):
    producer = connection.Producer()
    promises, errors = [], []

    def publish(thread):
        try:
            for number in range(MESSAGES_OF_A_THREAD):
                body = f"{thread}.{number}"
                promises.append(producer.publish(body, routing_key="q"))
        except Exception as exc:
            errors.append(exc)

    threads = [
        threading.Thread(target=publish, args=(number,)) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    producer.wait_until_published(PATIENCE)

    total = THREADS * MESSAGES_OF_A_THREAD
    assert errors == []
    assert len(promises) == total
    assert all(promise.is_confirmed for promise in promises)
    found = Counter(bodies_of(url, total))
    assert len(found) == total
    assert set(found.values()) == {1}


def bodies_of(url, count):
    bodies = []
    with Connection(url) as connection:
        channel = connection.default_channel
        with Consumer(
            channel,
            [Queue("q")],
            on_message=lambda message: bodies.append(message.payload),
            no_ack=True,
        ):
            while len(bodies) < count:
                connection.drain_events(timeout=PATIENCE)
        assert Queue("q")(channel).queue_declare().message_count == 0
    return bodies
