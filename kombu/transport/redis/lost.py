"""What dead consumers had: found by the deadlines in the index, and put back.

Ours have a lease that their owner renews.  Of what kombu 5.7 has taken only the
moment is known: it counts as lost some time after it (``peer_visibility_timeout``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.transport.redis.resp import part
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import (
    OUR_MARK,
    delivery_count_of,
    ending_of,
    queue_of_tag,
)
from kombu.transport.virtual.claims import redelivered
from kombu.transport.virtual.wire import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.transport.redis.claims import Claims
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.options import Settings
    from kombu.transport.redis.server import Server

__all__ = ("LostMessages",)

logger = get_logger(__name__)

#: Most messages in one round trip.
_BATCH = 500

Entry = tuple[str, str, int, str]


class LostMessages:
    """Puts back what was lost.

    Arguments:
        server: The server.
        keys: Its keys.
        settings: Options.
        claims: The in-flight record.
        owner: Id of the connection.
        lease: Seconds that claims last.
        level_of: Returns the level of an envelope in a queue.
        route: Returns the queues that an exchange and a routing key lead to.
    """

    def __init__(
        self,
        server: Server,
        keys: Keys,
        settings: Settings,
        claims: Claims,
        owner: str,
        lease: float,
        level_of: Callable[[str, Any], int],
        route: Callable[[str, str], Iterable[str]],
    ) -> None:
        self._server = server
        self._keys = keys
        self._settings = settings
        self._claims = claims
        self._owner = owner
        # One that is killed at it must not stop the others for long.
        self._mutex_milliseconds = max(int(lease * 1000 / 8), 1)
        self._level_of = level_of
        self._route = route

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: in {self._server!r}>"

    def put_back(self, queues: Iterable[str]) -> set[str]:
        """Put back all that is lost; return the queues that have got messages.

        Arguments:
            queues: Names of known queues: in a cluster each has its own record.
        """
        touched: set[str] = set()
        for queue in queues if self._keys.in_cluster else ("",):
            found = self._list(queue)
            if not found:
                continue
            try:
                while found:
                    touched |= self._put_back(found, queue)
                    found = self._list(queue) if len(found) == _BATCH else []
            finally:
                self._unlock(queue)
        return touched

    def _unlock(self, queue: str) -> None:
        keys = part(self._keys.mutex(queue))
        base = self._keys.queue(queue).base
        self._server.run(Request("unlock", keys, part(self._owner), base))

    def _list(self, queue: str) -> list[tuple[str, bytes]]:
        names = self._keys.queue(queue)
        mutex = self._keys.mutex(queue)
        arguments = part(
            OUR_MARK,
            self._settings.peer_timeout,
            _BATCH,
            self._owner,
            self._mutex_milliseconds,
        )
        keys = part(names.unacked, names.ledger, mutex)
        flat = self._server.run(Request("lost", keys, arguments, names.base))
        return [
            (flat[place].decode(), flat[place + 1]) for place in range(0, len(flat), 2)
        ]

    def _put_back(self, found: list[tuple[str, bytes]], queue: str) -> set[str]:
        ours: list[Entry] = []
        touched = set()
        hopeless = []
        for tag, value in reversed(found):
            if tag.startswith(OUR_MARK):
                ours.append(self._entry_of_ours(tag, value))
                touched.add(ours[-1][1])
            else:
                got = self._put_back_of_peer(tag, value)
                touched |= got
                if not got:
                    hopeless.append(tag)
        self._claims.put_back(ours, 0.0)
        self._put_off(hopeless, queue)
        return touched

    def _put_off(self, tags: list[str], queue: str) -> None:
        """Look at *tags* again only after some time: they would hide what is behind.

        They count as if an old peer had taken them now.
        """
        ledger = self._keys.queue(queue).ledger
        now = self._claims.time()
        pairs = [argument for tag in tags for argument in (f"{now:.6f}", tag)]
        if pairs:
            self._server.run(Request.plain("ZADD", ledger, "XX", *pairs))

    def _entry_of_ours(self, tag: str, value: bytes) -> Entry:
        queue = queue_of_tag(tag)
        end = len(ending_of(queue).encode())
        envelope = unpack(value[1:-end])
        text = ""
        if isinstance(envelope, dict):
            envelope = redelivered(envelope, delivery_count_of(envelope) + 1)
            text = pack(envelope)
        return tag, queue, self._level_of(queue, envelope), text

    def _put_back_of_peer(self, tag: str, value: bytes) -> set[str]:
        """Put back what kombu 5.7 had taken, and has not acknowledged for long."""
        try:
            envelope, exchange, routing_key = json.loads(value)
        except (ValueError, TypeError):
            logger.warning("Unacknowledged message %r can not be read: left there", tag)
            return set()
        queues = (
            [routing_key] if not exchange else list(self._route(exchange, routing_key))
        )
        if not queues:
            logger.warning(
                "Unacknowledged message %r of exchange %r leads to no queue: left there",
                tag,
                exchange,
            )
            return set()
        if isinstance(envelope, dict):
            envelope = redelivered(envelope, delivery_count_of(envelope) + 1)
        text = pack(envelope)
        copies = [(queue, self._level_of(queue, envelope), text) for queue in queues]
        if len(copies) == 1:
            timeout = self._settings.peer_timeout
            self._claims.put_back([(tag, *copies[0])], timeout)
        else:
            # Where it was taken from is not known: all get it that it may have been.
            self._claims.move(tag, queues[0], copies)
        return set(queues)
