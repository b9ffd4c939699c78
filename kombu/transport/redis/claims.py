"""Claims: from a queue's lists to the in-flight record."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.in_flight import InFlight
from kombu.transport.redis.order import Order
from kombu.transport.redis.resp import Part, command, part
from kombu.transport.redis.scripts import script
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import OUR_MARK, delivery_count_of, ending_of
from kombu.transport.virtual.claims import Claim
from kombu.transport.virtual.wire import unpack
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kombu.transport.redis.clock import ServerClock
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("Claims",)

#: Most messages moved by one script, which nothing else can run beside.
_MOST = 500

#: Seconds that a bell rings at least that has begun to ring after now.
_RINGING = 50.0


class _Frame(NamedTuple):
    """What is the same in all claims of some queues.

    Attributes:
        levels: Of each queue.
        keys: Keys of the script.
        ending: Its last arguments.
        base: Key of the first queue.
        beginning: The command as far as it is the same.
    """

    levels: list[tuple[int, ...]]
    keys: Part
    ending: Part
    base: str
    beginning: bytes


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
        #: Whether the last claim has found messages.
        self.has_found = False
        # When the next message is due that rests in queues, as a look into them told.
        self._dues: dict[tuple[str, ...], float | None] = {}
        self._frames: dict[tuple[str, ...], _Frame] = {}
        # Claims whose reply was lost: they were made, or not.
        self._unsure: list[tuple[str, Sequence[str]]] = []
        # When queues were left empty, whose bells nobody has heard since.
        self._emptied: dict[str, float] = {}
        # Queues whose bells we may have taken the element of.
        self._rung: set[str] = set()
        # How often that was; what was asked before one of them knows nothing of it.
        self._bells_heard = 0

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
        frame = self._frame_of(queues)
        prefix = self.next_prefix()
        known = b"*" if version is None else version
        limit = min(limit, _MOST)
        bells_heard = self._bells_heard
        is_apart = self._server.is_cluster  # there, all are to be woken
        has_rung = has_rung or is_apart or not self._rung.isdisjoint(queues)
        chosen = part(limit, prefix, known, int(has_rung)).data
        arguments = Part(4 + frame.ending.number, chosen + frame.ending.data)
        data = b"%b%b%b" % (frame.beginning, chosen, frame.ending.data)
        request = Request("claim", frame.keys, arguments, frame.base, data=data)
        return Order(queues, prefix, request, has_rung, bells_heard)

    def claims_of(self, order: Order, reply: Any) -> list[Claim]:
        """Return the claims in the *reply* to *order*."""
        queues = order.queues
        version, now, due, left, counts = reply[0].split(b";")
        self.seen_version = version
        self.has_found = len(reply) > 1
        self._clock.read(now)
        self._note_due(queues, float(due) / 1000 if due else None)
        if order.bells_heard != self._bells_heard:
            left = b""  # another thread has heard one meanwhile
        if left == b"0":
            self._note_empty(queues)
        else:
            self._may_not_be_empty(queues)
        if left:
            self._rung.difference_update(queues)
        elif order.has_rung:
            self._rung.update(queues)  # it was not looked
        # Of each message, the queue.
        sources: list[str] = []
        for entry in counts.split(b",") if counts else ():
            number, _, taken = entry.partition(b":")
            sources += [queues[int(number) - 1]] * int(taken)
        return self._make_claims(sources, reply[1:], order.prefix)

    def note_unsure(self, order: Order) -> None:
        """Note that *order* may have been carried out, and nobody knows."""
        self._unsure.append((order.prefix, order.queues))

    def are_empty(self, queues: Iterable[str]) -> bool:
        """Return whether *queues* were left empty, so that what has come since has rung.

        Only for as long as a bell rings.
        """
        since = waiting.monotonic() - _RINGING
        emptied = self._emptied
        return all(emptied.get(queue, since) > since for queue in queues)

    def _note_empty(self, queues: Iterable[str]) -> None:
        emptied = self._emptied
        if len(emptied) > 1000:
            emptied.clear()  # queues may be made for one use each
        now = waiting.monotonic()
        for queue in queues:
            emptied[queue] = now

    def forget_what_is_empty(self) -> None:
        """Have all queues be looked into, whatever is known of them."""
        self._emptied.clear()

    def have_rung(self, queues: Iterable[str]) -> None:
        """Note that the element of a bell of one of *queues* was taken.

        The next claim rings again if messages are left.
        """
        self._may_not_be_empty(queues)
        self._rung.update(queues)
        self._bells_heard += 1

    def _may_not_be_empty(self, queues: Iterable[str]) -> None:
        """Note that there may be messages in *queues*, whose bells may not ring."""
        for queue in queues:
            self._emptied.pop(queue, None)

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

    def is_something_due(self) -> bool:
        """Return whether a message that has rested is due by now."""
        due = self.next_due
        return due is not None and due <= self._clock.now()

    def were_looked_into(self, queues: Iterable[str]) -> set[str]:
        """Return those of *queues* that :attr:`next_due` takes into account."""
        looked = {name for group in tuple(self._dues) for name in group}
        return looked.intersection(queues)

    def _frame_of(self, queues: tuple[str, ...]) -> _Frame:
        """Return what is the same in all claims of *queues*."""
        levels = [self._levels_of(queue) for queue in queues]
        frame = self._frames.get(queues)
        if frame is None or frame.levels != levels:
            if len(self._frames) > 100:
                self._frames.clear()
            frame = self._frames[queues] = self._make_frame(queues, levels)
        return frame

    def _make_frame(
        self, queues: tuple[str, ...], levels: list[tuple[int, ...]]
    ) -> _Frame:
        first = self._keys.queue(queues[0])
        # In a cluster the version lives on another node.
        is_apart = self._server.is_cluster
        version = f"{first.base}.version" if is_apart else self._keys.version
        keys = part(first.unacked, first.ledger, version)
        ending = self._lease + part(self._keys.sep)
        for queue, its_levels in zip(queues, levels, strict=True):
            keys += self._keys.claiming(queue) + self._keys.lists(queue, its_levels)
            ending += part(len(its_levels), ending_of(queue), queue)
        called = script("claim", is_apart).call(keys, Part(4 + ending.number, b""))
        return _Frame(levels, keys, ending, first.base, command(*called))

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
