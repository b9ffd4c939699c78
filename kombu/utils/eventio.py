"""Tells which file descriptors are ready, by the best means of the platform.

:func:`poll` gives a poller: ``register(fd, events)``, ``unregister(fd)``,
``poll(timeout)`` and ``close()``.  Events are bits: :data:`READ`,
:data:`WRITE` and :data:`ERR`, the last one covering errors and hang-ups,
which are reported whether asked for or not.

What all pollers have in common, whatever the system call beneath:

* Registering a descriptor again replaces the events that it is watched for.
* Unregistering what is not registered does nothing.
* A descriptor that was closed without being unregistered is dropped, or is
  reported as :data:`ERR`; it never makes ``poll`` raise.
* All are level-triggered: what is not handled is reported again.
* A child process that inherited a poller gets a kernel object of its own the
  first time it uses it, so that it can not change what its parent watches.

Descriptors of regular files are refused by epoll with
:exc:`PermissionError`, since the kernel has nothing to wait for there.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import sys
from typing import TYPE_CHECKING, Any, Protocol

from kombu.utils.compat import detect_environment, fileno

if TYPE_CHECKING:
    import selectors

__all__ = ("poll",)

READ = POLL_READ = 0x001
WRITE = POLL_WRITE = 0x004
ERR = POLL_ERR = 0x008 | 0x010

POLLIN = 0x001
POLLOUT = 0x004
POLLERR = 0x008
POLLHUP = 0x010
POLLNVAL = 0x020

#: Filters, actions and flags of kqueue, for code that talks to it directly.
KQ_FILTER_READ, KQ_FILTER_WRITE, KQ_FILTER_AIO = -1, -2, -3
KQ_FILTER_VNODE, KQ_FILTER_PROC, KQ_FILTER_SIGNAL, KQ_FILTER_TIMER = -4, -5, -6, -7
KQ_EV_ADD, KQ_EV_DELETE, KQ_EV_ENABLE, KQ_EV_CLEAR = 1, 2, 4, 32
KQ_EV_ERROR, KQ_EV_EOF = 0x4000, 0x8000
KQ_NOTE_DELETE, KQ_NOTE_WRITE, KQ_NOTE_EXTEND, KQ_NOTE_ATTRIB = 1, 2, 4, 8
KQ_NOTE_LINK, KQ_NOTE_RENAME, KQ_NOTE_REVOKE, KQ_NOTE_LOWAT = 16, 32, 64, 1

#: Error numbers that ``select`` gives for a descriptor that is not open.
SELECT_BAD_FD = {errno.EBADF}
if sys.platform == "win32":
    SELECT_BAD_FD.add(errno.WSAENOTSOCK)


class _Forks:
    """Counts the forks between this process and the first import.

    Cheaper to compare than the process id, which is a system call.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __repr__(self) -> str:
        return f"<forks: {self.count}>"

    def note(self) -> None:
        """Called in each child process."""
        self.count += 1


forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forks.note)


class Poller(Protocol):
    """What the event loop asks of an object that watches descriptors."""

    def register(self, fd: Any, events: int) -> Any:
        """Watch *fd* for *events*, instead of those watched before."""

    def unregister(self, fd: Any) -> Any:
        """Stop watching *fd*."""

    def poll(self, timeout: float | None) -> list[tuple[int, int]] | None:
        """Return pairs of descriptor and events, waiting at most *timeout*."""

    def close(self) -> None:
        """Give the kernel object back."""


class _Poller:
    """What is watched, and the rules that all pollers share."""

    __slots__ = ("__weakref__", "_forks", "_masks")

    def __init__(self) -> None:
        self._masks: dict[int, int] = {}
        self._forks = forks.count
        self._open()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._masks)} descriptors>"

    def register(self, fd: Any, events: int) -> Any:
        number = fileno(fd)
        if self._forks != forks.count:
            self._reopen()
        try:
            self._watch(number, events)
        except OSError:
            self._masks.pop(number, None)
            raise
        self._masks[number] = events
        return fd

    def unregister(self, fd: Any) -> None:
        number = fileno(fd)
        if self._forks != forks.count:
            self._reopen()
        is_known = self._masks.pop(number, None) is not None
        try:
            self._forget(number)
        except OSError as exc:
            if exc.errno == errno.EBADF and not is_known:
                # Reported, but closed: a copy of the descriptor in another
                # process keeps it alive in our kernel object, where it can
                # no longer be named.  Only a fresh object is free of it.
                self._reopen()
        except (KeyError, ValueError):
            pass  # not registered, or the poller is closed

    def close(self) -> None:
        self._masks.clear()
        self._shut()

    def _reopen(self) -> None:
        self._forks = forks.count
        self._shut()
        self._open()
        for number, events in list(self._masks.items()):
            try:
                self._watch(number, events)
            except (OSError, ValueError):
                del self._masks[number]

    def _open(self) -> None:
        """For pollers that have a kernel object."""

    def _shut(self) -> None:
        """For pollers that have a kernel object."""

    def _watch(self, number: int, events: int) -> None:
        """For pollers that read the masks when they poll."""

    def _forget(self, number: int) -> None:
        """For pollers that read the masks when they poll."""


