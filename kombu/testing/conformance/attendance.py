"""Which of several consumers is served: one at a time, or by their priorities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.entity import Queue
from kombu.messaging import Consumer
from kombu.testing.conformance._notes import noting

if TYPE_CHECKING:
    from kombu.connection import Connection
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestConsumerCount", "TestConsumerPriority", "TestSingleActiveConsumer")


class Member:
    """One of several consumers, on a connection of its own."""

    def __init__(
        self,
        harness: Harness,
        queue: Queue,
        priority: int | None = None,
        prefetch_count: int | None = None,
    ) -> None:
        self.held: list[Message] = []
        self.connection: Connection = harness.connect_leased()
        arguments = None if priority is None else {"x-priority": priority}
        consumed = Queue(queue.name, consumer_arguments=arguments)
        self.consumer = Consumer(
            self.connection.channel(),
            [consumed],
            on_message=self.held.append,
            prefetch_count=prefetch_count,
            auto_declare=False,
        )
        self.consumer.consume()

    @property
    def bodies(self) -> list[Any]:
        return [message.payload for message in self.held]


def deliver(harness: Harness, members: list[Member], count: int) -> None:
    """Have *members* receive until they hold *count* messages together."""
    harness.drain_all(
        [member.connection for member in members],
        lambda: sum(len(member.held) for member in members) >= count,
        what=f"{count} messages",
    )


class TestSingleActiveConsumer:
    """``x-single-active-consumer``: the others wait until it is gone."""

    @pytest.fixture
    def queue(self, harness: Harness) -> Queue:
        harness.require("single_active_consumer")
        return harness.queue(queue_arguments={"x-single-active-consumer": True})

    def test_one_consumer_gets_all(self, harness: Harness, queue: Queue) -> None:
        members = [Member(harness, queue) for _ in range(3)]

        for number in range(10):
            harness.publish(number, queue)
        deliver(harness, members, 10)

        assert [member.bodies for member in members] == [list(range(10)), [], []]

    def test_one_consumer_of_a_channel_gets_all(
        self, harness: Harness, queue: Queue
    ) -> None:
        received: list[tuple[str, Any]] = []
        connection = harness.connect()
        bound = queue(connection.channel())
        for tag in ("one", "two"):
            bound.consume(tag, noting(received, tag), no_ack=True)

        for number in range(10):
            harness.publish(number, queue)

        harness.drain(connection, lambda: len(received) == 10)
        assert received == [("one", number) for number in range(10)]

    def test_prefetch_limit_makes_nobody_else_active(
        self, harness: Harness, queue: Queue
    ) -> None:
        members = [
            Member(harness, queue, prefetch_count=1),
            Member(harness, queue),
        ]
        for number in range(3):
            harness.publish(number, queue)

        deliver(harness, members, 1)
        for member in members:
            harness.drain_idle(member.connection)

        assert [member.bodies for member in members] == [[0], []]

    @pytest.mark.parametrize("how", ["cancel", "close"])
    def test_next_takes_over(self, harness: Harness, queue: Queue, how: str) -> None:
        first, second = (Member(harness, queue) for _ in range(2))
        harness.publish("one", queue)
        deliver(harness, [first, second], 1)
        assert first.bodies == ["one"]
        first.held[0].ack()

        if how == "cancel":
            first.consumer.cancel()
        else:
            first.connection.close()
        harness.publish("two", queue)

        deliver(harness, [second], 1)
        assert second.bodies == ["two"]
        assert first.bodies == ["one"]

    def test_next_takes_over_from_one_that_was_killed(
        self, harness: Harness, queue: Queue
    ) -> None:
        harness.require("lease")
        first = harness.killable_consumer(queue)
        second = Member(harness, queue)
        for number in range(3):
            harness.publish(number, queue)
        harness.drain(second.connection, lambda: len(first.received) == 3)
        assert second.bodies == []

        first.kill()

        deliver(harness, [second], 3)
        assert second.bodies == [0, 1, 2]

    def test_highest_priority_is_active(self, harness: Harness, queue: Queue) -> None:
        harness.require("consumer_priority")
        members = [Member(harness, queue, priority) for priority in (1, 5, 3)]

        for number in range(3):
            harness.publish(number, queue)
        deliver(harness, members, 3)

        assert [member.bodies for member in members] == [[], [0, 1, 2], []]


class TestConsumerPriority:
    """``x-priority`` of a consumer: what is higher is served while it has room."""

    @pytest.fixture
    def queue(self, harness: Harness) -> Queue:
        harness.require("consumer_priority")
        return harness.queue()

    def test_higher_gets_all_while_it_has_room(
        self, harness: Harness, queue: Queue
    ) -> None:
        members = [Member(harness, queue, priority) for priority in (0, 10, None)]

        for number in range(10):
            harness.publish(number, queue)
        deliver(harness, members, 10)

        assert [member.bodies for member in members] == [[], list(range(10)), []]

    def test_lower_is_served_beyond_the_prefetch_limit_of_the_higher(
        self, harness: Harness, queue: Queue
    ) -> None:
        harness.require("prefetch")
        high = Member(harness, queue, 10, prefetch_count=2)
        low = Member(harness, queue, 1)

        for number in range(5):
            harness.publish(number, queue)
        deliver(harness, [high, low], 5)

        assert high.bodies == [0, 1]
        assert low.bodies == [2, 3, 4]

    def test_higher_is_served_again_once_it_has_room(
        self, harness: Harness, queue: Queue
    ) -> None:
        harness.require("prefetch")
        high = Member(harness, queue, 10, prefetch_count=1)
        low = Member(harness, queue, 1)
        harness.publish("one", queue)
        harness.publish("two", queue)
        deliver(harness, [high, low], 2)
        assert (high.bodies, low.bodies) == (["one"], ["two"])

        high.held[0].ack()
        harness.publish("three", queue)
        deliver(harness, [low, high], 3)

        assert high.bodies == ["one", "three"]

    def test_same_priority_shares(self, harness: Harness, queue: Queue) -> None:
        members = [Member(harness, queue, 5, prefetch_count=3) for _ in range(2)]

        for number in range(6):
            harness.publish(number, queue)
        deliver(harness, members, 6)

        assert [len(member.held) for member in members] == [3, 3]

    def test_priorities_hold_on_one_channel(
        self, harness: Harness, queue: Queue
    ) -> None:
        received: list[tuple[str, Any]] = []
        connection = harness.connect()
        channel: Any = connection.channel()
        for tag, priority in (("low", 1), ("high", 9)):
            arguments = {"x-priority": priority}
            bound = Queue(queue.name, consumer_arguments=arguments)(channel)
            bound.consume(tag, noting(received, tag), no_ack=True)

        for number in range(4):
            harness.publish(number, queue)

        harness.drain(connection, lambda: len(received) == 4)
        assert received == [("high", number) for number in range(4)]

    @pytest.mark.parametrize("how", ["cancel", "close"])
    def test_lower_takes_over(self, harness: Harness, queue: Queue, how: str) -> None:
        high, low = Member(harness, queue, 10), Member(harness, queue, 1)

        if how == "cancel":
            high.consumer.cancel()
        else:
            high.connection.close()
        harness.publish("hello", queue)

        deliver(harness, [low], 1)
        assert low.bodies == ["hello"]

    def test_lower_takes_over_from_one_that_was_killed(
        self, harness: Harness, queue: Queue
    ) -> None:
        harness.require("lease")
        high = harness.killable_consumer(queue, consumer_arguments={"x-priority": 10})
        low = Member(harness, queue, 1)
        harness.publish("one", queue)
        harness.drain(low.connection, lambda: high.received)
        assert low.bodies == []

        high.kill()
        harness.publish("two", queue)

        deliver(harness, [low], 2)
        assert sorted(low.bodies) == ["one", "two"]


class TestConsumerCount:
    """``queue_declare`` tells of all consumers, wherever they are."""

    @pytest.fixture(autouse=True)
    def needs_counts(self, harness: Harness) -> None:
        harness.require("lease", "shared_topology")

    @staticmethod
    def count(queue: Queue) -> int:
        return int(queue.queue_declare(passive=True).consumer_count)

    def test_consumers_of_all_connections_count(self, harness: Harness) -> None:
        queue = harness.queue()
        members = [Member(harness, queue) for _ in range(3)]
        assert self.count(queue) == 3

        members[0].consumer.cancel()
        members[1].connection.close()

        assert self.count(queue) == 1

    def test_consumer_of_another_process_counts_until_it_is_killed(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        consumer = harness.killable_consumer(queue)
        assert self.count(queue) == 1

        consumer.kill()

        harness.settle(lambda: self.count(queue) == 0)

    def test_queue_that_is_consumed_elsewhere_is_not_deleted_if_unused_is_asked(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.killable_consumer(queue)
        stranger = harness.connect()

        queue(stranger.channel()).delete(if_unused=True)

        assert harness.exists(queue)
