"""Recording what an application publishes."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from kombu import Connection, Exchange, Producer, Queue, binding
from kombu.exceptions import KombuError
from kombu.testing import CapturedMessage, CapturedMessages
from kombu.transport import memory

_names = count(1)


@pytest.fixture
def connection():
    name = f"captured-{next(_names)}"
    with Connection(f"memory://{name}") as connection:
        yield connection
    memory.brokers.get(name).clear()


@pytest.fixture
def producer(connection):
    return Producer(connection)


orders = Exchange("orders", "topic")


@pytest.fixture
def captured(connection):
    with CapturedMessages(connection, orders) as captured:
        yield captured


class test_sources:
    def test_everything_of_an_exchange(self, captured, producer):
        for key in ("a", "a.b", ""):
            producer.publish(key, exchange=orders, routing_key=key)

        assert [message.routing_key for message in captured.captured] == [
            "a",
            "a.b",
            "",
        ]

    @pytest.mark.parametrize("type", ["fanout", "headers"])
    def test_other_types(self, connection, producer, type):
        exchange = Exchange("news", type)
        with CapturedMessages(connection, exchange) as captured:
            producer.publish("hello", "key", exchange=exchange, headers={"a": 1})

            captured.assert_published("hello", source="news", count=1)

    def test_exchange_that_routes_by_keys_can_not_be_watched(self, connection):
        with pytest.raises(ValueError, match=r"direct exchange 'tasks'.*queues") as it:
            CapturedMessages(connection, Exchange("tasks", "direct"))

        assert isinstance(it.value, KombuError)

    def test_bound_queue_keeps_its_messages(self, connection, producer):
        queue = Queue("paid", orders, "*.paid")
        bound = queue(connection.default_channel)
        bound.declare()
        with CapturedMessages(connection, queue) as captured:
            producer.publish(1, exchange=orders, routing_key="books.paid")
            producer.publish(2, exchange=orders, routing_key="books.sent")

            assert [message.body for message in captured.captured] == [1]

        assert bound.get().payload == 1

    def test_queue_with_several_bindings(self, connection, producer):
        queue = Queue("some", [binding(orders, "a"), binding(orders, "b")])
        with CapturedMessages(connection, queue) as captured:
            for key in "abc":
                producer.publish(key, exchange=orders, routing_key=key)

            assert [message.body for message in captured.captured] == ["a", "b"]

    @pytest.mark.parametrize("as_name", [True, False])
    def test_queue_known_by_its_name(self, connection, producer, as_name):
        queue = Queue("plain")
        queue(connection.default_channel).declare()
        with CapturedMessages(connection, "plain" if as_name else queue) as captured:
            producer.publish("hello", routing_key="plain")

            [message] = captured.captured

        assert message.exchange == ""
        assert message.source == "plain"
        assert queue(connection.default_channel).get() is None

    def test_url_will_do(self, connection, producer):
        with CapturedMessages(connection.as_uri(), orders) as captured:
            producer.publish("hello", "key", exchange=orders)

            assert len(captured) == 1

    def test_what_was_published_before_is_not_recorded(self, connection, producer):
        producer.publish("early", "key", exchange=orders)

        with CapturedMessages(connection, orders) as captured:
            assert captured.captured == []

    def test_nothing_stays_behind(self, connection, producer):
        broker = memory.brokers.get(connection.hostname)
        with CapturedMessages(connection, orders) as captured:
            producer.publish("hello", "key", exchange=orders)
            assert broker.queues

        assert not broker.queues
        assert captured.captured[0].body == "hello"


def test_all_of_a_message_is_recorded(captured, producer):
    producer.publish(
        {"number": 7},
        "books.paid",
        exchange=orders,
        headers={"shop": "books"},
        correlation_id="id",
    )

    [message] = captured.captured
    assert message._replace(properties={}) == CapturedMessage(
        body={"number": 7},
        routing_key="books.paid",
        exchange="orders",
        headers={"shop": "books"},
        properties={},
        content_type="application/json",
        content_encoding="utf-8",
        source="orders",
    )
    assert message.properties["correlation_id"] == "id"


@pytest.mark.parametrize("accept", [None, ["json"]])
def test_body_that_can_not_be_decoded_is_recorded_raw(connection, producer, accept):
    with CapturedMessages(connection, orders, accept=accept) as captured:
        producer.publish(b"{", "a", exchange=orders, content_type="application/json")
        producer.publish({1}, "b", exchange=orders, serializer="pickle")

        bodies = [message.body for message in captured.captured]

    assert bodies[0] == b"{"
    assert isinstance(bodies[1], bytes)


def test_broken_envelope_is_recorded(connection):
    broker = memory.brokers.get(connection.hostname)
    Queue("plain")(connection.default_channel).declare()
    with CapturedMessages(connection, "plain") as captured:
        broker.queue("plain").envelopes.append("garbage")

        assert captured.captured[0].body == "garbage"


@pytest.fixture
def three(captured, producer):
    for number in range(3):
        producer.publish(
            {"number": number},
            f"key.{number}",
            exchange=orders,
            headers={"number": number, "all": True},
            correlation_id=f"id-{number}",
        )
    return captured


class test_assertions:
    @pytest.mark.parametrize(
        "wanted",
        [
            {"body": {"number": 1}},
            {"routing_key": "key.1"},
            {"headers": {"number": 1}},
            {"properties": {"correlation_id": "id-1"}},
            {"body": {"number": 1}, "exchange": "orders", "headers": {"all": True}},
        ],
    )
    def test_found_by(self, three, wanted):
        [message] = three.assert_published(count=1, **wanted)

        assert message.body == {"number": 1}

    @pytest.mark.parametrize(
        "wanted",
        [
            {"body": {"number": 4}},
            {"routing_key": "key.4"},
            {"exchange": "other"},
            {"source": "other"},
            {"headers": {"other": None}},
            {"headers": {"number": 1, "all": False}},
            {"body": {"number": 1}, "routing_key": "key.2"},
        ],
    )
    def test_not_found(self, three, wanted):
        with pytest.raises(AssertionError, match="found 0"):
            three.assert_published(**wanted)
        three.assert_nothing_published(**wanted)

    def test_headers_asked_for_as_none_are_other_than_none_at_all(self, three):
        with pytest.raises(AssertionError):
            three.assert_published(headers={"missing": None})

    def test_none_can_be_looked_for(self, captured, producer):
        producer.publish(None, "key", exchange=orders)

        captured.assert_published(None)

    @pytest.mark.parametrize("number", [0, 2, 4])
    def test_count_is_exact(self, three, number):
        with pytest.raises(AssertionError, match=f"{number} messages.*found 3"):
            three.assert_published(headers={"all": True}, count=number)

    def test_anything_will_do(self, three):
        assert len(three.assert_published()) == 3
        with pytest.raises(AssertionError, match="found 3"):
            three.assert_nothing_published()

    def test_failure_lists_what_there_is(self, three):
        with pytest.raises(AssertionError) as failure:
            three.assert_published({"number": 4}, routing_key="key.4")

        lines = str(failure.value).splitlines()
        assert lines[0] == (
            "expected at least one message with body={'number': 4}, "
            "routing_key='key.4', found 0; published were 3:"
        )
        assert len(lines) == 4
        assert lines[2].startswith("  2. orders -> 'key.1' headers={")
        assert lines[2].endswith("{'number': 1}")

    def test_failure_says_that_there_is_nothing(self, captured):
        with pytest.raises(AssertionError, match="any content.*nothing was published"):
            captured.assert_published()

    def test_long_bodies_are_shortened(self, captured, producer):
        producer.publish("x" * 10_000, "key", exchange=orders)

        assert len(str(captured.captured[0])) < 300

    def test_cleared(self, three, producer):
        three.clear()
        producer.publish("after", "key", exchange=orders)

        assert [message.body for message in three.captured] == ["after"]

    def test_what_comes_late_is_waited_for(self, connection):
        def publish():
            with Connection(connection.as_uri()) as other:
                Producer(other).publish("late", "key", exchange=orders)

        with CapturedMessages(connection, orders, patience=5) as captured:
            publisher = threading.Timer(0.02, publish)
            publisher.start()
            captured.assert_published("late")
            publisher.join()


def test_repr_tells_what_is_watched(captured, producer):
    producer.publish("hello", "key", exchange=orders)

    assert len(captured) == 1
    assert repr(captured) == "<CapturedMessages: 1 of orders>"
