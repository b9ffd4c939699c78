"""The connection: the socket under the engine, and who waits for what.

One lock guards the engine, and is held for moments only: never while waiting for the
socket.  One thread at a time reads, for everyone, as in the ``amqp`` transport; messages
for consumers are put aside by it and delivered by whoever drains events, so that a
callback never runs in the middle of another operation.
"""

from __future__ import annotations

import atexit
import os
import socket
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import proton
from amqp import exceptions as amqp_errors

from kombu.exceptions import KombuError, OperationalError
from kombu.log import get_logger
from kombu.transport._amqp.errors import ConnectionLost
from kombu.transport._amqp.outbox import outbox_of
from kombu.transport._amqp.wire import patience_of_tcp
from kombu.transport._qpid.channel import Channel
from kombu.transport._qpid.engine import Engine
from kombu.transport._qpid.reading import Reading
from kombu.utils import waiting
from kombu.utils._forking import process

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.keeper import HeartbeatKeeper
    from kombu.transport._qpid.dialects import Dialect
    from kombu.transport._qpid.engine import Login
    from kombu.transport._qpid.links import Link
    from kombu.transport._qpid.options import Options
    from kombu.transport._tls import TLS

__all__ = ("Address", "Connection")

logger = get_logger(__name__)

#: Seconds that the broker has to answer a polite end.
_SECONDS_TO_CLOSE = 2.0


class Address(NamedTuple):
    """Where the broker is, and how it is spoken to."""

    host: str
    port: int
    tls: TLS | None
    connect_timeout: float | None


#: Connections that are to be closed before the interpreter, and the library, end.
_alive: weakref.WeakSet[Connection] = weakref.WeakSet()


def _close_all() -> None:
    for connection in tuple(_alive):
        with suppress(Exception):
            connection.close()


atexit.register(_close_all)


