"""A consumer that is killed: what it had in hand comes back."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer
from kombu.testing.conformance._leases import receive
from kombu.testing.conformance._waiting import Waiter

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestKilledConsumer",)


@pytest.mark.stress
class TestKilledConsumer:
    """At any moment, at once, with nothing put in order."""

    @pytest.fixture(autouse=True)
    def needs_leases(self, harness: Harness) -> None:
        harness.require("lease")

    def test_message_of_a_killed_consumer_is_delivered_again(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        consumer = harness.killable_consumer(queue, waits_for=1)
        assert not consumer.received[0].is_redelivered

        consumer.kill()
        [message] = receive(harness, queue, 1)

        assert message.payload == "hello"
        assert message.delivery_info["redelivered"]
        assert queue.get() is None

    def test_deliveries_are_counted(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        counts = []
        for _ in range(2):
            consumer = harness.killable_consumer(queue, waits_for=1)
            counts.append(consumer.received[0].deliveries)
            consumer.kill()

        [message] = receive(harness, queue, 1)

        assert [*counts, message.headers["x-delivery-count"]] == [0, 1, 2]

    def test_consumer_killed_in_its_callback(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        consumer = harness.killable_consumer(queue, waits_for=1, seconds=3600)

        consumer.kill()

        assert receive(harness, queue, 1)[0].payload == "hello"

    def test_what_a_killed_consumer_had_acknowledged_does_not_come_back(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(6):
            harness.publish(number, queue)
        consumer = harness.killable_consumer(queue, acknowledges=4, waits_for=6)
        # Acknowledgements may be gathered, but not for longer than it has messages.
        harness.publish(6, queue)
        harness.settle(lambda: len(consumer.received) == 7)

        consumer.kill()
        again = receive(harness, queue, 3)

        assert [message.payload for message in again] == [4, 5, 6]
        assert queue.get() is None

    def test_messages_come_back_to_the_head_in_order(self, harness: Harness) -> None:
        harness.require("requeue_to_head", "prefetch")
        queue = harness.queue()
        for number in range(8):
            harness.publish(number, queue)
        consumer = harness.killable_consumer(queue, prefetch_count=5, waits_for=5)

        consumer.kill()
        harness.drain(harness.watching(), lambda: harness.size(queue) == 8)
        again = receive(harness, queue, 8)

        assert [message.payload for message in again] == list(range(8))
        marks = [bool(m.delivery_info.get("redelivered")) for m in again]
        assert marks == [True] * 5 + [False] * 3

    def test_several_consumers_that_were_killed(self, harness: Harness) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(9):
            harness.publish(number, queue)
        consumers = [
            harness.killable_consumer(queue, prefetch_count=3, waits_for=3)
            for _ in range(3)
        ]

        for consumer in consumers:
            consumer.kill()
        again = receive(harness, queue, 9)

        assert sorted(message.payload for message in again) == list(range(9))
        assert queue.get() is None

    def test_messages_of_several_queues_go_back_to_their_own(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        one = harness.queue("one", exchange, "key")
        two = harness.queue("two", exchange, "key")
        harness.publish("hello", exchange, "key")
        for queue in (one, two):
            harness.killable_consumer(queue, waits_for=1).kill()

        assert receive(harness, one, 1)[0].payload == "hello"
        assert receive(harness, two, 1)[0].payload == "hello"
        assert one.get() is None
        assert two.get() is None

    def test_content_is_as_it_was(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish(
            {"a": [1, None]},
            queue,
            headers={"key": ["value"]},
            correlation_id="id",
            compression="gzip",
        )
        harness.killable_consumer(queue, waits_for=1).kill()

        [message] = receive(harness, queue, 1)

        assert message.payload == {"a": [1, None]}
        assert message.headers["key"] == ["value"]
        assert message.properties["correlation_id"] == "id"

    def test_consumer_that_waits_is_woken_by_what_comes_back(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        dying = harness.killable_consumer(queue, waits_for=1)
        received: list[Message] = []
        connection = harness.connect_leased()
        with Consumer(connection.channel(), [queue], on_message=received.append):
            waiter = Waiter(harness, connection)
            assert not received

            dying.kill()
            waiter.ends()

        assert received[0].payload == "hello"

    def test_none_is_lost_by_consumers_that_are_killed_in_their_work(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(120):
            harness.publish(number, queue)
        settled: list[int] = []
        # What each was about to acknowledge, or had not told yet: nobody knows.
        unknown: list[int] = []
        for seen in (1, 17, 30):
            consumer = harness.killable_consumer(
                queue,
                acknowledges=1000,
                prefetch_count=7,
                waits_for=seen,
                seconds=0.001,
                is_late=True,
            )
            consumer.kill()
            acknowledged = [d.body for d in consumer.received if d.is_acknowledged]
            sure = max(len(acknowledged) - harness.gathered_acks, 0)
            settled += acknowledged[:sure]
            unknown += acknowledged[sure:]
            unknown += [d.body for d in consumer.received[-1:] if not d.is_acknowledged]
        rest = []
        connection = harness.connect_leased()

        def on_message(message: Message) -> None:
            rest.append(message.payload)
            message.ack()

        with Consumer(connection.channel(), [queue], on_message=on_message):
            known = {*settled, *unknown}
            harness.drain(connection, lambda: {*rest, *known} == set(range(120)))
            harness.drain_for(connection, harness.longer_lease / 2)

        assert len(rest) == len(set(rest)), "one came twice to who lived"
        assert not set(rest) & set(settled), "one came that was acknowledged"
        assert queue.get() is None

    def test_messages_of_a_deleted_queue_do_not_bring_it_back(
        self, harness: Harness
    ) -> None:
        harness.require("passive_declare")
        queue = harness.queue()
        harness.publish("lost", queue)
        consumer = harness.killable_consumer(queue, waits_for=1)

        queue.delete()
        consumer.kill()
        harness.drain_for(harness.watching(), harness.lease + harness.longer_lease)

        assert not harness.exists(queue)
        queue.declare()
        assert queue.get() is None

    def test_messages_of_a_connection_that_was_dropped_come_back(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        dropped = harness.connect_leased(harness.lease)
        harness.forget(dropped)
        assert harness.get(queue(dropped.channel())).payload == "hello"

        del dropped
        gc.collect()

        assert receive(harness, queue, 1)[0].payload == "hello"
