"""The properties of a message, as the header frame has them.

Sixteen flags say which of the fourteen are there, in the order of :data:`NAMES`.
Tables, which few messages have many entries in, are read and written by
:mod:`amqp`, but for those whose values are text and small numbers.
"""

from __future__ import annotations

from struct import Struct, error
from typing import TYPE_CHECKING, Any

from amqp.exceptions import FrameSyntaxError
from amqp.serialization import dumps, loads

from kombu.exceptions import EncodeError
from kombu.transport._amqp.errors import BrokenFrame

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("NAMES", "decode_properties", "encode_properties")

#: Name and kind of each property: short text, table, octet or 64 bits.
NAMES = (
    ("content_type", "s"),
    ("content_encoding", "s"),
    ("application_headers", "F"),
    ("delivery_mode", "o"),
    ("priority", "o"),
    ("correlation_id", "s"),
    ("reply_to", "s"),
    ("expiration", "s"),
    ("message_id", "s"),
    ("timestamp", "L"),
    ("type", "s"),
    ("user_id", "s"),
    ("app_id", "s"),
    ("cluster_id", "s"),
)

_BITS = tuple(
    (name, kind, 1 << (15 - place)) for place, (name, kind) in enumerate(NAMES)
)
#: The lowest flag says that more flags follow; no property of ours needs them.
_CONTINUED = 1
_UNKNOWN = 0b11

_short = Struct(">H")
_long = Struct(">I")
_longlong = Struct(">Q")
_text_entry = Struct(">cI")
_number_entry = Struct(">ci")

_EMPTY_TABLE = b"\0\0\0\0"
_INT32 = range(-(1 << 31), 1 << 31)


def encode_properties(properties: Mapping[str, Any]) -> bytes:
    """Return flags and values of those of *properties* that AMQP knows.

    Raises:
        EncodeError: One has a value that AMQP has no form for.
    """
    flags = 0
    parts = [b""]
    for name, kind, bit in _BITS:
        value = properties.get(name)
        if value is not None:
            flags |= bit
            try:
                parts.append(_encode(kind, value))
            except (error, FrameSyntaxError, TypeError, ValueError) as exc:
                raise EncodeError(
                    f"property {name!r} can not be sent by AMQP: {exc}"
                ) from exc
    parts[0] = _short.pack(flags)
    return b"".join(parts)


def _encode(kind: str, value: Any) -> bytes:
    if kind == "s":
        text = value if isinstance(value, bytes) else str(value).encode()
        return bytes((len(text),)) + text  # ValueError beyond 255
    if kind == "o":
        return bytes((int(value),))
    if kind == "L":
        return _longlong.pack(int(value))
    return _encode_table(value) if value else _EMPTY_TABLE


def _encode_table(table: Mapping[str, Any]) -> bytes:
    """Return *table* as bytes; by :mod:`amqp` unless all in it is simple."""
    parts = []
    for key, value in table.items():
        name = key.encode()
        parts.append(bytes((len(name),)) + name)
        kind = type(value)
        if kind is str:
            text = value.encode()
            parts.append(_text_entry.pack(b"S", len(text)) + text)
        elif kind is int and value in _INT32:
            parts.append(_number_entry.pack(b"I", value))
        elif kind is bool:
            parts.append(b"t\1" if value else b"t\0")
        elif value is None:
            parts.append(b"V")
        else:
            return dumps("F", [table])  # type: ignore[no-any-return]
    body = b"".join(parts)
    return _long.pack(len(body)) + body


def decode_properties(block: bytes) -> dict[str, Any]:
    """Return what a *block* of flags and values says.

    Raises:
        BrokenFrame: It is too short, has flags that no property has, or a table
            with values of no known type.
    """
    try:
        return _decode(block)
    except (error, IndexError, UnicodeDecodeError, FrameSyntaxError, ValueError) as exc:
        raise BrokenFrame(f"the properties of a message are broken: {exc}") from exc


def _decode(block: bytes) -> dict[str, Any]:
    (flags,) = _short.unpack_from(block)
    if flags & _UNKNOWN:
        raise BrokenFrame(f"unknown properties in a message: flags {flags:#06x}")
    found: dict[str, Any] = {}
    at = 2
    for name, kind, bit in _BITS:
        if not flags & bit:
            continue
        if kind == "s":
            end = at + 1 + block[at]
            if end > len(block):
                raise IndexError(f"{name} ends too early")
            found[name] = str(block[at + 1 : end], "utf-8")
            at = end
        elif kind == "o":
            found[name] = block[at]
            at += 1
        elif kind == "L":
            (found[name],) = _longlong.unpack_from(block, at)
            at += 8
        else:
            found[name], at = _decode_table(block, at)
    return found


def _decode_table(block: bytes, at: int) -> tuple[dict[str, Any], int]:
    (size,) = _long.unpack_from(block, at)
    end = at + 4 + size
    if end > len(block):
        raise IndexError("a table ends too early")
    table: dict[str, Any] = {}
    place = at + 4
    while place < end:
        begin = place + 1
        place = begin + block[place]
        key = str(block[begin:place], "utf-8")
        kind = block[place]
        if kind == 0x53:  # S: text
            (length,) = _long.unpack_from(block, place + 1)
            begin = place + 5
            place = begin + length
            table[key] = _text_or_bytes(block[begin:place])
        elif kind == 0x49:  # I: a number of 32 bits
            _, table[key] = _number_entry.unpack_from(block, place)
            place += 5
        elif kind == 0x74:  # t: true or false
            table[key] = bool(block[place + 1])
            place += 2
        elif kind == 0x56:  # V: nothing
            table[key] = None
            place += 1
        else:
            place = -1
            break
    if place != end:
        return _decode_any_table(block, at, end)
    return table, end


def _text_or_bytes(value: bytes) -> Any:
    # AMQP has one type for both.
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        return value


def _decode_any_table(block: bytes, at: int, end: int) -> tuple[dict[str, Any], int]:
    [table], stop = loads("F", block, at)
    if stop != end:
        raise IndexError("a table is longer than it says")
    return table, end
