"""Limiting how often something happens."""

from __future__ import annotations

from collections import deque
from typing import Any

from kombu.utils import waiting

__all__ = ("TokenBucket",)


class TokenBucket:
    """Says whether something may happen now, so that a rate is kept.

    The bucket fills at a steady rate; each event takes a token out.  What has
    to wait for a token may be put into :attr:`contents` meanwhile.

    A bucket is not locked: each should be used by one thread.

    Args:
        fill_rate: Tokens that are added per second.
        capacity: Tokens that the full bucket holds.
    """

    #: Tokens that are added per second.
    fill_rate: Any = None
    #: Tokens that the full bucket holds.
    capacity: float = 1
    #: Time of the last filling, by a clock that never jumps.
    timestamp: Any = None

    def __init__(self, fill_rate: float, capacity: float = 1) -> None:
        self.capacity = float(capacity)
        self.fill_rate = float(fill_rate)
        self._tokens: float = capacity
        self.timestamp = waiting.monotonic()
        self.contents: deque[Any] = deque()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self._tokens:g} of {self.capacity:g} "
            f"tokens, {self.fill_rate:g}/s, {len(self.contents)} pending>"
        )

    def add(self, item: Any) -> None:
        """Put *item* at the end of what waits."""
        self.contents.append(item)

    def pop(self) -> Any:
        """Take out what waits for longest.

        Raises:
            IndexError: If nothing waits.
        """
        return self.contents.popleft()

    def clear_pending(self) -> None:
        """Forget all that waits."""
        self.contents.clear()

    def can_consume(self, tokens: float = 1) -> bool:
        """Take *tokens* out, if there are as many.

        Returns:
            Whether they were taken.
        """
        if tokens > self._get_tokens():
            return False
        self._tokens -= tokens
        return True

    def expected_time(self, tokens: float = 1) -> float:
        """Return the seconds until there will be *tokens*, 0.0 if there are."""
        missing = max(tokens, self._get_tokens()) - self._tokens
        if not missing:
            return 0.0
        seconds: float = missing / self.fill_rate if self.fill_rate else float("inf")
        return seconds

    def _get_tokens(self) -> float:
        """Fill up and return the number of tokens."""
        if self._tokens < self.capacity:
            now = waiting.monotonic()
            added = self.fill_rate * (now - self.timestamp)
            self._tokens = min(self.capacity, self._tokens + added)
            self.timestamp = now
        return self._tokens
