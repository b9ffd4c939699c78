"""Waiting as before: what need not be found out anew before each wait for a message."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.utils import waiting

if TYPE_CHECKING:
    from kombu.transport.redis.broker import RedisBroker
    from kombu.transport.redis.lookout import Lookout

__all__ = ("Routine",)


class Routine(NamedTuple):
    """That one channel waits for some queues, and there is nothing else to do.

    Attributes:
        until: The moment until which this need not be found out again.
        turnout: Number of changes of consumers that it takes into account.
        broker: The server.
        lookout: Who waits.
        channel: Who consumes, alone.
        queues: What it waits for.
        version: Version of the topology.
    """

    until: float
    turnout: int
    broker: RedisBroker
    lookout: Lookout
    channel: Any
    queues: tuple[str, ...]
    version: Any

    def holds(self, transport: Any) -> bool:
        """Return whether *transport* may wait as before, without looking first."""
        channel, broker, version = self.channel, self.broker, self.version
        claims = broker.claims
        return not (
            waiting.monotonic() >= self.until
            or transport._turnout != self.turnout
            or transport._broker is not broker
            or broker.lookout() is not self.lookout
            or channel._known_version() is not version
            or claims.seen_version != version.ours
            or claims.are_some_resting
            or channel._claimed
            or channel._lost_consumers
            or get_ident() not in transport._threads
            or broker.fanout.has_arrivals()
            or not self.lookout.watches(self.queues)
        )
