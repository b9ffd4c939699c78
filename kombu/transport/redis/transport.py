"""The transport: one server, and who is woken when there are messages."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from kombu.exceptions import DriverNotInstalled
from kombu.transport._capabilities import NATIVE, Support, leased_abilities
from kombu.transport.redis.channel import Channel
from kombu.transport.redis.driver_errors import DriverErrors
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.options import Settings
from kombu.transport.redis.parameters import DEFAULT_PORT, Parameters
from kombu.transport.redis.waking import WakingTransport
from kombu.transport.virtual.ranks import KOMBU
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.transport.redis.broker import RedisBroker
    from kombu.transport.redis.lines import Quota
    from kombu.transport.redis.link import Link
    from kombu.transport.redis.server import Server
    from kombu.transport.virtual.records import RecordStore

__all__ = ("SSLTransport", "Transport", "UnixSocketTransport")

_DEFAULT_CONNECTIONS = 10


#: The transports of this process.
_transports: weakref.WeakSet[Transport] = weakref.WeakSet()


def _forget_parent() -> None:
    for transport in tuple(_transports):
        transport._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


class Transport(WakingTransport):
    """The Redis transport."""

    __module__ = "kombu.transport.redis"

    Channel = Channel

    polling_interval = None
    is_woken_by_store = True
    default_port: Any = DEFAULT_PORT
    driver_type = "redis"
    driver_name = "redis"
    knows_all_options = True

    #: Whether URLs name a UNIX socket.
    _is_socket = False

    #: Whether TLS is spoken whatever the connection says.
    _uses_tls = False

    #: Seconds after which a wait for messages ends, and begins again.
    brpop_timeout = 2

    #: Errors that mean that the connection is lost, the driver's own included.
    connection_errors: Any = DriverErrors(
        "connection_errors", "ConnectionError", "TimeoutError", "ReadOnlyError"
    )

    #: Errors that mean that something was refused, the driver's own included.
    channel_errors: Any = DriverErrors(
        "channel_errors", "DataError", "InvalidResponse", "ResponseError"
    )

    implements = WakingTransport.implements.extend(
        asynchronous=True,
        batch_publish=True,
        abilities={
            **leased_abilities,
            "tls": Support(NATIVE),
            "fanout": Support(
                NATIVE, "reaches who listens; each bound queue with fanout='durable'"
            ),
        },
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        self._opening = threading.Lock()
        _transports.add(self)
        super().__init__(client, **kwargs)

    def driver_version(self) -> str:
        """Return the version of redis-py; N/A without it."""
        try:
            import redis
        except ImportError:
            return "N/A"
        return str(redis.__version__)

    @property
    def supports_batch_publish(self) -> bool:
        """Whether messages may be published in batches."""
        return bool(self.Channel.supports_batch_publish)

    # -- the server ------------------------------------------------------------------

    @cached_property
    def settings(self) -> Settings:
        """What the options say of how the server is used."""
        return Settings.of(self._options(), self.parameters.database)

    @cached_property
    def parameters(self) -> Parameters:
        """What connections are made with."""
        return Parameters.of(
            self._client_for_parameters(),
            self.Channel,
            self._is_socket,
            self._uses_tls,
        )

    def _client_for_parameters(self) -> Any:
        return self.client

    def _options(self) -> dict[str, Any]:
        return self.client.transport_options or {}

    @property
    def broker(self) -> RedisBroker:
        """The server, opened when it is first asked for."""
        broker = self._broker
        if broker is None:
            with self._opening:
                broker = self._broker
                if broker is None:
                    broker = self._broker = self._open()
        return broker

    def _after_fork(self) -> None:
        """Leave what is the parent's alone: a child has connections of its own."""
        self._opening = threading.Lock()
        # Kept: what is dropped may say goodbye.
        self._of_parent, self._broker = self._broker, None

    def _open(self) -> RedisBroker:
        try:
            from kombu.transport.redis.broker import RedisBroker
            from kombu.transport.redis.lines import Quota
        except ModuleNotFoundError as exc:
            if exc.name is None or exc.name.partition(".")[0] != "redis":
                raise
            raise DriverNotInstalled(
                "redis-py is not installed: pip install 'kombu[redis]'"
            ) from exc
        options = self._options()
        quota = Quota(int(options.get("max_connections") or _DEFAULT_CONNECTIONS))
        server = self._make_server(quota)
        silence = options.get("health_check_interval", 25)
        return RedisBroker(
            self,
            server,
            self._make_keys(server.is_cluster),
            self.settings,
            self.visibility_timeout,
            float(silence or 0),
            self._compat_prefix(),
            self.levels_of,
            self.level_of,
            self._route,
        )

    def _make_keys(self, in_cluster: bool) -> Keys:
        options = self._options()
        return Keys(
            options.get("global_keyprefix") or "",
            options.get("sep") or Channel.sep,
            options.get("unacked_key") or Channel.unacked_key,
            options.get("unacked_index_key") or Channel.unacked_index_key,
            in_cluster,
        )

    def _make_server(self, quota: Quota) -> Server:
        from kombu.transport.redis.server import Server

        return Server(self._link_maker(), quota, self.parameters.where)

    def _link_maker(self) -> Callable[[], Link]:
        from kombu.transport.redis.link import Link

        parameters = self.parameters
        return lambda: Link(
            parameters.connection,
            parameters.where,
            parameters.secret,
            parameters.busy_wait,
        )

    def _compat_prefix(self) -> str | None:
        return None

    def client_of_driver(self) -> Any:
        """Return a client of redis-py for the same server."""
        from redis import ConnectionPool, Redis

        # The pool takes over how connections are made, not the one given.
        given = self.parameters.connection()
        pool = ConnectionPool(connection_class=type(given), **self._pool_arguments())
        return Redis(connection_pool=pool)

    def _pool_arguments(self) -> dict[str, Any]:
        parameters = self.parameters
        arguments = parameters.arguments
        if parameters.path is not None:
            return {**arguments, "path": parameters.path}
        return {**arguments, "host": parameters.host, "port": parameters.port}

    def _make_records(self) -> RecordStore:
        return self.broker.records

    def establish_connection(self) -> Any:
        """Connect to the server.

        Raises:
            ServerLost: It can not be reached.
            ServerRefused: It does not let us.
        """
        self.broker.clock.forget()
        self.broker.time()
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        """Close all channels, and the connections to the server."""
        self._end_wait()
        try:
            super().close_connection(connection)
            if self._broker is not None:
                self._broker.give_back()
        finally:
            if self._broker is not None:
                self._broker.close()

    # -- levels of priority ----------------------------------------------------------

    @cached_property
    def _steps(self) -> tuple[int, ...] | None:
        """The steps of priorities; None if they are as in AMQP."""
        mode = self._options().get("priority_mode") or self.Channel.priority_mode
        return self.settings.priority_steps if mode == KOMBU else None

    def levels_of(self, queue: str) -> tuple[int, ...]:
        """Return the levels of *queue*, in the order of service."""
        steps = self._steps
        if steps is not None:
            return steps  # type: ignore[no-any-return]
        policy = self.state.policies.get(queue)
        highest = 0 if policy is None else policy.max_priority or 0
        return tuple(range(highest, -1, -1))

    def level_of(self, queue: str, envelope: Any) -> int:
        """Return the level of *envelope* in *queue*."""
        try:
            priority = int(envelope["properties"]["priority"])
        except (TypeError, ValueError, LookupError):
            priority = 0
        steps = self._steps
        if steps is not None:
            if not priority:
                return 0
            return max((step for step in steps if step <= priority), default=0)
        return min(max(priority, 0), self.levels_of(queue)[0])

    def _route(self, exchange: str, routing_key: str) -> Iterable[str]:
        try:
            return self.state.routes.route(exchange, routing_key, {})
        except KeyError:
            return ()


class SSLTransport(Transport):
    """The Redis transport, by TLS."""

    __module__ = "kombu.transport.redis"

    _uses_tls = True


class UnixSocketTransport(Transport):
    """The Redis transport, over a UNIX socket: the path is that of the socket."""

    __module__ = "kombu.transport.redis"

    _is_socket = True
