"""Messages of AMQP 0-9-1, which applications know, as messages of AMQP 1.0, and back.

=====================  ============================================================
AMQP 0-9-1             AMQP 1.0
=====================  ============================================================
body                   one data section, of bytes
headers                application properties if they are simple; lists and mappings
                       in the message annotation ``x-opt-kombu-headers``
delivery mode          header: durable
priority               header: priority; 0 if not given, as 4 is the default of 1.0
expiration             header: ttl; as it was given in ``x-opt-kombu-expiration``
exchange, routing key  message annotations ``x-exchange`` and ``x-routing-key``, the
                       names that RabbitMQ 4 uses
type, app id, user id  message annotations ``x-basic-type``, ``x-basic-app-id``,
                       ``x-basic-user-id``
all else               properties of the same name
=====================  ============================================================
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import proton

from kombu.exceptions import EncodeError
from kombu.transport._amqp.message import decoded_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kombu.transport._qpid.dialects import Dialect, Target

__all__ = ("Received", "decode", "encode")

_PERSISTENT, _TRANSIENT = 2, 1

_HEADERS = "x-opt-kombu-headers"
#: Brokers may subtract from a time to live what has passed of it.
_EXPIRATION = "x-opt-kombu-expiration"
_EXCHANGE, _ROUTING_KEY = "x-exchange", "x-routing-key"

#: Properties that 1.0 has none for, or that brokers check.
_ANNOTATED = {
    "type": "x-basic-type",
    "app_id": "x-basic-app-id",
    "user_id": "x-basic-user-id",
    "cluster_id": "x-basic-cluster-id",
}

#: What a section, and so a message, begins with.
_SECTIONS = (b"\x00S", b"\x00\x80")

_SIMPLE = (bool, int, float, str, bytes, type(None))


# -- out -----------------------------------------------------------------------------


def encode(
    outgoing: Any, target: Target, dialect: Dialect, exchange: str, routing_key: str
) -> bytes:
    """Return a message as it is sent.

    Arguments:
        outgoing: What ``prepare_message`` returned.
        target: Where it goes.
        dialect: What the broker calls things.
        exchange: Name of the exchange.
        routing_key: Routing key.

    Raises:
        EncodeError: A header has a value that AMQP has no type for.
    """
    properties = outgoing.properties
    simple, complex_ = _split(properties.get("application_headers") or {})
    message = proton.Message(
        body=_bytes_of(outgoing.body, properties.get("content_encoding")),
        inferred=True,
        durable=properties.get("delivery_mode") == _PERSISTENT,
        priority=_priority(properties.get("priority")),
    )
    if target.to is not None:
        message.address = target.to
    if target.subject is not None:
        message.subject = target.subject
    _set_properties(message, properties, dialect)
    annotations: dict[str, Any] = {_EXCHANGE: exchange, _ROUTING_KEY: routing_key}
    for name, annotation in _ANNOTATED.items():
        if properties.get(name) is not None:
            annotations[annotation] = str(properties[name])
    if properties.get("expiration") is not None:
        annotations[_EXPIRATION] = str(properties["expiration"])
    if complex_:
        annotations[_HEADERS] = complex_
    message.annotations = annotations
    if simple:
        message.properties = simple
    try:
        return bytes(message.encode())
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        proton.ProtonException,
    ) as e:
        raise EncodeError(f"a header or property has no AMQP type: {e}") from e


def _set_properties(
    message: proton.Message, properties: Mapping[str, Any], dialect: Dialect
) -> None:
    if properties.get("content_type"):
        message.content_type = properties["content_type"]
    if properties.get("content_encoding"):
        message.content_encoding = properties["content_encoding"]
    if properties.get("message_id") is not None:
        message.id = str(properties["message_id"])
    if properties.get("correlation_id") is not None:
        message.correlation_id = str(properties["correlation_id"])
    if properties.get("reply_to"):
        message.reply_to = dialect.reply_address(str(properties["reply_to"]))
    if properties.get("expiration") is not None:
        # A time to live of nothing would be none at all.
        message.ttl = max(int(properties["expiration"]), 1) / 1000
    if properties.get("timestamp") is not None:
        seconds = _seconds(properties["timestamp"])
        message.creation_time = seconds / dialect.timestamps_per_second


def _seconds(moment: Any) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment)


def _priority(given: Any) -> int:
    return min(max(int(given or 0), 0), 255)


def _bytes_of(body: Any, encoding: str | None) -> bytes:
    if isinstance(body, str):
        if not encoding or encoding == "binary":
            encoding = "utf-8"
        return body.encode(encoding)
    return bytes(body)


def _split(headers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return headers that application properties can be, and the others."""
    simple, complex_ = {}, {}
    for name, value in headers.items():
        kept = _plain(value)
        if isinstance(kept, (dict, list)):
            complex_[str(name)] = kept
        else:
            simple[str(name)] = kept
    return simple, complex_


