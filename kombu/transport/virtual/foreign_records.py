"""The records of another transport: for stores that can keep none themselves."""

from __future__ import annotations

import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("ForeignRecords", "NoTopologyStore")


class NoTopologyStore(KombuError, ValueError):
    """The transport that ``topology_store`` names shares no records."""


class ForeignRecords(RecordStore):
    """Records kept by the transport of another URL.

    Kinds are prefixed by the scope, so that the records of several brokers,
    and the other store's own, do not meet.

    Arguments:
        address: URL of the topology store, or arguments of its
            :class:`~kombu.Connection`, which is opened when it is first needed.
        scope: Tells this broker from others that use the same store.
    """

    def __init__(self, address: str | Mapping[str, Any], scope: str) -> None:
        self._address = address
        self._scope = scope
        # Short, as names of kinds are to be.
        self._prefix = "x" + sha256(scope.encode()).hexdigest()[:12]
        self._lock = threading.Lock()
        self._connection: Any = None
        self._found: RecordStore | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: of {self._scope}>"

    @property
    def _records(self) -> RecordStore:
        if self._found is None:
            with self._lock:
                if self._found is None:
                    self._found = self._open()
        return self._found

    def _open(self) -> RecordStore:
        from kombu.connection import Connection

        address = self._address
        options = {"hostname": address} if isinstance(address, str) else address
        connection = Connection(**options)
        connection.connect()
        records: RecordStore | None = getattr(connection.transport, "own_records", None)
        if records is None or isinstance(records, LocalRecords):
            shown = connection.as_uri()
            connection.close()
            raise NoTopologyStore(
                f"topology_store {shown!r} shares no records with other processes"
            )
        self._connection = connection
        return records

    def _kind(self, kind: str) -> str:
        return f"{self._prefix}.{kind}"

    def version(self) -> object:
        return self._records.version()

    def read(self, kind: str, group: str | None = None) -> dict[str, dict[str, Any]]:
        return self._records.read(self._kind(kind), group)

    def add(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> bool:
        return self._records.add(self._kind(kind), name, value, group)

    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        self._records.write(self._kind(kind), name, value, group)

    def remove(self, kind: str, name: str, group: str = "") -> bool:
        return self._records.remove(self._kind(kind), name, group)

    def renew(self, owner: str, seconds: float) -> bool:
        return self._records.renew(owner, seconds)

    def retire(self, owner: str) -> None:
        self._records.retire(owner)

    def live_owners(self) -> set[str]:
        return self._records.live_owners()

    def close(self) -> None:
        connection, self._connection, self._found = self._connection, None, None
        if connection is not None:
            connection.close()
