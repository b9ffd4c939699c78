"""Queues hold so much, and messages are delivered so often, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import PublishRefused
from kombu.messaging import Consumer
from kombu.testing.conformance._dead_letters import deaths_of, with_dead_letters

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestDeliveryLimit", "TestMaxLength")

REFUSING = {"x-overflow": "reject-publish"}


@pytest.mark.stress
class TestMaxLength:
    """``max_length``, ``max_length_bytes``, and what gives way (``x-overflow``)."""

    @pytest.fixture(autouse=True)
    def needs_limits(self, harness: Harness) -> None:
        harness.require("max_length")

    def test_oldest_message_gives_way(self, harness: Harness) -> None:
        queue = harness.queue(max_length=3)

        for number in range(5):
            harness.publish(number, queue)

        assert harness.take(queue, 3) == [2, 3, 4]

    def test_queue_that_may_hold_nothing(self, harness: Harness) -> None:
        queue = harness.queue(max_length=0)

        harness.publish("lost", queue)

        assert queue.get() is None

    def test_what_gives_way_is_dead_lettered(self, harness: Harness) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(harness, max_length=2)

        for number in range(4):
            harness.publish(number, queue)

        messages = [harness.get(dead) for _ in range(2)]
        assert [message.payload for message in messages] == [0, 1]
        assert deaths_of(messages[0]) == [(queue.name, "maxlen", 1)]
        assert harness.take(queue, 2) == [2, 3]

    def test_bytes_are_limited(self, harness: Harness) -> None:
        queue = harness.queue(max_length_bytes=5000)

        for number in range(10):
            harness.publish(f"{number}" * 1000, queue)

        left = []
        while (message := queue.get(no_ack=True)) is not None:
            left.append(message.payload[0])
        # Bodies may be longer in the store, by their encoding.
        assert 2 <= len(left) <= 5
        assert left == list("0123456789")[-len(left) :]

    def test_messages_in_hand_do_not_count(self, harness: Harness) -> None:
        queue = harness.queue(max_length=2)
        harness.publish("in hand", queue)
        message = harness.get(queue)

        harness.publish("one", queue)
        harness.publish("two", queue)
        message.ack()

        assert harness.take(queue, 2) == ["one", "two"]

    def test_limit_holds_for_who_never_declared_the_queue(
        self, harness: Harness
    ) -> None:
        harness.require("shared_topology")
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key", max_length=2)
        stranger = harness.connect()

        for number in range(4):
            harness.publish(number, exchange, "key", connection=stranger)

        assert harness.take(queue, 2) == [2, 3]

    def test_other_queues_of_the_exchange_have_all(self, harness: Harness) -> None:
        exchange = harness.exchange()
        limited = harness.queue("limited", exchange, "key", max_length=1)
        other = harness.queue("other", exchange, "key")

        for number in range(3):
            harness.publish(number, exchange, "key")

        assert harness.take(limited, 1) == [2]
        assert harness.take(other, 3) == [0, 1, 2]

    def test_dead_letters_fill_a_queue_with_a_limit(self, harness: Harness) -> None:
        harness.require("dead_letter")
        dead = harness.queue("dead", max_length=2)
        queue = harness.queue(
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": dead.name,
            }
        )
        for number in range(4):
            harness.publish(number, queue)

        for _ in range(4):
            harness.get(queue).reject()

        assert harness.take(dead, 2) == [2, 3]

    def test_delayed_messages_that_are_due_count(self, harness: Harness) -> None:
        harness.require("delay", "lease")
        queue = harness.queue(max_length=2)
        for number in range(4):
            harness.publish(number, queue, headers={"x-delay": 100 + number})
        harness.publish("now", queue)

        harness.let_pass(0.15)
        harness.drain_for(harness.watching(), harness.longer_lease)

        assert harness.take(queue, 2) == [2, 3]

    # -- refusing ----------------------------------------------------------------------

    def test_full_queue_refuses_what_is_published(self, harness: Harness) -> None:
        queue = harness.queue(max_length=2, queue_arguments=REFUSING)
        harness.publish("one", queue)
        harness.publish("two", queue)

        with pytest.raises(PublishRefused) as refused:
            harness.publish("three", queue, message_id="an-id")

        assert refused.value.queues == [queue.name]
        assert queue.name in str(refused.value)
        assert "an-id" in str(refused.value)
        assert harness.take(queue, 2) == ["one", "two"]

    def test_queue_that_has_room_again_refuses_no_more(self, harness: Harness) -> None:
        queue = harness.queue(max_length=1, queue_arguments=REFUSING)
        harness.publish("one", queue)
        with pytest.raises(PublishRefused):
            harness.publish("two", queue)
        assert harness.take(queue, 1) == ["one"]

        harness.publish("three", queue)

        assert harness.take(queue, 1) == ["three"]

    def test_queue_that_is_full_of_bytes_refuses(self, harness: Harness) -> None:
        queue = harness.queue(max_length_bytes=1000, queue_arguments=REFUSING)
        harness.publish("x" * 300, queue)

        with pytest.raises(PublishRefused):
            harness.publish("y" * 900, queue)

        assert harness.take(queue, 1) == ["x" * 300]

    def test_queues_that_are_not_full_have_what_another_refused(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        full = harness.queue(
            "full", exchange, "key", max_length=1, queue_arguments=REFUSING
        )
        other = harness.queue("other", exchange, "key")
        harness.publish("one", exchange, "key")

        with pytest.raises(PublishRefused) as refused:
            harness.publish("two", exchange, "key")

        assert refused.value.queues == [full.name]
        assert harness.take(other, 2) == ["one", "two"]
        assert harness.take(full, 1) == ["one"]

    def test_refused_message_can_be_dead_lettered(self, harness: Harness) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(
            harness, max_length=1, queue_arguments={"x-overflow": "reject-publish-dlx"}
        )
        harness.publish("one", queue)

        with pytest.raises(PublishRefused):
            harness.publish("two", queue)

        message = harness.get(dead)
        assert message.payload == "two"
        assert deaths_of(message) == [(queue.name, "maxlen", 1)]
        assert harness.take(queue, 1) == ["one"]

    def test_full_queue_takes_back_what_was_in_hand(self, harness: Harness) -> None:
        queue = harness.queue(max_length=1, queue_arguments=REFUSING)
        harness.publish("one", queue)
        message = harness.get(queue)
        harness.publish("two", queue)

        message.requeue()

        assert harness.take(queue, 2) == ["one", "two"]


@pytest.mark.stress
class TestDeliveryLimit:
    """``x-delivery-limit``: so many redeliveries, then it is dead."""

    @pytest.fixture(autouse=True)
    def needs_limits(self, harness: Harness) -> None:
        harness.require("delivery_limit", "dead_letter")

    def check(self, harness: Harness, queue: Any, dead: Any) -> None:
        """See that the message died of its deliveries."""
        message = harness.get(dead)
        assert message.payload == "hello"
        assert deaths_of(message) == [(queue.name, "delivery_limit", 1)]
        assert queue.get() is None

    @pytest.mark.parametrize("limit", [0, 1, 3])
    def test_requeued_too_often(self, harness: Harness, limit: int) -> None:
        queue, dead = with_dead_letters(
            harness, queue_arguments={"x-delivery-limit": limit}
        )
        harness.publish("hello", queue)

        for _ in range(limit + 1):
            assert dead.get() is None
            harness.get(queue).requeue()

        self.check(harness, queue, dead)

    def test_requeued_by_a_consumer_for_ever(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(
            harness, queue_arguments={"x-delivery-limit": 3}
        )
        harness.publish("hello", queue)
        seen: list[Message] = []

        def on_message(message: Message) -> None:
            seen.append(message)
            message.requeue()

        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=on_message):
            harness.drain(connection, lambda: len(seen) == 4)
            harness.drain_idle(connection)

        assert len(seen) == 4
        self.check(harness, queue, dead)

    def test_closed_too_often(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(
            harness, queue_arguments={"x-delivery-limit": 2}
        )
        harness.publish("hello", queue)

        for _ in range(3):
            with harness.connect() as connection:
                harness.get(queue(connection.channel()))

        self.check(harness, queue, dead)

    def test_killed_too_often(self, harness: Harness) -> None:
        harness.require("lease")
        queue, dead = with_dead_letters(
            harness, queue_arguments={"x-delivery-limit": 1}
        )
        harness.publish("hello", queue)

        for _ in range(2):
            harness.killable_consumer(queue, waits_for=1).kill()
        received: list[Message] = []
        connection = harness.connect_leased()
        with Consumer(connection.channel(), [queue], on_message=received.append):
            harness.drain(connection, lambda: harness.size(dead))

        assert not received
        self.check(harness, queue, dead)

    def test_without_a_limit_it_comes_again_and_again(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)

        for _ in range(50):
            harness.get(queue).requeue()

        assert harness.take(queue, 1) == ["hello"]

    def test_without_an_exchange_for_the_dead_it_is_discarded(
        self, harness: Harness
    ) -> None:
        queue = harness.queue(queue_arguments={"x-delivery-limit": 1})
        harness.publish("hello", queue)
        harness.publish("next", queue)

        for _ in range(2):
            harness.get(queue).requeue()

        assert harness.take(queue, 1) == ["next"]
