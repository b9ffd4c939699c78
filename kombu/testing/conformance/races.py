"""Several do the same at once, each by a connection of its own: it is done once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import PublishRefused
from kombu.messaging import Consumer, Producer
from kombu.testing.conformance._dead_letters import with_dead_letters
from kombu.testing.conformance.concurrency import run_in_threads

if TYPE_CHECKING:
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestRaces",)

#: Threads that do the same.
MANY = 4


def consume_in_threads(harness: Harness, queue: Queue, count: int) -> list[Any]:
    """Have several consume until *count* have come to all of them, and a bit more."""
    received: list[Any] = []

    def consume(_: int) -> None:
        def on_message(message: Message) -> None:
            received.append(message.payload)
            message.ack()

        connection = harness.connect_leased()
        with Consumer(
            connection.channel(), [queue], on_message=on_message, prefetch_count=3
        ):
            harness.drain(connection, lambda: len(received) >= count)
            harness.drain_idle(connection)

    run_in_threads(MANY, consume)
    return received


class TestRaces:
    """Sweeps, limits, delays and expiry, with all hands on deck."""

    def test_what_the_dead_had_is_put_back_once(self, harness: Harness) -> None:
        harness.require("lease", "prefetch")
        queue = harness.queue()
        for number in range(30):
            harness.publish(number, queue)
        for _ in range(2):
            harness.killable_consumer(queue, prefetch_count=15, waits_for=15).kill()

        received = consume_in_threads(harness, queue, 30)

        assert sorted(received) == list(range(30))
        assert queue.get() is None

    def test_what_is_due_is_delivered_once(self, harness: Harness) -> None:
        harness.require("delay", "prefetch")
        queue = harness.queue()
        for number in range(30):
            harness.publish(number, queue, headers={"x-delay": 300})

        received = consume_in_threads(harness, queue, 30)

        assert sorted(received) == list(range(30))
        assert queue.get() is None

    def test_what_expires_dies_once(self, harness: Harness) -> None:
        harness.require("dead_letter", "message_ttl", "lease")
        queue, dead = with_dead_letters(harness, message_ttl=0.2)
        for number in range(30):
            harness.publish(number, queue)

        received = consume_in_threads(harness, dead, 30)

        assert sorted(received) == list(range(30))
        assert queue.get() is None

    def test_full_queue_loses_none_but_the_oldest(self, harness: Harness) -> None:
        harness.require("max_length", "dead_letter")
        queue, dead = with_dead_letters(harness, max_length=5)

        def publish(thread: int) -> None:
            producer = Producer(harness.connect().channel())
            for number in range(10):
                producer.publish([thread, number], routing_key=queue.name)

        run_in_threads(MANY, publish)

        left = [tuple(body) for body in harness.take(queue, 5)]
        died = [tuple(body) for body in harness.take(dead, MANY * 10 - 5)]
        assert sorted(left + died) == [(t, n) for t in range(MANY) for n in range(10)]

    def test_queue_that_refuses_takes_no_more_than_it_may(
        self, harness: Harness
    ) -> None:
        harness.require("max_length")
        queue = harness.queue(
            max_length=15, queue_arguments={"x-overflow": "reject-publish"}
        )
        taken: list[tuple[int, int]] = []

        def publish(thread: int) -> None:
            producer = Producer(harness.connect().channel())
            for number in range(10):
                try:
                    producer.publish([thread, number], routing_key=queue.name)
                except PublishRefused:
                    continue
                taken.append((thread, number))

        run_in_threads(MANY, publish)

        assert len(taken) == 15
        found = [tuple(body) for body in harness.take(queue, 15)]
        assert sorted(found) == sorted(taken)

    def test_priorities_hold_for_several_publishers(self, harness: Harness) -> None:
        harness.require("priority")
        queue = harness.queue(max_priority=5)

        def publish(thread: int) -> None:
            producer = Producer(harness.connect().channel())
            for number in range(12):
                producer.publish(
                    [number % 6, thread, number],
                    routing_key=queue.name,
                    priority=number % 6,
                )

        run_in_threads(MANY, publish)

        bodies = harness.take(queue, MANY * 12)
        assert [body[0] for body in bodies] == sorted(
            (n % 6 for _ in range(MANY) for n in range(12)), reverse=True
        )
        for thread in range(MANY):
            mine = [body[2] for body in bodies if body[:2] == [3, thread]]
            assert mine == [3, 9]

    @pytest.mark.parametrize("kind", ["exclusive", "auto_delete", "expires"])
    def test_queue_that_goes_may_come_again_meanwhile(
        self, harness: Harness, kind: str
    ) -> None:
        harness.require("exclusive", "auto_delete", "queue_expires")
        options = {"expires": 0.05} if kind == "expires" else {kind: True}
        names = [
            f"queue-{thread}" if kind == "exclusive" else "queue"
            for thread in range(MANY)
        ]

        def use(thread: int) -> None:
            for _ in range(5):
                connection = harness.connect_leased()
                name = names[thread]
                queue = harness.queue(name, connection=connection, **options)
                with Consumer(connection.channel(), [queue], on_message=repr):
                    harness.drain_idle(connection)
                connection.close()

        run_in_threads(MANY, use)

    def test_queue_that_goes_while_it_is_declared_is_there_or_not(
        self, harness: Harness
    ) -> None:
        harness.require("auto_delete", "passive_declare")
        if not harness.emulates("auto_delete"):
            harness.skip("the broker itself deletes such queues")
        queue = harness.queue(auto_delete=True)
        last = Consumer(harness.connect().channel(), [queue], on_message=repr)
        last.consume()
        connection = harness.connect()
        channel: Any = connection.channel()
        new_queue = channel._new_queue

        def new_queue_at_a_bad_moment(*args: Any, **kwargs: Any) -> None:
            # The last consumer goes after it was seen that the queue is there.
            last.cancel()
            new_queue(*args, **kwargs)

        channel._new_queue = new_queue_at_a_bad_moment
        received: list[Message] = []
        bound = queue(channel)
        bound.queue_declare()
        with Consumer(channel, [bound], on_message=received.append, auto_declare=False):
            harness.publish("hello", queue)
            harness.drain(connection, lambda: received)
            received[0].ack()

        # Used by nobody now, it must not stay for ever.
        harness.drain(harness.watching(), lambda: not harness.exists(queue))

    def test_single_active_consumer_is_but_one(self, harness: Harness) -> None:
        harness.require("single_active_consumer", "prefetch")
        queue = harness.queue(queue_arguments={"x-single-active-consumer": True})
        received: list[tuple[int, Any]] = []

        def consume(thread: int) -> None:
            def on_message(message: Message) -> None:
                received.append((thread, message.payload))
                message.ack()

            connection = harness.connect()
            with Consumer(
                connection.channel(), [queue], on_message=on_message, prefetch_count=1
            ):
                harness.drain(connection, lambda: len(received) >= 60)

        for number in range(60):
            harness.publish(number, queue)
        run_in_threads(MANY, consume)

        assert [body for _, body in received] == list(range(60))
