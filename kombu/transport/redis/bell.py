"""Waiting for messages without taking any: the bells.

Each queue has a bell, a list that holds at most one element.  Whoever puts a message
rings it, in the same script; whoever waits does so by ``BLPOP`` of the bells of its
queues, which gives the element to one of them.  That one claims, by a script that
rings again if messages are left, so that the next one is woken.  A bell carries no
message: if the one who was woken dies, the message is still where it was.

Why nobody sleeps for ever:

* a message that was put before the wait began has left its bell rung;
* a bell that rings for nothing costs one look;
* what was put without ringing (by kombu 5.7), or whose waker has died, is found by
  the look that each wait ends with, after :data:`LONGEST_WAIT` seconds.  Where that
  has found something there are old peers: for a while the wait is
  :data:`SHORTEST_WAIT`;
* the server answers by then; if it does not, the connection is dead.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.bell_wait import BellWait
from kombu.transport.redis.errors import refused
from kombu.transport.redis.options import LONGEST_WAIT
from kombu.transport.virtual.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.transport.redis.claims import Claims
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("Bell",)


class Bell(Watcher):
    """Waits at the bells of the queues that a transport consumes from.

    Arguments:
        transport: The transport.
        server: The server.
        keys: Its keys.
        owner: Id of the connection.
        claims: The claims of the connection.
    """

    def __init__(
        self, transport: Any, server: Server, keys: Keys, owner: str, claims: Claims
    ) -> None:
        super().__init__(transport, "kombu-redis-bell")
        self._claims = claims
        self._quota = server.quota
        self._wait = BellWait(server, keys, owner)
        self._link = server.make_link()
        self._lock = threading.Lock()
        # The queues to wait for next, and those waited for at the moment.
        self._wanted: tuple[str, ...] | None = None
        self._waits_for: tuple[str, ...] | None = None
        # Queues that were not looked into since the last wait for them has ended.
        self._unseen: set[str] = set()
        #: Whether the last wait has ended without a bell.
        self.was_silent = False
        self.start()

    def arm(self, queues: tuple[str, ...]) -> None:
        """Have the transport woken once when there may be messages in *queues*."""
        with self._lock:
            if self._waits_for == queues or self._wanted == queues:
                return
            self._wanted = queues
            is_waiting = self._waits_for is not None
        if is_waiting:
            self._wait.call_off()
        else:
            self._waiter.wake()

    def watches(self, queues: Sequence[str]) -> bool:
        """Return whether it would be known if there were messages in *queues*.

        It would if they are waited for, and were looked into since the last wait has
        ended: what has come after that has rung.  If not, they have to be looked into
        now.
        """
        with self._lock:
            if not self._unseen.isdisjoint(queues):
                # The one who asks is about to look.
                self._unseen.difference_update(queues)
                return False
            watched = self._waits_for or self._wanted
        return watched is not None and set(queues).issubset(watched)

    def hurry(self) -> None:
        """Look more often: there are peers that ring no bells."""
        self._wait.hurry()

    def _interrupt(self) -> None:
        super()._interrupt()
        self._link.close()

    def _lost_sight(self) -> None:
        with self._lock:
            self._unseen.update(self._waits_for or ())
            self._waits_for = None
        self._link.close()
        # The transport is to notice that the server is away.
        self._wake()

    def _watch(self) -> None:
        while self._is_wanted():
            with self._lock:
                queues, self._wanted = self._wanted, None
                self._waits_for = queues
            if queues is None:
                self._waiter.wait(LONGEST_WAIT)
                continue
            key = self._wait_for(queues)
            was_called_off = key is not None and self._wait.was_called_off(key)
            if not was_called_off:
                self._claims.have_rung(queues)
            with self._lock:
                self._waits_for = None
                self._unseen.update(queues)
            if not was_called_off:
                self.was_silent = key is None
                self._wake()

    def _wait_for(self, queues: tuple[str, ...]) -> bytes | None:
        """Wait at the bells of *queues*; return the key of the one that has rung."""
        (reply,) = self._link.exchange(
            self._wait.command(queues, self._wait.seconds), 1
        )
        if isinstance(reply, Exception):
            raise refused(reply, "the server", "BLPOP")
        return None if reply is None else bytes(reply[0])

    def stop(self) -> None:
        """End the thread, and the connection."""
        super().stop()
        self._link.close()
        self._quota.give()
