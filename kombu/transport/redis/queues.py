"""What there is of a queue: its size, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu.transport.redis.resp import Part, part
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import OUR_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport.redis.clock import ServerClock
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("Queues",)

#: Most unreadable messages that are kept aside for each queue.
_ASIDE = 100


class Queues:
    """The queues of a server.

    Arguments:
        server: The server.
        keys: Its keys.
        clock: The server's clock.
        levels_of: Returns the levels of a queue.
    """

    def __init__(
        self,
        server: Server,
        keys: Keys,
        clock: ServerClock,
        levels_of: Callable[[str], tuple[int, ...]],
    ) -> None:
        self._server = server
        self._keys = keys
        self._clock = clock
        self._levels_of = levels_of

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: in {self._server!r}>"

    def _levels(self, queue: str) -> str:
        return ",".join(map(str, self._levels_of(queue)))

    def _run(self, name: str, queue: str, *more: str) -> int:
        keys = self._keys.claiming(queue)
        arguments = part(self._keys.sep, self._levels(queue), *more)
        base = self._keys.queue(queue).base
        return int(self._server.run(Request(name, keys, arguments, base)))

    def size(self, queue: str) -> int:
        """Return how many messages of *queue* are ready."""
        return self._run("size", queue)

    def purge(self, queue: str) -> int:
        """Remove what waits in *queue*; return how many messages that were."""
        return self._run("purge", queue)

    def delete(self, queue: str) -> None:
        """Remove *queue*, with what is in flight of it."""
        found = self._keys.queue(queue)
        keys = self._keys.claiming(queue) + part(found.unacked, found.ledger)
        arguments = part(self._keys.sep, self._levels(queue), OUR_MARK, queue)
        self._server.run(Request("delete", keys, arguments, found.base))
        self._server.run(Request.plain("DEL", found.aside))

    def has_messages(self, queue: str) -> bool:
        """Return whether there is a list of that name, whoever made it."""
        key = self._keys.queue(queue).base
        return bool(self._server.run(Request.plain("EXISTS", key)))

    def set_aside(self, queue: str, text: bytes) -> None:
        """Keep what could not be read, for people to look at."""
        key = self._keys.queue(queue).aside
        requests = [
            Request.plain("LPUSH", key, text),
            Request.plain("LTRIM", key, 0, _ASIDE - 1),
        ]
        self._server.run_all(requests, is_repeatable=False)

    def next_due(self, queues: Sequence[str]) -> float | None:
        """Return when something happens in *queues* by itself."""
        groups = [[queue] for queue in queues] if self._server.is_cluster else [queues]
        moments = []
        for group in groups:
            keys, arguments = Part(0, b""), part(self._keys.sep)
            for queue in group:
                found = self._keys.queue(queue)
                keys += part(found.base, found.due)
                arguments += part(self._levels(queue))
            base = self._keys.queue(group[0]).base
            reply = self._server.run(Request("next_due", keys, arguments, base))
            self._clock.read(reply[0])
            if reply[1]:
                moments.append(float(reply[1]) / 1000)
        return min(moments, default=None)
