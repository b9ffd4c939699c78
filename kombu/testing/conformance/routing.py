"""Messages reach the queues that the bindings say, each once, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.entity import Exchange, binding
from kombu.exceptions import UnroutableError
from kombu.testing.conformance._notes import noting

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestRouting",)

TOPICS = [
    ("stock.usd.nyse", "stock.usd.nyse", True),
    ("stock.*.nyse", "stock.usd.nyse", True),
    ("stock.*.nyse", "stock.nyse", False),
    ("stock.*", "stock.usd.nyse", False),
    ("*", "", False),
    ("*", "stock", True),
    ("*", "stock.usd", False),
    ("#", "", True),
    ("#", "stock.usd.nyse", True),
    ("stock.#", "stock", True),
    ("stock.#", "stock.usd.nyse", True),
    ("stock.#", "stockpile", False),
    ("#.nyse", "nyse", True),
    ("#.nyse", "stock.usd.nyse", True),
    ("stock.#.nyse", "stock.nyse", True),
    ("stock.#.nyse", "stock.usd.eur.nyse", True),
    ("*.#", "stock", True),
    ("stock.usd+", "stock.usd+", True),
    ("stock.usd+", "stock.usdd", False),
]

HEADERS = [
    ({"x-match": "all", "a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, True),
    ({"x-match": "all", "a": 1, "b": 2}, {"a": 1}, False),
    ({"x-match": "all", "a": 1, "b": 2}, {"a": 1, "b": 3}, False),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
    ({"a": 1, "b": 2}, {"b": 2}, False),
    ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
    ({"x-match": "any", "a": 1, "b": 2}, {"a": 2, "b": 1}, False),
    ({"x-match": "all", "x-kind": "k"}, {"x-kind": "other"}, True),
    ({"x-match": "all-with-x", "x-kind": "k"}, {"x-kind": "other"}, False),
    ({"x-match": "all-with-x", "x-kind": "k"}, {"x-kind": "k"}, True),
    ({"x-match": "any-with-x", "x-kind": "k", "a": 1}, {"x-kind": "k"}, True),
    ({"x-match": "any", "x-kind": "k", "a": 1}, {"x-kind": "k"}, False),
]


@pytest.mark.stress
class TestRouting:
    """Exchanges of every type, bindings of both kinds, and what matches nothing."""

    @pytest.mark.parametrize("number", range(2))
    def test_direct_exchange_matches_the_routing_key(
        self, harness: Harness, number: int
    ) -> None:
        harness.require("direct")
        exchange = harness.exchange()
        queues = [
            harness.queue("zero", exchange, "key-0"),
            harness.queue("one", exchange, "key-1"),
        ]

        harness.publish("hello", exchange, f"key-{number}")

        assert harness.take(queues[number], 1) == ["hello"]
        assert queues[1 - number].get() is None

    def test_direct_exchange_copies_to_all_queues_of_a_key(
        self, harness: Harness
    ) -> None:
        harness.require("direct")
        exchange = harness.exchange()
        queues = [harness.queue(f"queue-{n}", exchange, "key") for n in range(3)]

        harness.publish("hello", exchange, "key")

        assert [harness.take(queue, 1) for queue in queues] == [["hello"]] * 3

    @pytest.mark.parametrize(("pattern", "key", "matches"), TOPICS)
    def test_topic_exchange_matches_words(
        self, harness: Harness, pattern: str, key: str, matches: bool
    ) -> None:
        harness.require("topic")
        exchange = harness.exchange(type="topic")
        queue = harness.queue("queue", exchange, pattern)
        control = harness.queue("control", exchange, "#")

        harness.publish("hello", exchange, key)

        assert harness.take(control, 1) == ["hello"]
        assert harness.take(queue, matches) == ["hello"] * matches

    def test_queue_gets_one_copy_however_many_bindings_match(
        self, harness: Harness
    ) -> None:
        harness.require("topic")
        exchange = harness.exchange(type="topic")
        keys = ("#", "a.*", "*.b", "a.b")
        bindings = [binding(Exchange(exchange.name, "topic"), key) for key in keys]
        for item in bindings:
            item.exchange.durable = False
        queue = harness.queue("queue", bindings)

        harness.publish("hello", exchange, "a.b")

        assert harness.take(queue, 1) == ["hello"]

    def test_fanout_exchange_ignores_the_routing_key(self, harness: Harness) -> None:
        harness.require("fanout")
        exchange = harness.exchange(type="fanout")
        received: list[tuple[str, Any]] = []
        connection = harness.connect()
        for name in ("a", "b"):
            queue = harness.queue(name, exchange, f"key-{name}", connection=connection)
            queue.consume(
                callback=noting(received, name),
                no_ack=True,
            )

        harness.publish("hello", exchange, "another key")

        harness.drain(connection, lambda: len(received) == 2)
        assert sorted(received) == [("a", "hello"), ("b", "hello")]

    @pytest.mark.parametrize(("arguments", "headers", "matches"), HEADERS)
    def test_headers_exchange_matches_headers(
        self,
        harness: Harness,
        arguments: dict[str, Any],
        headers: dict[str, Any],
        matches: bool,
    ) -> None:
        harness.require("headers")
        exchange = harness.exchange(type="headers")
        queue = harness.queue("queue", exchange, binding_arguments=arguments)
        control = harness.queue("control", exchange, binding_arguments={})

        harness.publish("hello", exchange, headers=headers)

        assert harness.take(control, 1) == ["hello"]
        assert harness.take(queue, matches) == ["hello"] * matches

    def test_unnamed_exchange_leads_to_the_queue_of_that_name(
        self, harness: Harness
    ) -> None:
        queue, other = harness.queue("queue"), harness.queue("other")

        harness.publish("hello", routing_key=queue.name)

        assert harness.take(queue, 1) == ["hello"]
        assert other.get() is None

    def test_message_without_a_matching_binding_is_dropped(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        harness.publish("lost", exchange, "another key")
        harness.publish("hello", exchange, "key")

        assert harness.take(queue, 1) == ["hello"]

    # -- exchanges bound to exchanges ----------------------------------------------

    def test_exchange_passes_on_to_the_exchanges_bound_to_it(
        self, harness: Harness
    ) -> None:
        harness.require("exchange_binding", "topic")
        source = harness.exchange("source", "topic")
        middle = harness.exchange("middle", "direct")
        queue = harness.queue("queue", middle, "a.b")
        middle.bind_to(source, "a.*")

        harness.publish("hello", source, "a.b")
        harness.publish("stops in the middle", source, "a.c")
        harness.publish("stops at the source", source, "b.b")

        assert harness.take(queue, 1) == ["hello"]

    def test_unbound_exchange_gets_nothing_more(self, harness: Harness) -> None:
        harness.require("exchange_binding")
        source, target = harness.exchange("source"), harness.exchange("target")
        queue = harness.queue("queue", target, "key")
        target.bind_to(source, "key")
        harness.publish("one", source, "key")
        harness.settle(lambda: harness.size(queue) == 1)

        target.unbind_from(source, "key")
        harness.publish("two", source, "key")

        assert harness.take(queue, 1) == ["one"]

    def test_circle_of_exchanges_delivers_once(self, harness: Harness) -> None:
        harness.require("exchange_binding")
        one, two = harness.exchange("one"), harness.exchange("two")
        queue = harness.queue("queue", two, "key")
        two.bind_to(one, "key")
        one.bind_to(two, "key")

        harness.publish("hello", one, "key")

        assert harness.take(queue, 1) == ["hello"]

    # -- what matches nothing --------------------------------------------------------

    def test_alternate_exchange_gets_what_matches_nothing(
        self, harness: Harness
    ) -> None:
        harness.require("alternate_exchange", "fanout")
        spare = harness.exchange("spare", "topic")
        exchange = harness.exchange(
            "exchange", arguments={"alternate-exchange": spare.name}
        )
        queue = harness.queue("queue", exchange, "key")
        stray = harness.queue("stray", spare, "#")

        harness.publish("hello", exchange, "key")
        harness.publish("lost", exchange, "another key")

        assert harness.take(stray, 1) == ["lost"]
        assert harness.take(queue, 1) == ["hello"]

    def test_mandatory_message_that_arrives_is_not_returned(
        self, harness: Harness
    ) -> None:
        harness.require("mandatory")
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        returned: list[Any] = []
        producer = harness.producer(on_return=lambda *args: returned.append(args))

        producer.publish("hello", "key", exchange=exchange, mandatory=True)

        assert harness.take(queue, 1) == ["hello"]
        assert not returned

    @pytest.mark.parametrize("is_bound", [True, False])
    def test_mandatory_message_that_reaches_no_queue_is_returned(
        self, harness: Harness, is_bound: bool
    ) -> None:
        harness.require("mandatory")
        exchange = harness.exchange()
        if is_bound:
            harness.queue("queue", exchange, "another key")
        returned: list[tuple[Any, ...]] = []
        connection = harness.connect()
        producer = harness.producer(
            connection, on_return=lambda *args: returned.append(args)
        )

        producer.publish("hello", "key", exchange=exchange, mandatory=True)
        if not returned:
            # Some brokers tell only while events are waited for.
            harness.drain(connection, lambda: returned)

        [(error, exchange_name, routing_key, message)] = returned
        assert isinstance(error, Exception)
        assert (exchange_name, routing_key) == (exchange.name, "key")
        assert message.body in ("hello", b"hello")

    def test_mandatory_message_to_a_missing_queue_is_returned(
        self, harness: Harness
    ) -> None:
        harness.require("mandatory")
        returned: list[tuple[Any, ...]] = []
        connection = harness.connect()
        producer = harness.producer(
            connection, on_return=lambda *args: returned.append(args)
        )

        producer.publish("hello", harness.unique("missing"), mandatory=True)
        if not returned:
            harness.drain(connection, lambda: returned)

        assert len(returned) == 1
        assert not harness.exists(harness.unique("missing"))

    def test_mandatory_message_nobody_wants_back_raises(self, harness: Harness) -> None:
        harness.require("mandatory")
        exchange = harness.exchange()
        connection = harness.connect()
        producer = harness.producer(connection)

        with pytest.raises(UnroutableError) as caught:
            producer.publish("hello", "key", exchange=exchange, mandatory=True)

        assert caught.value.exchange == exchange.name
        assert caught.value.routing_key == "key"

    # -- bindings that change ----------------------------------------------------------

    def test_unbound_queue_gets_nothing_more(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")
        harness.publish("one", exchange, "key")
        harness.settle(lambda: harness.size(queue) == 1)

        queue.queue_unbind()
        harness.publish("two", exchange, "key")

        assert harness.take(queue, 1) == ["one"]

    def test_bindings_of_other_keys_stay(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "one")
        queue.bind_to(exchange, "two")

        queue.unbind_from(exchange, "one")
        harness.publish("one", exchange, "one")
        harness.publish("two", exchange, "two")

        assert harness.take(queue, 1) == ["two"]

    def test_binding_made_by_another_connection_counts(self, harness: Harness) -> None:
        exchange = harness.exchange()
        harness.publish("lost", exchange, "key")

        queue = harness.queue("queue", exchange, "key", connection=harness.connect())
        harness.publish("hello", exchange, "key")

        assert harness.take(queue, 1) == ["hello"]
