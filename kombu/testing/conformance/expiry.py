"""Messages and queues have an end: ``expiration``, ``message_ttl``, ``expires``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import InvalidMoment
from kombu.messaging import Consumer
from kombu.testing.conformance._dead_letters import deaths_of, with_dead_letters

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestExpiry", "TestQueueExpiry")

#: Seconds that something lives which is to die.
SHORT = 0.1

#: Seconds that something lives which is not.
LONG = 3600


class TestExpiry:
    """Messages that nobody takes in time are delivered to nobody."""

    @pytest.fixture(autouse=True)
    def needs_expiry(self, harness: Harness) -> None:
        harness.require("message_ttl")

    def test_expired_message_is_not_got(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("dead", queue, expiration=SHORT)
        harness.publish("alive", queue)

        harness.let_pass(SHORT)

        assert harness.take(queue, 1) == ["alive"]

    def test_message_is_delivered_while_it_lives(self, harness: Harness) -> None:
        queue = harness.queue(message_ttl=LONG)
        harness.publish("one", queue, expiration=LONG)
        harness.publish("two", queue)

        harness.let_pass(SHORT)

        assert harness.take(queue, 2) == ["one", "two"]

    def test_expired_message_is_not_consumed(self, harness: Harness) -> None:
        queue = harness.queue()
        for number in range(5):
            harness.publish("dead", queue, expiration=SHORT)
            harness.publish(number, queue)
        harness.let_pass(SHORT)

        received = harness.consume_all(queue, 5)

        assert [message.payload for message in received] == list(range(5))
        assert queue.get() is None

    def test_messages_of_a_queue_expire(self, harness: Harness) -> None:
        queue = harness.queue(message_ttl=SHORT)
        harness.publish("dead", queue)

        harness.let_pass(SHORT)

        assert queue.get() is None

    @pytest.mark.parametrize(("of_queue", "of_message"), [(SHORT, LONG), (LONG, SHORT)])
    def test_the_lower_of_both_limits_counts(
        self, harness: Harness, of_queue: float, of_message: float
    ) -> None:
        queue = harness.queue(message_ttl=of_queue)
        harness.publish("dead", queue, expiration=of_message)

        harness.let_pass(SHORT)

        assert queue.get() is None

    def test_message_that_may_not_wait_reaches_nobody_who_comes_later(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("dead", queue, expiration=0)
        harness.publish("alive", queue)

        assert harness.take(queue, 1) == ["alive"]

    def test_each_queue_has_a_limit_of_its_own(self, harness: Harness) -> None:
        exchange = harness.exchange()
        mortal = harness.queue("mortal", exchange, "key", message_ttl=SHORT)
        eternal = harness.queue("eternal", exchange, "key")
        harness.publish("hello", exchange, "key")

        harness.let_pass(SHORT)

        assert mortal.get() is None
        assert harness.take(eternal, 1) == ["hello"]

    def test_limit_of_the_queue_holds_for_who_never_declared_it(
        self, harness: Harness
    ) -> None:
        harness.require("shared_topology")
        queue = harness.queue(message_ttl=SHORT)
        stranger = harness.connect()
        harness.publish("dead", queue, connection=stranger)

        harness.let_pass(SHORT)

        assert queue.get() is None

    def test_message_in_hand_does_not_expire(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue, expiration=SHORT)
        message = harness.get(queue)

        harness.drain_for(harness.watching(), 2 * SHORT)
        message.ack()

        assert dead.get() is None

    def test_expired_message_that_is_requeued_is_not_delivered_again(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue, expiration=SHORT)
        message = harness.get(queue)

        harness.let_pass(SHORT)
        message.requeue()

        assert queue.get() is None

    def test_message_expires_in_a_queue_that_nobody_consumes(
        self, harness: Harness
    ) -> None:
        harness.require("dead_letter", "lease")
        queue, dead = with_dead_letters(harness, message_ttl=SHORT)
        harness.publish("hello", queue)
        received: list[Message] = []
        connection = harness.connect()
        with Consumer(connection.channel(), [dead], on_message=received.append):
            harness.drain(connection, lambda: received)

        assert received[0].payload == "hello"
        assert deaths_of(received[0]) == [(queue.name, "expired", 1)]
        assert harness.size(queue) == 0

    def test_message_that_expires_when_it_is_got_is_dead_lettered(
        self, harness: Harness
    ) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue, expiration=SHORT)

        harness.let_pass(SHORT)

        assert queue.get() is None
        assert deaths_of(harness.get(dead)) == [(queue.name, "expired", 1)]

    def test_messages_that_expire_are_dead_lettered_in_order(
        self, harness: Harness
    ) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(harness, message_ttl=SHORT)
        for number in range(10):
            harness.publish(number, queue)

        harness.let_pass(SHORT)

        assert queue.get() is None
        assert harness.take(dead, 10) == list(range(10))

    def test_expiration_is_told_to_the_consumer(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue, expiration=LONG)

        message = harness.get(queue, no_ack=True)

        assert str(message.properties["expiration"]) == str(LONG * 1000)

    @pytest.mark.parametrize("value", ["soon", "1s", object])
    def test_expiration_that_is_no_number_is_refused(
        self, harness: Harness, value: Any
    ) -> None:
        if not harness.emulates("message_ttl"):
            harness.skip("the broker itself refuses such an expiration")
        queue = harness.queue()
        channel = harness.connect().channel()
        message = channel.prepare_message("hello", properties={"expiration": value})

        with pytest.raises(InvalidMoment, match="expiration"):
            channel.basic_publish(message, "", queue.name)

        assert queue.get() is None


class TestQueueExpiry:
    """``Queue(expires=...)``: the queue goes when it was not used for so long."""

    @pytest.fixture(autouse=True)
    def needs_expiry(self, harness: Harness) -> None:
        harness.require("queue_expires", "passive_declare")

    def test_unused_queue_goes(self, harness: Harness) -> None:
        queue = harness.queue(expires=SHORT)
        harness.publish("lost", queue)

        harness.drain(harness.watching(), lambda: not harness.exists(queue))

        queue.declare()
        assert queue.get() is None

    def test_its_bindings_go_too(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key", expires=SHORT)

        harness.drain(harness.watching(), lambda: not harness.exists(queue))
        harness.publish("lost", exchange, "key")

        assert not harness.exists(queue)

    def test_queue_stays_while_it_has_a_consumer(self, harness: Harness) -> None:
        queue = harness.queue(expires=SHORT)
        connection = harness.connect()
        consumer = Consumer(connection.channel(), [queue], on_message=repr)
        with consumer:
            harness.drain_for(connection, 4 * SHORT)

            assert harness.exists(queue)

        harness.drain(harness.watching(), lambda: not harness.exists(queue))

    def test_queue_stays_while_another_process_consumes(self, harness: Harness) -> None:
        harness.require("lease")
        queue = harness.queue(expires=1.0)
        consumer = harness.killable_consumer(queue)
        watcher = harness.watching()

        harness.drain_for(watcher, 1.5)
        assert harness.exists(queue)

        consumer.kill()
        harness.drain(watcher, lambda: not harness.exists(queue))

    @pytest.mark.parametrize("use", ["declare", "get"])
    def test_use_lets_the_queue_live_on(self, harness: Harness, use: str) -> None:
        queue = harness.queue(expires=1.2)
        watcher = harness.watching()

        for _ in range(15):
            harness.drain_for(watcher, 0.1)
            queue.queue_declare() if use == "declare" else queue.get()
        assert harness.exists(queue)

        harness.drain(watcher, lambda: not harness.exists(queue))

    def test_other_queues_stay(self, harness: Harness) -> None:
        mortal = harness.queue("mortal", expires=SHORT)
        other = harness.queue("other")
        harness.publish("hello", other)

        harness.drain(harness.watching(), lambda: not harness.exists(mortal))

        assert harness.take(other, 1) == ["hello"]

    def test_messages_do_not_count_as_use(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key", expires=SHORT)
        watcher = harness.watching()

        def is_gone() -> bool:
            harness.publish("hello", exchange, "key")
            return not harness.exists(queue)

        harness.drain(watcher, is_gone)
