"""A claim that is sent before there are messages, behind a wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kombu.transport.redis.server import Request

__all__ = ("Order",)


class Order(NamedTuple):
    """A claim, as it is sent.

    Attributes:
        queues: The queues to claim from.
        prefix: Beginning of the tags.
        request: The claim itself.
        has_rung: Whether the element of a bell was, or will be, taken before.
        bells_heard: How many had been by then.
    """

    queues: tuple[str, ...]
    prefix: str
    request: Request
    has_rung: bool
    bells_heard: int
