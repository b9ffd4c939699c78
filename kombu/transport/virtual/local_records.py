"""Records and owners of one process: for stores that live in it, or share nothing.

Nobody need renew a lease here: whether the thread of an owner lives can be
seen.  A lease runs from the moment at which it was last seen alive.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kombu.transport.virtual.records import RecordStore, is_topology
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("LocalRecords",)


class _Owner:
    __slots__ = ("deadline", "seconds", "threads")

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()
        self.seconds = self.deadline = 0.0

    def see(self) -> None:
        self.deadline = waiting.monotonic() + self.seconds

    def is_alive(self) -> bool:
        self.threads = {thread for thread in self.threads if thread.is_alive()}
        if self.threads:
            self.see()
        return waiting.monotonic() < self.deadline


class LocalRecords(RecordStore):
    """Keeps records in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # By kind, then by group and name.
        self._records: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self._owners: dict[str, _Owner] = {}
        self._version = 0

    def __repr__(self) -> str:
        count = sum(map(len, self._records.values()))
        return f"<{type(self).__name__}: {count} records, {len(self._owners)} owners>"

    def after_fork(self) -> None:
        """Make a forked child's copy usable: the owners were the parent's."""
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
            self._owners.clear()
            self._version += 1

    def version(self) -> object:
        return self._version

    def read(self, kind: str, group: str | None = None) -> dict[str, dict[str, Any]]:
        with self._lock:
            return {
                name: value
                for (place, name), value in self._records.get(kind, {}).items()
                if group is None or place == group
            }

    def add(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> bool:
        with self._lock:
            if (group, name) in self._records.get(kind, ()):
                return False
            self.write(kind, name, value, group)
            return True

    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        with self._lock:
            self._records.setdefault(kind, {})[group, name] = dict(value)
            self._version += is_topology(kind)

    def remove(self, kind: str, name: str, group: str = "") -> bool:
        with self._lock:
            found = self._records.get(kind, {}).pop((group, name), None)
            self._version += found is not None and is_topology(kind)
            return found is not None

    def renew(self, owner: str, seconds: float) -> bool:
        with self._lock:
            known = self._owners.get(owner)
            was_alive = known is not None and known.is_alive()
            found = known or self._owners.setdefault(owner, _Owner())
            found.threads.add(threading.current_thread())
            found.seconds = seconds
            found.see()
            return was_alive

    def retire(self, owner: str) -> None:
        with self._lock:
            self._owners.pop(owner, None)

    def live_owners(self) -> set[str]:
        with self._lock:
            return {name for name, owner in self._owners.items() if owner.is_alive()}

    def orphan(self, owner: str) -> None:
        """Have the lease of *owner* end now: its connection was dropped."""
        with self._lock:
            found = self._owners.get(owner)
            if found is not None:
                found.threads.clear()
                found.deadline = waiting.monotonic()

    def take_dead_owners(self) -> list[str]:
        """Forget the owners whose lease has run out, and return them."""
        with self._lock:
            dead = [n for n, owner in self._owners.items() if not owner.is_alive()]
            for name in dead:
                del self._owners[name]
            return dead
