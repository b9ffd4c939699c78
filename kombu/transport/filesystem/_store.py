"""The messages under the folders of one connection: put, count, purge, delete."""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH104, PTH108, PTH110, PTH116, PTH120, PTH208

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport.filesystem._aside import Aside
from kombu.transport.filesystem._folders import (
    list_folder,
    remove_stale,
    sync_folder,
    write_file,
)
from kombu.transport.filesystem._listing import Listing, Releases
from kombu.transport.filesystem._locks import locked
from kombu.transport.filesystem._names import (
    LATEST_EXPIRY,
    LATEST_STAMP,
    FileName,
    suffix_in,
    suffix_of,
)
from kombu.transport.filesystem._resting import Resting
from kombu.transport.virtual.claims import (
    DELIVER_AT,
    EXPIRES_AT,
    deliver_at,
    expires_at,
)
from kombu.utils.identity import unique_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu.transport.filesystem._clock import StoreClock
    from kombu.transport.filesystem._folders import Folders

__all__ = ("MessageStore",)


class MessageStore:
    """Messages in folders.

    Arguments:
        folders: The folders, which are made by :meth:`open`.
        clock: The clock of their file system.
        is_durable: Whether a message is on the disk when it counts as put.
        stores_processed: Whether settled messages are kept.
    """

    def __init__(
        self,
        folders: Folders,
        clock: StoreClock,
        is_durable: bool = False,
        stores_processed: bool = False,
    ) -> None:
        self.folders = folders
        self.clock = clock
        self.stores_processed = stores_processed
        self._is_durable = is_durable
        self.aside = Aside(folders.bad)
        self.releases = Releases(folders.releases)
        self.listing = Listing(folders.ready, Releases(folders.releases))
        self.resting = Resting(folders.ready)
        same = folders.out == folders.ready
        self.resting_out = self.resting if same else Resting(folders.out)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.folders.ready}>"

    # -- putting ---------------------------------------------------------------

    def write(self, folder: str, data: bytes) -> str:
        """Write *data* into a temporary file of a data folder; return its path."""
        return write_file(folder, data, unique_id(), durably=self._is_durable)

    def put(self, queue: str, envelope: Any, data: bytes, rank: int = 0) -> str:
        """Put a message into *queue*.

        Arguments:
            queue: Name of the queue.
            envelope: The message.
            data: The message as it is to be written.
            rank: What is higher comes first.

        Returns:
            The path of its file.
        """
        out = self.folders.out
        if rank or self._is_durable or _has_moments(envelope):
            place = self.place(queue, envelope, out, rank)
            self.settle_into(self.write(out, data), place)
            return place
        name = f"{self.clock.stamp():014x}__{_unique_part()}{suffix_of(queue)}"
        place = out + name
        os.rename(write_file(out, data, name), place)
        return place

    def place(
        self,
        queue: str,
        envelope: Any,
        folder: str,
        rank: int = 0,
        stamp: int | None = None,
        unique: str = "",
    ) -> str:
        """Return a path for a message.

        Arguments:
            queue: Name of its queue.
            envelope: The message.
            folder: The data folder that it is put into.
            rank: What is higher comes first.
            stamp: When it came; now if not given.
            unique: Tells it from others; made up if not given.
        """
        due, expires = deliver_at(envelope), expires_at(envelope) or 0
        name = FileName(
            stamp or self.clock.stamp(),
            unique or _unique_part(),
            suffix_of(queue),
            rank,
            expires=_whole(expires * 1000, LATEST_EXPIRY),
        )
        if due is not None and due > self.clock.now():
            resting = self.resting if folder == self.folders.ready else self.resting_out
            moment = _whole(due * 1000, LATEST_STAMP // 1000 - 1)
            message_id = envelope["properties"].get("message_id")
            return resting.path_for(name._replace(stamp=moment * 1000), message_id)
        return f"{folder}{name}"

    def settle_into(self, written: str, place: str) -> None:
        """Give the file *written* its *place*: from then on it is a message."""
        for resting in (self.resting_out, self.resting):
            if place.startswith(resting.root):
                resting.put(written, place)
                break
        else:
            os.rename(written, place)
        if self._is_durable:
            sync_folder(os.path.dirname(place))

    def tell_ranked(self, place: str) -> None:
        """Tell readers of a message that may have to overtake others.

        Arguments:
            place: The path that it was put at.
        """
        folder, _, name = place.rpartition("/")
        if folder + "/" == self.folders.ready:
            self.releases.tell([name])
        elif folder + "/" == self.folders.out:
            # Read by those who consume from that folder.
            Releases(f"{self.folders.out}.released").tell([name])

    # -- counting ----------------------------------------------------------------

    def wake_due(self, suffix: str) -> None:
        """Make ready what has become due in a queue."""
        self.resting.wake_due(suffix, self.clock.now(), self.listing.add)

    def _ready_names(self, suffix: str) -> list[str]:
        try:
            names = os.listdir(self.folders.ready)
        except FileNotFoundError:
            return []
        # The first test alone leaves few: it is quick.
        return [n for n in names if n.endswith(suffix) and suffix_in(n) == suffix]

    def size(self, queue: str) -> int:
        """Return how many messages of *queue* are ready."""
        suffix = suffix_of(queue)
        self.wake_due(suffix)
        return len(self._ready_names(suffix))

    def size_bytes(self, queue: str) -> int:
        """Return how many bytes the files of these messages have."""
        total = 0
        for name in self._ready_names(suffix_of(queue)):
            with suppress(FileNotFoundError):
                total += os.stat(self.folders.ready + name).st_size
        return total

    def has(self, queue: str) -> bool:
        """Return whether there is any message of *queue*, in whatever state."""
        suffix = suffix_of(queue)
        return (
            bool(self._ready_names(suffix))
            or not self.resting.is_empty(suffix)
            or any(True for _ in self._in_flight(suffix))
        )

    # -- removing ----------------------------------------------------------------

    def purge(self, queue: str) -> int:
        """Remove what is ready or rests in *queue*; return how much it was."""
        suffix = suffix_of(queue)
        removed = self.resting.purge(suffix)
        for name in self._ready_names(suffix):
            with suppress(FileNotFoundError):
                os.unlink(self.folders.ready + name)
                removed += 1
        return removed

    def delete(self, queue: str) -> None:
        """Remove all of *queue*, also what is in flight: its owners lose it."""
        self.purge(queue)
        suffix = suffix_of(queue)
        for path in self._in_flight(suffix):
            with suppress(FileNotFoundError):
                os.unlink(path)
        lock = self.lock_of(queue)
        if os.path.exists(lock):
            # Windows does not remove what is open: then it stays.
            with locked(lock), suppress(OSError):
                os.unlink(lock)

    def _in_flight(self, suffix: str) -> Iterator[str]:
        for folder in (self.folders.claimed, self.folders.reaping):
            for owner in list_folder(folder):
                place = f"{folder}{owner}/"
                for name in list_folder(place):
                    if suffix_in(name) == suffix:
                        yield place + name

    def lock_of(self, queue: str) -> str:
        """Return the path of the file that the lock on *queue* stands for."""
        return f"{self.folders.locks}{suffix_of(queue)[1:]}"

    def cancel(self, queue: str, message_id: str) -> bool:
        """Remove a resting message; return whether there was one."""
        suffix = suffix_of(queue)
        found = self.resting.cancel(suffix, message_id)
        if not found and self.resting_out is not self.resting:
            found = self.resting_out.cancel(suffix, message_id)
        return found

    # -- keeping order -------------------------------------------------------------

    def tidy(self) -> None:
        """Remove temporary files that writers have left behind."""
        self.releases.shorten()
        for folder in {self.folders.ready, self.folders.out}:
            remove_stale(f"{folder}.tmp/", self.clock)


def _has_moments(envelope: Any) -> bool:
    """Return whether *envelope* says when it is due, or when it expires."""
    try:
        properties = envelope["properties"]
        return DELIVER_AT in properties or EXPIRES_AT in properties
    except (TypeError, LookupError):
        return False


def _whole(number: float, most: int) -> int:
    """Return *number* as names have room for it; it may be what is no number."""
    return int(min(max(number, 0), most)) if number == number else 0


def _unique_part() -> str:
    # The random part differs between processes, the number within one.
    text = unique_id()
    return text[:6] + text[-6:]
