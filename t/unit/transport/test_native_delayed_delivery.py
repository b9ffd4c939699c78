from __future__ import annotations

import logging
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu import Exchange, Queue, binding
from kombu.transport import native_delayed_delivery as delayed


class Channel:
    """Notes what is declared."""

    def __init__(self):
        self.exchanges = []
        self.queues = {}
        self.bindings = []

    def exchange_declare(self, exchange, type, durable, auto_delete):
        assert (type, durable, auto_delete) == ("topic", True, False)
        self.exchanges.append(exchange)

    def queue_declare(self, queue, durable, auto_delete, arguments):
        assert (durable, auto_delete) == (True, False)
        self.queues[queue] = arguments

    def exchange_bind(self, destination, source, routing_key):
        self.bindings.append((source, destination, routing_key))

    def queue_bind(self, queue, exchange, routing_key):
        self.bindings.append((exchange, queue, routing_key))


class Connection:
    def __init__(self):
        self.used = Channel()

    def channel(self):
        return nullcontext(self.used)


@pytest.fixture
def connection():
    return Connection()


def test_names():
    assert delayed.level_name(3) == delayed.level_name(3, "") == "celery_delayed_3"
    assert delayed.level_name(3, "blue") == "blue_celery_delayed_3"
    with pytest.raises(ValueError, match="non-negative"):
        delayed.level_name(-1)


def test_routing_key():
    key = delayed.calculate_routing_key(5, "a.b")

    assert key == "0." * 25 + "1.0.1.a.b"
    assert delayed.calculate_routing_key(2, key) == "0." * 26 + "1.0.a.b"


@given(st.integers(1, 2**28 - 1))
def test_digits_are_worth_the_delay(countdown):
    *digits, word = delayed.calculate_routing_key(countdown, "x").split(".")

    worth = sum(
        2**place for place, digit in enumerate(reversed(digits)) if digit == "1"
    )
    assert (worth, len(digits), word) == (countdown, 28, "x")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((0, "x"), "positive"), ((-1, "x"), "positive"), ((1, ""), "non-empty")],
)
def test_what_is_no_delay(arguments, text):
    with pytest.raises(ValueError, match=text):
        delayed.calculate_routing_key(*arguments)


@pytest.mark.parametrize("prefix", [None, "blue"])
def test_levels(connection, prefix):
    delayed.declare_native_delayed_delivery_exchanges_and_queues(
        connection, "classic", prefix=prefix
    )

    used = connection.used
    before = "blue_" if prefix else ""
    assert len(used.exchanges) == 29
    assert len(used.queues) == 28
    assert used.queues[f"{before}celery_delayed_4"] == {
        "x-queue-type": "classic",
        "x-overflow": "reject-publish",
        "x-message-ttl": 16_000,
        "x-dead-letter-exchange": f"{before}celery_delayed_3",
    }
    assert used.queues[f"{before}celery_delayed_0"]["x-dead-letter-exchange"] == (
        f"{before}celery_delayed_delivery"
    )
    level = f"{before}celery_delayed_27"
    assert (level, level, "1.#") in used.bindings
    assert (level, f"{before}celery_delayed_26", "0.#") in used.bindings
    last = f"{before}celery_delayed_0"
    assert (last, last, "*." * 27 + "1.#") in used.bindings
    assert (
        last,
        f"{before}celery_delayed_delivery",
        "*." * 27 + "0.#",
    ) in used.bindings


def test_quorum_queues_lose_nothing_between_levels(connection):
    delayed.declare_native_delayed_delivery_exchanges_and_queues(connection, "quorum")

    assert connection.used.queues["celery_delayed_1"]["x-dead-letter-strategy"] == (
        "at-least-once"
    )


def test_unknown_type_of_queue(connection):
    with pytest.raises(ValueError, match="classic or quorum"):
        delayed.declare_native_delayed_delivery_exchanges_and_queues(connection, "lazy")


def test_destinations(connection):
    topic = Exchange("topic", "topic")
    queue = Queue("q", bindings=[binding(topic, "a"), binding(topic, "#.b")])

    delayed.bind_queue_to_native_delayed_delivery_exchange(connection, queue)

    assert set(connection.used.bindings) == {
        ("celery_delayed_delivery", "topic", "#.a"),
        ("topic", "q", "#.a"),
        ("celery_delayed_delivery", "topic", "#.b"),
        ("topic", "q", "#.b"),
    }


def test_direct_exchange_can_not_be_reached(connection, caplog):
    queue = Queue("q", Exchange("straight", "direct"), "a")

    with caplog.at_level(logging.WARNING):
        delayed.bind_queue_to_native_delayed_delivery_exchange(connection, queue)

    assert connection.used.bindings == []
    assert "straight" in caplog.text
