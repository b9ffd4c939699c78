"""A message on its way, and where it is to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kombu.transport.redis.records import Version

__all__ = ("Parcel",)


class Parcel(NamedTuple):
    """A message, and where it is to go.

    Attributes:
        text: The message.
        targets: Queues, each with the level of the message in it.
        exchange: Name of the exchange whose bindings have led there; empty if none.
        version: The topology that has led there; None if it does not matter.
    """

    text: bytes
    targets: tuple[tuple[str, int], ...]
    exchange: str = ""
    version: Version | None = None
