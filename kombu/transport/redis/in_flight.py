"""The in-flight record: how a message leaves it, and how its lease is renewed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.options import MOST_SETTLED
from kombu.transport.redis.resp import Part, part, word
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import ending_of
from kombu.transport.virtual.claims import redelivered
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server
    from kombu.transport.virtual.claims import Claim

__all__ = ("InFlight",)


class InFlight:
    """The in-flight record.

    Arguments:
        server: The server.
        keys: Its keys.
        lease: Seconds that a claim lasts unless it is renewed.
    """

    def __init__(self, server: Server, keys: Keys, lease: float) -> None:
        self._server = server
        self._keys = keys
        self._lease = part(float(lease))
        # What was settled, and has not been sent: each with the keys of its record.
        self._settled: deque[tuple[str, str, str]] = deque()
        server.call_before_sending(self._post_settled)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: in {self._server!r}>"

    def settle(self, claims: Collection[Claim]) -> None:
        """Remove *claims* from the record: together with the next command that is sent."""
        for claim in claims:
            if claim.token is not None:
                found = self._keys.queue(claim.queue)
                self._settled.append((found.unacked, found.ledger, claim.token))
        if self._server.is_cluster:
            self._post_settled()
        elif len(self._settled) >= MOST_SETTLED:
            self._server.flush()

    def _post_settled(self) -> None:
        settled = self._settled
        if not settled:
            return
        tags: dict[tuple[str, str], list[str]] = {}
        try:
            while settled:
                unacked, ledger, tag = settled.popleft()
                tags.setdefault((unacked, ledger), []).append(tag)
        except IndexError:  # another thread was faster
            pass
        requests = []
        for (unacked, ledger), some in tags.items():
            what = part(*some)
            # One without the other, after a crash, is tidied up by who sweeps.
            requests.append(Request("HDEL", word(unacked), what, unacked, True))
            requests.append(Request("ZREM", word(ledger), what, ledger, True))
        if not requests:
            return
        try:
            self._server.post_all(requests)
        except BaseException:
            # In a cluster it is carried out at once: it has to be done again.
            for keys, some in tags.items():
                settled.extend((*keys, tag) for tag in some)
            raise

    def release(
        self, claims: Sequence[Claim], level_of: Callable[[str, Any], int]
    ) -> None:
        """Put *claims* back to the head of their queues, in their order."""
        entries = []
        for claim in reversed(claims):
            if claim.token is None:
                continue
            text = ""
            envelope = claim.envelope
            if claim.was_delivered:
                envelope = redelivered(envelope, claim.deliveries_when_released)
                text = pack(envelope) if isinstance(envelope, dict) else ""
            level = level_of(claim.queue, envelope)
            entries.append((claim.token, claim.queue, level, text))
        self.put_back(entries, None)

    def put_back(
        self,
        entries: Sequence[tuple[str, str, int, str]],
        lost_for: float | None,
    ) -> None:
        """Put messages in flight back to the head of their queues.

        Arguments:
            entries: Tag, queue, level and new text (empty for the old one) of each,
                the last one to be delivered first.
            lost_for: If given, only those are concerned whose lease ended so many
                seconds ago.
        """
        by_index: dict[str, list[tuple[str, str, int, str]]] = {}
        for entry in entries:
            by_index.setdefault(self._keys.queue(entry[1]).ledger, []).append(entry)
        requests = []
        for index, group in by_index.items():
            pairs: dict[tuple[str, int], int] = {}
            keys = part(self._keys.queue(group[0][1]).unacked, index)
            values: list[Any] = [int(lost_for is not None), float(lost_for or 0)]
            for tag, queue, level, text in group:
                place = pairs.get((queue, level))
                if place is None:
                    place = pairs[queue, level] = len(pairs) + 1
                    keys += self._list_and_bell(queue, level)
                values += (tag, place, text, len(ending_of(queue).encode()))
            requests.append(Request("release", keys, part(*values), index))
        if requests:
            self._server.run_all(requests)

    def move(
        self, tag: str, queue: str, copies: Sequence[tuple[str, int, str]]
    ) -> bool:
        """Settle a message in flight, and put copies of it into queues.

        In a cluster, where that can not be one step, the copies are put first.

        Arguments:
            tag: Its tag.
            queue: Its queue.
            copies: Queue, level and text of each.

        Returns:
            Whether it was in flight.
        """
        found = self._keys.queue(queue)
        keys = part(found.unacked, found.ledger)
        if self._server.is_cluster:
            for name, level, text in copies:
                self._put(name, level, text)
            removals = [
                Request.plain("HDEL", found.unacked, tag),
                Request.plain("ZREM", found.ledger, tag),
            ]
            return bool(self._server.run_all(removals)[0])
        texts = [text for _, _, text in copies]
        for name, level, _ in copies:
            keys += self._list_and_bell(name, level)
        request = Request("move", keys, part(tag, *texts), found.base)
        return bool(self._server.run(request))

    def _put(self, queue: str, level: int, text: str) -> None:
        pair = self._list_and_bell(queue, level)
        arguments = part(0, "", "", text)
        base = self._keys.queue(queue).base
        self._server.run(Request("put", pair, arguments, base), is_repeatable=False)

    def _list_and_bell(self, queue: str, level: int) -> Part:
        return part(self._keys.list(queue, level), self._keys.queue(queue).bell)

    def extend(self, claims: Collection[Claim]) -> None:
        """Renew the leases of *claims*."""
        by_index: dict[str, list[str]] = {}
        for claim in claims:
            if claim.token is not None:
                index = self._keys.queue(claim.queue).ledger
                by_index.setdefault(index, []).append(claim.token)
        requests = [
            Request("extend", part(index), self._lease + part(*tags), index)
            for index, tags in by_index.items()
        ]
        if requests:
            self._server.run_all(requests)
