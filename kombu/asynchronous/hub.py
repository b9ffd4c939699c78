"""The event loop: calls back when descriptors are ready and timers are due.

A round of the loop, in this order: the callbacks given to
:meth:`Hub.call_soon`, the timers that are due, the ``on_tick`` callbacks, then
one wait for the descriptors and the callbacks of those that are ready.

Errors: what a ``call_soon`` callback or a timer raises is logged, and the loop
goes on; except for what is listed in ``propagate_errors``, ``MemoryError`` and
its kin, failed assertions, and what is no :exc:`Exception` (:exc:`Stop`,
``SystemExit``).  Those, and all that the callbacks of descriptors and
``on_tick`` raise, leave the loop: such a descriptor would be reported again at
once and for ever.  Nothing is lost then: the rest stays queued or is reported
in the next round.

Threads: the loop belongs to one thread.  Only :meth:`Hub.call_soon`, the
methods for timers, :meth:`Hub.stop`, and adding and removing descriptors may
be called from others, and from signal handlers; they wake a loop that waits.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any

from kombu.asynchronous._callback import Callback, ReadyQueue
from kombu.asynchronous._descriptors import Descriptors
from kombu.asynchronous.timer import Timer
from kombu.log import get_logger
from kombu.utils import waiting
from kombu.utils.eventio import forks
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from datetime import datetime

    from kombu.asynchronous.timer import Entry

__all__ = ("Hub", "get_event_loop", "set_event_loop")

logger = get_logger(__name__)

#: Longest wait in seconds while no descriptor is registered: the program is
#: then about to start or to end, and its owner wants to look around.
MAX_IDLE_INTERVAL = 0.1

#: Types of callbacks that are certainly not thenables.
_PLAIN_CALLABLES = frozenset({FunctionType, MethodType, BuiltinFunctionType})

_current_loop: Hub | None = None


class Stop(BaseException):
    """Stops the event loop."""


def _raise_stop_error() -> None:
    raise Stop


@contextmanager
def _dummy_context(*args: Any, **kwargs: Any) -> Iterator[None]:
    """A context that does nothing, for callers that take an optional lock."""
    yield


def get_event_loop() -> Hub | None:
    """Return the event loop that this process uses, if one was set."""
    return _current_loop


def set_event_loop(loop: Hub | None) -> Hub | None:
    """Make *loop* the one that :func:`get_event_loop` returns."""
    global _current_loop
    _current_loop = loop
    return loop


def _must_propagate(exc: Exception, propagate: Any) -> bool:
    """True for errors that the loop may not survive, or may not hide."""
    if isinstance(exc, (MemoryError, AssertionError)):
        return True
    if isinstance(exc, OSError) and exc.errno == errno.ENOMEM:
        return True
    return isinstance(exc, propagate)


def _is_thenable(callback: Any) -> bool:
    """True for promises and the like; asks the class, since mocks have all."""
    return hasattr(type(callback), "then")


def _head_of(queue: list[Any]) -> Any:
    """Return the first item, if any; other threads may take it away."""
    try:
        return queue[0]
    except IndexError:
        return None


class Hub(Descriptors):
    """Event loop object.

    Arguments:
        timer: Schedule of the timers; a new :class:`Timer` by default.

    Attributes:
        readers: Descriptor to ``(callback, args)``, for reading.
        writers: The same for writing; :const:`None` for consolidated ones.
        consolidate: Descriptors that are reported together, in one list, to
            :attr:`consolidate_callback`.
        on_tick: Called without arguments in each round, before the wait.
        on_close: Called with the hub when it is closed or reset.
        propagate_errors: Exception classes that leave the loop.
    """

    #: Set of callbacks to be called when the hub is closed.
    on_close: Any = None

    def __init__(self, timer: Any = None) -> None:
        super().__init__()
        self.timer: Timer = timer if timer is not None else Timer()
        self.on_tick: Any = set()
        self.on_close = set()
        self.propagate_errors: Any = ()
        self._ready = ReadyQueue()
        self._running = False
        self._loop: Generator[None, None, None] | None = None
        #: What :func:`kombu.asynchronous.http.get_client` made for this hub.
        self._current_http_client: Any = None

    def __repr__(self) -> str:
        return f"<Hub@{id(self):#02x}: R:{len(self.readers)} W:{len(self.writers)}>"

    def repr_active(self) -> str:
        """Describe what is watched, for debugging."""
        from kombu.asynchronous.debug import repr_active

        return repr_active(self)

    def repr_events(self, events: Iterable[tuple[int, int]] | None) -> str:
        """Describe what a poll returned, for debugging."""
        from kombu.asynchronous.debug import repr_events

        return repr_events(self, events)

    # -- life cycle

    def reset(self) -> None:
        """Forget all descriptors, as :meth:`close`, and be ready to go on.

        Timers and ``on_tick`` callbacks stay.
        """
        self.close()
        self._create_poller()

    def close(self, *args: Any) -> None:
        """Stop watching, call ``on_close`` and what is still queued.

        Timers and ``on_tick`` callbacks stay.  Using the hub again opens it.
        """
        for fd in {*self.readers, *self.writers, *self.consolidate}:
            self.remove(fd)
        self.readers.clear()
        self.writers.clear()
        self.consolidate.clear()
        self._close_poller()
        for callback in tuple(self.on_close):
            self._call(callback, self)
        for callback in self._pop_ready():
            self._call(callback)

    def stop(self) -> None:
        """Make :meth:`run_forever` return, after the current round."""
        self.call_soon(_raise_stop_error)

    # -- callbacks

    def call_soon(self, callback: Any, *args: Any) -> Any:
        """Call ``callback(*args)`` in the next round; safe from any thread.

        Callbacks are called in the order in which they were given.

        Arguments:
            callback: A function, or a thenable, which is called without
                arguments, and once, however often it is given.
            args: Arguments for the function.

        Returns:
            The thenable, or a :class:`Callback` that can be cancelled and has
            ``then(callback, on_error=None)``.
        """
        ready = self._ready
        if type(callback) in _PLAIN_CALLABLES or not _is_thenable(callback):
            callback = Callback(callback, args)
            ready.append(callback)
        elif callback not in ready:
            ready.append(callback)
        if self._is_sleeping:
            self._wake()
        return callback

    def call_later(self, delay: float, callback: Any, *args: Any) -> Entry:
        """Call ``callback(*args)`` in *delay* seconds."""
        entry = self.timer.call_after(delay, callback, args)
        if self._is_sleeping:
            self._wake()
        return entry

    def call_at(
        self, when: float | datetime | None, callback: Any, *args: Any
    ) -> Entry:
        """Call ``callback(*args)`` at *when*: monotonic seconds, or a datetime."""
        entry = self.timer.call_at(when, callback, args)
        if self._is_sleeping:
            self._wake()
        return entry

    def call_repeatedly(self, delay: float, callback: Any, *args: Any) -> Entry:
        """Call ``callback(*args)`` every *delay* seconds until cancelled."""
        entry = self.timer.call_repeatedly(delay, callback, args)
        if self._is_sleeping:
            self._wake()
        return entry

    def on_callback_error(self, callback: Any, exc: BaseException) -> None:
        """Called with what a callback raised; logs it.  For subclasses."""
        logger.error("Callback %r raised exception: %r", callback, exc, exc_info=exc)

    def _call(self, callback: Any, *args: Any) -> None:
        try:
            callback(*args)
        except Exception as exc:
            if _must_propagate(exc, self.propagate_errors):
                raise
            self.on_callback_error(callback, exc)

    def _pop_ready(self) -> list[Any]:
        """Take what is queued by now, without what is queued meanwhile."""
        ready = self._ready
        return [ready.popleft() for _ in range(len(ready))]

    def _run_ready(self) -> None:
        # One at a time, so that an error leaves the rest in the queue.
        ready = self._ready
        for _ in range(len(ready)):
            try:
                callback = ready.popleft()
            except IndexError:
                return
            try:
                callback()
            except Exception as exc:
                if _must_propagate(exc, self.propagate_errors):
                    raise
                self.on_callback_error(callback, exc)

    # -- timers

    @cached_property
    def scheduler(self) -> Iterator[tuple[float | None, Entry | None]]:
        """Iterator over the timer, which says what to do next."""
        return iter(self.timer)

    def fire_timers(
        self,
        min_delay: float = 1,
        max_delay: float = 10,
        max_timers: int = 10,
        propagate: Any = (),
    ) -> float:
        """Call the timers that are due.

        Arguments:
            min_delay: What to return if nothing is scheduled, in seconds.
            max_delay: Most to return, in seconds.
            max_timers: Number of timers after which to come back, so that
                descriptors get their turn.
            propagate: Exception classes to let through.

        Returns:
            Seconds to wait for descriptors: until the next timer is due; 0 if
            *max_timers* were called, so that others may be due already.
        """
        delay: float | None = None
        if self.timer._queue:
            scheduler = self.scheduler
            for _ in range(max_timers):
                delay, entry = next(scheduler)
                if entry is None:
                    break
                try:
                    entry()
                except Exception as exc:
                    if _must_propagate(exc, propagate):
                        raise
                    logger.error("Error in timer: %r", exc, exc_info=True)
            else:
                return 0
        return min(delay or min_delay, max_delay)

    # -- the loop

    def run_forever(self) -> None:
        """Run until :meth:`stop` is called, or something raises."""
        self._running = True
        try:
            while True:
                try:
                    self.run_once()
                except Stop:
                    break
        finally:
            self._running = False

    def run_once(self) -> None:
        """Run one round of the loop."""
        try:
            next(self.loop)
        except StopIteration:
            self._loop = None

    @property
    def loop(self) -> Generator[None, None, None]:
        """The running loop: a generator of which ``next`` is one round."""
        loop = self._loop
        # A generator that raised, or returned, has no frame.
        if loop is None or getattr(loop, "gi_frame", loop) is None:
            loop = self._loop = self.create_loop()
        return loop

    def create_loop(
        self,
        generator: type[Any] = GeneratorType,
        sleep: Callable[[float], Any] | None = None,
        *ignored: Any,
        **ignored_too: Any,
    ) -> Generator[None, None, None]:
        """Return a generator that runs one round for each ``next``.

        It ends when the poller is closed beneath it.

        Arguments:
            generator: Type of the callbacks that are resumed, not called.
            sleep: How to wait while no descriptor is registered; by default
                in a way that :meth:`call_soon` interrupts.
            ignored: kombu took builtins here, to have them as local names.
            ignored_too: The same, given by name.
        """
        self.poller  # noqa: B018 - opens the hub again if it was closed
        while True:
            if self._ready:
                self._run_ready()
            timeout, head = 1.0, None
            if self.timer._queue:
                timeout = self.fire_timers(propagate=self.propagate_errors)
                head = _head_of(self.timer._queue)
            if self.on_tick:
                for callback in tuple(self.on_tick):
                    callback()
            try:
                events = self._wait(timeout, head, sleep)
            except ValueError:  # the poller was closed
                return
            if events:
                self._dispatch(events, generator)
            yield

    def _wait(
        self, timeout: float, head: Any, sleep: Callable[[float], Any] | None
    ) -> Iterable[tuple[int, int]] | None:
        """Wait for descriptors, for at most *timeout* seconds.

        *head* is what stood first in the timer when *timeout* was found.
        """
        poller = self._poller
        if poller is None:
            raise ValueError("the event loop is closed")
        if self._waker_poller is not poller or self._waker_forks != forks.count:
            self._install_waker(poller)
        has_descriptors = self.readers or self.writers
        if not has_descriptors and timeout > MAX_IDLE_INTERVAL:
            timeout = MAX_IDLE_INTERVAL
        if self._changed:
            self._changed.clear()
        queue = self.timer._queue
        self._is_sleeping = True
        try:
            # What came before the flag was up did not wake us.
            if self._ready:
                timeout = 0
            elif queue and _head_of(queue) is not head:
                timeout = self._shorten(timeout)
            if has_descriptors or (self._owns_poller and sleep is None):
                return poller.poll(timeout)
            (sleep or waiting.sleep)(timeout)
            return None
        finally:
            self._is_sleeping = False

    def _shorten(self, timeout: float) -> float:
        """Return the time until the first timer, if that is less."""
        head = _head_of(self.timer._queue)
        if head is None:
            return timeout
        due_in: float = head[0] - waiting.monotonic()
        return max(min(timeout, due_in), 0)
