"""The message of a virtual transport: unpacked from the envelope.

The envelope is a dictionary with ``body``, ``content-type``,
``content-encoding``, ``headers`` and ``properties`` (in which
``delivery_info``, ``delivery_tag`` and ``body_encoding``).  It is shared with
peers in other languages and of earlier releases.
"""

from __future__ import annotations

from typing import Any

from kombu.exceptions import DecodeError
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
        claim: The claim on it, if its store leases messages.
    """

    __slots__ = ("claim", "envelope", "source_queue")

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        # Made for each message: every attribute is set here, and once.
        self.envelope = payload
        self.source_queue: str | None = None
        self.channel = channel
        self.accept = kwargs.get("accept") if kwargs else None
        self._decoded_cache = None
        self._state = "RECEIVED"
        try:
            # As every kombu writes it; what is absent is seen to below.
            properties = payload["properties"]
            # Queues share the envelope: what a consumer changes must not show
            # in the copies of others, nor when it is put back.
            self.properties = properties.copy()
            self.delivery_info = info = properties["delivery_info"].copy()
            self.headers = headers = payload["headers"].copy()
            if type(info) is list or type(headers) is list:
                raise TypeError  # which can be copied too
            self.delivery_tag = properties["delivery_tag"] or unique_id()
            self.content_type = payload["content-type"]
            self.content_encoding = payload["content-encoding"]
            self.body = body = payload["body"]
            encoding = properties["body_encoding"]
        except (TypeError, AttributeError, LookupError):
            try:
                body, headers, encoding = self._init_from_parts(payload)
            except (TypeError, ValueError, AttributeError, LookupError):
                self._init_malformed(payload)
                return
        if payload.get("redelivered"):
            self.delivery_info["redelivered"] = True
        if encoding:
            self._unpack(self._decode_body)
        elif type(body) is str:
            self.body = body.encode("utf-8", "surrogatepass")
        if headers and "compression" in headers and not self.errors:
            self._unpack(self._decompress)

    def _init_from_parts(self, payload: Any) -> tuple[Any, dict[str, Any], Any]:
        """Take what there is of an envelope that lacks some of its parts."""
        properties = payload["properties"]
        self.properties = dict(properties)
        self.delivery_info = dict(properties.get("delivery_info") or ())
        self.headers = dict(payload.get("headers") or ())
        self.delivery_tag = properties.get("delivery_tag") or unique_id()
        self.content_type = payload.get("content-type")
        self.content_encoding = payload.get("content-encoding")
        self.body = payload.get("body")
        return self.body, self.headers, properties.get("body_encoding")

    def _init_malformed(self, payload: Any) -> None:
        self.properties = {}
        self.delivery_info = {}
        self.headers = {}
        self.delivery_tag = unique_id()
        self.content_type = self.content_encoding = None
        self.body = payload
        self._unpack(self._complain)

    def _complain(self) -> None:
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
