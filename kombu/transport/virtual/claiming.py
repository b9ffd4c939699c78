"""Consuming from a store that leases its messages: claim, deliver, give back.

Messages are claimed in batches, never more than the prefetch limit allows.
Without a limit a batch begins with one message and grows while what was
claimed before is used up quickly, so that a slow consumer does not sit on what
others could do.
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

from kombu.transport.virtual.claims import EXPIRES_AT
from kombu.transport.virtual.consuming import ConsumingChannel
from kombu.transport.virtual.death import DELIVERY_LIMIT
from kombu.transport.virtual.storage import Empty, EmptyInCallback
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from kombu.transport.virtual.attending import ConsumerRecord
    from kombu.transport.virtual.claims import Claim

__all__ = ("ClaimingChannel",)

#: Seconds within which a batch is used up by a consumer that is fast.
_FAST = 0.02


class ClaimingChannel(ConsumingChannel):
    """The part of a virtual channel that consumes by claims."""

    #: Whether the store, or the broker, holds what is not settled.
    _leases = False

    refill_pause: float

    #: Whether a message is claimed at a time, with nothing else to be done.
    _claims_singly = False

    #: What was claimed, and has not reached a consumer yet.
    _claimed: deque[Claim]

    #: The threads that consume by this connection, by their ids.
    _threads: dict[int, Any]

    def __init__(self) -> None:
        super().__init__()
        self._batch = 1
        self._fetched_at = 0.0
        self._served_last = ""

    # -- delivery ----------------------------------------------------------------

    def drain_events(self, timeout: float | None = None, callback: Any = None) -> Any:
        """Deliver one message, of any queue that is consumed from.

        Arguments:
            timeout: Seconds that a wait in the store may take.
            callback: Called with the envelope and its queue, instead of the
                consumer's callback with the message.

        Raises:
            queue.Empty: There is none that may be delivered.
        """
        if not self._leases:
            return super().drain_events(timeout, callback)
        if self._lost_consumers:
            self._tell_lost_consumers()
        if not self._consumers or not self._is_flowing:
            raise Empty()
        claimed = self._claimed
        claim: Claim | None
        while True:
            if claimed:
                claim = self._next_claimed()
            elif (
                self._claims_singly
                and len(self._active_queues) == 1
                and not (self._qos.prefetch_count or self._selective)
                and get_ident() in self._threads
            ):
                # As _fetch(), where there is nothing to choose.
                claim = self._claim_next(self._active_queues[0])
                if claim is None:
                    raise Empty()
            else:
                claim = self._fetch()
            if callback is not None:
                self._settle((claim,))
                return callback(claim.envelope, claim.queue)
            if self._deliver_claim(claim):
                return None

    def _next_claimed(self) -> Claim:
        try:
            return self._claimed.popleft()
        except IndexError:  # another thread was faster
            raise Empty() from None

    def _fetch(self) -> Claim:
        """Claim what may be delivered; return the first, and keep the rest.

        Raises:
            queue.Empty: There is nothing, or nothing may be.
        """
        if get_ident() not in self._threads:
            self._hold_lease()
        qos = self._qos
        if qos._settled:
            qos.flush()
        if self._shares_topology:
            self._refresh_lightly()
        queues, limit = self._plan(self._active_queues, self.claim_limit)
        claims = self._claim(queues, limit) if queues else ()
        if not claims:
            raise Empty()
        if self.refill_pause:
            qos.filled_at = waiting.monotonic()
        if len(claims) > 1:
            self._claimed.extend(claims[1:])
        self._served_last = claims[-1].queue
        return claims[0]

    def _plan(self, queues: Sequence[str], limit: int) -> tuple[Sequence[str], int]:
        """Return which of *queues* to claim from, and how many messages at most."""
        room = self._qos.room()
        if room is None:
            limit = self._next_batch() if limit > 1 else 1
        elif room:
            limit = room
        queues = self._claimable(queues, room)
        if len(queues) > 1:
            queues = self._in_turn(queues)
        return queues, limit

    def _claimable(self, queues: Sequence[str], room: int | None) -> Sequence[str]:
        """Return those of *queues* of which we may have messages, with *room* left."""
        if room == 0:
            queues = [queue for queue in queues if self._is_unlimited(queue)]
        if self._selective:
            queues = [queue for queue in queues if self._is_served(queue)]
        return queues

    def _next_batch(self) -> int:
        now = waiting.monotonic()
        is_fast = now - self._fetched_at < _FAST
        self._fetched_at = now
        self._batch = min(self._batch * 2, self.claim_limit) if is_fast else 1
        return self._batch

    def _is_unlimited(self, queue: str) -> bool:
        return any(record.no_ack for record in self._by_queue.get(queue, ()))

    def _in_turn(self, queues: Sequence[str]) -> list[str]:
        """Return *queues*, beginning after the one that was served last."""
        start = 0
        if self._served_last in queues:
            start = queues.index(self._served_last) + 1
        return [*queues[start:], *queues[:start]]

    def _deliver_claim(self, claim: Claim) -> bool:
        """Hand *claim* to the consumer whose turn it is; return whether it got it."""
        records = self._by_queue.get(claim.queue)
        consumer: ConsumerRecord | None
        if records is not None and len(records) == 1:
            consumer = records[0]
        else:
            consumer = self._next_consumer(claim.queue)
        try:
            if consumer is None:
                # Cancelled while the message was on its way.
                self._release((claim,))
                return False
            message = self.Message(claim.envelope, self)
            message.source_queue = claim.queue
            message.claim = claim
            may_be_dead = claim.deliveries or EXPIRES_AT in message.properties
            if may_be_dead and self._was_dead(message, claim):
                return False
            if consumer.no_ack:
                self._qos.settle(claim)
            else:
                delivered = self._qos._delivered
                tag = message.delivery_tag
                if type(tag) is str and tag not in delivered:
                    delivered[tag] = message
                else:
                    self._hold(message)
        except BaseException:
            # It is still in hand, and must not be forgotten.
            self._claimed.appendleft(claim)
            raise
        claim.was_delivered = True
        if self._selective and not self._qos.can_consume():
            self._tell_room(False)
        try:
            consumer.callback(message)
        except Empty as exc:
            raise EmptyInCallback(exc) from exc
        return True

    def _was_dead(self, message: Any, claim: Claim) -> bool:
        """Return whether *claim* must not be delivered, and so was buried."""
        reason = self._is_dead(claim)
        if reason is not None:
            self._bury(claim, reason)
            return True
        if claim.deliveries:
            message.delivery_info["redelivered"] = True
            message.headers["x-delivery-count"] = claim.deliveries
        return False

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """Take the next message of *queue*, without waiting.

        Returns:
            The message, or :const:`None` if there is none.

        Raises:
            ResourceLocked: The queue is exclusive to another connection.
        """
        if not self._leases:
            return super().basic_get(queue, no_ack, **kwargs)
        self._refresh()
        self._check_exclusive(queue, "Channel.basic_get")
        self._queue_was_used(queue)
        if get_ident() not in self._threads:
            self._hold_lease()
        self._qos.flush()
        while (claim := self._claim_next(queue)) is not None:
            message = self.Message(claim.envelope, self)
            message.source_queue = queue
            message.claim = claim
            try:
                if self._was_dead(message, claim):
                    continue
                if no_ack:
                    self._settle((claim,))
                else:
                    self._hold(message)
            except BaseException:
                self._claimed.append(claim)  # still in hand
                raise
            claim.was_delivered = True
            return message
        # Nobody may wait, and see to what happens as time goes by.
        self.connection._idle()
        return None

    def _hold_lease(self) -> None:
        super()._hold_lease()
        if self._leases:
            self._qos.begin()

    # -- giving back ---------------------------------------------------------------

    def _give_back(self, claims: Sequence[Claim]) -> None:
        """Put back *claims*, but for those that were delivered too often."""
        kept = []
        for claim in claims:
            count = claim.deliveries_when_released
            if claim.was_delivered and self._is_over_limit(claim.queue, count):
                self._bury(claim, DELIVERY_LIMIT)
            else:
                kept.append(claim)
        if kept:
            self._release(kept)

    def flow(self, active: bool = True) -> bool:
        """Suspend, or resume, delivery to the consumers of this channel.

        Arguments:
            active: False to suspend.
        """
        is_active = super().flow(active)
        # Afterwards: another thread may be about to receive some.
        if self._leases and not active:
            self._qos.give_back_claimed()
        return is_active

    def basic_cancel(self, consumer_tag: str) -> None:
        """Stop the consumer *consumer_tag*, if there is one."""
        record = self._records.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if self._leases and record is not None and record.queue not in self._by_queue:
            self._qos.give_back_claimed(record.queue)

    def _may_deliver_again(self) -> None:
        if self._selective and self._leases and self._qos.can_consume():
            self._tell_room(True)
        super()._may_deliver_again()

    def _is_over_limit(self, queue: str, deliveries: int) -> bool:
        raise NotImplementedError

    def _is_dead(self, claim: Claim) -> str | None:
        raise NotImplementedError
