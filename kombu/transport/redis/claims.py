"""Claims: from a queue's lists to the in-flight record."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.in_flight import InFlight
from kombu.transport.redis.order import Order, Orders
from kombu.transport.redis.resp import Part, part
from kombu.transport.redis.server import Request
from kombu.transport.redis.soundings import Soundings
from kombu.transport.redis.tags import OUR_MARK, delivery_count_of, ending_of
from kombu.transport.virtual.claims import Claim
from kombu.transport.virtual.wire import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport.redis.clock import ServerClock
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("Claims",)

#: Most messages moved by one script, which nothing else can run beside.
_MOST = 500


class Claims(Soundings, InFlight):
    """The in-flight record, and what one connection enters into it.

    Arguments:
        server: The server.
        keys: Its keys.
        clock: The server's clock.
        owner: Id of the connection.
        lease: Seconds that a claim lasts unless it is renewed.
        levels_of: Returns the levels of a queue, in the order of service.
    """

    def __init__(
        self,
        server: Server,
        keys: Keys,
        clock: ServerClock,
        owner: str,
        lease: float,
        levels_of: Callable[[str], tuple[int, ...]],
    ) -> None:
        InFlight.__init__(self, server, keys, lease)
        Soundings.__init__(self, clock)
        self._orders = Orders(keys, self._lease, levels_of)
        self._mark = f"{OUR_MARK}{owner}"
        self._levels_of = levels_of
        self._numbers = count(1)
        #: Version of the topology that the last claim has seen.
        self.seen_version: bytes | None = None
        # Claims whose reply was lost: they were made, or not.
        self._unsure: list[tuple[str, Sequence[str]]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._mark}>"

    def next_prefix(self) -> str:
        """Return the beginning of the tags of one script."""
        return f"{self._mark}:{next(self._numbers):08d}"

    def time(self) -> float:
        """Return the server's time, in seconds since 1970."""
        return self._clock.now()

    def describing(self, queue: str) -> Part:
        """Return the arguments that describe *queue* to a script."""
        levels = ",".join(map(str, self._levels_of(queue)))
        return part(levels, ending_of(queue), queue)

    # -- claiming --------------------------------------------------------------

    def claim(
        self, queues: Sequence[str], limit: int, version: bytes | None = None
    ) -> list[Claim]:
        """Claim up to *limit* messages of *queues*.

        Arguments:
            queues: Names.
            limit: The number.
            version: What we know of the topology: if it is another, nothing is
                claimed, and :attr:`seen_version` differs.
        """
        if self._unsure:
            self.give_back_unsure()
        if self._server.is_cluster and len(queues) > 1:
            return self._claim_one_by_one(queues, limit)
        order = self.order(tuple(queues), limit, version)
        return self.claims_of(order, self._run(order.request, order.prefix, queues))

    def order(
        self,
        queues: tuple[str, ...],
        limit: int,
        version: bytes | None,
        has_rung: bool = False,
    ) -> Order:
        """Return a claim that is yet to be sent, to one node.

        Arguments:
            queues: Names.
            limit: The number.
            version: As for :meth:`claim`.
            has_rung: Whether it comes behind a wait for their bells.
        """
        bells_heard = self._bells_heard
        # In a cluster all are to be woken.
        has_rung = (
            has_rung or self._keys.in_cluster or not self._rung.isdisjoint(queues)
        )
        prefix = self.next_prefix()
        request = self._orders.request(
            queues,
            min(limit, _MOST),
            prefix,
            b"*" if version is None else version,
            has_rung,
        )
        return Order(queues, prefix, request, has_rung, bells_heard)

    def claims_of(self, order: Order, reply: Any) -> list[Claim]:
        """Return the claims in the *reply* to *order*."""
        queues = order.queues
        version, now, due, left, counts = reply[0].split(b";")
        self.seen_version = version
        self._clock.read(now)
        self.note(order, len(reply) > 1, due, left)
        # Of each message, the queue.
        sources: list[str] = []
        for entry in counts.split(b",") if counts else ():
            number, _, taken = entry.partition(b":")
            sources += [queues[int(number) - 1]] * int(taken)
        return self._make_claims(sources, reply[1:], order.prefix)

    def note_unsure(self, order: Order) -> None:
        """Note that *order* may have been carried out, and nobody knows."""
        self._unsure.append((order.prefix, order.queues))

    def _claim_one_by_one(self, queues: Sequence[str], limit: int) -> list[Claim]:
        """Claim where the queues are on several nodes: first a share of each."""
        claims: list[Claim] = []
        share = max(limit // len(queues), 1)
        for most in (share, limit):
            for queue in queues:
                want = min(most, limit - len(claims))
                if want > 0:
                    try:
                        claims += self.claim((queue,), want)
                    except ServerLost:
                        if not claims:
                            raise
                        return claims  # the others can wait
            if share == limit:
                break
        return claims

    def claim_expired(self, queue: str, limit: int) -> list[Claim]:
        """Claim what has expired at the head of *queue*."""
        found = self._keys.queue(queue)
        prefix = self.next_prefix()
        keys = part(found.unacked, found.ledger) + self._keys.claiming(queue)
        arguments = part(min(limit, _MOST)) + self._lease
        arguments += part(prefix, self._keys.sep) + self.describing(queue)
        request = Request("claim_expired", keys, arguments, found.base)
        return self.claims_in(self._run(request, prefix, (queue,)), prefix, queue)

    def _run(self, request: Request, prefix: str, queues: Sequence[str]) -> Any:
        try:
            return self._server.run(request, is_repeatable=False)
        except ServerRefused:
            raise
        except BaseException:
            # It may have been carried out all the same.
            self._unsure.append((prefix, queues))
            raise

    def claims_in(self, texts: Sequence[Any], prefix: str, queue: str) -> list[Claim]:
        """Return the claims of *texts*, which a script that had *prefix* has taken."""
        return self._make_claims([queue] * len(texts), texts, prefix)

    def _make_claims(
        self, sources: Sequence[str], texts: Sequence[Any], prefix: str
    ) -> list[Claim]:
        claims = []
        for place, (queue, text) in enumerate(zip(sources, texts, strict=True), 1):
            tag = f"{prefix}:{place:05d}:{queue}"
            envelope = unpack(text)
            claims.append(Claim(queue, envelope, tag, delivery_count_of(envelope)))
        return claims

    def ring_again(self, queues: Sequence[str] | None = None) -> None:
        """Have others woken for what is in *queues*, or in all: we shall not claim.

        Only for queues whose bells may have rung for us.
        """
        requests = []
        for queue in self._take_rung(queues):
            found = self._keys.queue(queue)
            keys = part(found.bell) + self._keys.lists(queue, self._levels_of(queue))
            requests.append(Request("ring_again", keys, part(), found.base))
        if requests:
            self._server.run_all(requests)

    def give_back_unsure(self) -> None:
        """Put back what was claimed by scripts whose replies were lost."""
        unsure, self._unsure = self._unsure, []
        try:
            while unsure:
                prefix, queues = unsure[0]
                for queue in queues:
                    self._give_back_tags(prefix, queue)
                del unsure[0]
        except BaseException:
            self._unsure += unsure
            raise

    def _give_back_tags(self, prefix: str, queue: str) -> None:
        found = self._keys.queue(queue)
        keys = part(found.unacked, found.ledger) + self._list_and_bell(queue, 0)
        length = len(ending_of(queue).encode())
        tags = [f"{prefix}:{place:05d}:{queue}" for place in range(_MOST, 0, -1)]
        arguments = part(0, 0, *[x for tag in tags for x in (tag, 1, "", length)])
        self._server.run(Request("release", keys, arguments, found.base))
