"""Wakes a connection when something comes into the folders that it consumes from.

By inotify on Linux and by kqueue on BSD and macOS: both tell of what happens on
this host.  What another host does on a network file system is seen by polling
alone, and so is everything where neither is at hand.

The thread waits in ``select.poll`` (or ``select.select``), which gevent and eventlet
replace, and nowhere else.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from kombu.log import get_logger
from kombu.utils.compat import register_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("Watcher", "make_source")

logger = get_logger(__name__)

#: Seconds between two wake-ups: what happens meanwhile is one.
_PAUSE = 0.005

#: Bytes of events read at once.
_EVENTS = 65536

# From <sys/inotify.h>.
_IN_CLOSE_WRITE = 0x008
_IN_MOVED_TO = 0x080


class Source(Protocol):
    """Something in the system that tells of changes in folders."""

    def fileno(self) -> int:
        """Return the descriptor that can be read when there are changes."""

    def skip(self) -> None:
        """Take note of all changes, without waiting."""

    def close(self) -> None:
        """Stop telling."""


class Inotify:
    """Changes as Linux tells of them.

    Arguments:
        folders: Paths of the folders.

    Raises:
        OSError: The system has no more of them, or lacks them.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        import ctypes

        libc: Any = ctypes.CDLL(None, use_errno=True)
        # The same numbers as those of the flags for files.
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor: int = libc.inotify_init1(flags)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        mask = _IN_CLOSE_WRITE | _IN_MOVED_TO
        for folder in folders:
            path = os.fsencode(folder)
            if libc.inotify_add_watch(self._descriptor, path, mask) < 0:
                number = ctypes.get_errno()
                self.close()
                raise OSError(number, os.strerror(number), folder)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def skip(self) -> None:
        """Read what there is."""
        with suppress(BlockingIOError):
            while len(os.read(self._descriptor, _EVENTS)) > _EVENTS // 2:
                pass

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class Kqueue:
    """Changes as BSD and macOS tell of them: that of a folder, no more.

    Arguments:
        folders: Paths of the folders.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        system: Any = select
        self._queue = system.kqueue()
        self._folders = [os.open(folder, os.O_RDONLY) for folder in folders]
        self._queue.control(
            [
                system.kevent(
                    descriptor,
                    filter=system.KQ_FILTER_VNODE,
                    flags=system.KQ_EV_ADD | system.KQ_EV_CLEAR,
                    fflags=system.KQ_NOTE_WRITE | system.KQ_NOTE_EXTEND,
                )
                for descriptor in self._folders
            ],
            0,
        )

    def fileno(self) -> int:
        """Return the descriptor of the queue of events."""
        number: int = self._queue.fileno()
        return number

    def skip(self) -> None:
        """Take what there is."""
        self._queue.control(None, 64, 0)

    def close(self) -> None:
        """Close all descriptors."""
        self._queue.close()
        for descriptor in self._folders:
            os.close(descriptor)


def make_source(folders: Sequence[str]) -> Source | None:
    """Return what tells of changes in *folders*; None if nothing here does."""
    try:
        if sys.platform.startswith("linux"):
            return Inotify(folders)
        if hasattr(select, "kqueue"):
            return Kqueue(folders)
    except (OSError, AttributeError) as exc:
        logger.warning(
            "changes in folders can not be watched (%s): they are looked at every "
            "polling_interval instead",
            exc,
        )
    return None


class Watcher:
    """A thread that calls *wake* when something comes into one of *folders*.

    Arguments:
        folders: Paths of the folders.
        wake: Called from the thread; must be quick and never raise.
        source: Tells of the changes; found by the system if not given.
    """

    def __init__(
        self,
        folders: Sequence[str],
        wake: Callable[[], None],
        source: Callable[[Sequence[str]], Source | None] = make_source,
    ) -> None:
        self._folders = tuple(folders)
        self._wake = wake
        self._make_source = source
        self._source: Source | None = None
        # Whether there is nothing to watch by: it is asked and told of once.
        self._is_deaf = False
        self._ears: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        register_after_fork(self, Watcher._after_fork)

    def __repr__(self) -> str:
        state = "stopped" if self._thread is None else "running"
        return f"<{type(self).__name__}: {state}>"

    def start(self) -> bool:
        """Begin, unless it has begun; return whether there is anything to watch by."""
        with self._lock:
            if self._thread is not None:
                return True
            source = None if self._is_deaf else self._make_source(self._folders)
            if source is None:
                self._is_deaf = True
                return False
            self._source, self._ears = source, os.pipe()
            self._thread = threading.Thread(
                target=self._run,
                args=(source, self._ears[0]),
                name="kombu-filesystem-watcher",
                daemon=True,
            )
            self._thread.start()
            return True

    def stop(self) -> None:
        """End the thread, and let go of the system's resources."""
        with self._lock:
            thread, ears = self._thread, self._ears
            self._thread = self._source = self._ears = None
        if thread is None or ears is None:
            return
        os.close(ears[1])  # which its other end tells the thread of
        if thread is not threading.current_thread():
            thread.join()

    def _run(self, source: Source, stop: int) -> None:
        # Descriptors are closed by whoever waits for them: a number that is
        # closed may be another file's the next moment.
        try:
            while not _wait(source.fileno(), stop):
                source.skip()
                self._wake()
                if _wait(None, stop, _PAUSE):
                    return
        finally:
            source.close()
            os.close(stop)

    def _after_fork(self) -> None:
        """Close a forked child's copies: the thread is the parent's."""
        source, ears = self._source, self._ears
        self._lock = threading.Lock()
        self._thread = self._source = self._ears = None
        if source is not None and ears is not None:
            with suppress(OSError):
                source.close()
            for descriptor in ears:
                os.close(descriptor)


def _wait(descriptor: int | None, stop: int, seconds: float | None = None) -> bool:
    """Wait until *descriptor* or *stop* can be read; return whether *stop* can."""
    if hasattr(select, "poll"):
        poll = select.poll()
        for number in (descriptor, stop):
            if number is not None:
                poll.register(number, select.POLLIN)
        found = [n for n, _ in poll.poll(None if seconds is None else seconds * 1000)]
    else:  # Windows; and where eventlet has replaced the module
        numbers = [n for n in (descriptor, stop) if n is not None]
        found = select.select(numbers, [], [], seconds)[0]
    return stop in found
