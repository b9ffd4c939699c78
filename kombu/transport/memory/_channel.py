"""The channel of the memory transport: the store's hooks over queues in memory."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from kombu.transport import virtual
from kombu.transport.memory._broker import DefaultBroker, MemoryBroker
from kombu.transport.virtual.claims import (
    Claim,
    deliver_at,
    delivery_count,
    expires_at,
    redelivered,
)
from kombu.transport.virtual.leasing import CLIENT
from kombu.transport.virtual.ranks import AMQP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from kombu.transport.memory._queues import MemoryQueue

__all__ = ("Channel",)


class Channel(virtual.LeasedChannel):
    """A channel to a broker in this process."""

    __module__ = "kombu.transport.memory"

    supports_fanout = True
    do_restore = True

    #: Messages are kept as they are.
    body_encoding = None

    #: There is no way to the store that a batch could save.
    claim_limit = 1

    #: The broker's queues by name.
    queues: Any = DefaultBroker("queues")

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
