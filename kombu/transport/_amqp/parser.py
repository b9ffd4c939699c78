"""Frames that we receive: bytes in, events out; no I/O.

Deliveries are put together here, and acknowledgements of what we published; every
other frame is passed on as it is, for :mod:`amqp` to make sense of.

Bytes are kept only from one call to the next: what begins a frame that has not come
whole, and the pieces of bodies.
"""

from __future__ import annotations

from struct import Struct, error
from typing import NamedTuple

from kombu.transport._amqp.errors import BrokenFrame

__all__ = ("Confirmed", "Delivered", "Event", "OtherFrame", "Parser")

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
_KINDS = frozenset({METHOD, HEADER, BODY, HEARTBEAT})
_END = 0xCE

_start = Struct(">BHI").unpack_from
_tag = Struct(">QB").unpack_from
_size = Struct(">HHQ").unpack_from

_DELIVER = b"\0\x3c\0\x3c"
_ACK = b"\0\x3c\0\x50"
_NACK = b"\0\x3c\0\x78"
#: Length of such a method: numbers of class and method, tag, bits.
_SETTLING = 13
_SETTLED = frozenset({_ACK, _NACK})
#: Class 20 is that of channels: a close ends what was being delivered there.
_CHANNEL_CLOSE = b"\0\x14\0\x28"


class Delivered(NamedTuple):
    """A message that came for a consumer.

    Attributes:
        channel: Number of the channel.
        properties: Flags and values, not decoded yet.
        body: The body.
    """

    channel: int
    consumer_tag: str
    delivery_tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    properties: bytes
    body: bytes


class Confirmed(NamedTuple):
    """The broker took what was published, or (*nacked*) did not."""

    channel: int
    delivery_tag: int
    multiple: bool
    nacked: bool


class OtherFrame(NamedTuple):
    """A frame that has no event of its own."""

    kind: int
    channel: int
    payload: bytes


Event = Delivered | Confirmed | OtherFrame


class _Content:
    """A delivery of which the body has not come whole."""

    __slots__ = ("missing", "pieces", "properties", "values")

    def __init__(self, values: tuple[str, int, bool, str, str]) -> None:
        self.values = values
        self.properties: bytes | None = None
        self.missing = 0
        self.pieces: list[bytes] = []


class Parser:
    """Turns what is received into events.

    Arguments:
        frame_max: Longest frame that is allowed, in bytes; 0 for any.

    Attributes:
        wanted: Bytes without which no frame is whole: a hint how many to receive.
    """

    __slots__ = ("_contents", "_rest", "frame_max", "wanted")

    def __init__(self, frame_max: int = 0) -> None:
        self.frame_max = frame_max
        self.wanted = 0
        self._rest = b""
        self._contents: dict[int, _Content] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._rest)} bytes wait for more>"

    def receive(self, data: bytes) -> list[Event]:
        """Return the events that *data* completes.

        Raises:
            BrokenFrame: It is no AMQP; what follows can not be made sense of.
        """
        if self._rest:
            data = self._rest + data
        events: list[Event] = []
        at, end = 0, len(data)
        self.wanted = 0
        while end - at >= 7:
            kind, channel, size = _start(data, at)
            if kind not in _KINDS:
                raise BrokenFrame(f"frame of unknown kind {kind}")
            if size > self.frame_max - 8 and self.frame_max:
                raise BrokenFrame(
                    f"frame of {size + 8} bytes, but {self.frame_max} were agreed"
                )
            begin = at + 7
            stop = begin + size
            if stop >= end:
                self.wanted = stop + 1 - end
                break
            if data[stop] != _END:
                raise BrokenFrame(f"frame ends with {data[stop]:#04x}, not 0xce")
            event: Event | None
            if size == _SETTLING and data.startswith(_ACK, begin) and kind == METHOD:
                # The most frequent of all, where confirms are waited for.
                tag, bits = _tag(data, begin + 4)
                event = Confirmed(channel, tag, bool(bits & 1), False)
            else:
                event = self._frame(kind, channel, data, begin, stop)
            if event is not None:
                events.append(event)
            at = stop + 1
        self._rest = data[at:] if at else data
        return events

    def _frame(
        self, kind: int, channel: int, data: bytes, begin: int, stop: int
    ) -> Event | None:
        try:
            if kind == METHOD:
                return self._method(channel, data, begin, stop)
            content = self._contents.get(channel)
            if content is not None and kind != HEARTBEAT:
                if kind == BODY:
                    return self._body(content, channel, data[begin:stop])
                return self._header(content, channel, data, begin, stop)
        except (error, IndexError, UnicodeDecodeError) as exc:
            raise BrokenFrame(f"a frame is too short for what it is: {exc}") from exc
        return OtherFrame(kind, channel, data[begin:stop])

    def _method(self, channel: int, data: bytes, begin: int, stop: int) -> Event | None:
        which = data[begin : begin + 4]
        if which == _DELIVER:
            if channel in self._contents:
                raise BrokenFrame("a delivery begins within another one")
            values = _deliver_values(data[begin + 4 : stop])
            self._contents[channel] = _Content(values)
            return None
        if which in _SETTLED:
            if stop - begin < 13:
                raise IndexError("acknowledgement")
            tag, bits = _tag(data, begin + 4)
            return Confirmed(channel, tag, bool(bits & 1), which == _NACK)
        if which == _CHANNEL_CLOSE:
            self._contents.pop(channel, None)
        return OtherFrame(METHOD, channel, data[begin:stop])

    def _header(
        self, content: _Content, channel: int, data: bytes, begin: int, stop: int
    ) -> Event | None:
        if content.properties is not None or stop - begin < 14:
            raise BrokenFrame("a header that does not belong to a delivery")
        _, _, content.missing = _size(data, begin)
        content.properties = data[begin + 12 : stop]
        return None if content.missing else self._complete(content, channel, b"")

    def _body(self, content: _Content, channel: int, piece: bytes) -> Event | None:
        if content.properties is None or len(piece) > content.missing:
            raise BrokenFrame("more of a body than its header says")
        content.missing -= len(piece)
        if content.missing:
            content.pieces.append(piece)
            return None
        if content.pieces:
            piece = b"".join([*content.pieces, piece])
        return self._complete(content, channel, piece)

    def _complete(self, content: _Content, channel: int, body: bytes) -> Delivered:
        del self._contents[channel]
        assert content.properties is not None
        return Delivered(channel, *content.values, content.properties, body)


def _deliver_values(data: bytes) -> tuple[str, int, bool, str, str]:
    """Return consumer tag, delivery tag, whether redelivered, exchange, key."""
    at = 1 + data[0]
    consumer_tag = str(data[1:at], "utf-8")
    tag, redelivered = _tag(data, at)
    at += 9
    exchange_end = at + 1 + data[at]
    exchange = str(data[at + 1 : exchange_end], "utf-8")
    key_end = exchange_end + 1 + data[exchange_end]
    routing_key = str(data[exchange_end + 1 : key_end], "utf-8")
    if key_end > len(data):
        raise IndexError("routing key")
    return consumer_tag, tag, bool(redelivered & 1), exchange, routing_key
