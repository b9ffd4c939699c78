"""Claims: from a queue's lists to the in-flight record."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.errors import ServerLost
from kombu.transport.redis.in_flight import InFlight
from kombu.transport.redis.resp import Part, part
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import OUR_MARK, delivery_count_of, ending_of
from kombu.transport.virtual.claims import Claim
from kombu.transport.virtual.wire import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kombu.transport.redis.clock import ServerClock
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("Claims",)

#: Most messages moved by one script, which nothing else can run beside.
_MOST = 500


class Claims(InFlight):
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
        super().__init__(server, keys, lease)
        self._clock = clock
        self._mark = f"{OUR_MARK}{owner}"
        self._levels_of = levels_of
        self._numbers = count(1)
        #: Version of the topology that the last claim has seen.
        self.seen_version: bytes | None = None
        # When the next message is due that rests in queues, as a look into them told.
        self._dues: dict[tuple[str, ...], float | None] = {}
        self._frames: dict[tuple[str, ...], tuple[list[Any], Part, Part]] = {}
        # Claims whose reply was lost: they were made, or not.
        self._unsure: list[tuple[str, tuple[str, ...]]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._mark}>"

    def next_prefix(self) -> str:
        """Return the beginning of the tags of one script."""
        return f"{self._mark}:{next(self._numbers):08d}"

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
            self._give_back_unsure()
        if self._server.is_cluster and len(queues) > 1:
            return self._claim_one_by_one(queues, limit)
        queues = tuple(queues)
        keys, described = self._frame_of(queues)
        prefix = self.next_prefix()
        arguments = part(min(limit, _MOST), prefix, "*" if version is None else version)
        base = self._keys.queue(queues[0]).base
        request = Request("claim", keys, arguments + described, base)
        reply = self._run(request, prefix, queues)
        self.seen_version = reply[0]
        self._clock.read(reply[1])
        self._note_due(queues, float(reply[2]) / 1000 if reply[2] else None)
        return self._claims_in(reply[3:], prefix, queues)

    def _note_due(self, queues: tuple[str, ...], due: float | None) -> None:
        if queues not in self._dues and len(self._dues) > 100:
            self._dues.clear()
        self._dues[queues] = due

    @property
    def next_due(self) -> float | None:
        """When the next message is due that rests in queues that were looked into."""
        # One that is long past is that of a queue of which nothing may be claimed.
        past = self._clock.now() - 1.0
        dues = tuple(self._dues.values())
        return min(
            (due for due in dues if due is not None and due > past), default=None
        )

    def were_looked_into(self, queues: Iterable[str]) -> set[str]:
        """Return those of *queues* that :attr:`next_due` takes into account."""
        looked = {name for group in tuple(self._dues) for name in group}
        return looked.intersection(queues)

    def _frame_of(self, queues: tuple[str, ...]) -> tuple[Part, Part]:
        """Return what is the same in all claims of *queues*: keys and arguments."""
        levels = [self._levels_of(queue) for queue in queues]
        found = self._frames.get(queues)
        if found is None or found[0] != levels:
            if len(self._frames) > 100:
                self._frames.clear()
            first = self._keys.queue(queues[0])
            # In a cluster the version lives on another node.
            is_apart = self._server.is_cluster
            version = f"{first.base}.version" if is_apart else self._keys.version
            keys = part(first.unacked, first.ledger, version)
            described = self._lease + part(self._keys.sep)
            for queue in queues:
                keys += self._keys.claiming(queue)
                described += self.describing(queue)
            found = self._frames[queues] = (levels, keys, described)
        return found[1], found[2]

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
        return self._claims_in(self._run(request, prefix, (queue,)), prefix, (queue,))

    def _run(self, request: Request, prefix: str, queues: tuple[str, ...]) -> Any:
        try:
            return self._server.run(request, is_repeatable=False)
        except ServerLost:
            # It may have been carried out all the same.
            self._unsure.append((prefix, queues))
            raise

    def _claims_in(
        self, reply: Sequence[Any], prefix: str, queues: Sequence[str]
    ) -> list[Claim]:
        claims = []
        for place in range(0, len(reply), 2):
            queue = queues[reply[place] - 1]
            tag = f"{prefix}:{place // 2 + 1:05d}:{queue}"
            envelope = unpack(reply[place + 1])
            claims.append(Claim(queue, envelope, tag, delivery_count_of(envelope)))
        return claims

    def claims_in(self, reply: Sequence[Any], prefix: str, queue: str) -> list[Claim]:
        """Return the claims in the *reply* of a script that had *prefix*."""
        return self._claims_in(reply, prefix, (queue,))

    def _give_back_unsure(self) -> None:
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
