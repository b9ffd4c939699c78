"""Messages by priority: what is higher comes first, up to ``max_priority``."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from kombu.messaging import Consumer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestPriority",)


def publish_all(
    harness: Harness, queue: Queue, priorities: Sequence[int | None]
) -> None:
    """Publish a message for each of *priorities*: ``[priority, number]``."""
    for number, priority in enumerate(priorities):
        harness.publish([priority, number], queue, priority=priority)


def shuffled(values: Any) -> list[Any]:
    """Return *values* in an order that is the same each time."""
    found = list(values)
    random.Random(8).shuffle(found)
    return found


@pytest.mark.stress
class TestPriority:
    """In which order the messages of a queue are delivered."""

    @pytest.fixture(autouse=True)
    def needs_priority(self, harness: Harness) -> None:
        harness.require("priority")

    def test_higher_comes_first(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=9)

        publish_all(harness, queue, shuffled(range(10)))

        taken = harness.take(queue, 10)
        assert [priority for priority, _ in taken] == list(range(9, -1, -1))

    def test_consumer_gets_the_higher_ones_first(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=9)
        publish_all(harness, queue, shuffled(range(10)))

        received = harness.consume_all(queue, 10, prefetch_count=1)

        assert [m.payload[0] for m in received] == list(range(9, -1, -1))

    def test_within_a_priority_order_is_kept(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=5)
        priorities = shuffled([0, 3, 5] * 10)

        publish_all(harness, queue, priorities)

        expected = sorted(enumerate(priorities), key=lambda one: (-one[1], one[0]))
        assert harness.take(queue, 30) == [[p, number] for number, p in expected]

    def test_all_that_amqp_allows_are_told_apart(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=255)
        priorities = [0, 255, 1, 254, 128, 127, 10, 9]

        publish_all(harness, queue, priorities)

        taken = [priority for priority, _ in harness.take(queue, 8)]
        assert taken == sorted(priorities, reverse=True)

    def test_above_the_highest_counts_as_the_highest(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=3)

        publish_all(harness, queue, [3, 9, 0, 200])

        assert harness.take(queue, 4) == [[3, 0], [9, 1], [200, 3], [0, 2]]

    def test_without_a_priority_is_the_lowest(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=3)

        publish_all(harness, queue, [None, 0, 1])

        assert harness.take(queue, 3) == [[1, 2], [None, 0], [0, 1]]

    def test_queue_without_the_argument_keeps_the_plain_order(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()

        publish_all(harness, queue, [0, 9, 3, 5])

        assert [number for _, number in harness.take(queue, 4)] == [0, 1, 2, 3]

    def test_priority_is_that_of_the_queue_for_who_never_declared_it(
        self, harness: Harness
    ) -> None:
        harness.require("shared_topology")
        queue = harness.queue(max_priority=9)
        stranger = harness.connect()

        for priority in (1, 9, 5):
            harness.publish(priority, queue, connection=stranger, priority=priority)

        assert harness.take(queue, 3) == [9, 5, 1]

    def test_what_comes_later_overtakes(self, harness: Harness) -> None:
        queue = harness.queue(max_priority=9)
        publish_all(harness, queue, [1, 1])
        assert harness.get(queue, no_ack=True).payload == [1, 0]

        harness.publish("urgent", queue, priority=9)

        assert harness.take(queue, 2) == ["urgent", [1, 1]]

    def test_requeued_message_is_the_first_of_its_priority(
        self, harness: Harness
    ) -> None:
        harness.require("requeue_to_head")
        queue = harness.queue(max_priority=9)
        publish_all(harness, queue, [5, 5, 1])
        message = harness.get(queue)
        harness.publish("urgent", queue, priority=9)

        message.requeue()

        assert harness.take(queue, 4) == ["urgent", [5, 0], [5, 1], [1, 2]]

    def test_closing_keeps_the_order(self, harness: Harness) -> None:
        harness.require("requeue_to_head", "prefetch")
        queue = harness.queue(max_priority=9)
        publish_all(harness, queue, [1, 5, 9, 5])
        held: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(
            connection.channel(), [queue], on_message=held.append, prefetch_count=3
        )
        consumer.consume()
        harness.drain(connection, lambda: len(held) == 3)

        connection.close()

        assert harness.take(queue, 4) == [[9, 2], [5, 1], [5, 3], [1, 0]]

    def test_killed_consumer_does_not_upset_the_order(self, harness: Harness) -> None:
        harness.require("lease", "requeue_to_head", "prefetch")
        queue = harness.queue(max_priority=9)
        publish_all(harness, queue, [1, 5, 9, 5])

        harness.killable_consumer(queue, prefetch_count=3, waits_for=3).kill()
        harness.drain(harness.watching(), lambda: harness.size(queue) == 4)

        assert harness.take(queue, 4) == [[9, 2], [5, 1], [5, 3], [1, 0]]

    def test_lone_message_of_another_queue_is_served_among_many(
        self, harness: Harness
    ) -> None:
        flooded = harness.queue("flooded", max_priority=9)
        quiet = harness.queue("quiet", max_priority=9)
        for _ in range(30):
            harness.publish("flood", flooded, priority=9)
        harness.publish("alone", quiet, priority=0)

        received = harness.consume_all([flooded, quiet], 10, prefetch_count=1)

        assert "alone" in [message.payload for message in received]

    def test_dead_letters_keep_their_priority(self, harness: Harness) -> None:
        harness.require("dead_letter")
        dead = harness.queue("dead", max_priority=9)
        queue = harness.queue(
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": dead.name,
            }
        )
        publish_all(harness, queue, [1, 9, 5])

        for _ in range(3):
            harness.get(queue).reject()

        assert [priority for priority, _ in harness.take(dead, 3)] == [9, 5, 1]

    def test_kombu_mode_serves_the_lower_steps_first(self, harness: Harness) -> None:
        if not harness.emulates("priority"):
            harness.skip("priorities are the broker's own")
        connection = harness.connect(
            transport_options={**harness.transport_options, "priority_mode": "kombu"}
        )
        queue = harness.queue(connection=connection)

        for priority in (9, 4, 0, 8, 3, 6, 1, 2):
            harness.publish(priority, queue, connection=connection, priority=priority)

        # Steps are 0, 3, 6 and 9; what is between counts as the next lower one.
        assert harness.take(queue, 8) == [0, 1, 2, 4, 3, 8, 6, 9]
