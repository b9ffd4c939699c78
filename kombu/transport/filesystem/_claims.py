"""Messages in flight: each a file in the folder of its owner.

A message is claimed by renaming its file into that folder, under its name; and
so is put back, with another count of deliveries in the name.  What a dead owner
had: see :mod:`~kombu.transport.filesystem._reaping`.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH104, PTH105, PTH108, PTH110, PTH112, PTH116, PTH119

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kombu.transport.filesystem._folders import read_file
from kombu.transport.filesystem._locks import is_locked
from kombu.transport.filesystem._names import FileName, quoted
from kombu.transport.virtual.claims import Claim, delivery_count
from kombu.transport.virtual.wire import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kombu.transport.filesystem._listing import Ready
    from kombu.transport.filesystem._store import MessageStore

__all__ = ("Claims",)

#: Seconds that kombu 5.7 is given to write into a file that it has made.
_WRITING = 1.0


class Claims:
    """What one owner has in hand.

    Arguments:
        store: The store.
        owner: Its id.
    """

    def __init__(self, store: MessageStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._folders = store.folders
        self._folder = f"{self._folders.claimed}{quoted(owner)}/"
        self._aside = store.aside

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: of {self._owner}>"

    # -- taking ------------------------------------------------------------------

    def take(self, queue: str, suffix: str, limit: int) -> list[Claim]:
        """Claim up to *limit* ready messages of *queue*."""
        claims: list[Claim] = []
        unfinished: list[Ready] = []
        listing = self._store.listing
        try:
            while len(claims) < limit:
                ready = listing.next(suffix)
                if ready is None:
                    break
                claim = self._take(queue, ready, unfinished)
                if claim is not None:
                    claims.append(claim)
        except BaseException:
            # Nobody would know of them, while we live.
            self.give_up(claims)
            raise
        finally:
            for ready in unfinished:
                self._put_down(ready)
        return claims

    def give_up(self, claims: Sequence[Claim]) -> None:
        """Put *claims* back, as far as that works, since something has gone wrong."""
        with suppress(OSError):
            self.release(claims)

    def _take(self, queue: str, ready: Ready, unfinished: list[Ready]) -> Claim | None:
        path = self._folder + ready.claimed_name
        try:
            if not self._rename(self._folders.ready + ready.name, path):
                return None
        except OSError:
            self._store.listing.add(ready.name)
            raise
        try:
            return self._read(queue, ready, unfinished)
        except FileNotFoundError:
            return None  # a peer held us for dead
        except (IsADirectoryError, PermissionError) as exc:
            self._aside.put(path, ready.claimed_name, str(exc.strerror))
            return None
        except BaseException:
            self._put_down(ready)
            raise

    def _read(self, queue: str, ready: Ready, unfinished: list[Ready]) -> Claim | None:
        path = self._folder + ready.claimed_name
        envelope = unpack(read_file(path))
        if ready.is_foreign and not isinstance(envelope, dict):
            if self._is_being_written(path):
                unfinished.append(ready)
                return None
            envelope = unpack(read_file(path))
        deliveries = ready.deliveries or delivery_count(envelope)
        return Claim(queue, envelope, ready.claimed_name, deliveries)

    def _rename(self, source: str, path: str) -> bool:
        """Rename a ready message to one in flight; return whether it was there."""
        try:
            os.rename(source, path)
            return True
        except FileNotFoundError:
            if os.path.isdir(self._folder):
                return False  # another was faster
        except PermissionError as exc:
            name = os.path.basename(source)
            self._store.listing.refuse(name)
            self._aside.report(source, str(exc.strerror), "left where it is")
            return False
        os.makedirs(self._folder, exist_ok=True)
        with suppress(FileNotFoundError):
            os.rename(source, path)
            return True
        return False

    def _is_being_written(self, path: str) -> bool:
        """Return whether a peer that writes in place may not be through yet.

        kombu 5.7 makes the file, locks it, and writes all at once.
        """
        with suppress(OSError):
            found = os.stat(path)
            if not found.st_size:
                return self._store.clock.now() - found.st_mtime < _WRITING
            return is_locked(path)
        return False

    def _put_down(self, ready: Ready) -> None:
        """Undo the claim of a message, as if it had not been looked at."""
        with suppress(OSError):
            os.rename(
                self._folder + ready.claimed_name, self._folders.ready + ready.name
            )
        self._store.listing.add(ready.name)

    # -- settling ----------------------------------------------------------------

    def settle(self, claims: Iterable[Claim]) -> None:
        """Remove what is done with, or keep it where that is asked for."""
        processed = self._folders.processed if self._store.stores_processed else None
        for claim in claims:
            # Not there: it was lost to a peer, which is not ours to undo.
            with suppress(FileNotFoundError):
                if processed is None:
                    os.unlink(self._folder + claim.token)
                else:
                    self._keep(self._folder + claim.token, processed)

    def _keep(self, path: str, folder: str) -> None:
        if not os.path.exists(path):
            return
        os.makedirs(folder, exist_ok=True)
        shutil.move(path, folder + os.path.basename(path))

    def release(self, claims: Sequence[Claim]) -> None:
        """Put *claims* back; they keep their place in the queue."""
        names: list[str] = []
        try:
            for claim in claims:
                name = _name_when_released(claim)
                with suppress(FileNotFoundError):
                    os.rename(self._folder + claim.token, self._folders.ready + name)
                    names.append(name)
        finally:
            self._store.releases.tell(names)

    def move(self, claim: Claim, copies: Sequence[tuple[str, Any, int]]) -> None:
        """Settle *claim*, and put *copies* into other queues.

        The last step makes the message in hand the first of the copies.

        Arguments:
            claim: The claim.
            copies: Queue, envelope and rank of each.
        """
        if not copies:
            self.settle([claim])
            return
        store, path = self._store, self._folder + claim.token
        if not os.path.exists(path):
            return  # lost to a peer
        for number, copy in enumerate(copies[1:]):
            self._copy(claim.token, number, copy)
        queue, envelope, rank = copies[0]
        place = store.place(queue, envelope, self._folders.ready, rank)
        written = store.write(self._folders.ready, pack(envelope).encode())
        with suppress(FileNotFoundError):  # lost to a peer just now
            os.replace(written, path)
            store.settle_into(path, place)
        if rank:
            store.tell_ranked(place)

    def _copy(self, token: str, number: int, copy: tuple[str, Any, int]) -> None:
        """Put one more copy, under a name that repeating it gives again."""
        store, (queue, envelope, rank) = self._store, copy
        origin = FileName.parse(token)
        unique = sha256(f"{token}/{number}/{queue}".encode(errors="surrogatepass"))
        place = store.place(
            queue,
            envelope,
            self._folders.ready,
            rank,
            stamp=None if origin is None else origin.stamp,
            unique=unique.hexdigest()[:12],
        )
        written = store.write(self._folders.ready, pack(envelope).encode())
        store.settle_into(written, place)
        if rank:
            store.tell_ranked(place)

    def set_aside(self, claim: Claim) -> None:
        """Keep a message that nobody can read, out of the way."""
        path = self._folder + claim.token
        self._aside.put(path, claim.token, "it is no message")


def _name_when_released(claim: Claim) -> str:
    name: str = claim.token
    found = FileName.parse(name)
    if found is None or found.deliveries == claim.deliveries_when_released:
        return name
    return str(found.delivered(claim.deliveries_when_released))
