"""The one retry engine of this library.

It is a loop, so that any number of tries needs the same stack, and it waits
only through :mod:`kombu.utils.waiting`, so that tests can turn the clock.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ("retry_over_time",)

#: Seconds between two calls of the callback while waiting.
CALLBACK_INTERVAL_S = 1.0


def retry_over_time(
    fun: Callable[..., Any],
    catch: type[BaseException] | tuple[type[BaseException], ...],
    args: Sequence[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    errback: Callable[[BaseException, Iterator[float], int], float | None]
    | None = None,
    max_retries: float | None = None,
    interval_start: float = 2,
    interval_step: float = 2,
    interval_max: float = 30,
    callback: Callable[[], Any] | None = None,
    timeout: float | None = None,
) -> Any:
    """Call *fun* until it does not raise one of *catch*.

    Args:
        fun: What to try.
        catch: The error, or a tuple of errors, after which to try again.
        args: Arguments of *fun*.
        kwargs: Keyword arguments of *fun*.
        errback: Called after each failure that will be followed by another
            try, with the error, an iterator over the pauses that are still to
            come, and the number of retries so far.  It returns the seconds to
            wait; for None, or without errback, the next pause is taken.
        max_retries: Number of tries after the first one: 0 means to try once,
            None to try for ever.
        interval_start: Seconds to wait after the first failure.
        interval_step: Seconds by which each pause is longer than the last.
        interval_max: No pause is longer than this, in seconds.
        callback: Called after each failure, and then before each second of
            waiting; it may raise to give up.
        timeout: Seconds, from now, after which no new try begins; a pause that
            would last longer ends then, with a last try.  No limit if None
            or 0.

    Returns:
        What *fun* returns.

    Raises:
        Exception: The last error of *fun*, when tries or time have run out.
    """
    args = args or ()
    kwargs = kwargs or {}
    intervals = _pauses(interval_start, interval_step, interval_max)
    deadline = waiting.monotonic() + timeout if timeout else None
    for retries in count():
        try:
            return fun(*args, **kwargs)
        except catch as exc:
            if max_retries is not None and retries >= max_retries:
                raise
            if deadline is not None and waiting.monotonic() >= deadline:
                raise
            if callback is not None:
                callback()
            pause = errback(exc, intervals, retries) if errback is not None else None
            pause = next(intervals) if pause is None else float(pause)
        _wait(min(pause, interval_max), callback, deadline)
    raise AssertionError("count() never ends")  # pragma: no cover


def _pauses(start: float, step: float, maximum: float) -> Iterator[float]:
    """Iterate over pauses that grow up to *maximum*, in seconds."""
    pause = start
    while pause < maximum and step > 0:
        yield pause
        pause += step
    while True:
        yield min(pause, maximum)


def _wait(
    seconds: float, callback: Callable[[], Any] | None, deadline: float | None
) -> None:
    """Wait, at most until *deadline*, with a callback before each second."""
    while seconds > 0:
        step = min(seconds, CALLBACK_INTERVAL_S) if callback else seconds
        if deadline is not None:
            step = min(step, deadline - waiting.monotonic())
            if step <= 0:
                return
        if callback is not None and seconds >= CALLBACK_INTERVAL_S:
            callback()
        waiting.sleep(step)
        seconds -= step