class _epoll(_Poller):
    """Linux: the kernel keeps the set, and a poll costs only what is ready."""

    __slots__ = ("_epoll",)

    def _open(self) -> None:
        self._epoll = select.epoll()

    def _shut(self) -> None:
        self._epoll.close()

    def _watch(self, number: int, events: int) -> None:
        # The kernel drops closed descriptors by itself, so what we remember
        # only tells which of the two calls is likely to succeed.
        if number in self._masks:
            try:
                return self._epoll.modify(number, events)
            except FileNotFoundError:
                pass
        try:
            self._epoll.register(number, events)
        except FileExistsError:
            self._epoll.modify(number, events)

    def _forget(self, number: int) -> None:
        self._epoll.unregister(number)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        if self._forks != forks.count:
            self._reopen()
        return self._epoll.poll(timeout)


class _kqueue(_Poller):
    """BSD: on the standard library's selector, which knows the filters."""

    __slots__ = ("_selector",)
    _selector: selectors.BaseSelector

    def _new_selector(self) -> selectors.BaseSelector:
        import selectors

        selector: selectors.BaseSelector = selectors.KqueueSelector()  # type: ignore[attr-defined,unused-ignore]
        return selector

    def _open(self) -> None:
        self._selector = self._new_selector()

    def _shut(self) -> None:
        self._selector.close()

    def _watch(self, number: int, events: int) -> None:
        wanted = (1 if events & (READ | ERR) else 0) | (2 if events & WRITE else 0)
        # Not modified in place: the descriptor may have been closed, which
        # removes its filters, and opened again.
        self._forget(number)
        self._selector.register(number, wanted or 1)

    def _forget(self, number: int) -> None:
        with contextlib.suppress(KeyError, OSError):
            self._selector.unregister(number)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        if self._forks != forks.count:
            self._reopen()
        return [
            (key.fd, (READ if events & 1 else 0) | (WRITE if events & 2 else 0))
            for key, events in self._selector.select(timeout)
        ]


class _poll(_Poller):
    """POSIX: the set is handed to the kernel at each call."""

    __slots__ = ("_poller",)

    def _open(self) -> None:
        self._poller = select.poll()

    def _watch(self, number: int, events: int) -> None:
        wanted = POLLIN if events & READ else 0
        self._poller.register(number, wanted | (POLLOUT if events & WRITE else 0))

    def _forget(self, number: int) -> None:
        self._poller.unregister(number)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        milliseconds = None if timeout is None else math.ceil(timeout * 1000)
        return [
            (
                number,
                events & (READ | WRITE)
                | (ERR if events & (POLLERR | POLLHUP | POLLNVAL) else 0),
            )
            for number, events in self._poller.poll(milliseconds)
        ]


class _select(_Poller):
    """Everywhere, and what gevent and eventlet replace by their own."""

    __slots__ = ()

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        masks = self._masks
        if not masks:
            return self._pause(timeout)
        readers = [fd for fd, events in masks.items() if events & READ]
        writers = [fd for fd, events in masks.items() if events & WRITE]
        try:
            ready = select.select(readers, writers, list(masks), timeout)
        except (OSError, ValueError) as exc:
            # ValueError: the number is negative or beyond the set's size.
            if isinstance(exc, OSError) and exc.errno not in SELECT_BAD_FD:
                raise
            if not self._drop_unusable():
                raise
            return []
        return self._merge(*ready)

    def _merge(
        self, readable: list[int], writable: list[int], failed: list[int]
    ) -> list[tuple[int, int]]:
        found = dict.fromkeys(readable, READ)
        for number in writable:
            found[number] = found.get(number, 0) | WRITE
        for number in failed:
            found[number] = found.get(number, 0) | ERR
        return list(found.items())

    def _pause(self, timeout: float | None) -> list[tuple[int, int]]:
        # Windows refuses to select on nothing.
        from kombu.utils import waiting

        waiting.sleep(1.0 if timeout is None else max(timeout, 0.0))
        return []

    def _drop_unusable(self) -> bool:
        """Forget descriptors that select refuses; return true if there were any."""
        before = len(self._masks)
        for number in list(self._masks):
            try:
                select.select([number], [], [], 0)
            except (OSError, ValueError):
                del self._masks[number]
        return len(self._masks) < before


def _get_poller() -> type[Any]:
    if detect_environment() != "default":
        return _select  # green threads replace select, and only that
    if hasattr(select, "epoll"):
        return _epoll
    if "bsd" in sys.platform and hasattr(select, "kqueue"):
        return _kqueue
    return _poll if hasattr(select, "poll") else _select


def poll(*args: Any, **kwargs: Any) -> Any:
    """Return a new poller, of the best kind that this platform has."""
    return _get_poller()(*args, **kwargs)
