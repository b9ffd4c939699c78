"""The one seam through which this library waits and reads the clock.

Nothing else in the library calls :func:`time.sleep` or blocks on a lock of
its own making: it sleeps by :func:`sleep`, reads :func:`monotonic`, and waits
for something to happen on a :class:`Waiter`.  Tests replace these functions
to turn the clock, and the names are looked up when called, so that a
replacement, or the patching of gevent and eventlet, takes effect everywhere.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ("Waiter", "Wakeable", "monotonic", "sleep", "wait_on", "wall_clock")


def monotonic() -> float:
    """Return seconds on a clock that never jumps."""
    return time.monotonic()


def wall_clock() -> float:
    """Return seconds since 1970: what processes can tell each other, but may jump."""
    return time.time()


def sleep(seconds: float) -> None:
    """Suspend the calling thread or greenlet for *seconds*."""
    time.sleep(seconds)


def wait_on(condition: threading.Condition, timeout: float | None = None) -> bool:
    """Wait until *condition*, which is held, is notified.

    Arguments:
        condition: The condition.
        timeout: Seconds to wait at most.

    Returns:
        False if the time ran out.
    """
    return condition.wait(timeout)


class Wakeable(Protocol):
    """What a store calls when something has happened that may interest us."""

    def wake(self) -> None:
        """Note that something has happened; must be quick and never raise."""


class Waiter:
    """Lets one thread wait until another one says that something happened.

    A wake-up that comes before the wait is not lost: the next wait returns at
    once.  Several wake-ups before a wait count as one.
    """

    __slots__ = ("_condition", "_is_woken")

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._is_woken = False

    def __repr__(self) -> str:
        state = "woken" if self._is_woken else "idle"
        return f"<{type(self).__name__}: {state}>"

    def wake(self) -> None:
        """End the current wait, or else the next one."""
        # Read without the lock: who resets it looks for work after that, and
        # finds what we have done before we came here.
        if self._is_woken:
            return
        with self._condition:
            self._is_woken = True
            self._condition.notify()

    def was_woken(self) -> bool:
        """Return whether a wake-up has come for the next wait, which then is none."""
        was_woken, self._is_woken = self._is_woken, False
        return was_woken

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for :meth:`wake`, at most *timeout* seconds.

        Returns:
            True if woken, False if the time ran out.
        """
        with self._condition:
            if not self._is_woken:
                wait_on(self._condition, timeout)
            was_woken, self._is_woken = self._is_woken, False
            return was_woken
