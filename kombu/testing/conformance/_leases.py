"""Receiving what comes back from the dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kombu.connection import Connection
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("receive",)


def receive(
    harness: Harness, queue: Queue, count: int, connection: Connection | None = None
) -> list[Message]:
    """Consume *count* messages with short leases."""
    connection = connection or harness.connect_leased()
    return harness.consume_all(queue, count, connection=connection)
