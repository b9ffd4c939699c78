"""Looking again and again for a moment, before a thread goes to sleep.

To be put to sleep and woken takes a thread longer than a server nearby needs for its
answer.  Where that is so, to look for it until it comes is faster, and costs no more:
sleeping has its price, too.  Where it is not, hardly any time is spent on it: after each
vain attempt more waits go without one.
"""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING, Any

from kombu.utils.compat import detect_environment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("SPIN", "Spin")

#: Seconds to look at most: the time of some round trips to a server on this machine.
SPIN = 200e-6

#: Most waits that go without looking, after one that it was in vain for.
_MOST_SKIPPED = 127


def _is_useful() -> bool:
    """Return whether anybody can do something while this thread looks."""
    if detect_environment() != "default":
        return False  # all greenlets would stand still
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) > 1
    return (os.cpu_count() or 1) > 1


class Spin:
    """Looks for something to come, for a limited time, where that pays.

    Arguments:
        seconds: How long to look at most; 0 for not at all.
    """

    __slots__ = ("_pause", "_seconds", "_skips")

    def __init__(self, seconds: float = SPIN) -> None:
        self._seconds = seconds if _is_useful() else 0.0
        # How many of the next waits go without, and how many after the next failure.
        self._skips = 0
        self._pause = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._seconds * 1e6:.0f} us>"

    def until(self, has_come: Callable[[], Any], at_most: float | None = None) -> bool:
        """Look until *has_come* says so; return whether it did.

        Arguments:
            has_come: Returns whether there is something, without waiting.
            at_most: Seconds that may be waited.
        """
        seconds = self._seconds
        if self._skips or not seconds:
            self._skips -= bool(self._skips)
            return False
        if at_most is not None and at_most < seconds:
            seconds = at_most
        end = perf_counter() + seconds
        while not has_come():
            if perf_counter() >= end:
                self._pause = min(2 * self._pause + 1, _MOST_SKIPPED)
                self._skips = self._pause
                return False
        self._pause = 0
        return True
