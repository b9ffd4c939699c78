"""Messages arrive: each once, whole, and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer, Producer
from kombu.testing.conformance._waiting import Waiter

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestDelivery",)


class TestDelivery:
    """What is published reaches the queue, and from there one consumer."""

    def test_published_message_is_got(self, harness: Harness) -> None:
        queue = harness.queue()

        harness.publish({"number": 1}, queue)

        message = harness.get(queue)
        assert message.payload == {"number": 1}
        message.ack()
        assert queue.get() is None

    def test_nothing_is_got_from_an_empty_queue(self, harness: Harness) -> None:
        assert harness.queue().get() is None

    @pytest.mark.stress
    def test_messages_are_consumed_in_order(self, harness: Harness) -> None:
        queue = harness.queue()

        for number in range(20):
            harness.publish(number, queue)

        received = harness.consume_all(queue, 20)
        assert [message.payload for message in received] == list(range(20))
        assert queue.get() is None

    def test_message_says_where_it_came_from(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        harness.publish("hello", exchange, "key")

        info = harness.get(queue, no_ack=True).delivery_info
        assert info["exchange"] == exchange.name
        assert info["routing_key"] == "key"
        assert not info.get("redelivered")

    def test_waiting_consumer_is_woken_by_another_connection(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        received: list[object] = []
        consuming = harness.connect()
        with Consumer(
            consuming.channel(),
            [queue],
            callbacks=[lambda body, message: received.append(body)],
            no_ack=True,
        ):
            waiter = Waiter(harness, consuming)
            harness.publish("wake up", queue)
            waiter.ends()

        assert received == ["wake up"]

    def test_wait_for_a_message_ends_in_time(self, harness: Harness) -> None:
        queue = harness.queue()
        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=lambda message: None):
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=harness.idle)

    def test_messages_of_several_queues_come_by_one_consumer(
        self, harness: Harness
    ) -> None:
        queues = [harness.queue(f"queue-{number}") for number in range(5)]
        for number, queue in enumerate(queues):
            harness.publish(number, queue)

        received = harness.consume_all(queues, 5)

        assert sorted(message.payload for message in received) == list(range(5))

    def test_full_queue_does_not_starve_another(self, harness: Harness) -> None:
        flooded, quiet = harness.queue("flooded"), harness.queue("quiet")
        for number in range(50):
            harness.publish(number, flooded)
        harness.publish("alone", quiet)
        harness.settle(lambda: harness.size(flooded) == 50 and harness.size(quiet) == 1)

        received = harness.consume_all([flooded, quiet], 20, prefetch_count=1)

        assert "alone" in [message.payload for message in received]

    def test_batch_arrives_whole_and_in_order(self, harness: Harness) -> None:
        queue = harness.queue()
        producer = Producer(harness.connection.default_channel)

        with producer.batch(max_size=7):
            for number in range(20):
                producer.publish(number, routing_key=queue.name)

        assert harness.take(queue, 20) == list(range(20))
