"""Many threads at once: nothing is lost, doubled or mixed up."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from kombu.messaging import Consumer, Producer

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestConcurrency",)


def run_in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work(number)`` in *count* threads, which begin together."""
    start = threading.Barrier(count)

    def begin(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


class TestConcurrency:
    """Threads that share a connection, and threads that share a queue."""

    @pytest.mark.stress
    def test_threads_publish_on_one_connection(self, harness: Harness) -> None:
        harness.require("concurrent_publish")
        queue = harness.queue()
        connection = harness.connect()

        def publish(thread: int) -> None:
            producer = Producer(connection)
            for number in range(10):
                producer.publish([thread, number], routing_key=queue.name)

        run_in_threads(32, publish)

        bodies = [tuple(body) for body in harness.take(queue, 320)]
        assert Counter(bodies) == Counter((t, n) for t in range(32) for n in range(10))
        assert [n for t, n in bodies if t == 7] == list(range(10))

    def test_threads_publish_with_one_producer(self, harness: Harness) -> None:
        harness.require("concurrent_publish")
        queue = harness.queue()
        producer = Producer(harness.connect(), routing_key=queue.name)

        run_in_threads(16, lambda thread: producer.publish({"thread": thread}))

        bodies = harness.take(queue, 16)
        assert sorted(body["thread"] for body in bodies) == list(range(16))

    @pytest.mark.stress
    def test_each_message_goes_to_one_consumer(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Any] = []

        def consume(thread: int) -> None:
            def on_message(message: Message) -> None:
                received.append(message.payload)
                message.ack()

            connection = harness.connect()
            with Consumer(
                connection.channel(), [queue], on_message=on_message, prefetch_count=3
            ):
                harness.drain(connection, lambda: len(received) >= 200)

        for number in range(200):
            harness.publish(number, queue)
        run_in_threads(8, consume)

        assert sorted(received) == list(range(200))
        assert queue.get() is None

    def test_each_message_goes_to_one_process(self, harness: Harness) -> None:
        harness.require("lease")
        queue = harness.queue()
        consumers = [
            harness.killable_consumer(
                queue, lease=60, acknowledges=1000, prefetch_count=3
            )
            for _ in range(3)
        ]

        for number in range(150):
            harness.publish(number, queue)
        harness.settle(lambda: sum(len(c.received) for c in consumers) >= 150)
        harness.let_pass(harness.idle)

        received = [body for consumer in consumers for body in consumer.bodies]
        assert sorted(received) == list(range(150))
        assert queue.get() is None

    def test_publishing_and_consuming_at_the_same_time(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Any] = []

        def work(thread: int) -> None:
            connection = harness.connect()
            if thread < 4:
                producer = Producer(connection)
                for number in range(25):
                    producer.publish([thread, number], routing_key=queue.name)
                return
            with Consumer(
                connection.channel(),
                [queue],
                callbacks=[lambda body, message: received.append(tuple(body))],
                no_ack=True,
            ):
                harness.drain(connection, lambda: len(received) >= 100)

        run_in_threads(8, work)

        assert Counter(received) == Counter((t, n) for t in range(4) for n in range(25))

    @pytest.mark.stress
    def test_threads_declare_the_same(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.undeclared_queue("queue", exchange, "key")

        def declare(thread: int) -> None:
            with harness.connect() as connection:
                queue(connection.channel()).declare()

        run_in_threads(8, declare)
        harness.publish("hello", exchange, "key")

        assert harness.take(harness.queue("queue", exchange, "key"), 1) == ["hello"]

    def test_threads_declare_queues_of_their_own(self, harness: Harness) -> None:
        exchange = harness.exchange(type="direct")

        def declare(thread: int) -> None:
            with harness.connect() as connection:
                harness.queue(
                    f"queue-{thread}", exchange, f"key-{thread}", connection=connection
                )
                harness.publish(
                    thread, exchange, f"key-{thread}", connection=connection
                )

        run_in_threads(16, declare)

        for thread in range(16):
            queue = harness.queue(f"queue-{thread}", exchange, f"key-{thread}")
            assert harness.take(queue, 1) == [thread]

    def test_bindings_may_change_while_others_publish(self, harness: Harness) -> None:
        exchange = harness.exchange(type="direct")
        steady = harness.queue("steady", exchange, "key")

        def work(thread: int) -> None:
            with harness.connect() as connection:
                if thread:
                    for number in range(25):
                        harness.publish(number, exchange, "key", connection=connection)
                    return
                for _ in range(25):
                    queue = harness.queue(
                        "changing", exchange, "key", connection=connection
                    )
                    queue.queue_unbind()

        run_in_threads(4, work)

        assert sorted(harness.take(steady, 75)) == sorted([*range(25)] * 3)
