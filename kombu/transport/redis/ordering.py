"""The part of the transport that knows what a wait for messages is to bring, and to whom."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport import virtual
from kombu.utils import waiting

if TYPE_CHECKING:
    from kombu.transport.redis.broker import RedisBroker
    from kombu.transport.redis.order import Order
    from kombu.transport.virtual.claims import Claim

__all__ = ("OrderingTransport",)


class OrderingTransport(virtual.Transport):
    """The part of the transport that claims while it waits."""

    _broker: RedisBroker | None = None

    #: The channel that all messages are for; None if there are several, or none.
    _consuming_alone: Any = None

    #: How often consumers have come or gone.
    _turnout = 0

    def _add_consumer(self, queue: str, channel: Any) -> None:
        super()._add_consumer(queue, channel)
        self._find_who_consumes()

    def _remove_consumer(self, queue: str, channel: Any) -> None:
        super()._remove_consumer(queue, channel)
        self._find_who_consumes()

    def _find_who_consumes(self) -> None:
        with self._lock:
            callbacks = self._callbacks.values()
            consuming = {channel for each in callbacks for channel in each.channels}
            is_one = len(consuming) == 1
            self._consuming_alone = consuming.pop() if is_one else None
            self._turnout += 1

    def _order(self, channel: Any) -> Order | None:
        """Return what *channel* claims as soon as there is a message.

        None if that can not be said before.
        """
        version = channel._known_version()
        if version is None or channel._selective or not channel._is_flowing:
            return None
        room = channel._qos.room()
        queues = channel._claimable(tuple(channel._active_queues), room)
        if not queues:
            return None
        limit = channel._batch if room is None else room or channel.claim_limit
        if len(queues) > 1:
            queues = channel._in_turn(queues)
        claims = self.broker.claims
        return claims.order(tuple(queues), limit, version.ours, has_rung=True)

    def _receive(self, channel: Any, claims: list[Claim]) -> None:
        """Have *channel* deliver *claims* next, if it still consumes."""
        channel._served_last = claims[-1].queue
        channel._qos.filled_at = waiting.monotonic()
        channel._claimed.extend(claims)
        if channel.closed:
            for claim in claims:
                with suppress(ValueError):  # it has given it back
                    channel._claimed.remove(claim)
            # If it has given them back already, they are left alone.
            self.broker.claims.release(claims, self.level_of)
        elif not channel._is_flowing:
            channel._qos.give_back_claimed()
        else:
            for queue in {claim.queue for claim in claims}:
                if queue not in channel._by_queue:
                    channel._qos.give_back_claimed(queue)

    # -- supplied by the transport ---------------------------------------------------

    @property
    def broker(self) -> RedisBroker:
        """The server, opened when it is first asked for."""
        raise NotImplementedError

    def level_of(self, queue: str, envelope: Any) -> int:
        """Return the level of *envelope* in *queue*."""
        raise NotImplementedError
