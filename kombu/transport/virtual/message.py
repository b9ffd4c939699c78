"""The message of a virtual transport: unpacked from the envelope.

The envelope is a dictionary with ``body``, ``content-type``,
``content-encoding``, ``headers`` and ``properties`` (in which
``delivery_info``, ``delivery_tag`` and ``body_encoding``).  It is shared with
peers in other languages and of earlier releases.
"""

from __future__ import annotations

from typing import Any

from kombu.message import Message as BaseMessage
from kombu.utils.identity import unique_id

__all__ = ("Message",)


class Message(BaseMessage):
    """A message received by a virtual channel.

    Arguments:
        payload: The envelope, or whatever was found in its place; that makes
            a message which has :attr:`errors`.
        channel: The channel that it came by.

    Attributes:
        source_queue: Name of the queue that it was taken from.
        envelope: The envelope as it was found.
    """

    __slots__ = ("envelope", "source_queue")

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        self.envelope = payload
        self.source_queue: str | None = kwargs.pop("source_queue", None)
        try:
            properties = payload["properties"]
            delivery_info = properties.get("delivery_info") or {}
            tag = properties.get("delivery_tag") or unique_id()
            headers = payload.get("headers")
            body = payload.get("body")
            content_type = payload.get("content-type")
            content_encoding = payload.get("content-encoding")
            encoding = properties.get("body_encoding")
        except (TypeError, KeyError, AttributeError, LookupError):
            self._init_malformed(payload, channel, kwargs)
            return
        if payload.get("redelivered") and not delivery_info.get("redelivered"):
            delivery_info = {**delivery_info, "redelivered": True}
        # Queues share the envelope: what a consumer changes must not show in
        # the copies of others, nor when it is put back.
        super().__init__(
            body=None,
            delivery_tag=tag,
            content_type=content_type,
            content_encoding=content_encoding,
            delivery_info=dict(delivery_info),
            properties=dict(properties),
            headers=None,
            channel=channel,
            **kwargs,
        )
        self.body = body
        if headers:
            self.headers = dict(headers)
        if encoding or type(body) is not bytes:
            self._unpack(self._decode_body)
        if headers and "compression" in headers and not self.errors:
            self._unpack(self._decompress)

    def _init_malformed(self, payload: Any, channel: Any, kwargs: Any) -> None:
        super().__init__(
            body=payload, delivery_tag=unique_id(), channel=channel, **kwargs
        )
        self._unpack(self._complain)

    def _complain(self) -> None:
        from kombu.exceptions import DecodeError

        kind = type(self.envelope).__name__
        raise DecodeError(f"not a message envelope: found {kind} in its place")

    def _decode_body(self) -> None:
        body = self.body
        if body and self.channel is not None:
            encoding = self.properties.get("body_encoding")
            body = self.channel.decode_body(body, encoding)
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        self.body = body

    def serializable(self) -> dict[str, Any]:
        """Return the message as an envelope again."""
        properties = self.properties
        body, _ = self.channel.encode_body(self.body, properties.get("body_encoding"))
        headers = dict(self.headers)
        # The body was decompressed when the message was unpacked.
        headers.pop("compression", None)
        return {
            "body": body,
            "properties": properties,
            "content-type": self.content_type,
            "content-encoding": self.content_encoding,
            "headers": headers,
        }
