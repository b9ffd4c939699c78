"""A prefetch limit of n means n: none is taken from the store beyond that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer
from kombu.testing.conformance._waiting import Waiter

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestPrefetch",)


class TestPrefetch:
    """How many messages a consumer may hold unsettled."""

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_the_rest_stays_in_the_store(self, harness: Harness, limit: int) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(),
            [queue],
            on_message=held.append,
            prefetch_count=limit,
        ):
            harness.drain(connection, lambda: len(held) == limit)
            harness.drain_idle(connection)

            assert len(held) == limit
            assert harness.size(queue) == 5 - limit

    def test_others_get_what_a_slow_consumer_may_not_hold(
        self, harness: Harness
    ) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        held: list[Message] = []
        slow = harness.connect()
        with Consumer(
            slow.channel(), [queue], on_message=held.append, prefetch_count=1
        ):
            for number in range(5):
                harness.publish(number, queue)
            harness.drain(slow, lambda: held)
            harness.drain_idle(slow)

            others = harness.consume_all(queue, 4)

            bodies = [message.payload for message in (*held, *others)]
            assert sorted(bodies) == list(range(5))

    @pytest.mark.parametrize("settle", ["ack", "reject"])
    def test_settling_makes_room_for_the_next(
        self, harness: Harness, settle: str
    ) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(), [queue], on_message=held.append, prefetch_count=1
        ):
            for number in range(5):
                harness.drain(connection, lambda: held)
                harness.drain_idle(connection)
                assert [message.payload for message in held] == [number]
                getattr(held.pop(), settle)()

            harness.drain_idle(connection)
            assert not held

    def test_limit_is_that_of_all_queues_of_a_consumer_together(
        self, harness: Harness
    ) -> None:
        harness.require("prefetch")
        if not harness.has_channel_prefetch:
            harness.skip("no prefetch limit for a whole channel")
        queues = [harness.queue(f"queue-{number}") for number in range(3)]
        for queue in queues:
            harness.publish("one", queue)
            harness.publish("two", queue)
        held: list[Message] = []
        connection = harness.connect()
        channel = connection.channel()
        consumer = Consumer(channel, queues, on_message=held.append)
        channel.basic_qos(0, 2, True)
        with consumer:
            harness.drain(connection, lambda: len(held) >= 2)
            harness.drain_idle(connection)

            assert len(held) == 2
            assert sum(map(harness.size, queues)) == 4

    def test_channels_have_limits_of_their_own(self, harness: Harness) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        one, two = (
            Consumer(
                connection.channel(), [queue], on_message=held.append, prefetch_count=n
            )
            for n in (1, 2)
        )
        with one, two:
            harness.drain(connection, lambda: len(held) == 3)
            harness.drain_idle(connection)

            assert len(held) == 3
            assert harness.size(queue) == 2

    def test_without_a_limit_everything_comes(self, harness: Harness) -> None:
        queue = harness.queue()
        for number in range(20):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=held.append):
            harness.drain(connection, lambda: len(held) == 20)

        assert [message.payload for message in held] == list(range(20))

    def test_limit_can_be_raised_while_consuming(self, harness: Harness) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(
            connection.channel(), [queue], on_message=held.append, prefetch_count=1
        )
        with consumer:
            harness.drain(connection, lambda: held)
            harness.drain_idle(connection)
            assert len(held) == 1

            consumer.cancel()
            consumer.qos(prefetch_count=3)
            consumer.consume()

            harness.drain(connection, lambda: len(held) >= 3)
            harness.drain_idle(connection)
            assert len(held) >= 3

    def test_messages_the_broker_settles_are_not_limited(
        self, harness: Harness
    ) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)

        received = harness.consume_all(queue, 5, no_ack=True, prefetch_count=1)

        assert len(received) == 5

    def test_settling_in_another_thread_wakes_who_waits(self, harness: Harness) -> None:
        harness.require("prefetch", "concurrent_publish")
        queue = harness.queue()
        harness.publish("one", queue)
        harness.publish("two", queue)
        held: list[Message] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(), [queue], on_message=held.append, prefetch_count=1
        ):
            harness.drain(connection, lambda: held)
            waiter = Waiter(harness, connection)

            held[0].ack()
            waiter.ends()

        assert [message.payload for message in held] == ["one", "two"]
