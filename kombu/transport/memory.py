"""The in-memory transport: a broker inside the process.

``memory://`` is one broker for the whole process; ``memory://name`` is one of
that name, which shares nothing with the others.  A broker lives as long as the
process.

It can be used from many threads.  A consumer that waits is woken by the
publisher; nothing is polled.  Messages are kept as they are, without encoding.

Messages in flight are leased to connections.  In one process nobody need renew
a lease: a connection lives as long as one of the threads that consume by it.
When the last one has died without closing it, what it had goes to others after
the lease, and at once if the connection itself is gone.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, finalize

from kombu.transport import virtual
from kombu.transport._capabilities import EMULATED, Support, leased_abilities
from kombu.transport.virtual.claims import (
    Claim,
    deliver_at,
    delivery_count,
    expires_at,
    redelivered,
)
from kombu.transport.virtual.leasing import CLIENT
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.ranks import AMQP
from kombu.transport.virtual.state import BrokerState
from kombu.utils.compat import register_after_fork

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = ("Channel", "MemoryBroker", "Transport")

#: Hosts that mean the broker without a name.
_DEFAULT_HOSTS = frozenset({None, "", "localhost"})


class RankedEnvelopes:
    """A queue with ranks, in the place of a deque: what ranks higher comes first."""

    __slots__ = ("_by_rank", "_ranks")

    def __init__(self, envelopes: Iterable[Any] = ()) -> None:
        self._by_rank: dict[int, deque[Any]] = {}
        # Highest first; a tuple that is replaced, not changed.
        self._ranks: tuple[int, ...] = ()
        for envelope in envelopes:
            self.append(envelope)

    def _of(self, rank: int) -> deque[Any]:
        found = self._by_rank.get(rank)
        if found is None:
            found = self._by_rank.setdefault(rank, deque())
            self._ranks = tuple(sorted(self._by_rank, reverse=True))
        return found

    def append(self, envelope: Any, rank: int = 0) -> None:
        """Add *envelope* behind those of its rank."""
        self._of(rank).append(envelope)

    def appendleft(self, envelope: Any, rank: int = 0) -> None:
        """Add *envelope* before those of its rank."""
        self._of(rank).appendleft(envelope)

    def popleft(self) -> Any:
        """Take the first one.

        Raises:
            IndexError: There is none.
        """
        for rank in self._ranks:
            with suppress(IndexError):
                return self._by_rank[rank].popleft()
        raise IndexError("there is no envelope")

    def __len__(self) -> int:
        return sum(map(len, tuple(self._by_rank.values())))

    def __iter__(self) -> Iterator[Any]:
        return (one for rank in self._ranks for one in tuple(self._by_rank[rank]))

    def __getitem__(self, place: int) -> Any:
        return list(self)[place]


class MemoryQueue:
    """The envelopes of one queue, and who waits for them.

    Attributes:
        envelopes: Those that are ready.
        resting: Those that are not due yet: a heap of moment, number, envelope.
        waiters: Transports to wake.
    """

    __slots__ = ("envelopes", "name", "resting", "waiters")

    def __init__(self, name: str) -> None:
        self.name = name
        self.envelopes: Any = deque()
        self.resting: list[tuple[float, int, Any]] = []
        # A tuple that is replaced, not changed: publishers read it unlocked.
        self.waiters: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}, {len(self.envelopes)} messages>"

    def rank(self) -> None:
        """Tell messages apart by rank from now on."""
        if isinstance(self.envelopes, deque):
            self.envelopes = RankedEnvelopes(self.envelopes)

    def wake(self) -> None:
        """Tell those who wait that there may be an envelope."""
        for waiter in self.waiters:
            waiter.wake()

    def was_deleted(self) -> None:
        """Tell those who wait that there will be none."""
        for waiter in self.waiters:
            waiter._queue_was_deleted(self.name)


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


class _DefaultBroker:
    """Class attribute that reads the broker without a name, or the instance's."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        broker = brokers.get() if instance is None else instance.broker
        return getattr(broker, self._name)


