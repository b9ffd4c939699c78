"""Temporary queues go with who uses them, also with one that was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.entity import Queue
from kombu.messaging import Consumer, Producer

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestTemporaryQueues",)


class TestTemporaryQueues:
    """Exclusive and auto-delete queues go, also when their owner was killed."""

    @pytest.fixture(autouse=True)
    def needs_leases(self, harness: Harness) -> None:
        harness.require("lease", "passive_declare")

    def test_exclusive_queue_goes_with_an_owner_that_was_killed(
        self, harness: Harness
    ) -> None:
        harness.require("exclusive")
        queue = harness.undeclared_queue("temporary")
        owner = harness.killable_consumer(queue, declaration={"exclusive": True})
        assert harness.exists(queue)

        owner.kill()

        harness.drain(harness.watching(), lambda: not harness.exists(queue))

    def needs_guesses(self, harness: Harness) -> None:
        """Skip the test where it is known at once that a connection is dead."""
        if getattr(harness.connection.transport, "topology", None) is None:
            harness.skip("it is known which connections live")

    def test_exclusive_queue_passes_at_once_to_who_declares_it(
        self, harness: Harness
    ) -> None:
        """Who starts again under the same name need not wait for a lease to end."""
        harness.require("exclusive")
        self.needs_guesses(harness)
        queue = harness.undeclared_queue("temporary")
        owner = harness.killable_consumer(queue, declaration={"exclusive": True})
        owner.kill()

        connection = harness.connect()
        mine = Queue(queue.name, exclusive=True)(connection.channel())
        mine.declare()
        harness.publish("hello", queue)

        harness.settle(lambda: mine.queue_declare(passive=True).message_count)
        message = mine.get()
        assert message is not None
        assert message.payload == "hello"

    def test_exclusive_queue_that_was_taken_over_stays(self, harness: Harness) -> None:
        harness.require("exclusive")
        self.needs_guesses(harness)
        queue = harness.undeclared_queue("temporary")
        owner = harness.killable_consumer(queue, declaration={"exclusive": True})
        owner.kill()
        connection = harness.connect_leased()
        received: list[Any] = []
        mine = Queue(queue.name, exclusive=True, auto_delete=True)
        with Consumer(connection.channel(), [mine], on_message=received.append):
            harness.drain_for(connection, 3 * harness.lease)
            harness.publish("hello", queue)
            harness.drain(connection, lambda: received)

        assert received[0].payload == "hello"

    def test_its_messages_and_bindings_go_too(self, harness: Harness) -> None:
        harness.require("exclusive", "mandatory")
        exchange = harness.exchange()
        queue = harness.undeclared_queue("temporary")
        owner = harness.killable_consumer(
            queue,
            declaration={"exclusive": True},
            exchange=exchange.name,
            routing_key="key",
            prefetch_count=1,
        )
        harness.publish("one", exchange, "key")
        harness.publish("two", exchange, "key")
        harness.settle(lambda: owner.received)

        owner.kill()
        harness.drain(harness.watching(), lambda: not harness.exists(queue))

        returned: list[Any] = []
        connection = harness.connect()
        producer = Producer(
            connection.channel(), on_return=lambda *args: returned.append(args)
        )
        producer.publish("lost", "key", exchange=exchange.name, mandatory=True)
        if not returned:
            harness.drain(connection, lambda: returned)
        bound = queue(harness.connection.default_channel)
        bound.declare()
        assert bound.get() is None

    def test_exclusive_queue_stays_while_its_owner_lives(
        self, harness: Harness
    ) -> None:
        harness.require("exclusive")
        queue = harness.undeclared_queue("temporary")
        owner = harness.killable_consumer(queue, declaration={"exclusive": True})

        harness.drain_for(harness.watching(), 3 * harness.lease)

        assert harness.exists(queue)
        assert not owner.has_ended

    def test_auto_delete_queue_goes_with_its_last_consumer_that_was_killed(
        self, harness: Harness
    ) -> None:
        harness.require("auto_delete")
        queue = harness.undeclared_queue("temporary")
        declaration = {"auto_delete": True}
        consumers = [
            harness.killable_consumer(queue, declaration=declaration) for _ in range(2)
        ]
        watcher = harness.watching()

        consumers[0].kill()
        harness.drain_for(watcher, 2 * harness.lease)
        assert harness.exists(queue)

        consumers[1].kill()
        harness.drain(watcher, lambda: not harness.exists(queue))

    def test_auto_delete_queue_stays_while_another_process_consumes(
        self, harness: Harness
    ) -> None:
        harness.require("auto_delete")
        queue = harness.queue(auto_delete=True)
        harness.killable_consumer(queue)
        connection = harness.connect()

        with Consumer(connection.channel(), [queue], on_message=repr):
            harness.drain_idle(connection)

        assert harness.exists(queue)

    def test_other_queues_of_the_owner_stay(self, harness: Harness) -> None:
        queue = harness.undeclared_queue("lasting")
        owner = harness.killable_consumer(queue, declaration={"durable": True})
        harness.publish("hello", queue)
        harness.settle(lambda: owner.received)

        owner.kill()

        bound = queue(harness.connection.default_channel)
        connection = harness.connect_leased()
        [message] = harness.consume_all(bound, 1, connection=connection)
        assert message.payload == "hello"
