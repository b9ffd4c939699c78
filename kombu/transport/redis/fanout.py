"""Fanout exchanges as kombu has them: a message is published on a channel.

The channel is ``<prefix><exchange>``, and with ``fanout_patterns`` and a routing key
``/<routing key>`` after it.  What is heard waits in this process until a consumer
takes it; it is in no list, and is lost with the process.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from kombu.transport.redis.server import Request
from kombu.transport.virtual.claims import Claim
from kombu.transport.virtual.wire import unpack
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.transport.redis.listener import Listener
    from kombu.transport.redis.options import Settings
    from kombu.transport.redis.server import Server

__all__ = ("Fanout",)

#: Most messages that wait in the process; what comes then waits in the connection.
_MOST = 50_000

#: Messages remembered for each queue, by which a second copy of one is known.
_REMEMBERED = 8


class _Arrivals:
    """What one queue has heard, and nobody has taken yet."""

    __slots__ = ("last", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Claim] = deque()
        self.last: deque[bytes] = deque(maxlen=_REMEMBERED)


class Fanout:
    """The fanout exchanges of one connection.

    Arguments:
        server: The server.
        settings: Options.
        prefix: In front of every channel.
        compat_prefix: Prefix of channels that are spoken, and listened to, as well;
            None for none.
        make_listener: Makes the listener; called when something is to be heard.
        wake: Called when something was heard.
    """

    def __init__(
        self,
        server: Server,
        settings: Settings,
        prefix: str,
        compat_prefix: str | None,
        make_listener: Callable[[], Listener],
        wake: Callable[[], None],
    ) -> None:
        self._server = server
        self._has_patterns = settings.fanout_patterns
        self._prefixes = [prefix + settings.channel_prefix]
        if compat_prefix is not None:
            self._prefixes.append(prefix + compat_prefix)
        self._make_listener = make_listener
        self._listener: Listener | None = None
        self._wake = wake
        self._lock = threading.Lock()
        # Bells of a cluster.
        self._bells: set[str] = set()
        # Queues by the names of subscriptions.
        self._queues: dict[str, set[str]] = {}
        self._arrived: dict[str, _Arrivals] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._queues)} subscriptions>"

    # -- speaking --------------------------------------------------------------

    def publish(self, exchange: str, routing_key: str, text: bytes) -> int:
        """Publish a message; return how many listeners there were."""
        requests = [
            Request.plain(
                "PUBLISH", f"{prefix}{self._channel(exchange, routing_key)}", text
            )
            for prefix in self._prefixes
        ]
        return int(sum(self._server.run_all(requests, is_repeatable=False)))

    def _channel(self, exchange: str, routing_key: str) -> str:
        if routing_key and self._has_patterns:
            return f"{exchange}/{routing_key}"
        return exchange

    # -- listening -------------------------------------------------------------

    def names(self, exchange: str, routing_key: str) -> set[str]:
        """Return what a queue that is bound by *routing_key* listens to."""
        suffixes = {""}
        if self._has_patterns:
            # All hear what has no key, and a queue bound without one hears all: this is
            # how a fanout exchange is defined.
            suffixes.add("/" + (routing_key.replace("#", "*") or "*"))
        return {
            f"{prefix}{exchange}{suffix}"
            for prefix in self._prefixes
            for suffix in suffixes
        }

    def listen(self, queue: str, bindings: Iterable[tuple[str, str]]) -> None:
        """Have *queue* hear what is published to exchanges.

        Arguments:
            queue: Name of the queue.
            bindings: Exchanges, each with a routing key.

        Raises:
            ServerLost: The server can not be reached.
            ServerRefused: It does not allow it.
        """
        names = {name for one in bindings for name in self.names(*one)}
        with self._lock:
            self._arrived.setdefault(queue, _Arrivals())
            for name in names:
                self._queues.setdefault(name, set()).add(queue)
            wanted = self._bells.union(self._queues)
            listener = self._listener_of_ours()
        listener.listen_to(wanted)

    def _listener_of_ours(self) -> Listener:
        if self._listener is None:
            self._listener = self._make_listener()
        return self._listener

    def listen_to_bells(self, names: set[str]) -> None:
        """Be woken by what is published on *names*."""
        with self._lock:
            if names == self._bells:
                return
            self._bells = names
            wanted = self._bells.union(self._queues)
            listener = self._listener_of_ours()
        listener.listen_to(wanted, waits=False)

    def end(self, queue: str) -> None:
        """Have *queue* hear nothing any more."""
        with self._lock:
            if self._arrived.pop(queue, None) is None:
                return
            for name, queues in tuple(self._queues.items()):
                queues.discard(queue)
                if not queues:
                    del self._queues[name]
            wanted = self._bells.union(self._queues)
        if self._listener is not None:
            self._listener.listen_to(wanted, waits=False)

    def heard(self, name: str, text: bytes) -> None:
        """Take a message that was published; called by the listener."""
        for queue in tuple(self._queues.get(name, ())):
            arrivals = self._arrived.get(queue)
            if arrivals is None or text in arrivals.last:
                continue
            arrivals.last.append(text)
            arrivals.waiting.append(Claim(queue, unpack(text)))
        self._wake()
        while sum(len(one.waiting) for one in tuple(self._arrived.values())) > _MOST:
            # The server ends the connection if this takes too long.
            waiting.sleep(0.05)

    def take(self, queues: Iterable[str], limit: int) -> list[Claim]:
        """Take up to *limit* messages that *queues* have heard."""
        claims: list[Claim] = []
        for queue in queues:
            arrivals = self._arrived.get(queue)
            while arrivals is not None and arrivals.waiting and len(claims) < limit:
                try:
                    claims.append(arrivals.waiting.popleft())
                except IndexError:  # another thread was faster
                    break
        return claims

    def put_back(self, claims: Iterable[Claim]) -> None:
        """Put messages back; *claims* is in reverse order."""
        for claim in claims:
            arrivals = self._arrived.get(claim.queue)
            if arrivals is not None:
                arrivals.waiting.appendleft(claim)

    def has_arrivals(self) -> bool:
        """Return whether a message waits."""
        return any(one.waiting for one in tuple(self._arrived.values()))

    def close(self) -> None:
        """Listen no more."""
        with self._lock:
            listener, self._listener = self._listener, None
            # The listener may wait for room.
            self._bells = set()
            self._queues.clear()
            self._arrived.clear()
        if listener is not None:
            listener.stop()
