"""Calls functions at a time in the future: the schedule behind the event loop.

A timer never waits by itself.  Iterating over it says what to do next, and
:meth:`kombu.asynchronous.Hub.fire_timers` does so in each round of the loop.

Times are seconds on the *monotonic* clock, so that setting the computer's
clock neither delays nor hurries anything; :func:`to_timestamp` converts from
calendar time.

The schedule is a heap of ``(eta, priority, number, entry)``.  The number is
that of the entry and settles ties by age, so that comparing two items never
runs Python code: pushing is one uninterruptible step, also between threads.  Cancelled
entries stay until they reach the top, or until they make up more than half of
the heap, which is then rebuilt.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from functools import wraps
from heapq import heapify, heappop, heappush
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.asynchronous._entry import Entry
from kombu.log import get_logger
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import TypeAlias

__all__ = ("Entry", "Timer", "to_timestamp")

logger = get_logger(__name__)

#: Longest time that a timer lets its owner sleep, in seconds.
DEFAULT_MAX_INTERVAL = 2

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: Fewer cancelled entries than this are not worth a rebuild of the heap.
MIN_CANCELLED_TO_COMPACT = 64

#: Another name for the class, which :class:`Timer` has an attribute of.
TimerEntry: TypeAlias = Entry

_ONE_SECOND = timedelta(seconds=1)
_NOTHING_SCHEDULED = (None, None)


class scheduled(NamedTuple):
    """Information about scheduled item."""

    eta: float
    priority: int
    entry: TimerEntry


def to_timestamp(
    d: Any,
    default_timezone: tzinfo = timezone.utc,
    time: Callable[[], float] | None = None,
) -> Any:
    """Convert a calendar time to seconds on the clock that *time* reads.

    Arguments:
        d: A :class:`~datetime.datetime`; anything else is returned as it is.
        default_timezone: Zone of datetimes that name none.
        time: The clock, monotonic by default.

    Returns:
        Seconds, never below 0.
    """
    if not isinstance(d, datetime):
        return d
    if d.tzinfo is None:
        d = d.replace(tzinfo=default_timezone)
    seconds_ahead = (d - datetime.now(timezone.utc)) / _ONE_SECOND
    return max((time or waiting.monotonic)() + seconds_ahead, 0)


def _to_seconds(eta: Any, time: Callable[[], float]) -> float:
    if eta is None:
        return time()
    if isinstance(eta, datetime):
        eta = to_timestamp(eta, time=time)
    try:
        return eta + 0.0  # type: ignore[no-any-return]
    except TypeError:
        raise TypeError(
            f"eta must be a datetime or seconds on the monotonic clock, not {eta!r}"
        ) from None


class Timer:
    """Schedule of callbacks.

    Arguments:
        max_interval: Longest time in seconds that iteration asks its caller
            to sleep, so that entries added by other threads are noticed.
        on_error: Called with the exception when a callback given to
            :meth:`apply_entry` raises; without it the error is logged.
    """

    Entry: type[TimerEntry] = Entry

    on_error: Callable[[Any], Any] | None = None

    def __init__(
        self,
        max_interval: float | None = None,
        on_error: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.max_interval = float(max_interval or DEFAULT_MAX_INTERVAL)
        self.on_error = on_error or self.on_error
        self._queue: list[Any] = []
        #: Estimate of the cancelled entries in the heap: threads may race for
        #: it, which costs no more than a late or a needless rebuild.
        self._cancelled_count = 0
        self._consumer_thread: int | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} scheduled>"

    def __enter__(self) -> Timer:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._queue)

    def call_at(
        self,
        eta: float | datetime | None,
        fun: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        priority: int = 0,
    ) -> TimerEntry:
        """Call *fun* at *eta*: monotonic seconds, or a datetime."""
        return self.enter_at(self.Entry(fun, args, kwargs), eta, priority)

    def call_after(
        self,
        secs: float,
        fun: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        priority: int = 0,
    ) -> TimerEntry:
        """Call *fun* in *secs* seconds."""
        return self.enter_after(secs, self.Entry(fun, args, kwargs), priority)

    def call_repeatedly(
        self,
        secs: float,
        fun: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        priority: int = 0,
    ) -> TimerEntry:
        """Call *fun* every *secs* seconds, until the entry is cancelled.

        The interval is kept from the start of one call to the start of the
        next.  Calls that were missed are not made up for, and an error does
        not end the repetition.
        """
        interval = float(secs)
        due = waiting.monotonic() - 1  # called by hand it may be called at once

        @wraps(fun)
        def _reschedules(*args: Any, **kwargs: Any) -> Any:
            nonlocal due
            now = waiting.monotonic()
            try:
                if now >= due:
                    due = now + interval
                    return fun(*args, **kwargs)
                return None
            finally:
                if not entry.canceled:
                    self.enter_at(entry, due, priority)

        entry = self.Entry(_reschedules, args, kwargs)
        return self.enter_after(interval, entry, priority)

    def enter_at(
        self,
        entry: TimerEntry,
        eta: float | datetime | None = None,
        priority: int = 0,
        time: Callable[[], float] | None = None,
    ) -> TimerEntry:
        """Enter *entry* into the schedule.

        Arguments:
            entry: The callback.
            eta: When to call it: seconds on the clock, a datetime, or
                :const:`None` for at once.
            priority: Of entries due at the same time, the lower value is first.
            time: The clock, monotonic by default.

        Raises:
            TypeError: *eta* is no time.
        """
        if type(eta) is not float:
            eta = _to_seconds(eta, time or waiting.monotonic)
        return self._enter(eta, priority, entry)

    def _enter(self, eta: float, priority: int, entry: TimerEntry) -> TimerEntry:
        """Enter *entry*; Celery's timers of green threads do it in their own way.

        Those have a `_queue` of another type, and return what stands for the entry.
        """
        entry._timer = self
        if self._cancelled_count > MIN_CANCELLED_TO_COMPACT:
            self._compact()
        heappush(self._queue, (eta, priority, entry._number, entry))
        return entry

    def enter_after(
        self,
        secs: float,
        entry: TimerEntry,
        priority: int = 0,
        time: Callable[[], float] | None = None,
    ) -> TimerEntry:
        """Enter *entry* into the schedule, to be called in *secs* seconds."""
        now = waiting.monotonic() if time is None else time()
        return self.enter_at(entry, now + float(secs), priority)

    def _note_cancelled(self) -> None:
        self._cancelled_count += 1

    def _compact(self) -> None:
        """Rid the heap of cancelled entries, if they are more than half of it.

        Each item is moved by single steps that no other thread can come in
        between of, so that none is lost, whoever adds one meanwhile.  Only the
        thread that iterates may do it, since that one would not see, for a
        moment, what is due.
        """
        queue = self._queue
        if self._cancelled_count * 2 <= len(queue):
            return
        if self._consumer_thread not in (None, get_ident()):
            return
        self._cancelled_count = 0
        alive = []
        while queue:
            item = queue.pop()
            if not item[-1].canceled:
                alive.append(item)
        queue.extend(alive)
        heapify(queue)

    def apply_entry(self, entry: Callable[[], Any]) -> None:
        """Call *entry*, and pass what it raises to :meth:`handle_error`."""
        try:
            entry()
        except Exception as exc:
            if not self.handle_error(exc):
                logger.error("Error in timer: %r", exc, exc_info=True)

    def handle_error(self, exc_info: Any) -> bool | None:
        """Give an error to :attr:`on_error`; return true if that is set."""
        if self.on_error:
            self.on_error(exc_info)
            return True
        return None

    def stop(self) -> None:
        """For timers that have a thread; this one has nothing to stop."""

    def __iter__(
        self,
        min: Callable[[float, float], float] = min,
        nowfun: Callable[[], float] | None = None,
        pop: Callable[[list[Any]], Any] = heappop,
        push: Callable[[list[Any], Any], None] = heappush,
    ) -> Iterator[tuple[float | None, TimerEntry | None]]:
        """Yield what to do next, without end.

        Yields:
            ``(None, entry)``: call this entry, it is due;
            ``(seconds, None)``: sleep, nothing is due before;
            ``(None, None)``: nothing is scheduled.
        """
        now = 0.0
        while True:
            if self._cancelled_count > MIN_CANCELLED_TO_COMPACT:
                self._consumer_thread = get_ident()
                self._compact()
            queue = self._queue
            if not queue:
                yield _NOTHING_SCHEDULED
                continue
            head = queue[0]
            entry = head[-1]
            if now < head[0] and not entry.canceled:
                # Time only goes on: what was due by the last look is due.
                now = nowfun() if nowfun is not None else waiting.monotonic()
                if now < head[0]:
                    yield min(head[0] - now, self.max_interval), None
                    continue
            try:
                item = pop(queue)
            except IndexError:  # cleared by another thread just now
                continue
            if item is not head:
                push(queue, item)  # something more urgent came in between
            elif entry.canceled:
                self._cancelled_count -= 1
            else:
                entry._timer = None
                yield None, entry

    def clear(self) -> None:
        """Forget everything, without calling it."""
        self._queue[:] = []
        self._cancelled_count = 0

    def cancel(self, tref: TimerEntry) -> None:
        """Cancel an entry."""
        tref.cancel()

    @property
    def schedule(self) -> Timer:
        """The timer itself, as threaded timers have a schedule."""
        return self

    @property
    def queue(self) -> list[scheduled]:
        """Everything scheduled, sorted: a copy that is safe to keep."""
        items = sorted(self._queue[:])
        return [scheduled(item[0], item[1], item[-1]) for item in items]
