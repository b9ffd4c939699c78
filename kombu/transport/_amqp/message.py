"""Messages: as they come, and as they go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu import message as base
from kombu.transport._amqp.properties import decode_properties, encode_properties

if TYPE_CHECKING:
    from kombu.transport._amqp.parser import Delivered

__all__ = (
    "DecodedProperties",
    "Message",
    "Outgoing",
    "decoded_body",
    "delivered_message",
)

#: Blocks of properties that are remembered, and how long they may be: messages of
#: one kind often have the same.
_REMEMBERED = 256
_LONGEST = 64


class Message(base.Message):
    """A received message.

    Arguments:
        msg: The message as :mod:`amqp` has it.
        channel: The channel that it came by.
        **kwargs: Further arguments of :class:`kombu.Message`.
    """

    def __init__(self, msg: Any, channel: Any = None, **kwargs: Any) -> None:
        properties = msg.properties
        super().__init__(
            # An empty body is of no type: the library makes it text.
            body=msg.body or b"",
            channel=channel,
            delivery_tag=msg.delivery_tag,
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            delivery_info=msg.delivery_info,
            properties=properties,
            headers=properties.get("application_headers") or {},
            **kwargs,
        )


class Outgoing:
    """A message that is going to be published.

    It has the attributes of a message of :mod:`amqp`, and is accepted in its place.

    Arguments:
        body: Its body, encoded.
        **properties: Its properties, by the names that AMQP has for them.
    """

    __slots__ = ("body", "properties")

    def __init__(self, body: Any, **properties: Any) -> None:
        self.body = body
        self.properties = properties

    @classmethod
    def of(cls, body: Any, properties: dict[str, Any]) -> Outgoing:
        """Return a message that has, and keeps, *properties*."""
        message = cls.__new__(cls)
        message.body = body
        message.properties = properties
        return message

    @property
    def headers(self) -> dict[str, Any]:
        """The application headers."""
        return self.properties.get("application_headers") or {}

    def _serialize_properties(self) -> bytes:
        """Return the properties, encoded: for who publishes by :mod:`amqp` itself."""
        return encode_properties(self.properties)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.body)} bytes>"


class DecodedProperties:
    """Decodes properties, and remembers short blocks, which are likely to repeat."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, dict[str, Any]] = {}

    def of(self, block: bytes) -> dict[str, Any]:
        """Return what *block* says, in a dictionary of its own."""
        if len(block) > _LONGEST:
            return decode_properties(block)
        known = self._known.get(block)
        if known is None:
            known = decode_properties(block)
            if known.get("application_headers"):
                return known  # not the same for long, and not to be shared
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[block] = known
        properties = known.copy()
        if "application_headers" in properties:
            properties["application_headers"] = {}
        return properties


def decoded_body(body: bytes, encoding: str | None) -> Any:
    """Return *body* as text if its *encoding* is one of text, and it is such text."""
    if not encoding or encoding == "binary":
        return body
    with suppress(LookupError, UnicodeDecodeError):
        return str(body, encoding)
    return body


def delivered_message(
    channel: Any, event: Delivered, tag: int, properties: dict[str, Any]
) -> Message:
    """Return the message of a delivery."""
    message = Message.__new__(Message)
    encoding = properties.get("content_encoding")
    base.Message.__init__(
        message,
        decoded_body(event.body, encoding),
        tag,
        properties.get("content_type"),
        encoding,
        {
            "consumer_tag": event.consumer_tag,
            "delivery_tag": tag,
            "redelivered": event.redelivered,
            "exchange": event.exchange,
            "routing_key": event.routing_key,
        },
        properties,
        properties.get("application_headers") or {},
        channel=channel,
    )
    return message
