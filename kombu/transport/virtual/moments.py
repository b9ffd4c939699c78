"""When a message is due, and how long it lives, by what its publisher asked for."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from kombu.exceptions import InvalidMoment

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("deliver_at_of", "time_to_live_of")


def deliver_at_of(message: Mapping[str, Any], now: float) -> float | None:
    """Return when *message* is due, in seconds since 1970; None for at once.

    The property ``deliver_at`` is a moment (a number of seconds since 1970, or
    a :class:`~datetime.datetime`), the header ``x-delay`` a number of
    milliseconds from *now* on.

    Raises:
        InvalidMoment: What is given is neither.
    """
    moment = message["properties"].get("deliver_at")
    if moment is not None:
        if isinstance(moment, datetime):
            return moment.timestamp()
        return _number(moment, "deliver_at", "seconds since 1970, or a datetime")
    delay = message["headers"].get("x-delay")
    if delay is None:
        return None
    return now + max(_number(delay, "x-delay", "milliseconds"), 0) / 1000


def time_to_live_of(message: Mapping[str, Any]) -> int | None:
    """Return the milliseconds that *message* lives in a queue; None for ever.

    Raises:
        InvalidMoment: Its property ``expiration`` is no number.
    """
    expiration = message["properties"].get("expiration")
    if expiration is None or expiration == "":
        return None
    return max(int(_number(expiration, "expiration", "milliseconds")), 0)


def _number(value: Any, name: str, unit: str) -> float:
    try:
        number = float(value)
        if isinstance(value, bool) or not isfinite(number):
            raise ValueError(value)
        return number
    except (TypeError, ValueError):
        raise InvalidMoment(f"{name} must be {unit}: {value!r} is not") from None
