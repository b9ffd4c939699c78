"""One topology for all: what one declares, everybody has."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from kombu.entity import Exchange, Queue
from kombu.exceptions import NotFound
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestTopology",)


@pytest.mark.stress
class TestTopology:
    """Connections that declared nothing know what the others have declared."""

    @pytest.fixture(autouse=True)
    def needs_sharing(self, harness: Harness) -> None:
        harness.require("shared_topology")

    def test_stranger_publishes_to_the_exchange(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        stranger = harness.connect()

        harness.publish("hello", exchange, "key", connection=stranger)

        assert harness.take(queue, 1) == ["hello"]

    @pytest.mark.parametrize("kind", ["direct", "topic", "fanout", "headers"])
    def test_stranger_knows_the_type_of_the_exchange(
        self, harness: Harness, kind: str
    ) -> None:
        harness.require(kind)
        exchange = harness.exchange(type=kind, durable=True)
        queue = harness.queue(
            "queue", exchange, "a.*" if kind == "topic" else "a.b", durable=True
        )
        received: list[Any] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, _: received.append(body)],
            no_ack=True,
        ):
            stranger = harness.connect()

            harness.publish("hello", exchange, "a.b", connection=stranger)
            harness.drain(connection, lambda: received)

        assert received == ["hello"]

    def test_stranger_that_has_published_learns_of_new_bindings(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        stranger = harness.connect()
        harness.publish("lost", exchange, "key", connection=stranger)

        queue = harness.queue("queue", exchange, "key")
        harness.publish("hello", exchange, "key", connection=stranger)

        assert harness.take(queue, 1) == ["hello"]

    def test_stranger_that_has_published_learns_of_bindings_that_went(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        stranger = harness.connect()
        harness.publish("one", exchange, "key", connection=stranger)

        queue.queue_unbind()
        harness.publish("two", exchange, "key", connection=stranger)

        assert harness.take(queue, 1) == ["one"]

    def test_stranger_finds_them_by_passive_declaration(self, harness: Harness) -> None:
        harness.require("passive_declare")
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        channel: Any = harness.connect().channel()

        channel.exchange_declare(exchange.name, passive=True)

        answer = channel.queue_declare(queue.name, passive=True)
        assert answer.message_count == 0

    def test_stranger_unbinds(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        stranger: Any = harness.connect().channel()

        stranger.queue_unbind(queue.name, exchange.name, "key")
        harness.publish("lost", exchange, "key")
        harness.publish("hello", queue)

        assert harness.take(queue, 1) == ["hello"]

    def test_stranger_deletes_the_queue(self, harness: Harness) -> None:
        harness.require("passive_declare")
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        harness.publish("lost", queue)

        queue(harness.connect().channel()).delete()

        assert not harness.exists(queue)
        harness.publish("lost", exchange, "key")
        assert not harness.exists(queue)

    def test_stranger_deletes_the_exchange(self, harness: Harness) -> None:
        harness.require("passive_declare")
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        exchange(harness.connect().channel()).delete()

        with pytest.raises(NotFound):
            harness.connect().channel().exchange_declare(exchange.name, passive=True)
        harness.exchange()
        harness.publish("lost", exchange, "key")
        assert queue.get() is None

    def test_stranger_binds_what_others_declared(self, harness: Harness) -> None:
        exchange, queue = harness.exchange(), harness.queue()
        stranger: Any = harness.connect().channel()

        stranger.queue_bind(queue.name, exchange.name, "key")
        harness.publish("hello", exchange, "key")

        assert harness.take(queue, 1) == ["hello"]

    def test_bindings_between_exchanges_are_shared(self, harness: Harness) -> None:
        harness.require("exchange_binding")
        source, target = harness.exchange("source"), harness.exchange("target")
        queue = harness.queue("queue", target, "key")
        stranger = harness.connect()
        harness.publish("lost", source, "key", connection=stranger)

        target.bind_to(source, "key")
        harness.publish("one", source, "key", connection=stranger)
        target.unbind_from(source, "key")
        harness.publish("two", source, "key", connection=stranger)

        assert harness.take(queue, 1) == ["one"]

    def test_alternate_exchange_is_shared(self, harness: Harness) -> None:
        harness.require("alternate_exchange")
        spare = harness.exchange("spare")
        exchange = harness.exchange(
            "exchange", arguments={"alternate-exchange": spare.name}
        )
        queue = harness.queue("queue", spare, "key")

        harness.publish("hello", exchange, "key", connection=harness.connect())

        assert harness.take(queue, 1) == ["hello"]

    def test_exchange_that_a_stranger_declared_otherwise_is_refused(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange("exchange", "direct")
        stranger = harness.connect()
        changed = Exchange(exchange.name, "topic", durable=False)

        with pytest.raises(Exception, match=exchange.name):
            changed(stranger.channel()).declare()

        queue = harness.queue("queue", exchange, "key")
        harness.publish("hello", exchange, "key", connection=harness.connect())
        assert harness.take(queue, 1) == ["hello"]

    def test_connections_that_declare_the_same_at_once(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queues = [
            harness.undeclared_queue(f"queue-{number}", exchange, "key")
            for number in range(4)
        ]
        start = threading.Barrier(4)
        errors: list[BaseException] = []

        def declare() -> None:
            try:
                connection = harness.connect()
                channel = connection.channel()
                start.wait(harness.patience)
                for queue in queues:
                    queue(channel).declare()
            except BaseException as exc:
                errors.append(exc)

        threads = [threading.Thread(target=declare) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not errors
        harness.publish("hello", exchange, "key", connection=harness.connect())
        for queue in queues:
            bound = queue(harness.connection.default_channel)
            assert harness.take(bound, 1) == ["hello"]

    def test_connections_that_declare_each_its_own_lose_none(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        names = [f"queue-{number}" for number in range(12)]
        start = threading.Barrier(4)
        errors: list[BaseException] = []

        def declare(mine: list[str]) -> None:
            try:
                connection = harness.connect()
                start.wait(harness.patience)
                for name in mine:
                    harness.queue(name, exchange, "key", connection=connection)
            except BaseException as exc:
                errors.append(exc)

        threads = [
            threading.Thread(target=declare, args=(names[number::4],))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not errors
        harness.publish("hello", exchange, "key", connection=harness.connect())
        for name in names:
            queue = Queue(harness.unique(name))(harness.connection.default_channel)
            assert harness.take(queue, 1) == ["hello"]
