"""Declaring, deleting and purging: what exists, and what does not any more."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError, NotFound, ResourceLocked
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestDeclaration",)


class TestDeclaration:
    """Queues and exchanges exist from their declaration to their deletion."""

    def test_declaration_tells_name_messages_and_consumers(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        harness.settle(lambda: harness.size(queue) == 1)

        answer = queue.queue_declare()

        assert tuple(answer) == (queue.name, 1, 0)

    def test_declaring_again_keeps_the_messages(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)

        for _ in range(3):
            queue.declare()

        assert harness.take(queue, 1) == ["hello"]

    def test_declaring_again_does_not_double_what_is_bound(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        for _ in range(3):
            queue.declare()
        harness.publish("hello", exchange, "key")

        assert harness.take(queue, 1) == ["hello"]

    def test_declaration_by_another_connection_is_the_same_queue(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        other = harness.undeclared_queue()(harness.connect().default_channel)

        other.declare()
        harness.publish("hello", queue)

        assert harness.take(other, 1) == ["hello"]

    def test_queue_without_a_name_gets_one(self, harness: Harness) -> None:
        channel = harness.connect().default_channel
        one, two = (Queue("", exclusive=True)(channel) for _ in range(2))

        names = {one.declare(), two.declare()}

        assert "" not in names
        assert len(names) == 2
        harness.publish("hello", one)
        assert harness.take(one, 1) == ["hello"]

    # -- passive -------------------------------------------------------------------

    def test_passive_declaration_of_what_never_was_is_not_found(
        self, harness: Harness
    ) -> None:
        harness.require("passive_declare")
        queue = Queue(harness.unique("missing"))(harness.connect().channel())

        with pytest.raises(NotFound) as caught:
            queue.queue_declare(passive=True)

        assert caught.value.reply_code == 404
        assert isinstance(caught.value, harness.connection.channel_errors)

    def test_passive_declaration_finds_an_empty_queue(self, harness: Harness) -> None:
        harness.require("passive_declare")
        queue = harness.queue()
        harness.publish("hello", queue)
        harness.take(queue, 1)

        assert queue.queue_declare(passive=True).message_count == 0

    def test_passive_declaration_of_an_exchange(self, harness: Harness) -> None:
        harness.require("passive_declare")
        exchange = harness.exchange()
        missing = Exchange(harness.unique("missing"), passive=True)

        exchange.declare(passive=True)

        with pytest.raises(NotFound):
            missing(harness.connect().channel()).declare()

    # -- exclusive and temporary ---------------------------------------------------

    def test_exclusive_queue_is_locked_for_others(self, harness: Harness) -> None:
        harness.require("exclusive")
        queue = harness.queue(exclusive=True)
        other = harness.connect()

        with pytest.raises(ResourceLocked):
            queue(other.channel()).queue_declare(passive=True)
        with pytest.raises(ResourceLocked):
            queue(other.channel()).consume("tag", lambda message: None, no_ack=True)

    def test_exclusive_queue_goes_with_its_connection(self, harness: Harness) -> None:
        harness.require("exclusive", "passive_declare")
        connection = harness.connect()
        queue = harness.queue(exclusive=True, connection=connection)

        connection.close()

        harness.settle(lambda: not harness.exists(queue))

    def test_auto_delete_queue_goes_with_its_last_consumer(
        self, harness: Harness
    ) -> None:
        harness.require("auto_delete", "passive_declare")
        queue = harness.queue(auto_delete=True)
        connections = [harness.connect() for _ in range(2)]
        consumers = [
            Consumer(connection.channel(), [queue], on_message=lambda message: None)
            for connection in connections
        ]
        for consumer in consumers:
            consumer.consume()

        consumers[0].cancel()
        assert harness.exists(queue)
        consumers[1].cancel()

        harness.settle(lambda: not harness.exists(queue))

    def test_auto_delete_queue_waits_for_its_first_consumer(
        self, harness: Harness
    ) -> None:
        queue = harness.queue(auto_delete=True)

        harness.publish("hello", queue)

        assert harness.take(queue, 1) == ["hello"]

    # -- deleting and purging ------------------------------------------------------

    def test_deleted_queue_is_gone_with_its_messages(self, harness: Harness) -> None:
        harness.require("passive_declare")
        queue = harness.queue()
        harness.publish("lost", queue)

        queue.delete()

        assert not harness.exists(queue)
        queue.declare()
        assert queue.get() is None

    def test_what_is_in_hand_of_a_deleted_queue_does_not_come_back(
        self, harness: Harness
    ) -> None:
        harness.require("passive_declare")
        queue = harness.queue()
        harness.publish("lost", queue)
        connection = harness.connect()
        harness.get(queue(connection.channel()))

        queue.delete()
        connection.close()

        assert not harness.exists(queue)
        queue.declare()
        assert queue.get() is None

    def test_what_is_in_hand_of_a_deleted_queue_is_not_its_successors(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("lost", queue)
        connection = harness.connect()
        harness.get(queue(connection.channel()))

        queue.delete()
        queue.declare()
        connection.close()

        assert queue.get() is None

    def test_deleted_queue_is_bound_no_more(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        queue.delete()
        queue.queue_declare()
        harness.publish("lost", exchange, "key")
        harness.publish("hello", queue)

        assert harness.take(queue, 1) == ["hello"]

    def test_deleting_a_queue_that_is_not_there_is_no_error(
        self, harness: Harness
    ) -> None:
        channel = harness.connect().channel()

        channel.queue_delete(queue=harness.unique("missing"))

        assert not harness.exists(harness.unique("missing"))

    def test_queue_with_messages_is_not_deleted_if_empty_is_asked(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        harness.settle(lambda: harness.size(queue) == 1)

        # Brokers that speak AMQP tell; others leave it at that.
        with suppress(ChannelError):
            queue(harness.connect().channel()).delete(if_empty=True)

        assert harness.take(queue, 1) == ["hello"]

    def test_queue_with_consumers_is_not_deleted_if_unused_is_asked(
        self, harness: Harness
    ) -> None:
        harness.require("passive_declare")
        queue = harness.queue()
        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=lambda message: None):
            with suppress(ChannelError):
                queue(connection.channel()).delete(if_unused=True)

            assert harness.exists(queue)

    def test_empty_unused_queue_is_deleted(self, harness: Harness) -> None:
        harness.require("passive_declare")
        queue = harness.queue()

        queue.delete(if_unused=True, if_empty=True)

        assert not harness.exists(queue)

    def test_deleted_exchange_routes_no_more(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        exchange.delete()
        harness.exchange()
        harness.publish("lost", exchange, "key")
        harness.publish("hello", queue)

        assert harness.take(queue, 1) == ["hello"]

    def test_purge_tells_how_many_there_were(self, harness: Harness) -> None:
        queue, other = harness.queue(), harness.queue("other")
        for number in range(3):
            harness.publish(number, queue)
        harness.publish("stays", other)
        harness.settle(lambda: harness.size(queue) == 3)

        assert queue.purge() == 3
        assert queue.purge() == 0
        assert queue.get() is None
        assert harness.take(other, 1) == ["stays"]

    def test_purge_leaves_what_is_in_hand(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("in hand", queue)
        message = harness.get(queue)

        assert queue.purge() == 0
        message.requeue()

        assert harness.take(queue, 1) == ["in hand"]

    # -- what others did -----------------------------------------------------------

    def test_exchange_declared_otherwise_is_refused(self, harness: Harness) -> None:
        exchange = harness.exchange("exchange", "direct")
        connection = harness.connect()
        changed = Exchange(exchange.name, "fanout", durable=False)

        with pytest.raises(Exception, match=exchange.name):
            changed(connection.channel()).declare()

    def test_deleted_queue_is_declared_again_by_who_publishes(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        queue = harness.undeclared_queue("queue", exchange, "key")
        connection = harness.connect()
        producer = harness.producer(connection)
        producer.publish("one", "key", exchange=exchange, declare=[queue])
        bound = queue(connection.default_channel)
        assert harness.take(bound, 1) == ["one"]

        bound.delete()
        producer.publish("two", "key", exchange=exchange, declare=[queue])

        assert harness.take(bound, 1) == ["two"]
