"""Logical time: putting events of many processes in order."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

__all__ = ("LamportClock", "timetuple")

R_CLOCK = "_lamport(clock={0}, timestamp={1}, id={2} {3!r})"


class timetuple(tuple[Any, Any, Any, Any]):
    """Tells which of two events was first.

    By the logical clocks, if both are known, and then by the ids of the
    processes; else by the time of day.

    Args:
        clock: Value of the logical clock; None or 0 if unknown.
        timestamp: Time of day, in seconds.
        id: Id of the process.
        obj: Anything that belongs to the event; does not count.
    """

    __slots__ = ()

    def __new__(
        cls, clock: int | None, timestamp: float, id: str, obj: Any = None
    ) -> timetuple:
        """Make one of its four parts."""
        return tuple.__new__(cls, (clock, timestamp, id, obj))

    def __repr__(self) -> str:
        return R_CLOCK.format(*self)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __lt__(self, other: Any) -> bool:
        return _is_before(self, other) if _is_event(other) else NotImplemented

    def __gt__(self, other: Any) -> bool:
        return _is_before(other, self) if _is_event(other) else NotImplemented

    def __le__(self, other: Any) -> bool:
        return not _is_before(other, self) if _is_event(other) else NotImplemented

    def __ge__(self, other: Any) -> bool:
        return not _is_before(self, other) if _is_event(other) else NotImplemented

    @property
    def clock(self) -> Any:
        """Value of the logical clock."""
        return self[0]

    @property
    def timestamp(self) -> Any:
        """Time of day, in seconds."""
        return self[1]

    @property
    def id(self) -> Any:
        """Id of the process."""
        return self[2]

    @property
    def obj(self) -> Any:
        """What belongs to the event."""
        return self[3]


def _is_event(other: Any) -> bool:
    return isinstance(other, tuple) and len(other) > 2


def _is_before(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Compare by clock, then id of the process; by time if a clock is unknown."""
    clock, timestamp, process_id = one[:3]
    other_clock, other_timestamp, other_process_id = other[:3]
    if not (clock and other_clock):
        return bool(timestamp < other_timestamp)
    if clock == other_clock:
        return bool(process_id < other_process_id)
    return bool(clock < other_clock)


class LamportClock:
    """A counter that goes on with every event, here or in another process.

    A process calls :meth:`forward` before it sends, sends the value along, and
    calls :meth:`adjust` with each value that it receives: what was caused by
    an event then has a higher value.  Every method may be called from any
    thread.

    Args:
        initial_value: Value to begin with.
        Lock: Makes the lock.
    """

    #: The current value.
    value: int = 0

    def __init__(
        self,
        initial_value: int = 0,
        Lock: Callable[[], AbstractContextManager[Any]] = Lock,
    ) -> None:
        self.value = initial_value
        self.mutex = Lock()

    def adjust(self, other: int) -> int:
        """Note the value of another clock.

        Returns:
            The new value: higher than both.
        """
        with self.mutex:
            value = self.value = max(self.value, other) + 1
            return value

    def forward(self) -> int:
        """Note an event.

        Returns:
            The new value.
        """
        with self.mutex:
            self.value += 1
            return self.value

    def sort_heap(self, h: Sequence[Any]) -> Any:
        """Return the first event of a sorted list.

        Args:
            h: Events: sequences of a clock value, what decides between equal
                values (an id of the process), and anything more; in the order
                of the clock values.

        Raises:
            IndexError: If there is none.
        """
        first = h[0]
        for event in h:
            if event[0] != h[0][0]:
                break
            if event[1] < first[1]:
                first = event
        return first

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return f"<LamportClock: {self.value}>"
