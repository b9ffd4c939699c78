"""Owners and their leases: files that were changed *in the future*.

::

    control_folder/.kombu/owners/<owner>      for all who share the topology
    data_folder_in/.claimed/<owner>.lease     for all who share the messages

The time of a file's change is the lease's end.  The second one decides whether what
an owner has in hand is put back: so it is not held for dead by who uses the same
messages with another control folder.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH104, PTH105, PTH106, PTH108, PTH110, PTH116, PTH120

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from kombu.transport.filesystem._folders import list_folder, remove_stale
from kombu.transport.filesystem._names import quoted, unquoted
from kombu.utils.identity import unique_id

if TYPE_CHECKING:
    from kombu.transport.filesystem._clock import StoreClock
    from kombu.transport.filesystem._folders import Folders

__all__ = ("Owners",)

_LEASE = ".lease"


class Owners:
    """The owners in a store.

    Arguments:
        folders: The folders of the connection.
        clock: The clock of their file system.
    """

    def __init__(self, folders: Folders, clock: StoreClock) -> None:
        self._owners = f"{folders.records}owners/"
        self._leases = folders.claimed
        self._clock = clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._owners}>"

    def renew(self, owner: str, seconds: float) -> bool:
        """Have the lease of *owner* last *seconds*; return whether it was alive."""
        end = self._clock.now() + seconds
        name = quoted(owner)
        was_alive = self._renew_file(f"{self._owners}{name}", end)
        # Both, whatever the first one said.
        return self._renew_file(f"{self._leases}{name}{_LEASE}", end) and was_alive

    def _renew_file(self, path: str, end: float) -> bool:
        was_alive = self._is_live(path)
        try:
            os.utime(path, (end, end))
            return was_alive
        except FileNotFoundError:
            pass  # new, or forgotten by a peer meanwhile
        written = f"{path}.{unique_id()}.tmp"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(written, os.O_WRONLY | os.O_CREAT, 0o666))
        os.utime(written, (end, end))
        os.replace(written, path)
        return False

    def _is_live(self, path: str) -> bool:
        try:
            return os.stat(path).st_mtime > self._clock.now()
        except FileNotFoundError:
            return False

    def retire(self, owner: str) -> None:
        """Forget *owner*."""
        name = quoted(owner)
        for path in (f"{self._leases}{name}{_LEASE}", f"{self._owners}{name}"):
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)
        with suppress(OSError):  # not empty: it will be reaped
            os.rmdir(f"{self._leases}{name}")

    def alive(self) -> set[str]:
        """Return the owners whose lease has not run out."""
        return {
            unquoted(name)
            for name in list_folder(self._owners)
            if not name.endswith(".tmp") and self._is_live(f"{self._owners}{name}")
        }

    def bury(self, name: str) -> bool:
        """Forget an owner whose lease has run out; return whether it had.

        Arguments:
            name: Its quoted id, that of its folder.
        """
        lease = f"{self._leases}{name}{_LEASE}"
        if self._is_live(lease):
            return False
        # Taken away first, and then looked at again: it may have been renewed.
        taken = f"{lease}.{unique_id()}.tmp"
        try:
            os.rename(lease, taken)
        except FileNotFoundError:
            return True  # an owner has a lease before it has anything in hand
        if self._is_live(taken):
            os.rename(taken, lease)
            return False
        os.unlink(taken)
        with suppress(FileNotFoundError):
            os.unlink(f"{self._owners}{name}")
        return True

    def tidy(self) -> None:
        """Forget dead owners that had nothing, and what was left half done."""
        for name in list_folder(self._leases):
            owner = name.removesuffix(_LEASE)
            if owner != name and not os.path.exists(f"{self._leases}{owner}"):
                self.bury(owner)
        remove_stale(self._owners, self._clock)
        remove_stale(self._leases, self._clock, ending=".tmp")
