"""A broker in memory: what outlives the connections to it."""

from __future__ import annotations

import threading
from collections import defaultdict
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from kombu.transport.memory._queues import MemoryQueue
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.state import BrokerState
from kombu.utils.compat import register_after_fork

if TYPE_CHECKING:
    from kombu.transport.virtual.claims import Claim

__all__ = ("DefaultBroker", "MemoryBroker", "brokers")


class MemoryBroker:
    """Queues and topology of one broker.

    Arguments:
        name: Its name; empty for the one that has none.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.state = BrokerState()
        self.queues: dict[str, MemoryQueue] = {}
        self.records = LocalRecords()
        # What is in flight, by owner, in the order in which it was claimed.
        self.in_flight: defaultdict[str, dict[Claim, None]] = defaultdict(dict)
        self.transports: WeakSet[Any] = WeakSet()
        self.lock = threading.RLock()
        self._numbers = count()
        register_after_fork(self, MemoryBroker._after_fork)

    def _after_fork(self) -> None:
        """Make a forked child's copy usable: its threads are gone.

        The messages stay, but those in flight; these, consumers and owners were
        the parent's, and so may be a thread that held a lock.
        """
        self.lock = threading.RLock()
        self.in_flight.clear()
        self.transports = WeakSet()
        self.records.after_fork()
        for queue in self.queues.values():
            queue.waiters = ()
        self.state.after_fork()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name or '(unnamed)'}, {self.state!r}>"

    def queue(self, name: str) -> MemoryQueue:
        """Return the queue *name*, made if need be."""
        found = self.queues.get(name)
        if found is None:
            with self.lock:
                found = self.queues.setdefault(name, MemoryQueue(name))
        return found

    def clear(self) -> None:
        """Forget all queues, messages and declarations.

        Who consumes is told, as when a queue is deleted.
        """
        with self.lock:
            queues = tuple(self.queues.values())
            self.queues.clear()
            self.state.clear()
            for claims in self.in_flight.values():
                claims.clear()
        for queue in queues:
            queue.was_deleted()

    def forget(self, owner: str) -> None:
        """Have what *owner* has in hand go to others: it is gone."""
        self.records.orphan(owner)

    # -- messages that wait for their time ---------------------------------------

    def rest(self, queue: MemoryQueue, envelope: Any, moment: float) -> None:
        """Keep *envelope* until *moment*."""
        with self.lock:
            heappush(queue.resting, (moment, next(self._numbers), envelope))

    def take_due(self, queue: MemoryQueue, now: float) -> list[Any]:
        """Take the resting envelopes that are due."""
        due = []
        with self.lock:
            while queue.resting and queue.resting[0][0] <= now:
                due.append(heappop(queue.resting)[2])
        return due

    def drop_resting(self, queue: MemoryQueue, message_id: str) -> bool:
        """Remove a resting message; return whether there was one."""
        with self.lock:
            for place, (_, _, envelope) in enumerate(queue.resting):
                if envelope["properties"].get("message_id") == message_id:
                    del queue.resting[place]
                    heapify(queue.resting)
                    return True
        return False

    def wake_all(self) -> None:
        """Tell all who wait that they may have to look at the time."""
        for transport in tuple(self.transports):
            transport.wake()


class _Brokers:
    """The brokers of this process by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, MemoryBroker] = {}
        self._lock = threading.Lock()
        register_after_fork(self, _Brokers._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def get(self, name: str = "") -> MemoryBroker:
        with self._lock:
            broker = self._by_name.get(name)
            if broker is None:
                broker = self._by_name[name] = MemoryBroker(name)
            return broker


brokers = _Brokers()


class DefaultBroker:
    """Class attribute that reads the broker without a name, or the instance's."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        broker = brokers.get() if instance is None else instance.broker
        return getattr(broker, self._name)
