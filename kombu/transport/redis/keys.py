"""Every key and channel of the transport: the one place in which they are made.

Beside kombu's (``<queue>``, ``<queue><sep><level>``, ``_kombu.binding.<exchange>``,
``unacked``, ``unacked_index``; see the headers of the scripts) there are:

=============================  ======  ===============================================
``_kombu.bell.<queue>``        list    one element while somebody is to be woken
``_kombu.due.<queue>``         zset    resting messages, by when they are due
``_kombu.delayed.<queue>``     hash    the same: id -> level:message
``_kombu.records.<kind>``      hash    records of topology and consumers
``_kombu.version``             string  of the topology: when it was changed last
``_kombu.owners``              zset    connections, by the deadline of their lease
``_kombu.aside.<queue>``       list    the last messages that nobody could read
``_kombu.wake.<owner>``        list    ends the wait of that connection itself
``_kombu.sweeping``            string  who puts back what was lost, at the moment
=============================  ======  ===============================================

``global_keyprefix`` is in front of all of them, and of the channels too.

In a cluster all keys of a queue have its name in braces, so that one node has them,
and what is not of a queue has ``{_kombu}``; peers of kombu 5.7 do not run there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kombu.transport.redis.resp import Part, part

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Keys", "QueueKeys")


class QueueKeys(NamedTuple):
    """The keys of one queue.

    Attributes:
        base: The list of level 0.
        ledger: The index of what is in flight.
    """

    base: str
    bell: str
    due: str
    delayed: str
    unacked: str
    ledger: str
    aside: str


class Keys:
    """Makes keys.

    Arguments:
        prefix: In front of every key (``global_keyprefix``).
        sep: Joins a queue and a level, and the fields of a binding.
        unacked: Name of the hash of what is in flight.
        index: Name of its index.
        in_cluster: Whether keys have to say which of them belong together.
    """

    def __init__(
        self,
        prefix: str = "",
        sep: str = "\x06\x16",
        unacked: str = "unacked",
        index: str = "unacked_index",
        in_cluster: bool = False,
    ) -> None:
        self.prefix = prefix
        self.sep = sep
        self.in_cluster = in_cluster
        self._unacked, self._index = unacked, index
        self._area = "{_kombu}" if in_cluster else "_kombu"
        self.version = f"{prefix}{self._area}.version"
        self.owners = f"{prefix}{self._area}.owners"
        self._queues: dict[str, QueueKeys] = {}

    def __repr__(self) -> str:
        kind = "cluster" if self.in_cluster else "server"
        return f"<{type(self).__name__}: of a {kind}, prefix {self.prefix!r}>"

    def queue(self, name: str) -> QueueKeys:
        """Return the keys of the queue *name*."""
        found = self._queues.get(name)
        if found is None:
            if len(self._queues) > 10_000:
                self._queues.clear()  # names may be made for one use each
            found = self._queues[name] = self._make(name)
        return found

    def _make(self, name: str) -> QueueKeys:
        prefix = self.prefix
        if not self.in_cluster:
            return QueueKeys(
                f"{prefix}{name}",
                f"{prefix}_kombu.bell.{name}",
                f"{prefix}_kombu.due.{name}",
                f"{prefix}_kombu.delayed.{name}",
                f"{prefix}{self._unacked}",
                f"{prefix}{self._index}",
                f"{prefix}_kombu.aside.{name}",
            )
        base = f"{prefix}{{{_without_braces(name)}}}"
        return QueueKeys(
            base,
            f"{base}.bell",
            f"{base}.due",
            f"{base}.delayed",
            f"{base}.{self._unacked}",
            f"{base}.{self._index}",
            f"{base}.aside",
        )

    def list(self, queue: str, level: int) -> str:
        """Return the list of *queue* for messages of *level*."""
        base = self.queue(queue).base
        return f"{base}{self.sep}{level}" if level else base

    def mutex(self, queue: str) -> str:
        """Return the lock that goes with what of *queue* is in flight."""
        if self.in_cluster:
            return f"{self.queue(queue).base}.sweeping"
        return f"{self.prefix}_kombu.sweeping"

    def bindings(self, exchange: str) -> str:
        """Return the set of rows by which old peers know bindings."""
        return f"{self.prefix}_kombu.binding.{exchange}"

    def permanent_bindings(self, exchange: str) -> str:
        """Return the set of those rows whose queues do not expire, for old peers."""
        return f"{self.prefix}_kombu.binding_permanent.{exchange}"

    def records(self, kind: str) -> str:
        """Return the hash of the records of *kind*."""
        return f"{self.prefix}{self._area}.records.{kind}"

    def wake(self, owner: str) -> str:
        """Return the list, or channel, that ends the wait of *owner*."""
        return f"{self.prefix}{self._area}.wake.{owner}"

    def claiming(self, queue: str) -> Part:
        """Return those keys of *queue* that a claim concerns."""
        found = self.queue(queue)
        return part(found.base, found.bell, found.due, found.delayed)

    def lists(self, queue: str, levels: Iterable[int]) -> Part:
        """Return the lists of *queue*, in the order of *levels*."""
        return part(*[self.list(queue, level) for level in levels])


def _without_braces(name: str) -> str:
    """Return *name* as a hash tag: two names never make the same."""
    if "{" in name or "}" in name or "%" in name or not name:
        escaped = name.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
        return escaped or "%"
    return name
