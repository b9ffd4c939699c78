"""The transport: connects, and finds out what the broker is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amqp import exceptions as amqp_errors

from kombu.transport._amqp.keeper import HeartbeatKeeper
from kombu.transport._options import COMMON_OPTIONS, warn_of_unknown
from kombu.transport._pushing import PushingTransport
from kombu.transport._qpid.abilities import GENERIC
from kombu.transport._qpid.driver import driver_version, load_connection
from kombu.transport._qpid.options import QPID_OPTIONS, Options, tls_of
from kombu.transport._tls import TLS

if TYPE_CHECKING:
    from kombu.transport._qpid.connection import Connection
    from kombu.transport._qpid.dialects import Dialect

__all__ = ("Transport",)


_known_names = frozenset(option.name for option in (*COMMON_OPTIONS, *QPID_OPTIONS))


class Transport(PushingTransport):
    """AMQP 1.0, by the library :mod:`proton`.

    What it offers depends on the broker: :attr:`implements` of the class is what any
    has, that of an instance, once connected, what this one has.

    Arguments:
        client: The :class:`kombu.Connection` that this serves.
    """

    #: It is woken by the socket.
    polling_interval = None

    default_port = 5672
    default_ssl_port = 5671

    connection_errors = (amqp_errors.ConnectionError, OSError)
    channel_errors = (amqp_errors.ChannelError,)
    recoverable_connection_errors = (
        amqp_errors.RecoverableConnectionError,
        amqp_errors.MessageNacked,
        OSError,
    )
    recoverable_channel_errors = (amqp_errors.RecoverableChannelError,)

    driver_name = "python-qpid-proton"
    driver_type = "qpid"

    implements = GENERIC

    options = QPID_OPTIONS

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        #: What the broker was, when we connected last.
        self._dialect_class: type[Dialect] | None = None

    def driver_version(self) -> str:
        """Return the version of :mod:`proton`."""
        return driver_version()

    # -- connecting ----------------------------------------------------------------------

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Connection parameters to use where none are given."""
        is_secure = bool(self.client and self.client.ssl)
        return {
            "hostname": "localhost",
            "port": self.default_ssl_port if is_secure else self.default_port,
        }

    def establish_connection(self) -> Connection:
        """Connect, and log in.

        Raises:
            DriverNotInstalled: The library is not installed.
            OSError: The host can not be reached, or its certificate is not valid.
            AccessRefused: The login is refused.
        """
        given = self.client.transport_options
        warn_of_unknown(given, _known_names, self.driver_type, False)
        options = Options.of(given)
        connection = self._connect(options, self._dialect_class)
        try:
            kind = self._dialect_of(connection, options)
            if self._hostname(kind) != connection.hostname:
                # Now that it is known what it calls virtual hosts.
                connection.close()
                connection = self._connect(options, kind)
            self._dialect_class = kind
            connection.dialect = kind(connection)
            self.implements = kind.implements
            if connection.heartbeat and options.heartbeat_keeper:
                connection.keeper = HeartbeatKeeper(connection)
        except BaseException:
            connection.abandon()
            raise
        return connection

    def _connect(self, options: Options, kind: type[Dialect] | None) -> Connection:
        connection_class = load_connection()
        from kombu.transport._qpid.connection import Address
        from kombu.transport._qpid.engine import Login
        from kombu.transport._qpid.products import dialect_named

        client, defaults = self.client, self.default_connection_params
        tls = tls_of(client.ssl, client.transport_options)
        # Asked for anew each time: it may be short-lived.
        password = client.password() if callable(client.password) else client.password
        mechanisms = options.sasl_mechanisms or client.login_method
        if not mechanisms:
            mechanisms = "PLAIN" if client.userid else "ANONYMOUS"
        if kind is None:
            kind = dialect_named(options.product or "generic")
        connection: Connection = connection_class(
            Address(
                client.hostname or defaults["hostname"],
                int(client.port or defaults["port"]),
                TLS(tls) if tls else None,
                client.connect_timeout,
            ),
            Login(client.userid, password, mechanisms),
            options,
            self._hostname(kind),
            float(client.heartbeat or 0),
            _properties(client.transport_options),
            self,
        )
        connection.connect()
        return connection

    def _hostname(self, kind: type[Dialect]) -> str | None:
        return kind.hostname(self.client.virtual_host or "/")

    def _dialect_of(self, connection: Connection, options: Options) -> type[Dialect]:
        from kombu.transport._qpid.products import dialect_for, dialect_named

        if options.product is not None:
            return dialect_named(options.product)
        return dialect_for(connection.engine.remote_properties)

    def close_connection(self, connection: Connection) -> None:
        """Close *connection*, once what was published is confirmed."""
        self._stop_keeper(connection)
        connection.close()

    def _collect(self, connection: Connection) -> None:
        """Drop *connection* without a word: it is lost, or the parent process's."""
        self._stop_keeper(connection)
        connection.give_up()

    def _stop_keeper(self, connection: Connection) -> None:
        keeper, connection.keeper = connection.keeper, None
        if keeper is not None:
            keeper.stop()

    def create_channel(self, connection: Connection) -> Any:
        """Open a channel on *connection*."""
        return connection.channel()

    def close_channel(self, connection: Any) -> None:
        """Close a channel."""
        connection.close()

    # -- using ---------------------------------------------------------------------------

    def drain_events(
        self, connection: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Wait for an event, and deliver it.

        Raises:
            socket.timeout: Nothing came within *timeout* seconds.
        """
        return connection.drain_events(timeout)

    def qos_semantics_matches_spec(self, connection: Connection) -> bool:
        """Return False: a prefetch count is for each consumer."""
        return False


def _properties(given: Any) -> dict[str, Any]:
    from kombu import __version__

    program = Path(sys.argv[0] if sys.argv else "").name or "python"
    return {
        "product": "kombu",
        "version": __version__,
        "process": f"{program} ({os.getpid()})",
        **(given.get("client_properties") or {}),
    }
