"""A message comes out as it went in: body, properties, headers."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from kombu.compression import encoders

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestMessage",)

BODIES: list[Any] = [
    None,
    False,
    0,
    "plain",
    "Grüße, 世界, \U0001f9a5, \x00, \u2028",
    b"",
    bytes(range(256)),
    [],
    {},
    {"nested": [{"deep": [1, 2.5, None, True, "x"]}]},
    -(2**53),
    1.25e-7,
    "x" * 100_000,
    {"time": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)},
    {"id": uuid.UUID(int=7), "price": decimal.Decimal("1.10")},
]

PROPERTIES: dict[str, Any] = {
    "correlation_id": "a-correlation",
    "reply_to": "a-queue",
    "message_id": "a-message",
    "type": "a-type",
    "app_id": "an-application",
    "timestamp": 1700000000,
}

HEADERS: list[dict[str, Any]] = [
    {},
    {"text": "Grüße", "number": 7, "none": None, "true": True, "false": False},
    {"nested": {"list": [1, "two", {"three": 3}]}},
    {"big": "x" * 10_000},
]


class TestMessage:
    """Bodies, serializers, compressions, properties and headers."""

    @pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body)[:30])
    def test_body(self, harness: Harness, body: Any) -> None:
        queue = harness.queue()

        harness.publish(body, queue)

        received = harness.get(queue, no_ack=True).payload
        assert (bytes(received) if isinstance(body, bytes) else received) == body

    @pytest.mark.parametrize("size", [1, 1000, 131_072, 1_048_576])
    def test_bytes_of_any_size(self, harness: Harness, size: int) -> None:
        queue = harness.queue()
        body = (bytes(range(256)) * (size // 256 + 1))[:size]

        harness.publish(
            body, queue, content_type="application/data", content_encoding="binary"
        )

        message = harness.get(queue, no_ack=True)
        assert bytes(message.body) == body
        assert message.content_type == "application/data"
        assert message.content_encoding == "binary"

    @pytest.mark.parametrize("serializer", ["json", "pickle", "yaml", "msgpack"])
    def test_serializer(self, harness: Harness, serializer: str) -> None:
        if serializer in ("yaml", "msgpack"):
            pytest.importorskip(serializer)
        queue = harness.queue()
        body = {"list": [1, 2.5, None, "Grüße"]}

        harness.publish(body, queue, serializer=serializer)

        message = harness.get(queue, no_ack=True, accept=[serializer])
        assert message.payload == body

    @pytest.mark.parametrize("method", sorted(set(encoders())))
    def test_compression(self, harness: Harness, method: str) -> None:
        queue = harness.queue()
        body = {"text": "Grüße " * 1000}

        harness.publish(body, queue, compression=method)

        message = harness.get(queue, no_ack=True)
        assert message.headers["compression"] == method
        assert message.payload == body

    @pytest.mark.parametrize("name", sorted(PROPERTIES))
    def test_property(self, harness: Harness, name: str) -> None:
        queue = harness.queue()

        harness.publish("hello", queue, **{name: PROPERTIES[name]})

        message = harness.get(queue, no_ack=True)
        assert str(message.properties[name]) == str(PROPERTIES[name])

    @pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: repr(headers)[:30])
    def test_headers(self, harness: Harness, headers: dict[str, Any]) -> None:
        queue = harness.queue()

        harness.publish("hello", queue, headers=headers)

        received = harness.get(queue, no_ack=True).headers
        assert {name: received[name] for name in headers} == headers

    def test_headers_of_the_publisher_are_left_alone(self, harness: Harness) -> None:
        queue = harness.queue()
        headers = {"key": ["value"]}

        harness.publish("hello", queue, headers=headers, compression="gzip")

        assert headers == {"key": ["value"]}
        assert harness.take(queue, 1) == ["hello"]

    @pytest.mark.parametrize("priority", [0, 5, 9])
    def test_priority_is_passed_on(self, harness: Harness, priority: int) -> None:
        queue = harness.queue()

        harness.publish("hello", queue, priority=priority)

        message = harness.get(queue, no_ack=True)
        assert (message.properties.get("priority") or 0) == priority

    def test_expiration_is_passed_on(self, harness: Harness) -> None:
        queue = harness.queue()

        harness.publish("hello", queue, expiration=3600)

        expiration = harness.get(queue, no_ack=True).properties["expiration"]
        assert str(expiration) == "3600000"

    @pytest.mark.parametrize(("mode", "number"), [("transient", 1), ("persistent", 2)])
    def test_delivery_mode_is_passed_on(
        self, harness: Harness, mode: str, number: int
    ) -> None:
        queue = harness.queue()

        harness.publish("hello", queue, delivery_mode=mode)

        message = harness.get(queue, no_ack=True)
        assert message.properties["delivery_mode"] == number

    def test_copies_do_not_share_what_a_consumer_changes(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        one = harness.queue("one", exchange, "key")
        two = harness.queue("two", exchange, "key")
        harness.publish({"list": [1]}, exchange, "key", headers={"key": "value"})

        first = harness.get(one, no_ack=True)
        first.payload["list"].append(2)
        first.headers["key"] = "changed"
        first.properties["reply_to"] = "changed"

        second = harness.get(two, no_ack=True)
        assert second.payload == {"list": [1]}
        assert second.headers["key"] == "value"
        assert "reply_to" not in second.properties or not second.properties["reply_to"]

    @pytest.mark.parametrize(
        "name", ["with space", "a/b", "ümlaut", "a:b;c,d", "a.b#*", "100%"]
    )
    def test_names_may_hold_anything(self, harness: Harness, name: str) -> None:
        exchange = harness.exchange(f"exchange {name}")
        queue = harness.queue(f"queue {name}", exchange, name)

        harness.publish("hello", exchange, name)

        message = harness.get(queue, no_ack=True)
        assert message.delivery_info["routing_key"] == name
