"""The moment by which an operation must be over, handed down to its steps."""

from __future__ import annotations

from kombu.exceptions import TimeoutError
from kombu.utils import waiting

__all__ = ("Deadline",)


class Deadline:
    """A point in time that nested steps share, so that limits never multiply.

    Arguments:
        seconds: Time from now; :const:`None` for no limit.
    """

    __slots__ = ("expires_at",)

    def __init__(self, seconds: float | None = None) -> None:
        self.expires_at = None if seconds is None else waiting.monotonic() + seconds

    def __repr__(self) -> str:
        left = self.remaining()
        return f"<Deadline: {'none' if left is None else f'{left:.3f}s left'}>"

    def remaining(self) -> float | None:
        """Return the seconds left, never below 0; :const:`None` if unlimited."""
        if self.expires_at is None:
            return None
        return max(self.expires_at - waiting.monotonic(), 0.0)

    @property
    def has_expired(self) -> bool:
        """True once the time has run out."""
        return self.expires_at is not None and waiting.monotonic() >= self.expires_at

    def check(self, what: str = "operation") -> None:
        """Raise :exc:`TimeoutError` naming *what* if the time has run out."""
        if self.has_expired:
            raise TimeoutError(f"{what} timed out")
