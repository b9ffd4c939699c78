"""Waiting for messages in a cluster, where nobody can wait for lists of several nodes.

The bell of a queue is a channel: whoever puts a message publishes on it, and all who
wait for the queue are woken, and look.  What is published while nobody listens is
found by the look that each wait ends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.transport.redis.fanout import Fanout
    from kombu.transport.redis.keys import Keys

__all__ = ("ChannelBell",)


class ChannelBell:
    """Waits at the bells of a cluster's queues.

    Arguments:
        fanout: Who listens to channels.
        keys: The keys.
    """

    def __init__(self, fanout: Fanout, keys: Keys) -> None:
        self._fanout = fanout
        self._keys = keys
        #: Never: there are no peers that ring no bells.
        self.was_silent = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: by {self._fanout!r}>"

    def arm(self, queues: tuple[str, ...]) -> None:
        """Have the transport woken when there may be messages in *queues*."""
        self._fanout.listen_to_bells({self._keys.queue(one).bell for one in queues})

    def watches(self, queues: Sequence[str]) -> bool:
        """Return False: what is published while nobody listens is not kept."""
        return False

    def hurry(self) -> None:
        """Do nothing: see :attr:`was_silent`."""

    def stop(self) -> None:
        """Do nothing: the connection is that of fanout exchanges."""
