"""Records and owners in the server, for all processes.

Bindings that kombu 5.7 can understand are rows of its sets, too, and such a set is
the truth: what is in it is a binding, whoever wrote it, and a record whose row is gone
is none any more.

What differs when the topology has changed is a pair: the server's time of our last
change, and a stamp of the rows of each exchange that is known: their number, and up to
16 of them a digest.  So one change by kombu 5.7 of a set of more than 16 rows that
adds one and removes one within the same moment is seen with the next one only.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.resp import Argument, part
from kombu.transport.redis.server import Request
from kombu.transport.virtual.peer_patterns import pattern_of
from kombu.transport.virtual.records import (
    BINDING,
    EXCHANGE,
    RecordStore,
    is_topology,
)
from kombu.transport.virtual.topology import binding_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kombu.transport.redis.clock import ServerClock
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("RedisRecords", "Version")

Record = dict[str, Any]

#: Exchange types of kombu 5.7, whose bindings are rows of its sets.
_SHARED_TYPES = frozenset({"direct", "topic", "fanout"})

_GAP = "\x00"


def _matches(key: str, pattern: str, routing_key: str) -> bool:
    if not pattern:
        return key == routing_key
    try:
        return re.match(pattern, routing_key) is not None
    except re.error:
        return False  # they write some that are none


class Version:
    """What the topology is at one moment; compared for equality.

    Attributes:
        ours: The version of our records, as the server gave it.
        stamps: A stamp of the rows of each exchange.
    """

    __slots__ = ("ours", "stamps")

    def __init__(self, ours: bytes, stamps: dict[str, bytes]) -> None:
        self.ours = ours
        self.stamps = stamps

    def __repr__(self) -> str:
        count = len(self.stamps)
        return f"<{type(self).__name__}: {self.ours!r}, {count} exchanges>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self.ours == other.ours and self.stamps == other.stamps

    __hash__ = None  # type: ignore[assignment]


class RedisRecords(RecordStore):
    """Records and owners in hashes.

    Attributes:
        is_checked_by_scripts: Whether scripts that put and claim look whether we know
            the topology: in a cluster it is on another node.

    Arguments:
        server: The server.
        keys: Its keys.
        clock: The server's clock.
    """

    def __init__(self, server: Server, keys: Keys, clock: ServerClock) -> None:
        self._server = server
        self._keys = keys
        self._clock = clock
        # The exchanges that may have rows, as they were read last.
        self._exchanges: dict[str, Record] = {}
        self.is_checked_by_scripts = not keys.in_cluster

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: in {self._server!r}>"

    def close(self) -> None:
        """Let go of nothing: the connections are the transport's."""

    # -- reading ---------------------------------------------------------------

    def version(self) -> Version:
        """Return what differs whenever topology has changed, old peers' included."""
        names = self._shared_exchanges()
        keys = part(self._keys.version, *map(self._keys.bindings, names))
        reply = self._ask("version", keys)
        stamps = dict(zip(names, reply[1:], strict=True))
        return Version(reply[0], stamps)

    def _shared_exchanges(self) -> list[str]:
        if self._keys.in_cluster:
            return []
        return [
            name
            for name, value in tuple(self._exchanges.items())
            if value.get("type") in _SHARED_TYPES
        ]

    def read(self, kind: str, group: str | None = None) -> dict[str, Record]:
        """Return the records of *kind*, of one *group* if given."""
        key = self._keys.records(kind)
        flat = self._server.run(Request.plain("HGETALL", key))
        found = {}
        for place in range(0, len(flat), 2):
            owner, _, name = flat[place].decode().partition(_GAP)
            if group is None or owner == group:
                found[name] = json.loads(flat[place + 1])
        if kind == EXCHANGE:
            self._exchanges = found
        return self._with_rows(found, group) if kind == BINDING else found

    def _with_rows(
        self, found: dict[str, Record], group: str | None
    ) -> dict[str, Record]:
        """Return bindings as our records and the rows of old peers together say."""
        names = [
            name for name in self._shared_exchanges() if group is None or name == group
        ]
        if not names:
            return found
        rows = self.rows_of(names)
        kept = {}
        recorded = set()
        for name, value in found.items():
            source = value["source"]
            if source in rows and not value["is_exchange"]:
                pair = (value["routing_key"], value["destination"])
                if pair not in rows[source]:
                    continue  # an old peer has removed it
                recorded.add((source, *pair))
            kept[name] = value
        for exchange, pairs in rows.items():
            for routing_key, queue in pairs:
                if (exchange, routing_key, queue) not in recorded:
                    name, value = binding_record(
                        exchange, queue, False, routing_key, None
                    )
                    kept[name] = value
        return kept

    def rows_of(self, exchanges: list[str]) -> dict[str, set[tuple[str, str]]]:
        """Return routing keys and queues of the rows of *exchanges*."""
        keys = self._keys
        replies = self._server.run_all(
            [Request.plain("SMEMBERS", keys.bindings(name)) for name in exchanges]
        )
        found = {}
        for name, members in zip(exchanges, replies, strict=True):
            rows = [row.decode().split(keys.sep) for row in members]
            found[name] = {(row[0], row[-1]) for row in rows if len(row) > 1}
        return found

    def route_of_peers(self, exchange: str, routing_key: str) -> list[str]:
        """Return the queues that old peers would put a message into."""
        if self._keys.in_cluster:
            return []
        key = self._keys.bindings(exchange)
        found: dict[str, None] = {}
        for row in self._server.run(Request.plain("SMEMBERS", key)):
            fields = row.decode().split(self._keys.sep)
            if len(fields) == 3 and _matches(fields[0], fields[1], routing_key):
                found[fields[2]] = None
        return list(found)

    # -- writing ---------------------------------------------------------------

    def add(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> bool:
        """Write a record unless there is one; return whether it was written."""
        return self._change("add", kind, name, value, group)

    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        """Write a record, in the place of the one there may be."""
        self._change("write", kind, name, value, group)

    def remove(self, kind: str, name: str, group: str = "") -> bool:
        """Remove a record; return whether there was one."""
        if kind != BINDING:
            return self._change("remove", kind, name, None, group)
        names = ("source", "destination", "is_exchange", "routing_key", "arguments")
        value = dict(zip(names, json.loads(name), strict=True))
        if self._has_twin(name, value):
            return self._change("remove", kind, name, None, group)
        return self._change("remove", kind, name, value, group)

    def _has_twin(self, name: str, value: Record) -> bool:
        """Return whether another record has the same row, but other arguments."""
        if value["is_exchange"] or self._keys.in_cluster:
            return False
        same = ("destination", "is_exchange", "routing_key")
        return any(
            other != name and all(found[key] == value[key] for key in same)
            for other, found in self.read(BINDING, value["source"]).items()
        )

    def _change(
        self,
        what: str,
        kind: str,
        name: str,
        value: Mapping[str, Any] | None,
        group: str,
    ) -> bool:
        keys = [self._keys.records(kind), self._keys.version]
        arguments: list[Argument] = [
            what,
            f"{group}{_GAP}{name}",
            "" if value is None else json.dumps(value),
            int(is_topology(kind)),
        ]
        row = self._row(value) if kind == BINDING and value is not None else None
        if row is not None:
            # Where the second set is empty, they remove the first after a while.
            keys += (self._keys.bindings(group), self._keys.permanent_bindings(group))
            arguments.append(row)
        request = Request("record", part(*keys), part(*arguments), keys[0])
        return bool(self._server.run(request))

    def _row(self, value: Mapping[str, Any]) -> str | None:
        """Return the row by which old peers know a binding, if they can."""
        if value["is_exchange"] or self._keys.in_cluster:
            return None
        kind = self._type_of(value["source"])
        if kind not in _SHARED_TYPES:
            return None
        routing_key = value["routing_key"]
        pattern = pattern_of(routing_key) if kind == "topic" else ""
        return self._keys.sep.join([routing_key, pattern, value["destination"]])

    def _type_of(self, exchange: str) -> str:
        declared = self._exchanges.get(exchange)
        if declared is None:
            declared = self.read(EXCHANGE).get(exchange)
        return "direct" if declared is None else str(declared.get("type"))

    # -- owners ----------------------------------------------------------------

    def renew(self, owner: str, seconds: float) -> bool:
        """Have the lease of *owner* last *seconds*; return whether it was alive."""
        keys = part(self._keys.owners)
        was_alive, now = self._ask("renew", keys, owner, float(seconds))
        self._clock.read(now)
        return bool(was_alive)

    def retire(self, owner: str) -> None:
        """Forget *owner*."""
        self._server.run(Request.plain("ZREM", self._keys.owners, owner))

    def live_owners(self) -> set[str]:
        """Return the owners whose lease has not run out."""
        reply = self._ask("owners", part(self._keys.owners))
        return {owner.decode() for owner in reply}

    def _ask(self, name: str, keys: Any, *arguments: Any) -> Any:
        request = Request(name, keys, part(*arguments), self._keys.version)
        return self._server.run(request)
