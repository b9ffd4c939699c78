"""The ready messages of all queues, listed once and then used up.

A listing costs as much as the folder is long.  So it is made when that of a
queue is used up *and* the folder has changed since; what is new in it comes
after all that is older.  What comes to the head of a queue (released by a
consumer, or of a higher rank) is told to all readers by ``.released``, a file to
which its name is appended: they look at its size, and read what is new.

Known limits: each folder is listed whole.  A short, busy queue beside one of
100,000 messages costs a listing of these (some 50 ms) for each few messages: give
long queues a folder of their own.  If the file system's appends are not atomic (NFS),
a name may be missed; that message then comes later, not never.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH108, PTH116, PTH123, PTH208

from __future__ import annotations

import os
from contextlib import suppress
from heapq import heapify, heappop, heappush
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from kombu.transport.filesystem._names import FileName, suffix_in
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("Freshness", "Listing", "Ready", "Releases")

#: Seconds after a change within which another one may leave the same time.
_TICK = 0.05

#: The same where files have whole seconds.
_ROUGH_TICK = 2.5

#: Bytes of ``.released`` from which on a new one is begun.
_LONGEST_LOG = 1 << 20


class Ready(NamedTuple):
    """One ready message; the least comes first.

    Attributes:
        order: Rank below zero, so that what is higher comes first.
        stamp: When it came.
        name: Name of its file.
        claimed_name: Name that it gets when it is claimed.
        deliveries: How often it was delivered before.
        expires: When it expires, in milliseconds; 0 for never.
    """

    order: int
    stamp: int
    name: str
    claimed_name: str
    deliveries: int
    expires: int

    @property
    def is_foreign(self) -> bool:
        """Whether it was written by another library, which renames nothing."""
        return self.name != self.claimed_name


class Freshness:
    """Tells whether a folder may have changed since it was asked last.

    Arguments:
        folder: Path.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._changed_ns = -1
        self._since = 0.0
        self._is_settled = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._folder}>"

    def may_have_changed(self) -> bool:
        """Return whether it has to be listed again; what comes later is seen next."""
        try:
            changed_ns = os.stat(self._folder).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            changed_ns = 0
        now = waiting.monotonic()
        if changed_ns != self._changed_ns:
            self._changed_ns, self._since = changed_ns, now
            self._is_settled = not changed_ns
            return True
        if self._is_settled:
            return False
        # The time of the folder moves in ticks: only after one more listing,
        # later than that, does the same time mean the same content.
        is_rough = changed_ns % 1_000_000_000 == 0
        self._is_settled = now - self._since > (_ROUGH_TICK if is_rough else _TICK)
        return True


class Releases:
    """The file that tells readers what has come to the head of a queue.

    Arguments:
        path: Its path.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._place = (0, 0)
        self.skip()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: read up to {self._place[1]}>"

    def _end(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return 0, 0
        return found.st_ino, found.st_size

    def skip(self) -> None:
        """Take all that is there as read."""
        self._place = self._end()

    def tell(self, names: Sequence[str]) -> None:
        """Tell the readers of files that have got these names.

        If that fails they are found later: what was done to them is done.
        """
        if not names:
            return
        text = b"".join(os.fsencode(name) + b"\0" for name in names)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        with suppress(OSError):
            descriptor = os.open(self._path, flags, 0o666)
            try:
                os.write(descriptor, text)
            finally:
                os.close(descriptor)

    def news(self) -> list[str] | None:
        """Return the names that are new; None if that can not be told."""
        end = self._end()
        if end == self._place:
            return []
        inode, place = self._place
        self._place = end
        if (inode and end[0] != inode) or end[1] < place:
            return None
        try:
            with open(self._path, "rb") as file:
                file.seek(place)
                text = file.read(end[1] - place)
        except FileNotFoundError:
            return None
        return [os.fsdecode(name) for name in text.split(b"\0") if name]

    def shorten(self) -> None:
        """Begin a new file if this one has grown long."""
        if self._end()[1] > _LONGEST_LOG:
            with suppress(FileNotFoundError):
                os.unlink(self._path)


class Listing:
    """The ready messages of a folder, by queue.

    Safe to use from many threads.

    Arguments:
        folder: Path, with a slash at its end.
        releases: The file that tells what comes to the head.
    """

    def __init__(self, folder: str, releases: Releases) -> None:
        self._folder = folder
        self._releases = releases
        self._freshness = Freshness(folder)
        self._heaps: dict[str, list[Ready]] = {}
        # Names in the heaps.
        self._known: set[str] = set()
        # Names of files that can not be had.
        self._refused: set[str] = set()
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._known)} messages known>"

    def catch_up(self) -> None:
        """Take note of what has come to the head of a queue."""
        with self._lock:
            names = self._releases.news()
            if names is None:
                self._list()
            else:
                for name in names:
                    self._add(name)

    def next(self, suffix: str) -> Ready | None:
        """Take the next message out of the listing; None if there is none.

        Arguments:
            suffix: What the names of the queue's messages end with.
        """
        with self._lock:
            heap = self._heaps.get(suffix)
            if not heap:
                if not self._freshness.may_have_changed():
                    return None
                self._list()
                heap = self._heaps.get(suffix)
                if not heap:
                    return None
            found = heappop(heap)
            self._known.discard(found.name)
            if not heap:
                del self._heaps[suffix]
            return found

    def peek(self, suffix: str) -> Ready | None:
        """Return the next message, and leave it in the listing."""
        with self._lock:
            found = self.next(suffix)
            if found is not None:
                self._push(suffix, found)
            return found

    def add(self, name: str) -> None:
        """Add a message that has just come, so that the folder need not be listed."""
        with self._lock:
            self._add(name)

    def refuse(self, name: str) -> None:
        """Leave the file *name* out from now on."""
        with self._lock:
            self._refused.add(name)

    def _list(self) -> None:
        try:
            names = set(os.listdir(self._folder))
        except (FileNotFoundError, NotADirectoryError):
            names = set()
        if len(self._known - names) > len(self._known) // 2:
            self._heaps.clear()
            self._known.clear()
        self._refused &= names
        new: dict[str, list[Ready]] = {}
        for name in names - self._known - self._refused:
            suffix = suffix_in(name)
            found = None if suffix is None else self._ready(name)
            if suffix is not None and found is not None:
                new.setdefault(suffix, []).append(found)
                self._known.add(name)
        for suffix, entries in new.items():
            heap = self._heaps.setdefault(suffix, [])
            heap.extend(entries)
            heapify(heap)

    def _add(self, name: str) -> None:
        suffix = suffix_in(name)
        if suffix is None or name in self._known or name in self._refused:
            return
        found = self._ready(name)
        if found is not None:
            self._push(suffix, found)

    def _push(self, suffix: str, ready: Ready) -> None:
        heappush(self._heaps.setdefault(suffix, []), ready)
        self._known.add(ready.name)

    def _ready(self, name: str) -> Ready | None:
        """Return what is known of the message *name*; None if it has gone."""
        found = FileName.parse(name)
        if found is not None:
            return Ready(
                -found.rank, found.stamp, name, name, found.deliveries, found.expires
            )
        try:
            changed_ns = os.stat(self._folder + name).st_mtime_ns
        except FileNotFoundError:
            return None
        found = FileName.for_foreign(name, changed_ns)
        return Ready(0, found.stamp, name, str(found), 0, 0)
