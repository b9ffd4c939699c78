"""Which of two messages of one queue comes first, by their priorities."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("AMQP", "KOMBU", "rank_by_steps")

#: What is higher comes first, up to ``x-max-priority``; without it none does.
AMQP = "amqp"

#: What is lower comes first, in all queues: kombu's order on Redis.
KOMBU = "kombu"


def rank_by_steps(priority: int, steps: Sequence[int]) -> int:
    """Return the rank of *priority* where what is lower comes first.

    Arguments:
        priority: Of the message.
        steps: Priorities that are told apart, in ascending order; any other
            counts as the next lower one.
    """
    place = bisect_right(steps, priority) - 1
    return -steps[max(place, 0)]
