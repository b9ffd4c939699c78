"""A Redis Cluster of three masters, without replicas, whose slots can be moved.

A node that is killed takes its slots with it, until it is started again; the others go
on meanwhile.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING, Any

from t.brokers.redis import Redis, redis_client
from t.brokers.server import HOST, ServerError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

#: How many masters there are.
NODES = 3

SLOTS = 16384

#: Milliseconds after which a silent node is taken for dead.
NODE_TIMEOUT = 1000


class ClusterNode(Redis):
    """One master."""

    variable = ""

    def __init__(self, appendfsync: str | None = "no") -> None:
        super().__init__(appendfsync)
        self._bus: dict[int, int] = {}

    def settings(self) -> dict[str, Any]:
        settings = super().settings()
        del settings["databases"]
        # The port of the bus would be ours + 10000, if that is one.
        bus = self._bus.setdefault(self.port, free_port())
        settings |= {
            "cluster_enabled": "yes",
            "cluster_port": bus,
            "cluster_config_file": "nodes.conf",
            "cluster_node_timeout": NODE_TIMEOUT,
            "cluster_require_full_coverage": "no",
        }
        return settings

    @property
    def id(self) -> str:
        """What the cluster calls it."""
        return self.ask_for("CLUSTER", "MYID")

    def ask_for(self, *command: str | int) -> Any:
        """Return the answer to *command*, as text."""
        with self.client(decode_responses=True, socket_timeout=10) as client:
            return client.execute_command(*command)

    def has_settled(self) -> bool:
        """Return whether it knows the others, and who has which slot."""
        found = self.ask_for("CLUSTER", "INFO")
        if not isinstance(found, dict):
            found = dict(line.split(":", 1) for line in found.split())
        return (
            found["cluster_state"] == "ok"
            and int(found["cluster_slots_ok"]) == SLOTS
            and int(found["cluster_known_nodes"]) == NODES
        )


class RedisCluster:
    """Three masters.

    Arguments:
        appendfsync: As of :class:`Redis`.
    """

    name = "Redis Cluster"
    patience = 60.0

    def __init__(self, appendfsync: str | None = "no") -> None:
        self.nodes = tuple(ClusterNode(appendfsync) for _ in range(NODES))
        self._is_made = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.nodes!r}>"

    def __enter__(self) -> RedisCluster:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- life ------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return all(node.is_running for node in self.nodes)

    def start(self) -> None:
        """Start what does not run, and wait until all of it serves."""
        for node in self.nodes:
            node.start()
        if not self._is_made:
            self._make()
            self._is_made = True
        self._wait_until_settled()

    def _make(self) -> None:
        addresses = [f"{HOST}:{node.port}" for node in self.nodes]
        program = self.nodes[0].program("redis-cli")
        done = subprocess.run(
            [program, "--cluster", "create", *addresses, "--cluster-yes"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=self.patience,
        )
        if done.returncode:
            text = done.stdout.decode(errors="replace")
            raise ServerError(f"the cluster can't be made:\n{text}")

    def _wait_until_settled(self) -> None:
        until = time.monotonic() + self.patience
        while True:
            with contextlib.suppress(Exception):  # they are on their way
                if all(node.has_settled() for node in self.nodes):
                    return
            if time.monotonic() > until:
                raise ServerError(f"the cluster does not settle: {self!r}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()

    def close(self) -> None:
        """Stop all nodes, and delete their folders."""
        for node in self.nodes:
            node.close()

    # -- use -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """URL, with one of the nodes."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port}"

    @property
    def first_port(self) -> int:
        """Port of the node that the URL names."""
        return self.nodes[0].port

    def client(self, **options: Any) -> redis.RedisCluster:
        """Return a client that knows its way around the cluster."""
        from redis import RedisCluster as Client

        redis_client(self.nodes[0].url).close()  # complains if there is none
        return Client(host=HOST, port=self.first_port, **options)

    def flush(self) -> str:
        """Empty all nodes; return the URL."""
        for node in self.nodes:
            node.ask_for("FLUSHALL")
        return self.url

    # -- slots -------------------------------------------------------------------------

    def slot_of(self, key: str) -> int:
        """Return the slot of *key*."""
        return int(self.nodes[0].ask_for("CLUSTER", "KEYSLOT", key))

    def owner(self, slot: int) -> ClusterNode:
        """Return the node that has *slot*."""
        for first, last, master, *_ in self.nodes[0].ask_for("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise ServerError(f"nobody has slot {slot}")

    def moving(self, slot: int, to: ClusterNode, batch: int = 10) -> Iterator[int]:
        """Move *slot* step by step, and yield after each how many keys have moved.

        Between two steps part of its keys are here and part are there: clients are
        sent to and fro (ASK, TRYAGAIN).  All of it has moved when this has ended.
        """
        source = self.owner(slot)
        if source is to:
            return
        to.ask_for("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask_for("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        moved = 0
        yield moved
        while keys := source.ask_for("CLUSTER", "GETKEYSINSLOT", slot, batch):
            source.ask_for(
                *("MIGRATE", HOST, to.port, "", 0, 10_000, "KEYS", *keys),
            )
            moved += len(keys)
            yield moved
        # The new owner first: so there always is one.
        for node in (to, source, *self.nodes):
            node.ask_for("CLUSTER", "SETSLOT", slot, "NODE", to.id)

    def move_slot(self, slot: int, to: ClusterNode) -> int:
        """Move *slot* to the node *to*; return how many keys it had."""
        moved = 0
        for moved in self.moving(slot, to):
            pass
        return moved
