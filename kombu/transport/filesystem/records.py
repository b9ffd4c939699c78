"""Records and owners as small files in the control folder, for all processes.

::

    .kombu/<kind>/<group>/<name>.json   one record, with its names inside
    .kombu/version                      longer by a byte with each change of topology
    .kombu/consumers.changed            written when a consumer comes or goes

Names are quoted so that each is a file's, and no other's.  A record is written under a
temporary name, and then renamed.  Owners: see :mod:`~kombu.transport.filesystem._owners`.

Bindings that kombu 5.7 can understand are rows of its control files, too, and such
a file is the truth: what is in it is a binding, whoever wrote it, and a record
whose row is gone is none any more.

Known limit: two changes of a control file by kombu 5.7, of one length and within
one tick of the file system's clock (some milliseconds), may be seen as one.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH105, PTH106, PTH108, PTH110, PTH116, PTH120

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport.filesystem._bindings import (
    BindingFiles,
    exchange_queue_t,
    pattern_of,
)
from kombu.transport.filesystem._errors import translated
from kombu.transport.filesystem._folders import list_folder, read_file, remove_stale
from kombu.transport.filesystem._names import quoted
from kombu.transport.filesystem._owners import Owners
from kombu.transport.virtual.records import (
    BINDING,
    CONSUMER,
    EXCHANGE,
    TOPOLOGY,
    RecordStore,
)
from kombu.transport.virtual.topology import binding_record
from kombu.utils.identity import unique_id
from kombu.utils.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kombu.transport.filesystem._clock import StoreClock
    from kombu.transport.filesystem._folders import Folders

__all__ = ("FileRecords",)

_ENDING = ".json"

#: Exchange types of kombu 5.7, whose bindings are rows of its files.
_SHARED_TYPES = frozenset({"direct", "topic", "fanout"})

#: Bytes from which on the file of the version is begun anew.
_LONGEST_VERSION = 1 << 20

#: Tries to put a file into a folder that others may remove, when it is empty.
_TRIES = 20


class _Stored(NamedTuple):
    """One record as it is in its file."""

    group: str
    name: str
    value: dict[str, Any]
    has_row: bool

    @property
    def row(self) -> tuple[str, str]:
        return self.value["routing_key"], self.value["destination"]


class FileRecords(RecordStore):
    """Records and owners in files.

    Arguments:
        folders: The folders of the connection.
        clock: The clock of their file system.
    """

    def __init__(self, folders: Folders, clock: StoreClock) -> None:
        self._root = folders.records
        self._version = f"{self._root}version"
        self._temporary = f"{self._root}tmp/"
        self._clock = clock
        self._owners = Owners(folders, clock)
        self.binding_files = BindingFiles(folders.control)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._root}>"

    def close(self) -> None:
        """Let go of nothing: no file is held open."""

    # -- reading ---------------------------------------------------------------

    @translated
    def version(self) -> object:
        """Return what differs whenever topology has changed, 5.7's files included."""
        try:
            found = os.stat(self._version)
        except FileNotFoundError:
            return (), self.binding_files.version()
        own = (found.st_ino, found.st_size, found.st_mtime_ns)
        return own, self.binding_files.version()

    @translated
    def read(self, kind: str, group: str | None = None) -> dict[str, dict[str, Any]]:
        """Return the records of *kind*, of one *group* if given."""
        if kind == BINDING:
            return self._read_bindings(group)
        return {record.name: record.value for record in self._stored(kind, group)}

    def _stored(self, kind: str, group: str | None) -> Iterator[_Stored]:
        folder = f"{self._root}{kind}/"
        groups = list_folder(folder) if group is None else [quoted(group)]
        for place in groups:
            for name in list_folder(f"{folder}{place}/"):
                found = _load(f"{folder}{place}/{name}")
                if found is not None:
                    yield found

    def _read_bindings(self, group: str | None) -> dict[str, dict[str, Any]]:
        files = self.binding_files
        exchanges = files.exchanges() if group is None else [group]
        rows = {
            name: {(row.routing_key, row.queue) for row in files.read(name)}
            for name in exchanges
            if files.can_hold(name)
        }
        found: dict[str, dict[str, Any]] = {}
        recorded: set[tuple[str, str, str]] = set()
        for record in self._stored(BINDING, group):
            if record.has_row and record.row not in rows.get(record.group, ()):
                continue  # kombu 5.7 has removed it
            found[record.name] = record.value
            if record.has_row:
                recorded.add((record.group, *record.row))
        for exchange, pairs in rows.items():
            for key, queue in pairs:
                if (exchange, key, queue) not in recorded:
                    name, value = binding_record(exchange, queue, False, key, None)
                    found[name] = value
        return found

    @translated
    def is_bound(self, queue: str) -> bool:
        """Return whether kombu 5.7 finds *queue* bound to any exchange."""
        files = self.binding_files
        return any(
            row.queue == queue
            for exchange in files.exchanges()
            for row in files.read(exchange)
        )

    # -- writing ---------------------------------------------------------------

    @translated
    def add(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> bool:
        """Write a record unless there is one; return whether it was written."""
        if kind == BINDING:
            is_new = name not in self._read_bindings(group)
            self.write(kind, name, value, group)
            return is_new
        path = self._path(kind, name, group)
        for _ in range(_TRIES):
            written = self._write(_Stored(group, name, dict(value), False))
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
            self._has_changed(kind)
            return True
        raise FileNotFoundError(path)

    @translated
    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        """Write a record, in the place of the one there may be."""
        has_row = kind == BINDING and self._write_row(group, value)
        path = self._path(kind, name, group)
        written = self._write(_Stored(group, name, dict(value), has_row))
        for left in reversed(range(_TRIES)):
            try:
                os.replace(written, path)
                break
            except FileNotFoundError:
                if not left:
                    raise
                os.makedirs(os.path.dirname(path), exist_ok=True)
        self._has_changed(kind)

    @translated
    def remove(self, kind: str, name: str, group: str = "") -> bool:
        """Remove a record; return whether there was one."""
        path = self._path(kind, name, group)
        found = _load(path)
        was_there = kind == BINDING and self._remove_row(name, group, found)
        with suppress(FileNotFoundError):
            os.unlink(path)
            was_there = True
        with suppress(OSError):  # not empty
            os.rmdir(os.path.dirname(path))
        if was_there:
            self._has_changed(kind)
        return was_there

    def _path(self, kind: str, name: str, group: str) -> str:
        return f"{self._root}{kind}/{quoted(group)}/{quoted(name)}{_ENDING}"

    def _write(self, record: _Stored) -> str:
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

    def _has_changed(self, kind: str) -> None:
        """Tell the others: they look at the version, or watch the folder."""
        if kind == CONSUMER:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.close(os.open(f"{self._root}consumers.changed", flags, 0o666))
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
            fresh = self._write(_Stored("", "", {}, False))
            os.replace(fresh, path)

    # -- rows of kombu 5.7 -------------------------------------------------------

    def _write_row(self, exchange: str, value: Mapping[str, Any]) -> bool:
        """Write a binding for kombu 5.7, if it knows such ones."""
        if value["is_exchange"] or not self.binding_files.can_hold(exchange):
            return False
        declared = _load(self._path(EXCHANGE, exchange, ""))
        type = "direct" if declared is None else declared.value.get("type")
        if type not in _SHARED_TYPES:
            return False
        key = value["routing_key"]
        pattern = pattern_of(key) if type == "topic" else ""
        row = exchange_queue_t(key, pattern, value["destination"])
        self.binding_files.add(exchange, row)
        return True

    def _remove_row(self, name: str, group: str, found: _Stored | None) -> bool:
        if found is None:
            _, destination, is_exchange, key, _ = loads(name)
        elif not found.has_row or self._has_twin(found):
            return False
        else:
            key, destination = found.row
            is_exchange = False
        if is_exchange or not self.binding_files.can_hold(group):
            return False
        return self.binding_files.remove(group, key, destination)

    def _has_twin(self, found: _Stored) -> bool:
        """Return whether another record has the same row, but other arguments."""
        return any(
            other.has_row and other.row == found.row and other.name != found.name
            for other in self._stored(BINDING, found.group)
        )

    # -- owners ----------------------------------------------------------------

    @translated
    def renew(self, owner: str, seconds: float) -> bool:
        """Have the lease of *owner* last *seconds*; return whether it was alive."""
        return self._owners.renew(owner, seconds)

    @translated
    def retire(self, owner: str) -> None:
        """Forget *owner*."""
        self._owners.retire(owner)

    @translated
    def live_owners(self) -> set[str]:
        """Return the owners whose lease has not run out."""
        return self._owners.alive()

    @translated
    def bury(self, name: str) -> bool:
        """Forget an owner whose lease has run out; return whether it had.

        Arguments:
            name: Its quoted id, that of its folder.
        """
        return self._owners.bury(name)

    @translated
    def tidy(self) -> None:
        """Forget dead owners, and remove what writers have left behind."""
        self._owners.tidy()
        remove_stale(self._temporary, self._clock)
        self.binding_files.tidy(self._clock)


def _load(path: str) -> _Stored | None:
    try:
        return _Stored(**loads(read_file(path)))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None  # removed meanwhile; or no record of ours