class Connection(Reading):
    """A connection to a broker that speaks AMQP 1.0.

    Arguments:
        address: Where it is.
        login: Who we are.
        options: Options of the transport.
        hostname: Virtual host, as the broker calls it.
        heartbeat: Seconds of silence after which the broker is lost; 0 for none.
        properties: Shown by the broker.
        transport: The transport; its ``client`` is served.

    Attributes:
        lock: Guards the engine.
        dialect: What the broker calls things; set once it is known.
    """

    dialect: Dialect | None = None

    #: What :meth:`channel` makes.
    Channel: Any = Channel

    def __init__(
        self,
        address: Address,
        login: Login,
        options: Options,
        hostname: str | None,
        heartbeat: float,
        properties: dict[str, Any],
        transport: Any,
    ) -> None:
        self.address = address
        self.options = options
        self.transport = transport
        self.client = transport.client
        self.keeper: HeartbeatKeeper | None = None
        self._begin_reading()
        self.lock = threading.RLock()
        self._condition = threading.Condition(self.lock)
        self._engine: Engine | None = Engine(
            login,
            options.container_id or _default_name(),
            hostname,
            heartbeat,
            options.max_frame_size,
            properties,
        )
        self._heartbeat = heartbeat
        self.hostname = hostname
        _alive.add(self)
        self.sock: Any = None
        self._error: BaseException | None = None
        self._deliveries: deque[tuple[Any, Any, int, bytes]] = deque()
        self._pid = os.getpid()
        self.channels: dict[int, Channel] = {}
        self._last_channel = self._last_link = 0
        self.links: dict[str, Link] = {}
        self._loop_calls: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "open" if self.connected else "closed"
        where = f"{self.address.host}:{self.address.port}"
        return f"<{type(self).__name__}: {where} {state}>"

    # -- connecting --------------------------------------------------------------------

    def connect(self) -> None:
        """Connect, and log in.

        Raises:
            OSError: The host can not be reached, or its certificate is not valid.
            AccessRefused: The login is refused.
        """
        timeout = self.address.connect_timeout
        deadline = None if timeout is None else waiting.monotonic() + timeout
        try:
            self.sock = self._connected_socket(timeout)
            if hasattr(self.sock, "pending"):
                import ssl

                self._would_block += (ssl.SSLWantReadError, ssl.SSLWantWriteError)
            self.wait_until(lambda: self.engine.is_open, deadline)
        except BaseException:
            self.abandon()
            raise

    def _connected_socket(self, timeout: float | None) -> Any:
        where = self.address
        sock = socket.create_connection((where.host, where.port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for number, value in patience_of_tcp(self.options.blocked_timeout).items():
                sock.setsockopt(socket.IPPROTO_TCP, number, value)
            if where.tls is not None:
                sock = where.tls.wrap(sock, where.host)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            ConnectionLost: The connection is lost.
        """
        if self._engine is None:
            self._raise_if_lost()
            raise ConnectionLost("the connection is closed")
        return self._engine

    @property
    def connected(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self._error is None and self.sock is not None

    def is_usable(self) -> bool:
        """Return whether it can be used; has the broker closed it, that is seen."""
        if self.connected and self._pid == process.pid:
            with suppress(OSError, amqp_errors.AMQPError):
                self.look()
        return self.connected

    # -- channels and links ------------------------------------------------------------

    def channel(self, channel_id: int | None = None) -> Channel:
        """Open a channel."""
        self._raise_if_lost()
        with self.lock:
            if channel_id is None:
                self._last_channel += 1
                channel_id = self._last_channel
            channel = Channel(self, channel_id)
            self.channels[channel_id] = channel
        return channel

    def close_channel(self, channel: Channel) -> None:
        """Close *channel*."""
        channel.close()

    def new_link_name(self) -> str:
        """Return a name that no link of this connection has had."""
        self._last_link += 1
        return f"{self.engine.connection.container}-{self._last_link}"

    # -- delivering --------------------------------------------------------------------

    def put_aside(self, channel: Any, link: Any, tag: int, data: bytes) -> None:
        """Keep a message until somebody drains events.  The lock is held."""
        self._deliveries.append((channel, link, tag, data))

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for an event, and deliver it.

        Arguments:
            timeout: Seconds to wait; None for ever.

        Raises:
            TimeoutError: Nothing came (as ``socket.timeout``).
        """
        if not self._deliveries:
            deadline = None if timeout is None else waiting.monotonic() + timeout
            events = self._events
            self.wait_until(
                lambda: bool(self._deliveries) or self._events != events, deadline
            )
        try:
            channel, link, tag, data = self._deliveries.popleft()
        except IndexError:
            self._tell_channels()
        else:
            channel.deliver(link, tag, data)

    def _tell_channels(self) -> None:
        for channel in tuple(self.channels.values()):
            channel.tell()

    @property
    def has_deliveries(self) -> bool:
        """Whether messages have come that were not delivered yet."""
        return bool(self._deliveries)

    def take_deliveries(self, channel: Any, link: Any = None) -> list[int]:
        """Forget what was put aside for a channel, or link; return the tags."""
        with self.lock:
            taken = [
                item
                for item in self._deliveries
                if item[0] is channel and (link is None or item[1] is link)
            ]
            for item in taken:
                self._deliveries.remove(item)
            return [tag for _, _, tag, _ in taken]

    # -- heartbeats ----------------------------------------------------------------------

    @property
    def heartbeat(self) -> float:
        """Seconds between signs of life that either side wants; 0 for none."""
        engine = self._engine
        wanted = [self._heartbeat, engine.broker_timeout if engine else 0.0]
        return min((seconds for seconds in wanted if seconds), default=0.0)

    def heartbeat_tick(self, rate: int = 2) -> None:
        """Send a sign of life if one is due, and see whether the broker lives.

        Raises:
            HeartbeatMissed: It was silent for too long.
        """
        with self.lock:
            self._check()
            if self.sock is None:
                return
            # What came while nobody read counts too.
            if self._reader is None:
                self._take_in()
            if self._error is None:
                self.engine.tick(waiting.monotonic())
                self._handle_events()
                self._pump_out()
            self._condition.notify_all()
            self._raise_if_lost()
        self.announce_deliveries()

    # -- losing and closing --------------------------------------------------------------

    def _raise_if_lost(self) -> None:
        error = self._error
        if error is None:
            return
        if isinstance(error, OSError):
            raise ConnectionLost(f"the connection was lost: {error}") from error
        raise error.with_traceback(None)

    def _fail(self, error: BaseException) -> None:
        """Note that the connection is lost; let everyone know."""
        with self._condition:
            if self._error is not None:
                return
            if isinstance(error, proton.ProtonException):
                error = ConnectionLost(f"the broker speaks no AMQP 1.0: {error}")
            self._error = error
            self._deliveries.clear()
            for channel in tuple(self.channels.values()):
                channel.on_connection_lost(error)
            self._drop_socket(shut=True)
            self._condition.notify_all()

    def _drop_socket(self, shut: bool) -> None:
        sock = self.sock
        if sock is None:
            return
        if shut and self._pid == process.pid:
            with suppress(OSError):  # it wakes whoever waits for it
                sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            sock.close()

    def close(self) -> None:
        """Close the connection, once what was published is confirmed."""
        if self._pid == process.pid and self.connected:
            with suppress(OSError, amqp_errors.AMQPError, OperationalError, KombuError):
                self._empty_outbox()
                for channel in tuple(self.channels.values()):
                    channel.flush_before_close()
                    # What is not confirmed even now stays with the channel.
                    channel.end_session()
                self._say_goodbye()
        self.collect()
        if self._outbox:
            logger.warning(
                "%d messages were not confirmed before the connection was lost: they "
                "are published again if there is another one",
                len(self._outbox),
            )

    def _say_goodbye(self) -> None:
        with self.lock:
            self.engine.connection.close()
        self.flush(_SECONDS_TO_CLOSE)
        deadline = waiting.monotonic() + _SECONDS_TO_CLOSE
        self.wait_until(lambda: not self.connected, deadline)

    @property
    def _outbox(self) -> Any:
        return outbox_of(self.client) if self.client is not None else ()

    def _empty_outbox(self) -> None:
        """Publish again what was lost with the connection before."""
        if self._outbox and self.options.confirms:
            self.channel().publish_what_was_lost()

    def give_up(self) -> None:
        """Drop the connection without a word; what is not confirmed is kept."""
        if self._pid == process.pid:
            self.collect()
        else:
            self.abandon()

    def collect(self) -> None:
        """Forget the socket and the channels."""
        if self._error is None:
            self._fail(ConnectionLost("the connection was closed"))
        self.abandon()

    def abandon(self) -> None:
        """Drop the connection without a word: another process may use it."""
        if self._error is None:
            self._error = ConnectionLost("the connection was given up")
        self._drop_socket(shut=False)
        for channel in tuple(self.channels.values()):
            channel.collect()
        self.channels.clear()
        self.links.clear()
        self._loop_calls = None
        # What is the library's goes now, in this order: the garbage collector, or the
        # end of the interpreter, would have one of its own.
        if self.dialect is not None:
            self.dialect.close()
        self._engine = None

    # -- event loop ----------------------------------------------------------------------

    def announce_deliveries(self) -> None:
        """Tell the event loop of messages that the socket does not show any more."""
        if self._deliveries and self._loop_calls is not None:
            self._loop_calls()

    def call_for_deliveries(self, function: Callable[[], None] | None) -> None:
        """Have *function* called when messages were put aside by somebody who waits."""
        self._loop_calls = function


def _default_name() -> str:
    import sys
    from pathlib import Path

    from kombu.utils.uuid import uuid

    program = Path(sys.argv[0] if sys.argv else "").name or "python"
    return f"{program}-{os.getpid()}-{uuid()[:8]}"
