"""What a fault proxy does to one direction of its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Faults",)


class Faults:
    """The faults of one direction; they hold for all connections, new ones too.

    Arguments:
        name: Where the bytes go.
        apply: Called with what sets a fault, to be called between two bytes.
        heal: Called with this when its faults are to end.

    Attributes:
        bytes: How many have passed.
        seconds_late: What :meth:`delay` has set.
        bytes_per_second: What :meth:`throttle` has set.
        bytes_left: What is left of what :meth:`truncate` lets pass.
        is_black_hole: Whether :meth:`black_hole` was called.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[[Callable[[], None]], None],
        heal: Callable[[Faults], None],
    ) -> None:
        self.name = name
        self._apply = apply
        self._heal = heal
        self.bytes = 0
        self.forget()

    def __repr__(self) -> str:
        found = {
            "delay": self.seconds_late or None,
            "throttle": self.bytes_per_second,
            "truncate": self.bytes_left,
            "black_hole": self.is_black_hole or None,
        }
        set_ones = (f"{k}={v}" for k, v in found.items() if v is not None)
        faults = ", ".join(set_ones) or "sound"
        return f"<{type(self).__name__} {self.name}: {faults}, {self.bytes} bytes>"

    def forget(self) -> None:
        """Set no fault, without regard to what has happened by those there were."""
        self.seconds_late = 0.0
        self.bytes_per_second: float | None = None
        self.bytes_left: int | None = None
        self.is_black_hole = False

    def _set(self, name: str, value: float | bool) -> None:
        self._apply(lambda: setattr(self, name, value))

    def delay(self, seconds: float) -> None:
        """Have bytes that come from now on arrive *seconds* late."""
        if seconds < 0:
            raise ValueError(f"a delay can not be negative: {seconds!r}")
        self._set("seconds_late", seconds)

    def throttle(self, bytes_per_second: float) -> None:
        """Let no more than *bytes_per_second* pass, on each connection."""
        if bytes_per_second <= 0:
            raise ValueError(
                f"the rate must be positive: {bytes_per_second!r}; "
                "use black_hole() to let nothing pass"
            )
        self._set("bytes_per_second", bytes_per_second)

    def truncate(self, after_bytes: int) -> None:
        """Let *after_bytes* pass, then close the connection that has more, once."""
        if after_bytes < 0:
            raise ValueError(f"a number of bytes can not be negative: {after_bytes!r}")
        self._set("bytes_left", after_bytes)

    def black_hole(self) -> None:
        """Swallow everything, and say nothing: a cable that was pulled."""
        self._set("is_black_hole", True)

    def heal(self) -> None:
        """Let everything pass again.

        Connections that have lost bytes to a black hole are reset: a stream
        with a gap can not go on.
        """
        self._heal(self)
