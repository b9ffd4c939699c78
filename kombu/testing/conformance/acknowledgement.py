"""A message is settled once: acknowledged, refused, or put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kombu.exceptions import MessageStateError
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestAcknowledgement",)


@pytest.mark.stress
class TestAcknowledgement:
    """What settling does to a message, and what happens without."""

    def test_acknowledged_message_does_not_come_again(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        harness.publish("hello", queue)

        message = harness.get(queue)
        message.ack()
        connection.close()

        assert message.acknowledged
        assert harness.queue().get() is None

    def test_unsettled_message_comes_again(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        harness.publish("hello", queue)

        harness.get(queue)
        connection.close()

        assert harness.take(harness.queue(), 1) == ["hello"]

    def test_message_without_acknowledgement_is_gone_at_once(
        self, harness: Harness
    ) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        harness.publish("got", queue)
        harness.publish("consumed", queue)

        assert harness.get(queue, no_ack=True).payload == "got"
        harness.consume_all(queue, 1, connection=connection, no_ack=True)
        connection.close()

        assert harness.queue().get() is None

    def test_acknowledging_what_the_broker_settled_does_no_harm(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(3):
            harness.publish(number, queue)
        received: list[object] = []

        def on_message(message: Message) -> None:
            received.append(message.payload)
            message.ack()

        connection = harness.connect()
        with Consumer(
            connection.channel(), [queue], on_message=on_message, no_ack=True
        ):
            harness.drain(connection, lambda: len(received) == 3)

        assert received == [0, 1, 2]
        assert queue.get() is None

    def test_ack_of_several_settles_all_before(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        for number in range(5):
            harness.publish(number, queue)
        messages = [harness.get(queue) for _ in range(5)]

        messages[2].ack(multiple=True)
        connection.close()

        assert harness.take(harness.queue(), 2) == [3, 4]

    def test_rejected_message_is_discarded(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        harness.publish("unwanted", queue)

        harness.get(queue).reject()
        connection.close()

        assert harness.queue().get() is None

    def test_requeued_message_comes_again_to_anybody(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)

        harness.get(queue).requeue()

        other = harness.queue(connection=harness.connect())
        assert harness.take(other, 1) == ["hello"]

    def test_requeued_message_is_marked(self, harness: Harness) -> None:
        harness.require("redelivered")
        queue = harness.queue()
        harness.publish("hello", queue)
        first = harness.get(queue)
        assert not first.delivery_info.get("redelivered")

        first.requeue()

        assert harness.get(queue, no_ack=True).delivery_info["redelivered"]

    def test_requeued_message_is_the_next(self, harness: Harness) -> None:
        harness.require("requeue_to_head")
        queue = harness.queue()
        for number in range(3):
            harness.publish(number, queue)

        harness.get(queue).requeue()
        harness.settle(lambda: harness.size(queue) == 3)

        assert harness.take(queue, 3) == [0, 1, 2]

    def test_consumer_gets_what_it_requeued(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        received: list[object] = []

        def on_message(message: Message) -> None:
            received.append(message.payload)
            if len(received) < 3:
                message.requeue()
            else:
                message.ack()

        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=on_message):
            harness.drain(connection, lambda: len(received) == 3)
            harness.drain_idle(connection)

        assert received == ["hello"] * 3
        assert queue.get() is None

    @pytest.mark.parametrize("first", ["ack", "reject", "requeue"])
    @pytest.mark.parametrize("second", ["ack", "reject", "requeue"])
    def test_message_is_settled_but_once(
        self, harness: Harness, first: str, second: str
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        message = harness.get(queue)
        getattr(message, first)()

        with pytest.raises(MessageStateError):
            getattr(message, second)()

    def test_only_the_message_meant_is_settled(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        for number in range(3):
            harness.publish(number, queue)
        messages = [harness.get(queue) for _ in range(3)]

        messages[1].ack()
        connection.close()

        assert harness.take(harness.queue(), 2) == [0, 2]

    def test_what_is_in_hand_is_not_settled_with_what_comes_after(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(30):
            harness.publish(number, queue)
        connection = harness.connect()
        received: list[int] = []
        held: list[Message] = []

        def on_message(message: Message) -> None:
            received.append(message.payload)
            if message.payload % 7 == 3:
                held.append(message)
            elif message.payload % 11 == 5:
                message.reject()
            else:
                message.ack()

        with Consumer(connection.channel(), [queue], on_message=on_message):
            harness.drain(connection, lambda: len(received) == 30)
            held[0].ack()
            connection.close()

        assert harness.take(queue, 3) == [10, 17, 24]
        assert queue.get() is None

    def test_copies_in_several_queues_are_settled_each(self, harness: Harness) -> None:
        connection = harness.connect()
        exchange = harness.exchange()
        one = harness.queue("one", exchange, "key", connection=connection)
        two = harness.queue("two", exchange, "key", connection=connection)
        harness.publish("hello", exchange, "key")

        harness.get(one).ack()
        harness.get(two)
        connection.close()

        assert harness.queue("one", exchange, "key").get() is None
        assert harness.take(harness.queue("two", exchange, "key"), 1) == ["hello"]

    def test_recover_brings_back_what_is_unsettled(self, harness: Harness) -> None:
        queue = harness.queue()
        connection = harness.connect()
        harness.publish("one", queue)
        harness.publish("two", queue)
        received: list[Message] = []
        consumer = Consumer(connection.channel(), [queue], on_message=received.append)
        with consumer:
            harness.drain(connection, lambda: len(received) == 2)
            received[0].ack()

            consumer.recover(requeue=True)

            harness.drain(connection, lambda: len(received) == 3)
            assert received[2].payload == "two"
            received[2].ack()
