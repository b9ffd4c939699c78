"""The connection to a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu._lifecycle import Lifecycle
from kombu.utils._forking import process
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from kombu._connection_pools import ChannelPool, ConnectionPool
    from kombu.messaging import Consumer, Producer
    from kombu.simple import SimpleBuffer, SimpleQueue

__all__ = ("BrokerConnection", "Connection", "is_connection", "maybe_channel")


class Connection(Lifecycle):
    """A connection to a broker, made when it is first needed.

    Arguments:
        hostname: URL of the broker, or the name of its host; several URLs
            as a list, or joined by ``;``, are tried in turn.
        userid: User to log in as.
        password: Password, or for transports that allow it a callable that
            returns one.
        virtual_host: Virtual host, ``/`` if not given.
        port: Port.
        insist: Has no effect.
        ssl: True, or a dictionary of TLS options.
        transport: Alias, path or class of the transport; by default the
            scheme of the URL.
        connect_timeout: Seconds that one try to connect may take.
        transport_options: Options of the transport.
        login_method: How to log in, as the transport knows it.
        uri_prefix: Prefix of the scheme, as ``sqla`` in ``sqla+mysql://``.
        heartbeat: Seconds between heartbeats; 0 for none.
        failover_strategy: Order of the URLs: ``round-robin``, ``shuffle``,
            or a callable that takes them and returns an endless iterator.
        alternates: Further URLs to try.
        credential_provider: Source of credentials, for transports that take
            one.
        strict: What to do when something is asked for, as priorities, that
            the transport does not offer: True to raise
            :exc:`~kombu.exceptions.AbilityNotOffered`, ``"warn"`` to warn
            once, False for nothing.
        **kwargs: Accepted, without effect.

    Note:
        Threads may publish on one connection together.  For anything else a
        thread needs a connection, or a channel, of its own.
    """

    __module__ = "kombu.connection"

    # -- using ---------------------------------------------------------------------

    def drain_events(self, **kwargs: Any) -> Any:
        """Wait for an event, and deliver it.

        Arguments:
            **kwargs: ``timeout``: seconds to wait; without limit if not given.

        Raises:
            socket.timeout: Nothing came in that time.
        """
        connection, transport = self._connection, self._transport
        if connection is None or self._closed or self._pid != process.pid:
            connection = self.connection
            transport = self.transport
        if len(kwargs) == 1 and "timeout" in kwargs:
            # As below, without another dictionary.
            return transport.drain_events(connection, timeout=kwargs["timeout"])
        return transport.drain_events(connection, **kwargs)

    def register_with_event_loop(self, loop: Any) -> None:
        """Have *loop* deliver what comes."""
        self.transport.register_with_event_loop(self.connection, loop)

    def heartbeat_check(self, rate: int = 2) -> Any:
        """Send and check heartbeats; call it *rate* times per interval.

        Raises:
            ConnectionError: The broker sent none.
        """
        connection = self._connection
        # One that is lost is to be noticed: in the place of it, another one would beat,
        # and nobody would consume by it.
        if connection is None or self._closed or self._pid != process.pid:
            connection = self.connection
        return self.transport.heartbeat_check(connection, rate=rate)

    def get_heartbeat_interval(self) -> float:
        """Return the agreed seconds between heartbeats; 0 for none."""
        return self.transport.get_heartbeat_interval(  # type: ignore[no-any-return]
            self.connection
        )

    def supports_exchange_type(self, exchange_type: str) -> bool:
        """Return whether the transport has the type of exchange."""
        return exchange_type in self.transport.implements.exchange_type

    def get_manager(self, *args: Any, **kwargs: Any) -> Any:
        """Return a client for the broker's management interface."""
        return self.transport.get_manager(*args, **kwargs)

    @cached_property
    def manager(self) -> Any:
        """Management operations of the transport."""
        return self.transport.manager

    def Pool(self, limit: int | None = None, **kwargs: Any) -> ConnectionPool:
        """Return a pool of connections like this one.

        Arguments:
            limit: Most connections in use at a time.
            **kwargs: ``preload``: how many to connect at once.
        """
        from kombu._connection_pools import ConnectionPool

        return ConnectionPool(self, limit, **kwargs)

    def ChannelPool(self, limit: int | None = None, **kwargs: Any) -> ChannelPool:
        """Return a pool of channels of this connection.

        Arguments:
            limit: Most channels in use at a time.
            **kwargs: ``preload``: how many to open at once.
        """
        from kombu._connection_pools import ChannelPool

        return ChannelPool(self, limit, **kwargs)

    def Producer(self, channel: Any = None, *args: Any, **kwargs: Any) -> Producer:
        """Return a :class:`~kombu.Producer` on this connection, or *channel*."""
        from kombu.messaging import Producer

        return Producer(channel or self, *args, **kwargs)

    def Consumer(
        self, queues: Any = None, channel: Any = None, *args: Any, **kwargs: Any
    ) -> Consumer:
        """Return a :class:`~kombu.Consumer` on this connection, or *channel*."""
        from kombu.messaging import Consumer

        return Consumer(channel or self, queues, *args, **kwargs)

    def SimpleQueue(
        self,
        name: Any,
        no_ack: bool | None = None,
        queue_opts: dict[str, Any] | None = None,
        queue_args: dict[str, Any] | None = None,
        exchange_opts: dict[str, Any] | None = None,
        channel: Any = None,
        **kwargs: Any,
    ) -> SimpleQueue:
        """Return a :class:`~kombu.simple.SimpleQueue` on this connection."""
        from kombu.simple import SimpleQueue

        return SimpleQueue(
            channel or self,
            name,
            no_ack,
            queue_opts,
            queue_args,
            exchange_opts,
            **kwargs,
        )

    def SimpleBuffer(
        self,
        name: Any,
        no_ack: bool | None = None,
        queue_opts: dict[str, Any] | None = None,
        queue_args: dict[str, Any] | None = None,
        exchange_opts: dict[str, Any] | None = None,
        channel: Any = None,
        **kwargs: Any,
    ) -> SimpleBuffer:
        """Return a :class:`~kombu.simple.SimpleBuffer` on this connection."""
        from kombu.simple import SimpleBuffer

        return SimpleBuffer(
            channel or self,
            name,
            no_ack,
            queue_opts,
            queue_args,
            exchange_opts,
            **kwargs,
        )

    # -- what the transport says -----------------------------------------------------

    @property
    def supports_heartbeats(self) -> bool:
        """True if the transport sends heartbeats."""
        return bool(self.transport.implements.heartbeats)

    @property
    def is_evented(self) -> bool:
        """True if the transport works with an event loop."""
        return bool(self.transport.implements.asynchronous)

    @property
    def qos_semantics_matches_spec(self) -> bool:
        """True if a prefetch count applies to later consumers alone."""
        return bool(self.transport.qos_semantics_matches_spec(self.connection))


BrokerConnection = Connection


def maybe_channel(channel: Any) -> Any:
    """Return *channel*, or the default channel if it is a connection."""
    return channel.default_channel if is_connection(channel) else channel


def is_connection(obj: Any) -> bool:
    """Return whether *obj* is a connection."""
    return isinstance(obj, Connection)
