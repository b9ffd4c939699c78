"""From a message to the frames of it, for one channel; what repeats is made once."""

from __future__ import annotations

from typing import Any

from kombu.transport._amqp.frames import PublishFrames
from kombu.transport._amqp.properties import encode_properties

__all__ = ("Encoder",)

#: How many properties every message of a producer has, and these are.
_USUAL = 5

#: Blocks of properties that are kept.
_KEPT = 256


class Encoder:
    """Encodes what is published on a channel.

    Arguments:
        channel: Number of the channel.
        frame_max: Longest frame that was agreed, in bytes; 0 for any.
    """

    __slots__ = ("_blocks", "_frames")

    def __init__(self, channel: int, frame_max: int) -> None:
        self._frames = PublishFrames(channel, frame_max)
        self._blocks: dict[tuple[Any, ...], bytes] = {}

    def frames_of(
        self,
        message: Any,
        exchange: str,
        routing_key: str,
        mandatory: bool,
        immediate: bool = False,
    ) -> list[Any]:
        """Return the parts of all frames of a message, to be sent as one.

        Raises:
            EncodeError: A name is too long, or the properties are, or of a wrong type.
        """
        body = message.body
        if isinstance(body, str):
            body = body.encode(message.properties.get("content_encoding") or "utf-8")
        properties = self._properties_of(message.properties)
        return self._frames.make(
            exchange, routing_key, properties, body, bool(mandatory), bool(immediate)
        )

    def _properties_of(self, properties: dict[str, Any]) -> bytes:
        """Return encoded *properties*: those without headers and ids repeat."""
        if len(properties) != _USUAL:
            return encode_properties(properties)
        try:
            headers = properties["application_headers"]
            if headers:
                return encode_properties(properties)
            key = (
                headers is None,
                properties["content_type"],
                properties["content_encoding"],
                properties["delivery_mode"],
                properties["priority"],
            )
            encoded = self._blocks.get(key)
        except (KeyError, TypeError):  # others; or of what can not be sent
            return encode_properties(properties)
        if encoded is None:
            encoded = encode_properties(properties)
            if len(self._blocks) >= _KEPT:
                self._blocks.clear()
            self._blocks[key] = encoded
        return encoded