def _plain(value: Any) -> Any:
    """Return *value* as something that AMQP has a type for."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            # What brokers written in Java compare with numbers of their own.
            return proton.int32(value)
        # Beyond 64 bits, text is better than nothing.
        return int(value) if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, datetime):
        return proton.timestamp(int(value.timestamp() * 1000))
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    raise EncodeError(f"a header has no AMQP type: {type(value).__name__}")


# -- in ------------------------------------------------------------------------------


class Received:
    """A message as it came, in the words of AMQP 0-9-1."""

    __slots__ = (
        "body",
        "deliveries",
        "exchange",
        "headers",
        "properties",
        "redelivered",
        "routing_key",
    )

    def __init__(self, message: proton.Message, dialect: Dialect) -> None:
        annotations = {
            str(key): value for key, value in (message.annotations or {}).items()
        }
        self.exchange, self.routing_key = dialect.origin(
            message.address,
            message.subject,
            annotations.get(_EXCHANGE),
            annotations.get(_ROUTING_KEY),
        )
        self.properties = _properties(message, annotations, dialect)
        self.headers: dict[str, Any] = {
            str(key): _native(value)
            for source in (message.properties, annotations.get(_HEADERS))
            for key, value in (source or {}).items()
        }
        #: How often it was delivered before.
        self.deliveries = int(message.delivery_count)
        self.redelivered = dialect.is_redelivered(message)
        encoding = self.properties.get("content_encoding")
        body = _native(message.body)
        if isinstance(body, bytes):
            body = decoded_body(body, encoding)
        elif body is None:
            body = b""
        self.body: Any = body
        self.properties["application_headers"] = self.headers

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.exchange!r} {self.routing_key!r}>"


def decode(data: bytes, dialect: Dialect) -> Received:
    """Return what *data* says.

    Raises:
        ValueError: It is no message of AMQP 1.0.
    """
    message = proton.Message()
    try:
        message.decode(data)
        if data and not data.startswith(_SECTIONS):
            # The library is content with anything.
            raise ValueError("this is no message of AMQP 1.0: it begins otherwise")
        return Received(message, dialect)
    except (proton.ProtonException, KeyError, TypeError, UnicodeDecodeError) as exc:
        raise ValueError(f"this is no message of AMQP 1.0: {exc}") from exc


def _properties(
    message: proton.Message, annotations: Mapping[str, Any], dialect: Dialect
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "delivery_mode": _PERSISTENT if message.durable else _TRANSIENT,
        "priority": int(message.priority),
    }
    for name in ("content_type", "content_encoding"):
        value = getattr(message, name)
        # The library makes text of what is not there.
        if value and value != "None":
            found[name] = str(value)
    if message.id is not None:
        found["message_id"] = str(message.id)
    if message.correlation_id is not None:
        found["correlation_id"] = str(message.correlation_id)
    if message.reply_to:
        found["reply_to"] = dialect.reply_queue(message.reply_to)
    if annotations.get(_EXPIRATION) is not None:
        found["expiration"] = str(annotations[_EXPIRATION])
    elif message.ttl:
        found["expiration"] = str(round(message.ttl * 1000))
    if message.creation_time:
        found["timestamp"] = int(message.creation_time * dialect.timestamps_per_second)
    for name, annotation in _ANNOTATED.items():
        if annotations.get(annotation) is not None:
            found[name] = str(annotations[annotation])
    return found


def _native(value: Any) -> Any:
    """Return *value* as a plain object of Python."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, proton.timestamp):
        with suppress(OverflowError, ValueError, OSError):
            return datetime.fromtimestamp(value / 1000, timezone.utc)
        return int(value)
    if isinstance(value, memoryview):
        return bytes(value)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, dict):
        return {str(key): _native(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_native(item) for item in value]
    return value
