"""Reaping: what dead owners had in hand is put back.

A dead owner's folder is taken over whole, by one renaming of it: an owner that lives
after all finds an empty one, and what it still believes to have in hand is no longer
there.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH104, PTH106, PTH112

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from kombu.transport.filesystem._folders import list_folder
from kombu.transport.filesystem._names import FileName, queue_of, quoted, suffix_in
from kombu.utils.identity import unique_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.filesystem._store import MessageStore

__all__ = ("Reaping",)


class Reaping:
    """Puts back what dead owners had.

    Arguments:
        store: The store.
        owner: Id of who does it, which is alive.
    """

    def __init__(self, store: MessageStore, owner: str) -> None:
        self._store = store
        self._folders = store.folders
        self._owner = quoted(owner)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: by {self._owner}>"

    def reap(self, is_dead: Callable[[str], bool]) -> set[str]:
        """Put back what they had.

        Arguments:
            is_dead: Tells of the quoted name of an owner whether it is dead,
                and has it forgotten if so.

        Returns:
            Names of the queues that have got messages.
        """
        claimed, reaping = self._folders.claimed, self._folders.reaping
        for name in list_folder(claimed):
            if name != self._owner and os.path.isdir(claimed + name) and is_dead(name):
                # Not there: another has it.
                with suppress(FileNotFoundError):
                    os.rename(claimed + name, f"{reaping}{unique_id()}")
        queues: set[str] = set()
        # Also what a peer was killed over.
        for name in list_folder(reaping):
            queues.update(self._put_back_all(f"{reaping}{name}/"))
        return queues

    def _put_back_all(self, folder: str) -> set[str]:
        names = []
        queues = set()
        for name in list_folder(folder):
            found = FileName.parse(name)
            back = name
            if found is not None:
                back = str(found.delivered(found.deliveries + 1))
            try:
                os.rename(folder + name, self._folders.ready + back)
            except FileNotFoundError:
                continue  # a peer does the same, and was faster
            except OSError as exc:
                aside = self._store.aside
                aside.report(folder + name, str(exc.strerror), "left there")
                continue
            names.append(back)
            queue = queue_of(suffix_in(back) or "")
            queues |= {queue} if queue is not None else set()
        self._store.releases.tell(names)
        with suppress(OSError):  # not empty: next time
            os.rmdir(folder)
        return queues
