"""Locks between processes: on a file that is there, and by files of their own.

Nothing here blocks in the system: a lock that is taken is tried again after a
short pause, so that another greenlet of the same process can let go of it.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH116, PTH120

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = (
    "LOCK_EX",
    "LOCK_NB",
    "LOCK_SH",
    "held",
    "is_locked",
    "lock",
    "locked",
    "unlock",
)

#: Seconds of the first pause before a lock is tried again, and of the longest.
_SHORTEST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05

if os.name == "nt":  # pragma: no cover
    import msvcrt

    _system: Any = msvcrt
    LOCK_EX = _system.LK_LOCK
    #: There are no shared locks here: readers take turns.
    LOCK_SH = _system.LK_LOCK
    LOCK_NB = _system.LK_NBLCK

    def lock(file: Any, flags: int) -> None:
        """Lock *file*, an open file; LOCK_NB: raise OSError if it is taken."""
        mode = LOCK_NB if flags & LOCK_NB else LOCK_EX
        with _at_start(file):
            _system.locking(file.fileno(), mode, 1)

    def unlock(file: Any) -> None:
        """Undo :func:`lock`."""
        with _at_start(file):
            _system.locking(file.fileno(), _system.LK_UNLCK, 1)

    @contextmanager
    def _at_start(file: Any) -> Iterator[None]:
        place = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        try:
            yield
        finally:
            os.lseek(file.fileno(), place, os.SEEK_SET)

else:
    import fcntl
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH

    def lock(file: Any, flags: int) -> None:
        """Lock *file*, an open file.

        Arguments:
            file: The file; locked for all processes that ask.
            flags: ``LOCK_EX`` or ``LOCK_SH``, with ``LOCK_NB`` not to wait.

        Raises:
            OSError: It is taken, and was not to be waited for.
        """
        fcntl.flock(file.fileno(), flags)

    def unlock(file: Any) -> None:
        """Undo :func:`lock`."""
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


class _Descriptor:
    """A bare descriptor in the form of a file."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


@contextmanager
def held(descriptor: int, flags: int) -> Iterator[None]:
    """Hold the lock on an open file, waiting for it if need be.

    Arguments:
        descriptor: Of the file.
        flags: ``LOCK_EX`` or ``LOCK_SH``.
    """
    file = _Descriptor(descriptor)
    _wait_for(file, flags)
    try:
        yield
    finally:
        unlock(file)


def _wait_for(file: _Descriptor, flags: int) -> None:
    pause = _SHORTEST_PAUSE
    while True:
        try:
            lock(file, flags | LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            waiting.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def is_locked(path: str) -> bool:
    """Return whether somebody has the file *path* locked for writing."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    file = _Descriptor(descriptor)
    try:
        lock(file, LOCK_SH | LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    else:
        unlock(file)
        return False
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock that the file *path* stands for; it is made if need be.

    The file may be removed by who holds the lock.
    """
    while True:
        descriptor = _open(path)
        try:
            with held(descriptor, LOCK_EX):
                if not _is_at(descriptor, path):
                    continue  # whoever had it before us has removed the file
                yield
                return
        finally:
            os.close(descriptor)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


def _is_at(descriptor: int, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False
