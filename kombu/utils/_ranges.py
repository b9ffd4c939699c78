"""Endless and bounded ranges of numbers, for pauses that grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("fxrange", "fxrangemax")


def fxrange(
    start: float = 1.0,
    stop: float | None = None,
    step: float = 1.0,
    repeatlast: bool = False,
) -> Iterator[float]:
    """Iterate over numbers from *start*, each *step* larger than the last.

    Args:
        start: First number.
        stop: Last number at most; without limit if None or 0.
        step: Difference between two numbers.
        repeatlast: Whether to go on with the last number for ever.
    """
    current = start * 1.0
    while not stop or current <= stop:
        yield current
        current += step
    while repeatlast:
        yield current - step


def fxrangemax(
    start: float = 1.0,
    stop: float | None = None,
    step: float = 1.0,
    max: float = 100.0,
) -> Iterator[float]:
    """Iterate over growing numbers until their sum reaches a limit.

    Args:
        start: First number.
        stop: No number is larger than this; without limit if None or 0.
        step: Difference between two numbers.
        max: Ends when the numbers given, together with the next one (but
            without the first), make this much.
    """
    total, current = 0.0, start * 1.0
    while total < max:
        yield current
        current = min(current + step, stop) if stop else current + step
        total += current
