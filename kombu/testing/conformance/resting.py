"""Messages that rest take nothing of anybody, and can be taken back."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer, Producer

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestRestingMessages",)


#: Milliseconds of a delay that is waited for.
SHORT = 200

#: Milliseconds of one that is not.
LONG = 3_600_000

#: Bytes that a consumer may use for what it does not even know of.
FLAT = 1_000_000


class TestRestingMessages:
    """From when they are published until they are due."""

    @pytest.fixture(autouse=True)
    def needs_delay(self, harness: Harness) -> None:
        harness.require("delay")

    def test_resting_message_does_not_count(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("now", queue)
        harness.publish("later", queue, headers={"x-delay": LONG})

        harness.settle(lambda: harness.size(queue) >= 1)

        assert harness.size(queue) == 1

    def test_resting_messages_take_no_prefetch(self, harness: Harness) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for _ in range(5):
            harness.publish("later", queue, headers={"x-delay": LONG})
        for number in range(3):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(), [queue], on_message=held.append, prefetch_count=2
        ):
            harness.drain(connection, lambda: len(held) == 2)

            assert [message.payload for message in held] == [0, 1]

    def test_it_survives_its_publisher(self, harness: Harness) -> None:
        queue = harness.queue()
        publisher = harness.connect()
        harness.publish(
            "later", queue, connection=publisher, headers={"x-delay": SHORT}
        )

        publisher.close()

        assert harness.get(queue).payload == "later"

    def test_it_survives_the_consumers_of_its_queue(self, harness: Harness) -> None:
        queue = harness.queue()
        consuming = harness.connect()
        Consumer(consuming.channel(), [queue], on_message=repr).consume()
        harness.publish("later", queue, headers={"x-delay": SHORT})
        harness.drain_idle(consuming)

        consuming.close()

        message = harness.get(queue)
        assert message.payload == "later"
        assert not message.delivery_info.get("redelivered")

    # -- taking back -------------------------------------------------------------------

    def test_it_can_be_taken_back(self, harness: Harness) -> None:
        queue = harness.queue()
        for name in ("one", "two", "three"):
            harness.publish(
                name, queue, headers={"x-delay": SHORT}, message_id=f"id-{name}"
            )

        assert queue.cancel_delayed("id-two")
        assert not queue.cancel_delayed("id-two")

        received = harness.consume_all(queue, 2)
        assert sorted(message.payload for message in received) == ["one", "three"]
        assert queue.get() is None

    def test_what_does_not_rest_can_not_be_taken_back(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("now", queue, message_id="id-now")

        assert not queue.cancel_delayed("id-now")
        assert not queue.cancel_delayed("id-unheard-of")

        assert harness.take(queue, 1) == ["now"]

    def test_purging_removes_it(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("later", queue, headers={"x-delay": SHORT})

        queue.purge()

        harness.let_pass(2 * SHORT / 1000)
        assert queue.get() is None

    def test_deleting_the_queue_removes_it(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("later", queue, headers={"x-delay": SHORT})

        queue.delete()
        queue.declare()

        harness.let_pass(2 * SHORT / 1000)
        assert queue.get() is None

    # -- many --------------------------------------------------------------------------

    def test_memory_of_a_consumer_does_not_grow_with_what_rests(
        self, harness: Harness, request: pytest.FixtureRequest
    ) -> None:
        is_stressed = request.config.getoption("--stress", 1) > 1
        queue = harness.queue()
        producer = Producer(harness.connection.default_channel)
        with producer.batch(max_size=500):
            for number in range(harness.many * (10 if is_stressed else 1)):
                producer.publish(
                    number, routing_key=queue.name, headers={"x-delay": LONG}
                )
        received: list[Message] = []
        connection = harness.connect()
        tracemalloc.start()
        try:
            with Consumer(connection.channel(), [queue], on_message=received.append):
                harness.drain_idle(connection)
                harness.publish("now", queue)
                harness.drain(connection, lambda: received)
                used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert received[0].payload == "now"
        assert used < FLAT
