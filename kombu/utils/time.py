"""Units of time."""

from __future__ import annotations

from typing import overload

__all__ = ("maybe_s_to_ms",)


@overload
def maybe_s_to_ms(v: None) -> None: ...
@overload
def maybe_s_to_ms(v: float) -> int: ...
def maybe_s_to_ms(v: float | None) -> int | None:
    """Turn seconds into whole milliseconds; None stays None."""
    return int(float(v) * 1000.0) if v is not None else None
