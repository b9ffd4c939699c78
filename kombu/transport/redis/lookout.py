"""Waiting at the bells in the thread that drains, and claiming in the same breath.

Behind the ``BLPOP`` of the bells (see :mod:`.bell`) a claim is sent on the same
connection.  The server carries it out as soon as the wait has ended, for whatever reason,
and both replies come at once: a message is with its consumer after one round trip, and no
thread has to be woken.

No claim is under way but while somebody waits: at the end of the time the wait is called
off, by pushing to the key that it waits for besides the bells, and what it has brought is
handed over.  To a wait that is too short for that no claim is added; it goes on from call
to call, and if a bell has rung, whoever drains next looks.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from kombu.log import get_logger
from kombu.transport.redis.bell_wait import BellWait
from kombu.transport.redis.errors import ServerLost, ServerRefused, refused
from kombu.transport.redis.options import LONGEST_WAIT
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport.redis.claims import Claims
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.link import Lot
    from kombu.transport.redis.order import Order
    from kombu.transport.redis.server import Server
    from kombu.transport.virtual.claims import Claim

__all__ = ("Lookout",)

logger = get_logger(__name__)

#: Seconds of a wait that is too short to be called off at its end.
_SHORT = 0.5

#: Seconds by which the server may end a wait too late.
_GRACE = 0.15

#: Seconds beyond a wait after which the server counts as lost.
_PATIENCE = 5.0

#: Seconds without a wait after the connection was lost.
_PAUSE = 1.0


def _receive_nothing(claims: list[Claim]) -> None:
    """Receive what a wait without a claim has brought."""


class Lookout:
    """Waits at the bells of the queues that a transport consumes from.

    Arguments:
        server: The server.
        keys: Its keys.
        owner: Id of the connection.
        claims: The claims of the connection.
    """

    def __init__(self, server: Server, keys: Keys, owner: str, claims: Claims) -> None:
        self._server = server
        self._wait = BellWait(server, keys, owner)
        self._claims = claims
        self._link = server.make_link()
        # Who waits, or reads what was waited for, holds it.
        self._lock = threading.Lock()
        self._waiting_thread: int | None = None
        # What was asked for and is not answered: the queues, the claim, and until when.
        self._queues: tuple[str, ...] = ()
        self._order: Order | None = None
        self._ends_at = 0.0
        self._is_blind_until = 0.0
        #: Whether the last wait has ended without a bell.
        self.was_silent = False

    def __repr__(self) -> str:
        state = f"waits for {self._queues}" if self._queues else "idle"
        return f"<{type(self).__name__}: {state}>"

    # -- waiting -----------------------------------------------------------------

    def wait(
        self,
        queues: tuple[str, ...],
        order: Order | None,
        receive: Callable[[list[Claim]], None],
        seconds: float | None,
        waiter: waiting.Waiter,
    ) -> bool:
        """Wait until there may be something to do.

        Arguments:
            queues: The queues to wait for.
            order: What to claim when there are messages; None to claim nothing.
            receive: Called with what was claimed.
            seconds: How long to wait at most.
            waiter: Says whether somebody has woken us.

        Returns:
            False, at once, if it can not be waited here: another thread does, or the
            connection was lost just now.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._waiting_thread = threading.get_ident()
            if waiting.monotonic() < self._is_blind_until:
                return False
            if not waiter.was_woken():
                self._wait_for(queues, order, receive, seconds)
        except ServerLost as exc:
            # Who looks now, by another connection, learns whether the server is there.
            logger.info("Lost sight of the server, trying again: %s", exc)
            self._is_blind_until = waiting.monotonic() + _PAUSE
        finally:
            self._waiting_thread = None
            self._lock.release()
        return True

    def _wait_for(
        self,
        queues: tuple[str, ...],
        order: Order | None,
        receive: Callable[[list[Claim]], None],
        seconds: float | None,
    ) -> None:
        # Where nothing comes, it costs less to let the wait go on from call to call.
        shortest = _SHORT if self._claims.has_found else LONGEST_WAIT
        if seconds is not None and seconds < shortest:
            order = None
        try:
            if self._queues and self._queues != queues:
                self._wait.call_off()
                self._read(receive)
                return
            if self._queues and order is not None and self._link.can_read(0):
                self._read(receive)  # it has ended: nothing can go behind it
                return
            self._ask(queues, order, seconds)
            if self._is_answered(seconds):
                self._read(receive)
            elif order is not None:
                self._wait.call_off()
                self._read(receive)
        except BaseException:
            self._forget()
            raise

    def _ask(
        self, queues: tuple[str, ...], order: Order | None, seconds: float | None
    ) -> None:
        data = b""
        is_new = not self._queues
        if is_new:
            longest = self._wait.seconds
            if order is not None and seconds is not None:
                longest = min(seconds, longest)
            data = self._wait.command(queues, longest)
            self._queues = queues
            self._ends_at = waiting.monotonic() + longest
        if order is not None:
            data += order.request.packed(False)
            self._order = order
        lots: Sequence[Lot] = ()
        if is_new and self._link.is_proven:
            lots = self._server.take_posted()
        else:
            # To open a connection takes long; and behind a wait that goes on nothing is
            # carried out.
            self._server.flush()
        if data:
            self._send(data, lots, is_new)

    def _send(self, data: bytes, lots: Sequence[Lot], is_whole: bool) -> None:
        """Send what is asked, and in front of it what was posted."""
        link = self._link
        was_proven = link.is_proven
        try:
            link.send(data, lots)
        except ServerLost:
            # It may have been lost long ago, while nobody used it.
            if not (is_whole and was_proven and link.sent_nothing):
                raise
            link.posted.clear()
            link.send(data, lots)

    def _is_answered(self, seconds: float | None) -> bool:
        """Wait for the answer; return whether it has come."""
        now = waiting.monotonic()
        lost_at = self._ends_at + _PATIENCE
        wait = lost_at - now
        if seconds is not None:
            # It is cheaper to be late than to call it off.
            is_soon = self._order is not None and self._ends_at <= now + seconds
            wait = min(seconds + _GRACE if is_soon else seconds, wait)
        link = self._link
        until = now + wait
        while link.can_read(max(until - waiting.monotonic(), 0.0)):
            if not link.posted:
                return True
            link.read_posted()
        if link.posted:
            link.read_posted()
        if waiting.monotonic() >= lost_at:
            raise ServerLost("the server does not answer")
        return False

    def _read(self, receive: Callable[[list[Claim]], None]) -> None:
        """Read the answer, and hand over what was claimed.

        Raises:
            ServerLost: The connection was lost, or is of no use.
            ServerRefused: It may not be waited.
        """
        queues, order = self._queues, self._order
        bell = self._link.read()
        reply = None if order is None else self._link.read()
        has_looked = order is not None and not isinstance(reply, Exception)
        was_due = self._claims.is_something_due()
        claims = self._claims.claims_of(order, reply) if order and has_looked else []
        if claims:
            receive(claims)
        self._queues, self._order = (), None  # not before they are in hand
        if isinstance(bell, Exception):
            self._claims.have_rung(queues)  # it may be another server now
            raise refused(bell, "the server", "BLPOP")
        if not has_looked and (bell is None or not self._wait.was_called_off(bell[0])):
            self._claims.have_rung(queues)
            self.was_silent = bell is None
        elif bell is None and claims and not was_due:
            self._wait.hurry()

    def _forget(self) -> None:
        """Begin anew, on another connection; what was asked for may have been done."""
        self._claims.have_rung(self._queues)
        if self._order is not None:
            self._claims.note_unsure(self._order)
        self._queues, self._order = (), None
        self._link.close()
        self._server.keep_posted(self._link)

    # -- for those who do not wait here ------------------------------------------

    def arm(self, queues: tuple[str, ...]) -> None:
        """Do nothing: the thread that drains waits, by :meth:`wait`."""

    def watches(self, queues: Sequence[str]) -> bool:
        """Return whether a look into *queues* would find nothing.

        They were left empty, and no bell has rung since that we have heard: what has
        come is told by the next wait.
        """
        if self._queues and self._lock.acquire(blocking=False):
            try:
                if self._queues and self._link.can_read(0):
                    self._read(_receive_nothing)
            except (ServerLost, ServerRefused):
                self._forget()
            finally:
                self._lock.release()
        return not self._wait.is_hurried and self._claims.are_empty(queues)

    def hurry(self) -> None:
        """Look more often: there are peers that ring no bells."""
        self._wait.hurry()

    def wake(self) -> None:
        """End the wait of another thread."""
        if self._waiting_thread is not None:
            # If the server is away, that thread will know.
            with suppress(ServerLost, ServerRefused):
                self._wait.call_off()

    def end(self) -> None:
        """Have nobody wait any more: no claim is under way from now on."""
        self._is_blind_until = float("inf")
        if self._waiting_thread == threading.get_ident():
            # A signal handler, in the middle of it: nobody will read the answer.
            self._forget()
            return
        self.wake()
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                self._forget()  # a bell may have rung for us
            finally:
                self._lock.release()

    def stop(self) -> None:
        """End the wait, and the connection."""
        self.end()
        self._server.quota.give()
