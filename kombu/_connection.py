"""The connection to a broker."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext, suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kombu import exceptions
from kombu._declared import DeclaredEntities
from kombu._failover import FAILOVER_STRATEGIES, split_urls, strategy_by_name
from kombu._parameters import parse_host
from kombu._retry import Ensured, Revival, failover_intervals
from kombu.log import get_logger
from kombu.transport import DEFAULT_TRANSPORT, get_transport_cls
from kombu.utils.collections import HashedSeq
from kombu.utils.functional import retry_over_time
from kombu.utils.objects import cached_property
from kombu.utils.url import as_url, maybe_sanitize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu._connection_pools import ChannelPool, ConnectionPool
    from kombu.messaging import Consumer, Producer
    from kombu.simple import SimpleBuffer, SimpleQueue
    from kombu.transport.base import Transport

__all__ = ("BrokerConnection", "Connection", "is_connection", "maybe_channel")

logger = get_logger("kombu.connection")

#: Options of transports that apply when the default channel is opened.
_FAILOVER_OPTIONS = {
    "errback": "errback",
    "callback": "callback",
    "max_retries": "max_retries",
    "interval_start": "interval_start",
    "interval_step": "interval_step",
    "interval_max": "interval_max",
    "connect_retries_timeout": "timeout",
}


def _asked_for(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get("KOMBU_LOG_DEBUG"))


class Connection:
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
        **kwargs: Accepted, without effect.

    Note:
        Threads may publish on one connection together.  For anything else a
        thread needs a connection, or a channel, of its own.
    """

    __module__ = "kombu.connection"

    port: int | None = None
    virtual_host: str | None = "/"
    connect_timeout: float = 5
    hostname: str | None = None
    userid: str | None = None
    password: Any = None
    ssl: Any = None
    login_method: str | None = None
    heartbeat: Any = None
    credential_provider: Any = None
    transport_options: dict[str, Any] = None  # type: ignore[assignment]
    failover_strategy: Any = "round-robin"
    uri_prefix: str | None = None

    #: What was declared by this connection.
    declared_entities: DeclaredEntities = None  # type: ignore[assignment]

    #: Iterator over the URLs, if there are several.
    cycle: Iterator[str] | None = None

    #: Names by which transports are shown.
    resolve_aliases = {"pyamqp": "amqp", "librabbitmq": "amqp"}

    failover_strategies = FAILOVER_STRATEGIES

    _closed: bool | None = None
    _connection: Any = None
    _default_channel: Any = None
    _transport: Any = None

    def __init__(
        self,
        hostname: Any = "localhost",
        userid: str | None = None,
        password: Any = None,
        virtual_host: str | None = None,
        port: int | None = None,
        insist: bool = False,
        ssl: Any = False,
        transport: Any = None,
        connect_timeout: float = 5,
        transport_options: dict[str, Any] | None = None,
        login_method: str | None = None,
        uri_prefix: str | None = None,
        heartbeat: Any = 0,
        failover_strategy: Any = "round-robin",
        alternates: list[str] | None = None,
        credential_provider: Any = None,
        **kwargs: Any,
    ) -> None:
        host, self.alt = split_urls(hostname, alternates)
        self._initial_params: dict[str, Any] = {
            "hostname": host,
            "userid": userid,
            "password": password,
            "virtual_host": virtual_host,
            "port": port,
            "insist": insist,
            "ssl": ssl,
            "transport": transport,
            "connect_timeout": connect_timeout,
            "login_method": login_method,
            "heartbeat": heartbeat,
            "credential_provider": credential_provider,
        }
        self.transport_options = dict(transport_options or {})
        self._failover_strategy = failover_strategy or "round-robin"
        self.failover_strategy = strategy_by_name(self._failover_strategy)
        if self.alt:
            self.cycle = self.failover_strategy(self.alt)
            next(self.cycle)  # the one that we begin with
        if uri_prefix is not None:
            self.uri_prefix = uri_prefix
        self._use_host(host)
        self.declared_entities = DeclaredEntities()
        self._lock = threading.RLock()
        self._pid = os.getpid()

    def _use_host(self, host: str | None) -> None:
        """Take the parameters that *host*, a URL or a name, gives."""
        params = self._initial_params
        if host:
            found, prefix = parse_host(host, params["transport"])
            if prefix is not None:
                self.uri_prefix = prefix
            params = {**params, **found}
        self._init_params(**params)

    def _init_params(
        self,
        hostname: str | None,
        userid: str | None,
        password: Any,
        virtual_host: str | None,
        port: int | None,
        insist: bool,
        ssl: Any,
        transport: Any,
        connect_timeout: float,
        login_method: str | None,
        heartbeat: Any,
        credential_provider: Any = None,
    ) -> None:
        self.hostname = hostname
        self.userid = userid
        self.password = password
        self.login_method = login_method
        self.virtual_host = virtual_host or type(self).virtual_host
        self.port = port or type(self).port
        self.insist = insist
        self.connect_timeout = connect_timeout
        self.ssl = ssl
        self.transport_cls = transport or DEFAULT_TRANSPORT
        self.heartbeat = heartbeat and float(heartbeat)
        self.credential_provider = credential_provider

    # -- showing, copying, comparing -------------------------------------------

    def __repr__(self) -> str:
        return f"<Connection: {self.as_uri()} at {id(self):#x}>"

    def __copy__(self) -> Connection:
        return self.clone()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self.info().values()), None

    def __eqhash__(self) -> HashedSeq:
        return HashedSeq(
            self.transport_cls,
            self.hostname,
            self.userid,
            self.password,
            self.virtual_host,
            self.port,
            repr(self.transport_options),
        )

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def clone(self, **kwargs: Any) -> Connection:
        """Return a connection like this one, not connected.

        Arguments:
            **kwargs: Arguments to change.
        """
        return type(self)(**{**dict(self._info(resolve=False)), **kwargs})

    def info(self) -> dict[str, Any]:
        """Return the arguments of the connection, with the transport's defaults."""
        return dict(self._info())

    def _info(self, resolve: bool = True) -> tuple[tuple[str, Any], ...]:
        transport_cls = self.transport_cls
        defaults: dict[str, Any] = {}
        hostname = self.hostname
        if resolve:
            transport_cls = self._shown_transport()
            defaults = self._default_params()
            hostname = hostname or defaults.get("hostname")
        if self.uri_prefix:
            hostname = f"{self.uri_prefix}+{hostname}"
        return (
            ("hostname", hostname),
            ("userid", self.userid or defaults.get("userid")),
            ("password", self.password or defaults.get("password")),
            ("virtual_host", self.virtual_host or defaults.get("virtual_host")),
            ("port", self.port or defaults.get("port")),
            ("insist", self.insist),
            ("ssl", self.ssl),
            ("transport", transport_cls),
            ("connect_timeout", self.connect_timeout),
            ("transport_options", self.transport_options),
            ("login_method", self.login_method or defaults.get("login_method")),
            ("uri_prefix", self.uri_prefix),
            ("heartbeat", self.heartbeat),
            ("failover_strategy", self._failover_strategy),
            ("alternates", self.alt),
            ("credential_provider", self.credential_provider),
        )

    def _shown_transport(self) -> Any:
        if isinstance(self.transport_cls, str):
            return self.resolve_aliases.get(self.transport_cls, self.transport_cls)
        return self.transport_cls

    def _default_params(self) -> dict[str, Any]:
        # To show a connection its transport need not be installed.
        try:
            return self.transport.default_connection_params
        except (exceptions.TransportNotFound, ImportError):
            return {}

    def as_uri(
        self,
        include_password: bool = False,
        mask: str = "**",
        getfields: Any = itemgetter(
            "port", "userid", "password", "virtual_host", "transport"
        ),
    ) -> str:
        """Return the connection as a URL.

        Arguments:
            include_password: Show the password.
            mask: What to show instead of it.
        """
        hostname = self.hostname or "localhost"
        if self.uri_prefix:
            hostname = f"{self.uri_prefix}+{hostname}"
        if "://" in hostname:
            if include_password:
                return hostname
            return maybe_sanitize_url(hostname, mask)
        fields = self.info()
        port, userid, password, virtual_host, transport = getfields(fields)
        if not isinstance(transport, str):
            transport = f"{transport.__module__}:{transport.__qualname__}"
        return as_url(
            transport,
            fields["hostname"] or hostname,
            port,
            userid,
            password if password is None else str(password),
            quote(virtual_host or "/", safe="/"),
            sanitize=not include_password and password is not None,
            mask=mask,
        )

    @property
    def host(self) -> str:
        """The host as ``name:port``."""
        return f"{self.hostname or 'localhost'}:{self.port}"

    def _debug(self, text: str, *args: Any) -> None:
        if _asked_for("KOMBU_LOG_CONNECTION"):
            logger.debug("[Kombu connection:%#x] " + text, id(self), *args)

    # -- connecting ------------------------------------------------------------

    def get_transport_cls(self) -> type[Transport]:
        """Return the class of the transport."""
        transport_cls = self.transport_cls
        if not transport_cls or isinstance(transport_cls, str):
            return get_transport_cls(transport_cls)
        return transport_cls  # type: ignore[no-any-return]

    def create_transport(self) -> Transport:
        """Make a transport for this connection."""
        return self.get_transport_cls()(client=self)

    @property
    def transport(self) -> Any:
        """The transport, made when it is first needed."""
        if self._transport is None:
            with self._lock:
                if self._transport is None:
                    self._transport = self.create_transport()
        return self._transport

    @property
    def connected(self) -> bool:
        """True if there is a connection, and it can be used."""
        return (
            not self._closed
            and self._connection is not None
            and self._pid == os.getpid()
            and self.transport.verify_connection(self._connection)
        )

    @property
    def connection(self) -> Any:
        """What the transport calls its connection, made when first needed.

        :const:`None` once this connection is closed.
        """
        if self._closed:
            return None
        if not self.connected:
            return self._ensure_connection(
                max_retries=1, reraise_as_library_errors=False
            )
        return self._connection

    @property
    def default_channel(self) -> Any:
        """The channel for whoever has none of his own, opened when needed.

        Raises:
            OperationalError: The broker can not be reached, as often as the
                transport options say.
        """
        if self._default_channel is not None and self.connected:
            return self._default_channel
        with self._lock:
            self._ensure_connection(**self._extract_failover_opts())
            if self._default_channel is None:
                self._default_channel = self.channel()
            return self._default_channel

    def _extract_failover_opts(self) -> dict[str, Any]:
        options = self.transport_options
        found = {
            argument: options[name]
            for name, argument in _FAILOVER_OPTIONS.items()
            if name in options
        }
        found.setdefault("timeout", self.connect_timeout)
        return found

    def connect(self) -> Any:
        """Connect now, though nothing needs it yet."""
        self._closed = False
        return self._ensure_connection(max_retries=1, reraise_as_library_errors=False)

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Connection:
        """Connect, trying until it works.

        Arguments:
            errback: Called with ``(error, seconds to wait)`` for each try
                that fails.
            max_retries: Most tries after the first; without limit if unset.
            interval_start: Seconds to wait after the first failure.
            interval_step: What the wait grows by.
            interval_max: Longest wait.
            callback: Called each second of a wait.
            reraise_as_library_errors: Raise :exc:`OperationalError` rather
                than the transport's errors.
            timeout: Seconds for it all.

        Returns:
            This connection.

        Raises:
            OperationalError: It did not work.
        """
        self._ensure_connection(*args, **kwargs)
        return self

    def _ensure_connection(
        self,
        errback: Callable[[BaseException, float], Any] | None = None,
        max_retries: int | None = None,
        interval_start: float = 2,
        interval_step: float = 2,
        interval_max: float = 30,
        callback: Callable[[], Any] | None = None,
        reraise_as_library_errors: bool = True,
        timeout: float | None = None,
    ) -> Any:
        with self._lock:
            if self.connected:
                return self._connection
            guard: Any = (
                self._reraise_as_library_errors
                if reraise_as_library_errors
                else nullcontext
            )
            with guard():
                return retry_over_time(
                    self._connection_factory,
                    self.recoverable_connection_errors,
                    (),
                    {},
                    failover_intervals(self, errback),
                    max_retries,
                    interval_start,
                    interval_step,
                    interval_max,
                    callback,
                    timeout=timeout,
                )

    def _connection_factory(self) -> Any:
        self._discard_if_lost()
        self._debug("establishing connection...")
        self._connection = self.transport.establish_connection()
        self._closed = False
        return self._connection

    def _discard_if_lost(self) -> None:
        """Drop a connection that can not be used, or is the parent process's."""
        if self._connection is not None and not self.connected:
            self.collect()
        self._pid = os.getpid()

    @contextmanager
    def _reraise_as_library_errors(
        self,
        ConnectionError: type[BaseException] = exceptions.OperationalError,
        ChannelError: type[BaseException] = exceptions.OperationalError,
    ) -> Iterator[None]:
        try:
            yield
        except (ConnectionError, ChannelError):
            raise
        except Exception as exc:
            if isinstance(exc, exceptions.KombuError):
                raise
            if isinstance(exc, self.recoverable_connection_errors):
                raise ConnectionError(str(exc)) from exc
            if isinstance(exc, self.recoverable_channel_errors):
                raise ChannelError(str(exc)) from exc
            raise

    # -- failing over ------------------------------------------------------------

    def switch(self, conn_str: str) -> None:
        """Go over to another broker.

        Arguments:
            conn_str: Its URL or host.
        """
        self.close()
        self._closed = False
        self._use_host(conn_str)

    def maybe_switch_next(self) -> None:
        """Go over to the next broker, if there are several."""
        if self.cycle is not None:
            self.switch(next(self.cycle))

    def completes_cycle(self, retries: int) -> bool:
        """Return whether all brokers were tried, after so many *retries*."""
        return not (retries + 1) % len(self.alt) if self.alt else True

    # -- closing -----------------------------------------------------------------

    def release(self) -> None:
        """Close the connection, or give it back to the pool that it is from."""
        self._close()

    close = release

    def _close(self) -> None:
        self._closed = True
        self._do_close_self()
        self._do_close_transport()
        self._debug("closed")

    def _do_close_self(self) -> None:
        self.declared_entities.clear()
        channel, self._default_channel = self._default_channel, None
        connection, self._connection = self._connection, None
        if self._pid != os.getpid():
            return
        if channel is not None:
            self.maybe_close_channel(channel)
        if connection is not None and self._transport is not None:
            try:
                self._transport.close_connection(connection)
            except self.connection_errors + (AttributeError, OSError):
                # It was lost already; there is nothing left to close.
                self._debug("lost before it was closed")

    def _do_close_transport(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.client = None

    def collect(self, socket_timeout: float | None = None) -> None:
        """Drop what is there without a word to the broker, which may be gone.

        Arguments:
            socket_timeout: Seconds that a transport may take for it.
        """
        transport = self._transport
        connection, self._connection = self._connection, None
        self._default_channel = None
        self.declared_entities.clear()
        if transport is not None and connection is not None:
            drop = getattr(transport, "_collect", None)
            if drop is None and self._pid == os.getpid():
                drop = transport.close_connection
            if drop is not None:
                with suppress(Exception):
                    drop(connection)
        self._do_close_transport()
        self._debug("collected")

    def maybe_close_channel(self, channel: Any) -> None:
        """Close *channel*; it does not matter if it is lost."""
        with suppress(*self.connection_errors, *self.channel_errors):
            channel.close()

    def revive(self, new_channel: Any) -> None:
        """Forget the default channel: the connection was made anew."""
        if self._default_channel and new_channel is not self._default_channel:
            self.maybe_close_channel(self._default_channel)
            self._default_channel = None

    def _forget_default_channel(self) -> None:
        channel, self._default_channel = self._default_channel, None
        if channel is not None:
            self.maybe_close_channel(channel)

    # -- trying again --------------------------------------------------------------

    def ensure(
        self,
        obj: Any,
        fun: Callable[..., Any],
        errback: Callable[[BaseException, float], Any] | None = None,
        max_retries: int | None = None,
        interval_start: float = 1,
        interval_step: float = 1,
        interval_max: float = 1,
        on_revive: Callable[[Any], Any] | None = None,
        retry_errors: tuple[type[BaseException], ...] | None = None,
    ) -> Callable[..., Any]:
        """Return a function that calls *fun*, again if the broker is lost.

        Arguments:
            obj: What *fun* works with; its ``revive(channel)`` is called when
                there is a new channel.
            fun: The function.
            errback: Called with ``(error, seconds to wait)`` for each failure.
            max_retries: Most further calls, failed connects included; without
                limit if unset.
            interval_start: Seconds to wait before the second further call;
                the first one follows at once.
            interval_step: What the wait grows by.
            interval_max: Longest wait.
            on_revive: Called with the new channel.
            retry_errors: Further errors after which to call again, without
                connecting anew.

        Returns:
            The function; it raises :exc:`OperationalError` in the end.
        """
        return Ensured(
            self,
            obj,
            fun,
            errback,
            max_retries,
            (interval_start, interval_step, interval_max),
            on_revive,
            tuple(retry_errors or ()),
        )

    def autoretry(
        self, fun: Callable[..., Any], channel: Any = None, **ensure_options: Any
    ) -> Callable[..., Any]:
        """Return a function that calls *fun* with a ``channel``, as often as needed.

        Arguments:
            fun: Called with the arguments given, and ``channel=``.
            channel: Channel to begin with.
            **ensure_options: Arguments of :meth:`ensure`.

        Returns:
            A function that returns ``(what fun returns, the channel used)``.
        """
        revival = Revival(self, channel)

        def call(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
            current = revival.current()
            return fun(*args, channel=current, **kwargs), current

        call.__name__ = getattr(fun, "__name__", type(fun).__name__)
        call.__doc__ = fun.__doc__
        return self.ensure(revival, call, **ensure_options)

    # -- using ---------------------------------------------------------------------

    def channel(self) -> Any:
        """Open a channel."""
        self._debug("create channel")
        channel = self.transport.create_channel(self.connection)
        if _asked_for("KOMBU_LOG_CHANNEL"):
            from kombu.utils.debug import Logwrapped

            return Logwrapped(
                channel, "kombu.channel", f"[Kombu channel:{channel.channel_id}] "
            )
        return channel

    def drain_events(self, **kwargs: Any) -> Any:
        """Wait for an event, and deliver it.

        Arguments:
            timeout: Seconds to wait; without limit if not given.

        Raises:
            socket.timeout: Nothing came in that time.
        """
        return self.transport.drain_events(self.connection, **kwargs)

    def register_with_event_loop(self, loop: Any) -> None:
        """Have *loop* deliver what comes."""
        self.transport.register_with_event_loop(self.connection, loop)

    def heartbeat_check(self, rate: int = 2) -> Any:
        """Send and check heartbeats; call it *rate* times per interval.

        Raises:
            ConnectionError: The broker sent none.
        """
        return self.transport.heartbeat_check(self.connection, rate=rate)

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

    @cached_property
    def connection_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which the connection is lost."""
        return tuple(self.get_transport_cls().connection_errors)

    @cached_property
    def channel_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which the channel is lost."""
        return tuple(self.get_transport_cls().channel_errors)

    @cached_property
    def recoverable_connection_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which it may work with a new connection."""
        errors = getattr(
            self.get_transport_cls(), "recoverable_connection_errors", None
        )
        if errors is None:
            return self.connection_errors + self.channel_errors
        return tuple(errors)

    @cached_property
    def recoverable_channel_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which it may work with a new channel."""
        return tuple(
            getattr(self.get_transport_cls(), "recoverable_channel_errors", ())
        )

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
