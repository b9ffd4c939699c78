"""Commands as bytes: RESP, the protocol of Redis, as far as it is sent.

Much of what is sent is the same again and again (the keys of a queue), and is
put into bytes once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = ("Argument", "Part", "bulk", "command", "part", "word")

Argument = str | bytes | int | float


class Part(NamedTuple):
    """Some arguments of a command, as they are sent.

    Attributes:
        number: How many they are.
        data: All of them.
    """

    number: int
    data: bytes

    def __add__(self, other: Part) -> Part:  # type: ignore[override]
        return Part(self.number + other.number, self.data + other.data)


def bulk(value: Argument) -> bytes:
    """Return one argument as it is sent."""
    if isinstance(value, bytes):
        data = value
    elif isinstance(value, str):
        data = value.encode()
    else:
        data = repr(value).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


def part(*values: Argument) -> Part:
    """Return arguments as they are sent."""
    return Part(len(values), b"".join(map(bulk, values)))


@lru_cache(maxsize=1000)
def word(text: str) -> Part:
    """Return one argument that is sent again and again: the name of a command, a key."""
    return part(text)


def command(*parts: Part) -> bytes:
    """Return the command that consists of *parts*."""
    count = sum([one.number for one in parts])
    return b"*%d\r\n%b" % (count, b"".join([one.data for one in parts]))
