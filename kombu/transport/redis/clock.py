"""The server's clock, read from its replies and carried on by ours.

By the clock that never jumps, so that a wrong time of day here does no harm.
"""

from __future__ import annotations

from kombu.utils import waiting

__all__ = ("ServerClock",)


class ServerClock:
    """Tells the server's time without asking for it each time."""

    def __init__(self) -> None:
        # The server's time when ours was 0.
        self._offset: float | None = None

    def __repr__(self) -> str:
        state = "unread" if self._offset is None else f"{self._offset:+.3f} s"
        return f"<{type(self).__name__}: {state}>"

    @property
    def is_read(self) -> bool:
        """Whether the server has told its time."""
        return self._offset is not None

    def forget(self) -> None:
        """Have the server be asked for its time again."""
        self._offset = None

    def read(self, microseconds: bytes | str | int) -> None:
        """Note the server's time, from a reply that has just come."""
        self._offset = int(microseconds) / 1e6 - waiting.monotonic()

    def now(self) -> float:
        """Return the server's time, in seconds since 1970."""
        if self._offset is None:
            return waiting.wall_clock()
        return self._offset + waiting.monotonic()
