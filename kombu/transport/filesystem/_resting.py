"""Messages that are not yet due: they rest in folders by queue, minute and second.

::

    .delayed/<queue>.msg/<minute>/<second>/<name that it gets when it is due>

Minutes and seconds are counted since 1970, the moment itself is in the stamp of the
name.  A look at a queue costs one call while nothing of it rests, and the
listing of the minutes is made again only when they have changed; of what is inside,
nothing but what is due is looked at, however much rests.

The part of a name that makes it unique begins with a checksum of the
message's id, so that a message can be found by it.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH104, PTH106, PTH108, PTH120, PTH208

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING
from zlib import crc32

from kombu.transport.filesystem._folders import read_file
from kombu.transport.filesystem._listing import Freshness
from kombu.transport.filesystem._names import FileName
from kombu.transport.virtual.wire import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("Resting",)

#: Tries to put a file into a folder that others may remove, when it is empty.
_TRIES = 20


class Resting:
    """The resting messages under one data folder.

    Arguments:
        folder: Path of the data folder, with a slash at its end.

    Attributes:
        root: Path of the folder that all rest in.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.root = f"{folder}.delayed/"
        self._marker = f"{self.root}.changed"
        # Minutes by queue's folder, and whether they may have changed.
        self._minutes: dict[str, tuple[Freshness, list[int]]] = {}
        self._numbers = count()
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.root}>"

    def path_for(self, name: FileName, message_id: object) -> str:
        """Return a path for a message that is due at the stamp of *name*.

        Arguments:
            name: The stamp is in whole milliseconds; the rest is free here.
            message_id: The id of the message.
        """
        number = next(self._numbers)
        name = name._replace(
            stamp=name.stamp + number % 1000,
            unique=f"{_checksum(message_id)}{name.unique[-4:]}",
        )
        second = name.stamp // 1_000_000
        place = f"{self.root}{name.suffix[1:]}/{second // 60}/{second}/"
        return f"{place}{name}"

    def put(self, written: str, path: str) -> None:
        """Give the file *written* its *path*, and tell who waits.

        Raises:
            OSError: It can not be done.
        """
        for left in reversed(range(_TRIES)):
            try:
                os.rename(written, path)
                break
            except FileNotFoundError:
                if not left:
                    raise
                os.makedirs(os.path.dirname(path), exist_ok=True)
        self.announce()

    def announce(self) -> None:
        """Change the marker, which watchers look at; others find out by polling."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with suppress(OSError):
            os.close(os.open(self._marker, flags, 0o666))

    # -- what is due -------------------------------------------------------------

    def wake_due(
        self, suffix: str, now: float, on_ready: Callable[[str], None]
    ) -> None:
        """Make those messages of a queue ready that are due.

        Arguments:
            suffix: The queue's.
            now: The time in seconds since 1970.
            on_ready: Called with the name of each.
        """
        with self._lock:
            minutes = self._list_minutes(suffix)
            if not minutes or minutes[0] * 60 > now:
                return
            due = [minute for minute in minutes if minute * 60 <= now]
        for minute in due:
            self._wake_minute(f"{self.root}{suffix[1:]}/{minute}/", now, on_ready)

    def _wake_minute(
        self, folder: str, now: float, on_ready: Callable[[str], None]
    ) -> None:
        seconds = _numbers_in(folder)
        for second in seconds:
            if second > now:
                return
            place = f"{folder}{second}/"
            for name in _names_in(place):
                if int(name[:14], 16) > now * 1_000_000:
                    return
                # Not there any more: another was faster.
                with suppress(FileNotFoundError):
                    os.rename(place + name, self._folder + name)
                    on_ready(name)
            if second + 1 < now:
                _remove_empty(place)
        _remove_empty(folder)

    def next_due(self, suffix: str) -> float | None:
        """Return when the next message of a queue is due; None if none rests."""
        with self._lock:
            minutes = list(self._list_minutes(suffix))
        for minute in minutes:
            folder = f"{self.root}{suffix[1:]}/{minute}/"
            for second in _numbers_in(folder):
                for name in _names_in(f"{folder}{second}/"):
                    return int(name[:14], 16) / 1_000_000
        return None

    def _list_minutes(self, suffix: str) -> list[int]:
        folder = f"{self.root}{suffix[1:]}/"
        known = self._minutes.get(suffix)
        if known is None:
            known = self._minutes[suffix] = Freshness(folder), []
        if known[0].may_have_changed():
            known[1][:] = _numbers_in(folder)
        return known[1]

    # -- all of them ---------------------------------------------------------------

    def _paths(self, suffix: str) -> Iterator[str]:
        folder = f"{self.root}{suffix[1:]}/"
        for minute in _numbers_in(folder):
            for second in _numbers_in(f"{folder}{minute}/"):
                place = f"{folder}{minute}/{second}/"
                for name in _names_in(place):
                    yield place + name
                _remove_empty(place)
            _remove_empty(f"{folder}{minute}/")

    def is_empty(self, suffix: str) -> bool:
        """Return whether nothing of a queue rests."""
        return self.next_due(suffix) is None

    def purge(self, suffix: str) -> int:
        """Remove all messages of a queue; return how many there were."""
        removed = 0
        for path in self._paths(suffix):
            with suppress(FileNotFoundError):
                os.unlink(path)
                removed += 1
        _remove_empty(f"{self.root}{suffix[1:]}/")
        return removed

    def cancel(self, suffix: str, message_id: str) -> bool:
        """Remove a message by its id; return whether there was one."""
        checksum = _checksum(message_id)
        for path in self._paths(suffix):
            name = FileName.parse(path.rpartition("/")[2])
            if name is None or not name.unique.startswith(checksum):
                continue
            with suppress(FileNotFoundError):
                if _message_id(unpack(read_file(path))) == message_id:
                    os.unlink(path)
                    self.announce()
                    return True
        return False


def _checksum(message_id: object) -> str:
    return f"{crc32(str(message_id).encode(errors='surrogatepass')):08x}"


def _message_id(envelope: object) -> object:
    try:
        return envelope["properties"].get("message_id")  # type: ignore[index]
    except (TypeError, LookupError, AttributeError):
        return None


def _numbers_in(folder: str) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _names_in(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if FileName.parse(name) is not None)


def _remove_empty(folder: str) -> None:
    # It is not empty, or another has removed it.
    with suppress(OSError):
        os.rmdir(folder)
