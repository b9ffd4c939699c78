"""Records and owners as small files in the control folder, for all processes.

::

    .kombu/<kind>/<group>/<name>.json   one record, with its names inside
    .kombu/version                      longer by a byte with each change of topology
    .kombu/consumers.changed            written when a consumer comes or goes

The files: see :mod:`~kombu.transport.filesystem._record_files`; owners:
:mod:`~kombu.transport.filesystem._owners`.

Bindings that kombu 5.7 can understand are rows of its control files, too, and such
a file is the truth: what is in it is a binding, whoever wrote it, and a record
whose row is gone is none any more.

Known limit: two changes of a control file by kombu 5.7, of one length and within
one tick of the file system's clock (some milliseconds), may be seen as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport.filesystem._bindings import (
    BindingFiles,
    exchange_queue_t,
)
from kombu.transport.filesystem._errors import translated
from kombu.transport.filesystem._owners import Owners
from kombu.transport.filesystem._record_files import RecordFiles, Stored
from kombu.transport.virtual.peer_patterns import pattern_of
from kombu.transport.virtual.records import BINDING, EXCHANGE, RecordStore
from kombu.transport.virtual.topology import binding_record
from kombu.utils.json import loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kombu.transport.filesystem._clock import StoreClock
    from kombu.transport.filesystem._folders import Folders

__all__ = ("FileRecords",)

#: Exchange types of kombu 5.7, whose bindings are rows of its files.
_SHARED_TYPES = frozenset({"direct", "topic", "fanout"})


class FileRecords(RecordStore):
    """Records and owners in files.

    Arguments:
        folders: The folders of the connection.
        clock: The clock of their file system.
    """

    def __init__(self, folders: Folders, clock: StoreClock) -> None:
        self._files = RecordFiles(folders.records)
        self._clock = clock
        self._owners = Owners(folders, clock)
        self.binding_files = BindingFiles(folders.control)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._files.root}>"

    def close(self) -> None:
        """Let go of nothing: no file is held open."""

    # -- reading ---------------------------------------------------------------

    @translated
    def version(self) -> object:
        """Return what differs whenever topology has changed, 5.7's files included."""
        return self._files.version(), self.binding_files.version()

    @translated
    def read(self, kind: str, group: str | None = None) -> dict[str, dict[str, Any]]:
        """Return the records of *kind*, of one *group* if given."""
        if kind == BINDING:
            return self._read_bindings(group)
        return {record.name: record.value for record in self._files.all(kind, group)}

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
        for record in self._files.all(BINDING, group):
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
        return self._files.add(kind, Stored(group, name, dict(value), False))

    @translated
    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        """Write a record, in the place of the one there may be."""
        has_row = kind == BINDING and self._write_row(group, value)
        self._files.write(kind, Stored(group, name, dict(value), has_row))

    @translated
    def remove(self, kind: str, name: str, group: str = "") -> bool:
        """Remove a record; return whether there was one."""
        files = self._files
        found = files.find(kind, name, group)
        was_there = kind == BINDING and self._remove_row(name, group, found)
        was_there = files.remove(kind, name, group) or was_there
        if was_there:
            files.tell(kind)
        return was_there

    # -- rows of kombu 5.7 -------------------------------------------------------

    def _write_row(self, exchange: str, value: Mapping[str, Any]) -> bool:
        """Write a binding for kombu 5.7, if it knows such ones."""
        if value["is_exchange"] or not self.binding_files.can_hold(exchange):
            return False
        declared = self._files.find(EXCHANGE, exchange, "")
        type = "direct" if declared is None else declared.value.get("type")
        if type not in _SHARED_TYPES:
            return False
        key = value["routing_key"]
        pattern = pattern_of(key) if type == "topic" else ""
        row = exchange_queue_t(key, pattern, value["destination"])
        self.binding_files.add(exchange, row)
        return True

    def _remove_row(self, name: str, group: str, found: Stored | None) -> bool:
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

    def _has_twin(self, found: Stored) -> bool:
        """Return whether another record has the same row, but other arguments."""
        return any(
            other.has_row and other.row == found.row and other.name != found.name
            for other in self._files.all(BINDING, found.group)
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
        self._files.tidy(self._clock)
        self.binding_files.tidy(self._clock)
