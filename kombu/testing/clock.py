"""A clock that tests can turn, in the place of the one the library waits by.

While a :class:`Clock` is in place, the four functions of
:mod:`kombu.utils.waiting` through which the library reads the time and waits
are the clock's: time stands still until the test turns it, and a wait ends
when it is due by that clock.  What waits for a file descriptor (a socket, the
poller of an event loop) waits in real time, as that is not the library's to
decide.

A wait that nobody ends is an error after ``patience`` real seconds: a test
that forgot to turn the clock fails, and does not hang.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Clock", "ClockStopped")

_SEAM = ("monotonic", "sleep", "wait_on", "wall_clock")

#: The clock in place: there is one time for the whole process.
_in_place: list[Clock] = []


class ClockStopped(KombuError, AssertionError):
    """A wait was not ended: nobody turned the clock."""


class _Wait:
    """One thread that waits on a condition until it is due."""

    __slots__ = ("condition", "due")

    def __init__(self, condition: threading.Condition, due: float | None) -> None:
        self.condition = condition
        self.due = due


class Clock:
    """A clock that stands still until it is turned; a context manager.

    Arguments:
        start: What it shows first; the real monotonic clock's time if not
            given, so that moments noted before stay in the past.
        turns_itself: Whether a wait with a limit ends at once, and turns the
            clock by its length: for tests in which only one thread waits.
        patience: Real seconds after which a wait is an error.
    """

    def __init__(
        self,
        start: float | None = None,
        *,
        turns_itself: bool = False,
        patience: float = 10.0,
    ) -> None:
        self.turns_itself = turns_itself
        self.patience = patience
        self._now = time.monotonic() if start is None else start
        self._epoch = time.time() - self._now
        self._waits: list[_Wait] = []
        # Guards the two above; those who wait for others to wait use it too.
        self._changed = threading.Condition()
        self._replaced: dict[str, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._now:.3f}, {self.waiting} waiting>"

    @property
    def now(self) -> float:
        """What the clock shows, in seconds."""
        return self._now

    @property
    def waiting(self) -> int:
        """How many threads wait for a moment to come."""
        with self._changed:
            return sum(wait.due is not None for wait in self._waits)

    # -- being in place --------------------------------------------------------------

    def __enter__(self) -> Clock:
        if _in_place:
            raise RuntimeError(
                "another clock is in place: leave its context first, a process "
                "has but one time"
            )
        _in_place.append(self)
        self._replaced = {name: getattr(waiting, name) for name in _SEAM}
        waiting.monotonic = self._monotonic
        waiting.sleep = self._sleep
        waiting.wait_on = self._wait_on
        waiting.wall_clock = self._wall_clock
        return self

    def __exit__(self, *exc_info: object) -> None:
        for name, function in self._replaced.items():
            setattr(waiting, name, function)
        _in_place.remove(self)

    # -- for the test ----------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Turn the clock by *seconds*; waits that are due then end.

        Raises:
            ValueError: *seconds* is negative: time does not go back.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds!r} is negative")
        with self._changed:
            self._now += seconds
            due = [wait.condition for wait in self._waits if self._is_due(wait)]
        for condition in due:
            # Whoever waits holds it from before it is on the list until it
            # waits, so that this does not come too early.
            with condition:
                condition.notify_all()

    def wait_until_waiting(self, threads: int = 1) -> None:
        """Wait, in real time, until so many threads wait for a moment to come.

        Raises:
            ClockStopped: They do not, after ``patience`` seconds.
        """

        def are_waiting() -> bool:
            return sum(wait.due is not None for wait in self._waits) >= threads

        with self._changed:
            if not self._changed.wait_for(are_waiting, self.patience):
                raise ClockStopped(
                    f"{threads} threads were to wait on the clock within "
                    f"{self.patience} seconds: {len(self._waits)} do"
                )

    # -- in the place of the library's own -------------------------------------------

    def _monotonic(self) -> float:
        return self._now

    def _wall_clock(self) -> float:
        return self._epoch + self._now

    def _sleep(self, seconds: float) -> None:
        condition = threading.Condition(threading.Lock())
        due = self._now + seconds
        with condition:
            while self._now < due:
                self._wait_on(condition, due - self._now)

    def _wait_on(
        self, condition: threading.Condition, timeout: float | None = None
    ) -> bool:
        if timeout is not None and self.turns_itself:
            self.advance(max(timeout, 0))
            return False
        wait = _Wait(condition, None if timeout is None else self._now + timeout)
        with self._changed:
            if self._is_due(wait):
                return False
            self._waits.append(wait)
            self._changed.notify_all()
        try:
            was_notified = condition.wait(self.patience)
        finally:
            with self._changed:
                self._waits.remove(wait)
        if not was_notified:
            raise ClockStopped(
                f"a wait of {'unlimited' if timeout is None else timeout} seconds "
                f"was not ended within {self.patience} real ones: call advance() "
                "from another thread, or use Clock(turns_itself=True)"
            )
        return not self._is_due(wait)

    def _is_due(self, wait: _Wait) -> bool:
        return wait.due is not None and self._now >= wait.due
