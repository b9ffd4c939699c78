"""Putting messages: into lists, to rest until they are due, into queues with limits.

A large message does not pass through a script, which would copy it several times: it
is pushed by a command, after a script has looked whether the topology is as we know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport.redis.parcel import Parcel
from kombu.transport.redis.resp import Part, bulk, part
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import ending_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.transport.redis.claims import Claims
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.records import Version
    from kombu.transport.redis.server import Server
    from kombu.transport.virtual.claims import Claim
    from kombu.transport.virtual.policies import QueuePolicy

__all__ = ("Puts",)

#: Bytes from which on a message does not pass through a script.
LARGE = 16 * 1024


class Puts:
    """Puts messages.

    Arguments:
        server: The server.
        keys: Its keys.
        claims: The in-flight record.
    """

    def __init__(self, server: Server, keys: Keys, claims: Claims) -> None:
        self._server = server
        self._keys = keys
        self._claims = claims
        self._pairs: dict[tuple[str, int], Part] = {}
        # All but the message, by where it goes and what is known of the topology.
        self._heads: dict[Any, tuple[Version | None, bytes]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._server!r}>"

    def _pair(self, target: tuple[str, int]) -> Part:
        """Return the list and the bell for a queue and a level."""
        found = self._pairs.get(target)
        if found is None:
            if len(self._pairs) > 10_000:
                self._pairs.clear()
            queue, level = target
            bell = self._keys.queue(queue).bell
            found = self._pairs[target] = part(self._keys.list(queue, level), bell)
        return found

    def _checks(self, parcel: Parcel) -> tuple[Part, Part]:
        """Return the keys to be checked, and what they are to be."""
        version = parcel.version
        if version is None or self._server.is_cluster:
            return part(), part("", "")
        stamp = version.stamps.get(parcel.exchange) if parcel.exchange else None
        if stamp is None:
            return part(self._keys.version), part(version.ours, "")
        bindings = self._keys.bindings(parcel.exchange)
        return part(self._keys.version, bindings), part(version.ours, stamp)

    def is_current(self, exchange: str, version: Version) -> bool:
        """Return whether the topology is still that of *version*.

        Arguments:
            exchange: The exchange whose bindings matter.
            version: What we know.
        """
        keys, expected = self._checks(Parcel(b"", (), exchange, version))
        request = Request("check", keys, expected, self._keys.version)
        return not keys.number or bool(self._server.run(request))

    def put(self, parcel: Parcel) -> bool:
        """Put a message into lists; return False if the topology has changed."""
        text = parcel.text
        if len(text) > LARGE or self._server.is_cluster:
            return self.put_all((parcel,))[0]
        reply = self._server.run_packed(self._head(parcel) + bulk(text))
        if isinstance(reply, Exception):
            reply = self._server.run_after(reply, self._requests(parcel)[0])
        return bool(reply)

    def _head(self, parcel: Parcel) -> bytes:
        """Return the command that puts *parcel*, without the message at its end."""
        key = (parcel.targets, parcel.exchange)
        version, head = self._heads.get(key, (None, b""))
        if not head or version is not parcel.version:
            if len(self._heads) > 1000:
                self._heads.clear()  # queues may be made for one use each
            request = self._requests(parcel._replace(text=b""))[0]
            # The message is the last argument, and what is here in its place empty.
            head = request.packed(False).removesuffix(bulk(b""))
            self._heads[key] = (parcel.version, head)
        return head

    def put_all(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Put messages in one round trip; tell of each whether it was put."""
        if any(len(parcel.text) > LARGE for parcel in parcels):
            return [self._put_large(parcel) for parcel in parcels]
        requests = []
        owners = []
        for place, parcel in enumerate(parcels):
            for request in self._requests(parcel):
                requests.append(request)
                owners.append(place)
        replies = self._server.run_all(requests, is_repeatable=False)
        done = [True] * len(parcels)
        for place, reply in zip(owners, replies, strict=True):
            done[place] &= bool(reply)
        return done

    def _requests(self, parcel: Parcel) -> list[Request]:
        checked, expected = self._checks(parcel)
        arguments = part(checked.number) + expected + part(parcel.text)
        if self._server.is_cluster:
            return [
                Request("put", self._pair(target), arguments, self._base(target))
                for target in parcel.targets
            ]
        keys = checked
        for target in parcel.targets:
            keys += self._pair(target)
        return [Request("put", keys, arguments, self._base(parcel.targets[0]))]

    def _base(self, target: tuple[str, int]) -> str:
        return self._keys.queue(target[0]).base

    def _put_large(self, parcel: Parcel) -> bool:
        version = parcel.version
        if version is not None and not self.is_current(parcel.exchange, version):
            return False
        requests = []
        for queue, level in parcel.targets:
            found = self._keys.queue(queue)
            key = self._keys.list(queue, level)
            requests.append(Request.plain("LPUSH", key, parcel.text))
            requests.append(Request("ring", part(found.bell), part(), found.base))
        self._server.run_all(requests, is_repeatable=False)
        return True

    def rest(self, queue: str, level: int, text: bytes, key: str, due: float) -> None:
        """Have a message rest in *queue*.

        Arguments:
            queue: Name of the queue.
            level: Its level there.
            text: The message.
            key: By which it can be found again.
            due: When it is due, in seconds since 1970.
        """
        found = self._keys.queue(queue)
        keys = part(found.due, found.delayed, found.bell)
        moment = f"{due * 1000:.3f}"
        arguments = part(key, moment, b"%d:%b" % (level, text))
        request = Request("rest", keys, arguments, found.base)
        self._server.run(request, is_repeatable=False)

    def cancel(self, queue: str, key: str) -> bool:
        """Remove a resting message; return whether there was one."""
        found = self._keys.queue(queue)
        keys = part(found.due, found.delayed)
        return bool(self._server.run(Request("cancel", keys, part(key), found.base)))

    def put_limited(
        self,
        queue: str,
        level: int,
        text: bytes,
        policy: QueuePolicy,
        lease: float,
        levels: tuple[int, ...],
    ) -> tuple[bool, list[Claim]]:
        """Put a message into a queue with a limit; or look what is too much there.

        Arguments:
            queue: Name of the queue.
            level: Level of the message in it.
            text: The message; empty to put none.
            policy: With the limit.
            lease: Seconds that claims last.
            levels: All levels of the queue.

        Returns:
            Whether it was put, and claims of what has to go.
        """
        found = self._keys.queue(queue)
        prefix = self._claims.next_prefix()
        keys = part(found.unacked, found.ledger) + self._keys.claiming(queue)
        most, most_bytes = policy.max_length, policy.max_length_bytes
        arguments = part(
            self._keys.sep,
            ",".join(map(str, levels)),
            level,
            text,
            -1 if most is None else most,
            -1 if most_bytes is None else most_bytes,
            int(policy.refuses),
            float(lease),
            prefix,
            ending_of(queue),
            queue,
        )
        request = Request("put_limited", keys, arguments, found.base)
        reply: Any = self._server.run(request, is_repeatable=False)
        return bool(reply[0]), self._claims.claims_in(reply[1:], prefix, queue)
