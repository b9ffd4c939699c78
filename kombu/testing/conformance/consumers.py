"""Consumers share queues, come and go, and learn that their queue is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.messaging import Consumer
from kombu.testing.conformance._notes import noting

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestConsumers",)


class TestConsumers:
    """Several consumers, on one channel, several channels and connections."""

    def test_consumers_of_one_channel_share_a_queue(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[tuple[str, Any]] = []
        connection = harness.connect()
        bound = queue(connection.channel())
        for tag in ("one", "two"):
            bound.consume(
                tag,
                noting(received, tag),
                no_ack=True,
            )

        for number in range(10):
            harness.publish(number, queue)

        harness.drain(connection, lambda: len(received) >= 10)
        assert sorted(body for _, body in received) == list(range(10))
        assert {tag for tag, _ in received} == {"one", "two"}

    def test_cancelling_one_leaves_the_other(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[tuple[str, Any]] = []
        connection = harness.connect()
        bound = queue(connection.channel())
        for tag in ("one", "two"):
            bound.consume(tag, noting(received, tag), no_ack=True)

        bound.cancel("one")
        for number in range(4):
            harness.publish(number, queue)

        harness.drain(connection, lambda: len(received) == 4)
        assert {tag for tag, _ in received} == {"two"}

    def test_consumers_of_several_connections_get_each_message_once(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        received: list[object] = []
        connections = [harness.connect() for _ in range(3)]
        for connection in connections:
            Consumer(
                connection.channel(),
                [queue],
                callbacks=[lambda body, message: received.append(body)],
                no_ack=True,
            ).consume()

        for number in range(12):
            harness.publish(number, queue)

        def all_have_come() -> bool:
            for connection in connections:
                harness.drain_idle(connection)
            return len(received) >= 12

        harness.settle(all_have_come)
        assert sorted(map(str, received)) == sorted(map(str, range(12)))

    def test_consumers_of_several_channels_share_a_connection(
        self, harness: Harness
    ) -> None:
        queues = [harness.queue(f"queue-{number}") for number in range(3)]
        received: list[tuple[int, Any]] = []
        connection = harness.connect()
        for number, queue in enumerate(queues):
            Consumer(
                connection.channel(),
                [queue],
                on_message=noting(received, number),
                no_ack=True,
            ).consume()

        for number, queue in enumerate(queues):
            harness.publish(number, queue)

        harness.drain(connection, lambda: len(received) == 3)
        assert sorted(received) == [(0, 0), (1, 1), (2, 2)]

    def test_cancelled_consumer_gets_nothing_more(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(connection.channel(), [queue], on_message=received.append)
        consumer.consume()

        consumer.cancel()
        harness.publish("hello", queue)

        harness.drain_idle(connection)
        assert not received
        assert harness.take(queue, 1) == ["hello"]

    @pytest.mark.parametrize("how", ["cancel", "flow"])
    def test_stopped_consumer_keeps_only_what_it_has_got(
        self, harness: Harness, how: str
    ) -> None:
        queue = harness.queue()
        for number in range(100):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(connection.channel(), [queue], on_message=held.append)
        consumer.consume()
        # By then more may have been taken from the store ahead.
        harness.drain(connection, lambda: len(held) >= 7)

        if how == "cancel":
            consumer.cancel()
        else:
            consumer.flow(False)
        got = len(held)

        harness.settle(lambda: harness.size(queue) == 100 - got)
        assert harness.take(queue, 100 - got) == list(range(got, 100))
        assert [message.payload for message in held] == list(range(got))

    def test_cancelled_consumer_can_settle_what_it_has(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        harness.publish("hello", queue)
        consumer = Consumer(connection.channel(), [queue], on_message=received.append)
        with consumer:
            harness.drain(connection, lambda: received)

        received[0].ack()
        connection.close()

        assert queue.get() is None

    def test_consumer_goes_on_after_a_cancel(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(
            connection.channel(), [queue], on_message=received.append, no_ack=True
        )
        with consumer:
            pass
        harness.publish("hello", queue)

        with consumer:
            harness.drain(connection, lambda: received)

        assert received[0].payload == "hello"

    def test_queue_can_be_added_and_taken_away_while_consuming(
        self, harness: Harness
    ) -> None:
        one, two = harness.queue("one"), harness.queue("two")
        received: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(
            connection.channel(), [one], on_message=received.append, no_ack=True
        )
        with consumer:
            consumer.add_queue(harness.undeclared_queue("two"))
            consumer.consume()
            consumer.cancel_by_queue(one.name)
            harness.publish("one", one)
            harness.publish("two", two)

            harness.drain(connection, lambda: received)
            harness.drain_idle(connection)

        assert [message.payload for message in received] == ["two"]

    def test_consumer_count_follows(self, harness: Harness) -> None:
        harness.require("auto_delete")
        queue = harness.queue()
        connection = harness.connect()
        consumer = Consumer(connection.channel(), [queue], on_message=repr)

        counts = [queue.queue_declare(passive=True).consumer_count]
        with consumer:
            counts.append(queue.queue_declare(passive=True).consumer_count)
        counts.append(queue.queue_declare(passive=True).consumer_count)

        assert counts == [0, 1, 0]

    def test_consumer_is_told_that_its_queue_was_deleted(
        self, harness: Harness
    ) -> None:
        harness.require("cancel_notice")
        queue = harness.queue()
        told: list[str] = []
        connection = harness.connect()
        tag = queue(connection.channel()).consume(
            "tag", repr, no_ack=True, on_cancel=told.append
        )

        queue.delete()

        harness.drain(connection, lambda: told)
        assert told == [tag or "tag"]

    def test_consumer_of_a_deleted_queue_can_begin_again(
        self, harness: Harness
    ) -> None:
        harness.require("cancel_notice")
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        consumer = Consumer(
            connection.channel(), [queue], on_message=received.append, no_ack=True
        )
        consumer.consume()
        queue.delete()
        harness.drain(connection, lambda: not consumer.consuming_from(queue))

        consumer.declare()
        consumer.consume()
        harness.publish("hello", queue)

        harness.drain(connection, lambda: received)
        assert received[0].payload == "hello"