class Channel(virtual.LeasedChannel):
    """A channel to a broker in this process."""

    supports_fanout = True
    do_restore = True

    #: Messages are kept as they are.
    body_encoding = None

    #: There is no way to the store that a batch could save.
    claim_limit = 1

    #: The broker's queues by name.
    queues: Any = _DefaultBroker("queues")

    #: Callbacks by event.
    events: Any = defaultdict(set)

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        self.broker: MemoryBroker = connection.broker
        self._in_flight = self.broker.in_flight[connection.owner]
        if type(self)._get is not virtual.LeasedChannel._get:
            # A subclass wants to see each message that is taken.
            self.holding = CLIENT
        super().__init__(connection, **kwargs)
        # A subclass may want to see each message, and its options.
        self._puts_without_options = (
            type(self)._put is Channel._put and self.priority_mode == AMQP
        )

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        found = self.broker.queue(queue)
        arguments = kwargs.get("arguments") or {}
        if arguments.get("x-max-priority") or self.priority_mode != AMQP:
            found.rank()

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return queue in self.broker.queues

    # -- putting -----------------------------------------------------------------

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        broker = self.broker
        found = broker.queue(queue)
        moment = deliver_at(message)
        if moment is not None and moment > self._store_time():
            broker.rest(found, message, moment)
            broker.wake_all()
            return
        self._append(found, message)
        if expires_at(message) is not None:
            broker.wake_all()
        elif found.waiters:
            found.wake()

    def _append(self, queue: MemoryQueue, message: Any) -> None:
        if isinstance(queue.envelopes, deque):
            queue.envelopes.append(message)
        else:
            queue.envelopes.append(message, self._rank(queue.name, message))

    def _put_back(self, queue: str, message: Any) -> None:
        found = self.broker.queues.get(queue)
        # A queue that was deleted takes what came from it along.
        if found is None:
            return
        if isinstance(found.envelopes, deque):
            found.envelopes.appendleft(message)
        else:
            found.envelopes.appendleft(message, self._rank(queue, message))
        found.wake()

    def _put_into(self, queues: Iterable[str], message: Any) -> None:
        # As _put for each, without the calls.
        known = self.broker.queues
        for name in queues:
            queue = known.get(name) or self.broker.queue(name)
            queue.envelopes.append(message)
            if queue.waiters:
                queue.wake()

    # -- claiming ----------------------------------------------------------------

    def _claim(self, queues: Sequence[str], limit: int) -> list[Claim]:
        if len(queues) == 1:
            return self._claim_from(queues[0], limit)
        claims: list[Claim] = []
        # First each gets its share, then who has more.
        for share in (max(limit // len(queues), 1), limit):
            for queue in queues:
                left = min(share, limit - len(claims))
                if left:
                    claims += self._claim_from(queue, left)
        return claims

    def _claim_from(self, queue: str, limit: int) -> list[Claim]:
        claims: list[Claim] = []
        while len(claims) < limit:
            claim = self._claim_next(queue)
            if claim is None:
                break
            claims.append(claim)
        return claims

    def _claim_next(self, queue: str) -> Claim | None:
        found = self.broker.queues.get(queue)
        if found is None:
            return None
        if found.resting:
            for envelope in self.broker.take_due(found, self._store_time()):
                self._append(found, envelope)
        try:
            envelope = found.envelopes.popleft()
        except IndexError:
            return None
        claim = Claim(queue, envelope)
        if type(envelope) is dict and "redelivered" in envelope:
            claim.deliveries = delivery_count(envelope)
        self._in_flight[claim] = None
        return claim

    def _claim_expired(self, queue: str, limit: int) -> list[Claim]:
        claims: list[Claim] = []
        now = self._store_time()
        with self.broker.lock:
            while len(claims) < limit and self._is_head_expired(queue, now):
                claims += self._claim_from(queue, 1)
        return claims

    def _head_expires_at(self, queue: str) -> float | None:
        found = self.broker.queues.get(queue)
        if found is None or not found.envelopes:
            return None
        try:
            return expires_at(found.envelopes[0])
        except IndexError:  # another thread was faster
            return None

    def _is_head_expired(self, queue: str, now: float) -> bool:
        moment = self._head_expires_at(queue)
        return moment is not None and moment <= now

    def _settle(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._in_flight.pop(claim, None)

    def _release(self, claims: Sequence[Claim]) -> None:
        for claim in reversed(claims):
            if self._is_lost(claim):
                continue
            envelope = claim.envelope
            if claim.was_delivered:
                envelope = redelivered(envelope, claim.deliveries_when_released)
            self._put_back(claim.queue, envelope)

    def _is_lost(self, claim: Claim) -> bool:
        """Take *claim* from what is in flight; return whether it was not there."""
        return self._in_flight.pop(claim, self) is self

    def _move(self, claim: Claim, copies: Sequence[tuple[str, Any]]) -> None:
        if not self._is_lost(claim):
            for queue, envelope in copies:
                self._put(queue, envelope)

    def _reap(self) -> Collection[str]:
        broker = self.broker
        queues = set()
        for owner in broker.records.take_dead_owners():
            claims = broker.in_flight[owner]
            for claim in reversed(tuple(claims)):
                del claims[claim]
                count = claim.deliveries + 1
                self._put_back(claim.queue, redelivered(claim.envelope, count))
                queues.add(claim.queue)
        return queues

    # -- time and limits -----------------------------------------------------------

    def _next_due(self, queues: Iterable[str]) -> float | None:
        now = self._store_time()
        moments = []
        for name in queues:
            found = self.broker.queues.get(name)
            if found is None:
                continue
            if found.resting and found.resting[0][0] > now:
                moments.append(found.resting[0][0])
            expiry = self._head_expires_at(name)
            if expiry is not None:
                moments.append(expiry)
        return min(moments, default=None)

    def _cancel_delayed(self, queue: str, message_id: str) -> bool:
        found = self.broker.queues.get(queue)
        return found is not None and self.broker.drop_resting(found, message_id)

    def _size_bytes(self, queue: str) -> int:
        found = self.broker.queues.get(queue)
        return sum(map(_length, found.envelopes)) if found is not None else 0

    def _guard(self, queue: str) -> AbstractContextManager[Any]:
        return self.broker.lock

    # -- what there is ---------------------------------------------------------------

    def _size(self, queue: str) -> int:
        found = self.broker.queues.get(queue)
        if found is None:
            return 0
        if found.resting:
            for envelope in self.broker.take_due(found, self._store_time()):
                self._append(found, envelope)
        return len(found.envelopes)

    def _purge(self, queue: str) -> int:
        found = self.broker.queues.get(queue)
        if found is None:
            return 0
        with self.broker.lock:
            purged = len(found.resting)
            found.resting.clear()
        while found.envelopes:
            try:
                found.envelopes.popleft()
            except IndexError:  # another thread was faster
                break
            purged += 1
        return purged

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self.broker.queues.pop(queue, None)
        # What is in hand goes along: a successor must not get it.
        for claims in tuple(self.broker.in_flight.values()):
            for claim in [claim for claim in tuple(claims) if claim.queue == queue]:
                claims.pop(claim, None)

    def after_reply_message_received(self, queue: str) -> None:
        """Leave the reply queue *queue* to be used again."""

    def _delete_queue(self, queue: str, **kwargs: Any) -> None:
        found = self.broker.queues.get(queue)
        super()._delete_queue(queue, **kwargs)
        if found is not None:
            found.was_deleted()


def _length(envelope: Any) -> int:
    try:
        return len(envelope["body"])
    except (TypeError, LookupError):
        return 0


class Transport(virtual.Transport):
    """The in-memory transport."""

    Channel = Channel

    #: What the broker without a name knows of exchanges and queues.
    global_state: Any = _DefaultBroker("state")

    polling_interval = None
    is_woken_by_store = True
    driver_type = "memory"
    driver_name = "memory"
    knows_all_consumers = True
    knows_all_options = True

    implements = virtual.Transport.implements.extend(
        asynchronous=True,
        abilities={
            **leased_abilities,
            "lease": Support(
                EMULATED, "a thread that died; the store is the process's"
            ),
            "shared_topology": Support(EMULATED, "within the process"),
        },
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        host = client.hostname
        self.broker = brokers.get("" if host in _DEFAULT_HOSTS else host)
        super().__init__(client, **kwargs)
        self.state = self.broker.state
        self.broker.transports.add(self)
        finalize(self, self.broker.forget, self.owner)
        if self.Channel._put is not Channel._put and self.polling_interval is None:
            # Where a subclass puts messages, nobody may wake us.
            self.polling_interval = virtual.Transport.polling_interval

    def _make_records(self) -> LocalRecords:
        return self.broker.records

    def _others_may_be_served(self) -> None:
        self.broker.wake_all()

    def _retire(self) -> None:
        super()._retire()
        self.broker.in_flight.pop(self.owner, None)

    def driver_version(self) -> str:
        """Return the version: there is no driver, and so none."""
        return "N/A"

    def _add_consumer(self, queue: str, channel: Any) -> None:
        with self.broker.lock:
            found = self.broker.queue(queue)
            if self not in found.waiters:
                found.waiters = (*found.waiters, self)
            super()._add_consumer(queue, channel)

    def _remove_consumer(self, queue: str, channel: Any) -> None:
        # Under one lock with the former, or one that comes meanwhile is lost.
        with self.broker.lock:
            super()._remove_consumer(queue, channel)
            found = self.broker.queues.get(queue)
            if found is not None and queue not in self._callbacks:
                found.waiters = tuple(w for w in found.waiters if w is not self)
