"""One file a record, in folders by kind and group.

Names are quoted so that each is a file's, and no other's.  A record is written under a
temporary name, and then renamed.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH105, PTH106, PTH108, PTH110, PTH116, PTH120

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport.filesystem._folders import list_folder, read_file, remove_stale
from kombu.transport.filesystem._names import quoted
from kombu.transport.virtual.records import CONSUMER, TOPOLOGY
from kombu.utils.identity import unique_id
from kombu.utils.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu.transport.filesystem._clock import StoreClock

__all__ = ("RecordFiles", "Stored")

_ENDING = ".json"

#: Bytes from which on the file of the version is begun anew.
_LONGEST_VERSION = 1 << 20

#: Tries to put a file into a folder that others may remove, when it is empty.
_TRIES = 20


class Stored(NamedTuple):
    """One record as it is in its file.

    Attributes:
        group: Its group.
        name: Its name.
        value: What is recorded.
        has_row: Whether it is a binding of which kombu 5.7 has a row.
    """

    group: str
    name: str
    value: dict[str, Any]
    has_row: bool

    @property
    def row(self) -> tuple[str, str]:
        """Routing key and queue of a binding."""
        return self.value["routing_key"], self.value["destination"]


class RecordFiles:
    """The files.

    Arguments:
        root: Their folder, with a separator at its end.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._version = f"{root}version"
        self._temporary = f"{root}tmp/"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.root}>"

    def path(self, kind: str, name: str, group: str) -> str:
        """Return the path of a record."""
        return f"{self.root}{kind}/{quoted(group)}/{quoted(name)}{_ENDING}"

    # -- reading ---------------------------------------------------------------

    def version(self) -> tuple[int, ...]:
        """Return what differs whenever a record of topology has changed."""
        try:
            found = os.stat(self._version)
        except FileNotFoundError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def find(self, kind: str, name: str, group: str) -> Stored | None:
        """Return a record; None if there is none."""
        return _load(self.path(kind, name, group))

    def all(self, kind: str, group: str | None) -> Iterator[Stored]:
        """Yield the records of *kind*, of one *group* if given."""
        folder = f"{self.root}{kind}/"
        groups = list_folder(folder) if group is None else [quoted(group)]
        for place in groups:
            for name in list_folder(f"{folder}{place}/"):
                found = _load(f"{folder}{place}/{name}")
                if found is not None:
                    yield found

    # -- writing ---------------------------------------------------------------

    def add(self, kind: str, record: Stored) -> bool:
        """Write a record unless there is one; return whether it was written."""
        path = self.path(kind, record.name, record.group)
        for _ in range(_TRIES):
            written = self._write(record)
            try:
                os.link(written, path)
            except FileExistsError:
                return False
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                continue
            except OSError:  # no links here: as near as can be
                if os.path.exists(path):
                    return False
                os.replace(written, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(written)
            self.tell(kind)
            return True
        raise FileNotFoundError(path)

    def write(self, kind: str, record: Stored) -> None:
        """Write a record, in the place of the one there may be."""
        path = self.path(kind, record.name, record.group)
        written = self._write(record)
        for left in reversed(range(_TRIES)):
            try:
                os.replace(written, path)
                break
            except FileNotFoundError:
                if not left:
                    raise
                os.makedirs(os.path.dirname(path), exist_ok=True)
        self.tell(kind)

    def remove(self, kind: str, name: str, group: str) -> bool:
        """Remove a record, telling nobody; return whether there was one."""
        path = self.path(kind, name, group)
        was_there = False
        with suppress(FileNotFoundError):
            os.unlink(path)
            was_there = True
        with suppress(OSError):  # not empty
            os.rmdir(os.path.dirname(path))
        return was_there

    def _write(self, record: Stored) -> str:
        path = f"{self._temporary}{unique_id()}"
        data = dumps(record._asdict()).encode()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(self._temporary, exist_ok=True)
            descriptor = os.open(path, flags, 0o666)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
        return path

    def tell(self, kind: str) -> None:
        """Tell the others of a change: they look at the version, or watch the folder."""
        if kind == CONSUMER:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.close(os.open(f"{self.root}consumers.changed", flags, 0o666))
        if kind not in TOPOLOGY:
            return
        # Longer by a byte: its times move in ticks only.
        path = self._version
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o666)
        try:
            os.write(descriptor, b".")
            is_long = os.fstat(descriptor).st_size > _LONGEST_VERSION
        finally:
            os.close(descriptor)
        if is_long:
            fresh = self._write(Stored("", "", {}, False))
            os.replace(fresh, path)

    def tidy(self, clock: StoreClock) -> None:
        """Remove what writers have left behind."""
        remove_stale(self._temporary, clock)


def _load(path: str) -> Stored | None:
    try:
        return Stored(**loads(read_file(path)))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None  # removed meanwhile; or no record of ours
