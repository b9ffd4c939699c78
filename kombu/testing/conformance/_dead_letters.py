"""Queues with another one for what dies in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("deaths_of", "with_dead_letters")


def with_dead_letters(
    harness: Harness, name: str = "work", **options: Any
) -> tuple[Queue, Queue]:
    """Return a queue, and the queue that its dead letters go to.

    Arguments:
        harness: The harness.
        name: Begin of the queue's name.
        **options: Further arguments of the queue; ``queue_arguments`` are added
            to those that name the dead-letter exchange.
    """
    exchange = harness.exchange(f"{name}-dead")
    dead = harness.queue(f"{name}-dead", exchange, "dead")
    arguments = {
        "x-dead-letter-exchange": exchange.name,
        "x-dead-letter-routing-key": "dead",
        **options.pop("queue_arguments", {}),
    }
    return harness.queue(name, queue_arguments=arguments, **options), dead


def deaths_of(message: Message) -> list[tuple[str, str, int]]:
    """Return queue, reason and count of each entry of ``x-death``."""
    return [
        (entry["queue"], entry["reason"], entry["count"])
        for entry in message.headers["x-death"]
    ]
