"""Prefetch, and the messages in hand that the store knows to be in flight.

Two strategies beside that of :mod:`~kombu.transport.virtual.qos`, which holds
unsettled messages in the process.  Here every message has a
:class:`~kombu.transport.virtual.claims.Claim`, and settling one is something
that the store does.  What is not settled comes back by itself.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport.virtual.death import REJECTED
from kombu.transport.virtual.qos import QoS, restore_at_exit
from kombu.utils import waiting

if TYPE_CHECKING:
    from kombu.transport.virtual.claims import Claim

__all__ = ("BrokerHeldQoS", "LeasedQoS")


class LeasedQoS(QoS):
    """Claims that are leased in a store: it, or a peer, takes back what is lost.

    Arguments:
        channel: The channel.
        prefetch_count: Most messages in hand at a time; 0 for no limit.

    Attributes:
        claimed: Claims that have not reached a consumer yet.
    """

    #: Whether peers put back what a dead owner had (:meth:`~.LeaseHooks._reap`).
    is_reaped_by_peers = True

    def __init__(self, channel: Any, prefetch_count: int = 0) -> None:
        super().__init__(channel, prefetch_count)
        self.claimed: deque[Claim] = deque()
        # Acknowledged, but the store does not know it yet.
        self._settled: deque[Claim] = deque()
        #: When messages were claimed last.
        self.filled_at = 0.0

    def begin(self) -> None:
        """Have what is in hand put back when the interpreter exits."""
        if not self._restores_at_exit and self.channel.do_restore:
            self._restores_at_exit = True
            restore_at_exit(self)

    def room(self) -> int | None:
        """Return how many more may be claimed; None if that is not limited."""
        if not self.prefetch_count:
            return None
        return 0 if self.put_off() else self._free()

    def _free(self) -> int:
        return max(self.prefetch_count - len(self._delivered) - len(self.claimed), 0)

    def put_off(self) -> float:
        """Return the seconds for which claiming more is put off; 0 if it is not."""
        pause: float = self.channel.refill_pause
        if not pause or not 0 < 2 * self._free() < self.prefetch_count:
            return 0.0
        return max(self.filled_at + pause - waiting.monotonic(), 0.0)

    def can_consume(self) -> bool:
        """Return whether another message may be delivered."""
        limit = self.prefetch_count
        return not limit or len(self._delivered) < limit

    def in_hand(self) -> list[Claim]:
        """Return the claims that are not settled, in the order they came."""
        messages = tuple(self._delivered.values())
        # What others have put here, as messages of their own, has no claim.
        claims = (getattr(message, "claim", None) for message in messages)
        return [*(claim for claim in claims if claim is not None), *self.claimed]

    # -- settling ----------------------------------------------------------------

    def settle(self, claim: Claim) -> None:
        """Note that *claim* is done with; tell the store, or do so soon."""
        channel = self.channel
        if channel.settle_limit <= 1:
            channel._settle((claim,))
            return
        self._settled.append(claim)
        if len(self._settled) >= channel.settle_limit or not self.claimed:
            self.flush()
        else:
            channel.connection._flush_soon()

    def flush(self) -> None:
        """Tell the store what is done with; may be called from any thread."""
        settled = self._settled
        batch = []
        with suppress(IndexError):
            while settled:  # others may add to it, or flush it too
                batch.append(settled.popleft())
        if not batch:
            return
        try:
            self.channel._settle(batch)
        except BaseException:
            settled.extendleft(reversed(batch))  # not done with yet
            raise

    def ack(self, delivery_tag: Any) -> None:
        """Have the message *delivery_tag* removed from the store."""
        message = self._delivered.pop(delivery_tag, None)
        if message is None:
            return
        try:
            if self.channel.settle_limit <= 1:
                self.channel._settle((message.claim,))
            else:
                self.settle(message.claim)
        except BaseException:
            self._delivered[delivery_tag] = message  # still in hand
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Put the message back, or have it dead-lettered or discarded."""
        message = self._delivered.get(delivery_tag)
        if message is None:
            return
        if requeue:
            self.channel._give_back([message.claim])
        else:
            self.channel._bury(message.claim, REJECTED)
        self._delivered.pop(delivery_tag, None)

    # -- giving back -------------------------------------------------------------

    def give_back_claimed(self, queue: str | None = None) -> None:
        """Put back what has not reached a consumer, of all queues or of one."""
        taken = []
        for claim in tuple(self.claimed):
            # Taken out first: another thread may be about to deliver it.
            if queue in (None, claim.queue):
                with suppress(ValueError):
                    self.claimed.remove(claim)
                    taken.append(claim)
        if not taken:
            return
        try:
            self.channel._release(taken)
        except BaseException:
            self.claimed.extendleft(reversed(taken))  # still in hand
            raise

    def restore_unacked(self) -> None:
        """Put back all that is in hand, in the order it was in."""
        self.flush()
        claims = self.in_hand()
        if claims:
            self.channel._give_back(claims)
        self._delivered.clear()
        self.claimed.clear()

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Put back what is in hand, when the channel closes or at exit."""
        if self._pid != os.getpid():
            return  # a forked child has a copy of what its parent holds
        self.flush()
        self.channel._send_settled()
        if self.channel.do_restore and self.restore_at_shutdown:
            self.restore_unacked()

    def lose(self) -> None:
        """Forget what has not reached a consumer: others have it by now."""
        self.claimed.clear()


class BrokerHeldQoS(LeasedQoS):
    """Claims under a lock of the broker's own, which ends by itself."""

    is_reaped_by_peers = False
