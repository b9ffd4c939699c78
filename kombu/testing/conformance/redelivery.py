"""What was delivered and not settled comes back: in order, at the head, marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer

if TYPE_CHECKING:
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestRedelivery",)


def consume_and_close(
    harness: Harness, queue: Queue, count: int, what: str = "connection"
) -> None:
    """Take *count* messages by a consumer, and close what they came by, unsettled."""
    held: list[Message] = []
    connection = harness.connect()
    channel = connection.channel()
    consumer = Consumer(
        channel, [queue], on_message=held.append, prefetch_count=count or None
    )
    consumer.consume()
    harness.drain(connection, lambda: len(held) >= count)
    (channel if what == "channel" else connection).close()


@pytest.mark.stress
class TestRedelivery:
    """Closing hands back what is unsettled, at once."""

    @pytest.mark.parametrize("what", ["channel", "connection"])
    def test_unsettled_messages_come_back_when_it_is_closed(
        self, harness: Harness, what: str
    ) -> None:
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)

        consume_and_close(harness, queue, 5, what)

        harness.settle(lambda: harness.size(queue) == 5)
        assert sorted(harness.take(queue, 5)) == list(range(5))

    @pytest.mark.parametrize("count", [1, 3, 5])
    def test_they_come_back_to_the_head_in_order(
        self, harness: Harness, count: int
    ) -> None:
        harness.require("requeue_to_head", "prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)

        consume_and_close(harness, queue, count)

        harness.settle(lambda: harness.size(queue) == 5)
        assert harness.take(queue, 5) == list(range(5))

    def test_they_are_marked(self, harness: Harness) -> None:
        harness.require("redelivered", "requeue_to_head", "prefetch")
        queue = harness.queue()
        for number in range(3):
            harness.publish(number, queue)

        consume_and_close(harness, queue, 2)

        harness.settle(lambda: harness.size(queue) == 3)
        marks = [
            bool(harness.get(queue, no_ack=True).delivery_info.get("redelivered"))
            for _ in range(3)
        ]
        assert marks == [True, True, False]

    def test_settled_ones_do_not_come_back(self, harness: Harness) -> None:
        queue = harness.queue()
        for number in range(6):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(connection.channel(), [queue], on_message=held.append)
        consumer.consume()
        harness.drain(connection, lambda: len(held) == 6)

        for message in held[::2]:
            message.ack()
        connection.close()

        harness.settle(lambda: harness.size(queue) == 3)
        assert sorted(harness.take(queue, 3)) == [1, 3, 5]

    def test_content_is_as_it_was(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish(
            {"a": [1, None]},
            queue,
            headers={"key": "value"},
            correlation_id="id",
            compression="gzip",
        )

        for _ in range(3):
            consume_and_close(harness, queue, 1)

        message = harness.get(queue, no_ack=True)
        assert message.payload == {"a": [1, None]}
        assert message.headers["key"] == "value"
        assert message.properties["correlation_id"] == "id"

    def test_they_go_to_the_queue_they_came_from(self, harness: Harness) -> None:
        exchange = harness.exchange()
        one = harness.queue("one", exchange, "key")
        two = harness.queue("two", exchange, "key")
        harness.publish("hello", exchange, "key")

        consume_and_close(harness, one, 1)

        assert harness.take(one, 1) == ["hello"]
        assert harness.take(two, 1) == ["hello"]

    def test_another_consumer_goes_on_with_them(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[object] = []
        connection = harness.connect()

        def on_message(body: object, message: Message) -> None:
            received.append(body)
            message.ack()

        harness.publish("hello", queue)
        consume_and_close(harness, queue, 1)
        with Consumer(connection.channel(), [queue], callbacks=[on_message]):
            harness.drain(connection, lambda: received)

        assert received == ["hello"]

    def test_closing_a_channel_hands_back_only_what_came_by_it(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("one", queue)
        harness.publish("two", queue)
        connection = harness.connect()
        first, second = connection.channel(), connection.channel()
        harness.get(queue(first))
        message = harness.get(queue(second))

        first.close()

        assert harness.take(queue, 1) == ["one"]
        message.ack()
        connection.close()
        assert queue.get() is None
