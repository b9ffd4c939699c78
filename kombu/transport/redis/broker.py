"""What a transport knows of its server: all parts, for one connection.

Loaded with the driver.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.bell import Bell
from kombu.transport.redis.channel_bell import ChannelBell
from kombu.transport.redis.claims import Claims
from kombu.transport.redis.clock import ServerClock
from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.fanout import Fanout
from kombu.transport.redis.listener import Listener
from kombu.transport.redis.lookout import Lookout
from kombu.transport.redis.lost import LostMessages
from kombu.transport.redis.puts import Puts
from kombu.transport.redis.queues import Queues
from kombu.transport.redis.records import RedisRecords
from kombu.transport.redis.resp import part
from kombu.transport.redis.server import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.options import Settings
    from kombu.transport.redis.server import Server

__all__ = ("RedisBroker",)


class RedisBroker:
    """The parts of the transport that need the driver.

    Arguments:
        transport: The transport.
        server: The server.
        keys: Its keys.
        settings: Options.
        lease: Seconds that claims last.
        silence: Seconds after which a connection is asked whether it is there.
        compat_prefix: Of channels that are spoken as well; None for none.
        levels_of: Returns the levels of a queue.
        level_of: Returns the level of an envelope in a queue.
        route: Returns the queues that an exchange and a routing key lead to.
    """

    def __init__(
        self,
        transport: Any,
        server: Server,
        keys: Keys,
        settings: Settings,
        lease: float,
        silence: float,
        compat_prefix: str | None,
        levels_of: Callable[[str], tuple[int, ...]],
        level_of: Callable[[str, Any], int],
        route: Callable[[str, str], Iterable[str]],
    ) -> None:
        owner = transport.owner
        self.server = server
        self.keys = keys
        self.settings = settings
        self.clock = ServerClock()
        self.records = RedisRecords(server, keys, self.clock)
        self.claims = Claims(server, keys, self.clock, owner, lease, levels_of)
        self.puts = Puts(server, keys, self.claims)
        self.queues = Queues(server, keys, self.clock, levels_of)
        self.lost = LostMessages(
            server, keys, settings, self.claims, owner, lease, level_of, route
        )
        # Threads must not keep alive what is dropped without being closed.
        self._transport = weakref.ref(transport)
        self.fanout = Fanout(
            server,
            settings,
            keys.prefix,
            compat_prefix,
            self._make_listener,
            self._wake,
        )
        self._silence = silence
        self._lock = threading.Lock()
        self._bell: Bell | ChannelBell | Lookout | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.server!r}>"

    def _wake(self) -> None:
        transport = self._transport()
        if transport is not None:
            transport.wake()

    def _make_listener(self) -> Listener:
        if not self.server.quota.take():
            from kombu.exceptions import ConnectionLimitExceeded

            raise ConnectionLimitExceeded(
                "no connection is left to listen to fanout exchanges: raise the "
                "transport option max_connections"
            )
        transport = self._transport()
        prefix = self.keys.prefix
        return Listener(
            transport,
            self.server,
            self.keys.wake(transport.owner if transport is not None else ""),
            f"{prefix}*" if prefix else "",
            self._silence,
            self.fanout.heard,
        )

    def bell(self) -> Bell | ChannelBell | Lookout | None:
        """Return who waits for messages; None if there may be no connection for it."""
        if self._bell is None:
            with self._lock:
                transport = self._transport()
                if self._bell is None and transport is not None:
                    self._bell = self._make_bell(transport)
        return self._bell

    def _make_bell(self, transport: Any) -> Bell | ChannelBell | Lookout | None:
        server, keys = self.server, self.keys
        if server.is_cluster:
            return ChannelBell(self.fanout, keys)
        if not server.quota.take():
            return None
        if transport.is_in_loop:
            return Bell(transport, server, keys, transport.owner, self.claims)
        return Lookout(server, keys, transport.owner, self.claims)

    def lookout(self) -> Lookout | None:
        """Return who waits in the thread that drains, if it is so."""
        bell = self._bell
        return bell if isinstance(bell, Lookout) else None

    def change_bell(self) -> None:
        """Have another one wait: an event loop drains from now on, or no longer."""
        with self._lock:
            bell, self._bell = self._bell, None
        if bell is not None:
            bell.stop()

    def time(self) -> float:
        """Return the server's time, in seconds since 1970."""
        if not self.clock.is_read:
            request = Request("TIME", part(), part(), self.keys.version, True)
            seconds, microseconds = self.server.run(request)
            self.clock.read(int(seconds) * 1_000_000 + int(microseconds))
        return self.clock.now()

    def give_back(self) -> None:
        """Leave all to others: what was claimed, perhaps, and whose bells have rung."""
        # If the server is away, it comes back by itself, when its lease has run out.
        with suppress(ServerLost, ServerRefused):
            self.claims.give_back_unsure()
            self.claims.ring_again()

    def close(self) -> None:
        """Close all connections."""
        self.change_bell()
        self.fanout.close()
        self.server.close()
