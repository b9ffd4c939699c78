"""A cluster: the slots of keys, the nodes that have them, and how they move.

``redis+cluster://host:port``, any of the nodes; ``rediss+cluster://`` by TLS.  All keys
of a queue are in one slot.  A node that has not what it is asked for says who has it
(MOVED), or who is about to get it (ASK); while the keys of a slot are on their way, it
has to be asked again (TRYAGAIN).
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors
from redis.crc import key_slot

from kombu.log import get_logger
from kombu.transport.redis.errors import ServerLost, refused
from kombu.transport.redis.lines import Lines, Quota
from kombu.transport.redis.link import Link
from kombu.transport.redis.resp import command, part
from kombu.transport.redis.server import Request, Server
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.transport.redis.parameters import Parameters

__all__ = ("ClusterServer",)

logger = get_logger(__name__)

Address = tuple[str, int]

#: How often a command is sent anew while slots move, and the first pause in between.
_TRIES = 12
_PAUSE = 0.01

#: How many slots a cluster has.
_SLOTS = 16384

_ASKING = command(part("ASKING"))

#: What passes while slots move, and while a replica takes over.
_PASSING = (redis_errors.TryAgainError, redis_errors.ClusterDownError)


class ClusterServer(Server):
    """A cluster of servers.

    Arguments:
        parameters: What connections are made with.
        first: Addresses of nodes to begin with.
        quota: How many connections there may be to each node.
    """

    is_cluster = True

    def __init__(
        self, parameters: Parameters, first: Sequence[Address], quota: Quota
    ) -> None:
        self._parameters = parameters
        self._first = list(first)
        self._lock = threading.Lock()
        self._nodes: dict[Address, Lines] = {}
        # The node that has each slot, if that is known.
        self._slots: list[Address | None] = []
        where = ", ".join(f"{host}:{port}" for host, port in first)
        super().__init__(self._make_any_link, quota, f"Redis cluster at {where}")

    # -- nodes -------------------------------------------------------------------

    def _make_any_link(self) -> Link:
        parameters = self._parameters
        return Link(
            self._connection_to_any,
            self._where,
            parameters.secret,
            parameters.busy_wait,
        )

    def _connection_to_any(self) -> Any:
        """Return a connection to a node, for what any of them can do."""
        known = self._known_nodes() or self._first
        return self._parameters.connection(*random.choice(known))

    def _known_nodes(self) -> list[Address]:
        return sorted({node for node in self._slots if node is not None})

    def _lines_to(self, node: Address) -> Lines:
        with self._lock:
            found = self._nodes.get(node)
            if found is None:
                parameters = self._parameters
                where = f"Redis at {node[0]}:{node[1]}"

                def make_link() -> Link:
                    return Link(
                        lambda: parameters.connection(*node),
                        where,
                        parameters.secret,
                        parameters.busy_wait,
                    )

                found = Lines(make_link, Quota(self.quota.limit))
                self._nodes[node] = found
            return found

    def _node_of(self, key: str) -> Address:
        slot = key_slot(key.encode())
        node = self._slots[slot] if self._slots else None
        if node is None:
            self._learn_slots()
            node = self._slots[slot]
        if node is None:
            raise ServerLost(f"{self._where}: nobody serves slot {slot}")
        return node

    def _learn_slots(self) -> None:
        """Ask the nodes, one after the other, who serves which slot.

        Raises:
            ServerLost: None of them can be reached.
        """
        nodes = [*dict.fromkeys([*self._known_nodes(), *self._first])]
        error: Exception | None = None
        for node in nodes:
            try:
                data = command(part("CLUSTER", "SLOTS"))
                (reply,) = self._lines_to(node).exchange(data, 1, True)
            except ServerLost as exc:
                error = exc
                continue
            if isinstance(reply, Exception):
                error = refused(reply, self._where, "CLUSTER SLOTS")
                continue
            self._take_slots(reply, node)
            return
        raise ServerLost(f"{self._where} can not be reached: {error}") from error

    def _take_slots(self, reply: Sequence[Any], asked: Address) -> None:
        found: list[Address | None] = [None] * _SLOTS
        for first, last, master, *_ in reply:
            host = master[0].decode() if master[0] else asked[0]
            found[first : last + 1] = [(host, master[1])] * (last + 1 - first)
        self._slots = found

    # -- asking ------------------------------------------------------------------

    def run_all(
        self, requests: Sequence[Request], is_repeatable: bool = True
    ) -> list[Any]:
        """Have requests carried out, those of one node in one round trip.

        Raises:
            ServerLost: A node can not be reached.
            ServerRefused: One of them is refused; the others were carried out.
        """
        by_node: dict[Address, list[int]] = {}
        for place, request in enumerate(requests):
            by_node.setdefault(self._node_of(request.slot_key), []).append(place)
        replies: list[Any] = [None] * len(requests)
        for node, places in by_node.items():
            data = b"".join([requests[place].packed(True) for place in places])
            found = self._exchange(node, data, len(places), is_repeatable)
            for place, reply in zip(places, found, strict=True):
                replies[place] = reply
        for place, reply in enumerate(replies):
            if isinstance(reply, Exception):
                replies[place] = self._follow(reply, requests[place], is_repeatable)
        return replies

    def post_all(self, requests: Sequence[Request]) -> None:
        """Have plain commands carried out: here it is waited for it.

        Raises:
            ServerLost: A node can not be reached.
        """
        self.run_all(requests)

    def _exchange(
        self, node: Address, data: bytes, count: int, is_repeatable: bool
    ) -> list[Any]:
        try:
            return self._lines_to(node).exchange(data, count, is_repeatable)
        except ServerLost:
            # A replica may have taken its place.
            self._slots = []
            raise

    def _follow(self, error: Exception, request: Request, is_repeatable: bool) -> Any:
        """Return the reply to *request*, which was answered by *error* at first."""
        pause = _PAUSE
        is_whole = False
        node, is_asking = self._where_now(error, request)
        for _ in range(_TRIES):
            if isinstance(error, redis_errors.NoScriptError):
                is_whole = True
            elif isinstance(error, _PASSING):
                waiting.sleep(pause)
                pause *= 2
            elif not isinstance(error, redis_errors.AskError):
                break
            data = request.packed(True, whole=is_whole)
            if is_asking:
                data = _ASKING + data
            replies = self._exchange(node, data, 1 + is_asking, is_repeatable)
            reply = replies[-1]
            if not isinstance(reply, Exception):
                return reply
            error = reply
            if not isinstance(error, redis_errors.NoScriptError):
                node, is_asking = self._where_now(error, request)
        raise refused(error, self._where, request.name) from error

    def _where_now(self, error: Exception, request: Request) -> tuple[Address, bool]:
        """Return which node to ask next, and whether it is about to get the slot."""
        if isinstance(error, redis_errors.MovedError):
            node = (error.host, int(error.port))
            if self._slots:
                self._slots[int(error.slot_id)] = node
            return node, False
        if isinstance(error, redis_errors.AskError):
            return (error.host, int(error.port)), True
        if isinstance(error, redis_errors.ClusterDownError):
            self._slots = []
        return self._node_of(request.slot_key), False

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            nodes = tuple(self._nodes.values())
        for lines in nodes:
            lines.close()
