"""Frames that we send: publish with its content, acknowledgements, heartbeats.

A frame is its kind (one octet), the number of the channel (two), the length of the
payload (four), the payload, and an octet 0xCE.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from kombu.exceptions import EncodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = (
    "HEARTBEAT",
    "PublishFrames",
    "ack_frame",
    "confirm_select_frame",
    "nack_frame",
    "reject_frame",
)

METHOD, HEADER, BODY = 1, 2, 3
END = b"\xce"
#: Octets around a payload.
AROUND = 8

#: A heartbeat is of the connection as a whole: channel 0.
HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"

_start = Struct(">BHI").pack
_header = Struct(">BHIHHQ").pack
_settle = Struct(">BHIHHQBB").pack
_publish = Struct(">HHH").pack
#: The end of a header frame, and the start of the body's.
_body_start = Struct(">BBHI").pack

_BASIC = 60
_PUBLISH, _ACK, _REJECT, _NACK = 40, 80, 90, 120
#: Class, weight (always 0) and size of the body.
_HEADER_SIZE = 12

#: Up to this size a body is joined with its frames: a copy costs less than a part.
_JOINED = 8 * 1024


def confirm_select_frame(channel: int) -> bytes:
    """Return ``confirm.select``, to which no answer is wanted."""
    return _start(METHOD, channel, 5) + b"\0\x55\0\x0a\1" + END


def ack_frame(channel: int, tag: int, multiple: bool) -> bytes:
    """Return ``basic.ack``."""
    return _settle(METHOD, channel, 13, _BASIC, _ACK, tag, multiple, 0xCE)


def reject_frame(channel: int, tag: int, requeue: bool) -> bytes:
    """Return ``basic.reject``."""
    return _settle(METHOD, channel, 13, _BASIC, _REJECT, tag, requeue, 0xCE)


def nack_frame(channel: int, tag: int, multiple: bool, requeue: bool) -> bytes:
    """Return ``basic.nack``."""
    bits = multiple | requeue << 1
    return _settle(METHOD, channel, 13, _BASIC, _NACK, tag, bits, 0xCE)


def _short_text(value: str, what: str) -> bytes:
    text = value.encode()
    if len(text) > 255:
        raise EncodeError(f"{what} {value[:20]!r}... has more than 255 bytes")
    return bytes((len(text),)) + text


class PublishFrames:
    """Makes the frames of messages that are published on one channel.

    What repeats is made once: the method frame for each exchange and routing key.

    Arguments:
        channel: Number of the channel.
        frame_max: Longest frame that was agreed, in bytes; 0 for any.
    """

    __slots__ = ("_channel", "_largest", "_methods")

    #: Methods that are kept; routing keys may be without number.
    _KEPT = 512

    def __init__(self, channel: int, frame_max: int) -> None:
        self._channel = channel
        self._largest = (frame_max or 1 << 31) - AROUND
        self._methods: dict[tuple[str, str, bool, bool], bytes] = {}

    def make(
        self,
        exchange: str,
        routing_key: str,
        properties: bytes,
        body: bytes | memoryview,
        mandatory: bool = False,
        immediate: bool = False,
    ) -> list[bytes | memoryview]:
        """Return the parts of all frames of a message, to be sent as one.

        Raises:
            EncodeError: A name is too long, or the properties are.
        """
        key = (exchange, routing_key, mandatory, immediate)
        method = self._methods.get(key) or self._method(*key)
        size = len(body)
        length = _HEADER_SIZE + len(properties)
        if length > self._largest:
            raise EncodeError(
                f"the headers of a message have {length} bytes: more than fit into "
                f"a frame of {self._largest} (frame_max); put them into the body"
            )
        channel = self._channel
        header = _header(HEADER, channel, length, _BASIC, 0, size)
        if not size:
            return [b"".join((method, header, properties, END))]
        if size > self._largest:
            view = memoryview(body)
            return [method, header, properties, END, *self._bodies(view)]
        start = _body_start(0xCE, BODY, channel, size)
        if size <= _JOINED:
            return [b"".join((method, header, properties, start, body, END))]
        return [method, header, properties, start, body, END]

    def _bodies(self, body: memoryview) -> Iterator[bytes | memoryview]:
        for begin in range(0, len(body), self._largest):
            piece = body[begin : begin + self._largest]
            yield _start(BODY, self._channel, len(piece))
            yield piece
            yield END

    def _method(
        self, exchange: str, routing_key: str, mandatory: bool, immediate: bool
    ) -> bytes:
        payload = (
            _publish(_BASIC, _PUBLISH, 0)
            + _short_text(exchange, "the name of an exchange")
            + _short_text(routing_key, "a routing key")
            + bytes((mandatory | immediate << 1,))
        )
        frame = _start(METHOD, self._channel, len(payload)) + payload + END
        if len(self._methods) >= self._KEPT:
            self._methods.clear()
        self._methods[exchange, routing_key, mandatory, immediate] = frame
        return frame
