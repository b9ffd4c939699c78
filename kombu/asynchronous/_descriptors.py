"""The file descriptors of an event loop, and who is called for which of them."""

from __future__ import annotations

import contextlib
import errno
from queue import Empty
from typing import TYPE_CHECKING, Any

from kombu.asynchronous._waker import Waker
from kombu.log import get_logger
from kombu.utils.compat import fileno
from kombu.utils.eventio import ERR, READ, WRITE, forks, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from kombu.utils.eventio import Poller

__all__ = ("Descriptors",)

logger = get_logger("kombu.asynchronous.hub")

W_UNKNOWN_EVENT = "Received unknown event %r for fd %r, please contact support!"


class Descriptors:
    """The part of :class:`~kombu.asynchronous.Hub` that watches descriptors.

    The tables say what is wanted, the poller is told the union of both for
    each descriptor.  Besides these the poller watches the *waker*, through
    which other threads interrupt the wait; it is made when first needed, made
    anew in a child process, and appears in no table.
    """

    READ = READ
    WRITE = WRITE
    ERR = ERR

    def __init__(self) -> None:
        self.readers: dict[int, tuple[Any, tuple[Any, ...]]] = {}
        self.writers: dict[int, tuple[Any, tuple[Any, ...]] | None] = {}
        self.consolidate: set[int] = set()
        self.consolidate_callback: Callable[[list[int]], Any] | None = None
        self._poller: Poller | None = None
        self._owns_poller = False
        self._waker: Waker | None = None
        self._waker_forks = 0
        self._waker_poller: Poller | None = None
        #: True while the loop waits, or is about to without looking again.
        self._is_sleeping = False
        #: Descriptors whose registration changed since the last poll: what
        #: that poll said of them may be about another file by now.
        self._changed: set[int] = set()
        self._create_poller()

    # -- the poller and the waker

    @property
    def poller(self) -> Any:
        """What watches the descriptors; one is created when there is none."""
        if self._poller is None:
            self._create_poller()
        return self._poller

    @poller.setter
    def poller(self, poller: Any) -> None:
        self._poller = poller
        self._owns_poller = False

    def _create_poller(self) -> None:
        self._poller = poll()
        self._owns_poller = True

    def _close_poller(self) -> None:
        poller, self._poller = self._poller, None
        waker, self._waker = self._waker, None
        self._waker_poller = None
        if poller is not None:
            poller.close()
        if waker is not None:
            waker.close()

    def _install_waker(self, poller: Poller) -> None:
        """Let *poller* watch a waker that belongs to this process."""
        waker = self._waker
        if waker is not None and self._waker_forks != forks.count:
            if self._waker_poller is poller:
                poller.unregister(waker.fd)
            waker.close()  # our copies; the parent has its own
            waker = None
        if waker is None:
            waker = self._waker = Waker()
            self._waker_forks = forks.count
        poller.register(waker.fd, READ)
        self._waker_poller = poller

    def _wake(self) -> None:
        """End the wait of the loop; for other threads and signal handlers."""
        self._is_sleeping = False  # one wake-up is enough
        waker = self._waker
        if waker is not None and self._waker_forks == forks.count:
            waker.wake()

    # -- what is watched

    def add(
        self,
        fd: Any,
        callback: Any,
        flags: int,
        args: tuple[Any, ...] = (),
        consolidate: bool = False,
    ) -> None:
        """Call ``callback(*args)`` whenever *fd* is ready.

        Arguments:
            fd: Descriptor, or an object with a ``fileno`` method.
            callback: A function, or a generator that is resumed each time,
                and removed when it ends.
            flags: :data:`READ` or :data:`WRITE`, to which :data:`ERR` may be
                added; reading wins if both are given.
            args: Arguments for the callback.
            consolidate: Instead of calling back, add the descriptor to the
                list for :attr:`consolidate_callback`.

        Raises:
            OSError: The descriptor is not open.
            PermissionError: It belongs to a regular file.
        """
        fd = fileno(fd)
        is_reader = flags & READ and not consolidate
        if is_reader:
            if fd in self.writers:
                flags |= WRITE
        elif fd in self.readers:
            flags |= READ | ERR
        try:
            self.poller.register(fd, flags)
        except (OSError, ValueError):
            self.remove(fd)
            raise
        if is_reader:
            self.readers[fd] = (callback, args)
        elif consolidate:
            self.consolidate.add(fd)
            self.writers[fd] = None
        else:
            self.writers[fd] = (callback, args)
        self._note_change(fd)

    def add_reader(self, fds: Any, callback: Any, *args: Any) -> None:
        """Call ``callback(*args)`` whenever *fds*, one descriptor, is readable."""
        self.add(fds, callback, READ | ERR, args)

    def add_writer(self, fds: Any, callback: Any, *args: Any) -> None:
        """Call ``callback(*args)`` whenever *fds*, one descriptor, is writable."""
        self.add(fds, callback, WRITE, args)

    def remove(self, fd: Any) -> None:
        """Stop watching *fd* altogether; it may be closed, or unknown."""
        fd = fileno(fd)
        self.readers.pop(fd, None)
        self.writers.pop(fd, None)
        self.consolidate.discard(fd)
        if self._poller is not None:
            # Not every poller is lenient to what it does not know.
            with contextlib.suppress(AttributeError, KeyError, OSError):
                self._poller.unregister(fd)
        self._note_change(fd)

    def remove_reader(self, fd: Any) -> None:
        """Stop watching *fd* for reading, and go on for writing if it was."""
        fd = fileno(fd)
        if self.readers.pop(fd, None) is not None:
            self._watch_what_is_left(fd)

    def remove_writer(self, fd: Any) -> None:
        """Stop watching *fd* for writing, and go on for reading if it was."""
        fd = fileno(fd)
        if fd in self.writers:
            del self.writers[fd]
            self.consolidate.discard(fd)
            self._watch_what_is_left(fd)

    def _watch_what_is_left(self, fd: int) -> None:
        flags = READ | ERR if fd in self.readers else 0
        if fd in self.writers:
            flags |= WRITE | ERR if fd in self.consolidate else WRITE
        try:
            if flags:
                self.poller.register(fd, flags)
        except (OSError, ValueError):
            flags = 0  # it was closed
        if not flags:
            self.remove(fd)
        self._note_change(fd)

    def _note_change(self, fd: int) -> None:
        self._changed.add(fd)
        if self._is_sleeping:
            self._wake()

    # -- who is called

    def _dispatch(
        self, events: Iterable[tuple[int, int]], generator: type[Any]
    ) -> None:
        """Call back for each descriptor that was reported.

        A descriptor that was removed or added meanwhile is passed over: if it
        is ready, the next poll says so, and means the right file.
        """
        readers, changed = self.readers, self._changed
        consolidated: list[int] = []
        for fd, event in events:
            if fd in changed:
                continue
            if event & READ and fd in readers:
                callback, args = readers[fd]
                if isinstance(callback, generator):
                    self._resume(fd, callback)
                else:
                    try:  # noqa: SIM105 - suppress() would cost more than the call
                        callback(*args)
                    except Empty:
                        pass
                if not event & WRITE or fd in changed or fd not in self.writers:
                    continue
            self._dispatch_other(fd, event, generator, consolidated)
        if consolidated:
            self._report_consolidated(consolidated)

    def _dispatch_other(
        self, fd: int, event: int, generator: type[Any], consolidated: list[int]
    ) -> None:
        """Handle an event that is not, or not only, about reading."""
        if fd in self.consolidate and self.writers.get(fd) is None:
            consolidated.append(fd)
            return
        handler = self._find_handler(fd, event)
        if handler is None:
            return
        callback, args = handler
        if isinstance(callback, generator):
            self._resume(fd, callback)
            return
        with contextlib.suppress(Empty):
            callback(*args)

    def _find_handler(self, fd: int, event: int) -> tuple[Any, Any] | None:
        """Return who is to be called, or put right what is watched."""
        if event & WRITE:
            handler = self.writers.get(fd)
        elif event & READ:
            handler = None
        else:
            if not event & ERR:
                logger.info(W_UNKNOWN_EVENT, event, fd)
            handler = self.readers.get(fd) or self.writers.get(fd)
        if handler is None:
            if self._waker is not None and fd == self._waker.fd:
                self._waker.drain()
            else:
                self._watch_what_is_left(fd)
            return None
        return handler

    def _resume(self, fd: int, callback: Generator[Any, Any, Any]) -> None:
        try:
            next(callback)
        except StopIteration:
            self._remove_finished(fd, callback)
        except OSError as exc:
            self.remove(fd)
            if exc.errno != errno.EBADF:
                raise
        except Exception:
            self.remove(fd)
            raise

    def _remove_finished(self, fd: int, callback: Any) -> None:
        """Remove a generator, unless another callback took its place."""
        if (self.readers.get(fd) or (None,))[0] is callback:
            self.remove_reader(fd)
        if (self.writers.get(fd) or (None,))[0] is callback:
            self.remove_writer(fd)

    def _report_consolidated(self, fds: list[int]) -> None:
        report = self.consolidate_callback
        if report is None:
            raise TypeError(
                "descriptors were added with consolidate=True, but the hub's "
                "consolidate_callback is not set"
            )
        if self._changed:
            fds = [fd for fd in fds if fd not in self._changed]
        if fds:
            report(fds)
