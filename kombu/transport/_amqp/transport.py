"""The transport: connects, with all that a connection's arguments say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from amqp import __version__ as amqp_version
from amqp import exceptions as amqp_errors

from kombu.exceptions import KombuError
from kombu.log import get_logger
from kombu.transport._amqp.connection import Connection as AMQPConnection
from kombu.transport._amqp.keeper import HeartbeatKeeper
from kombu.transport._amqp.native import NativeTransport
from kombu.transport._amqp.options import AMQP_OPTIONS, OWN_OPTIONS, Options
from kombu.transport._capabilities import (
    NATIVE,
    Support,
    native_abilities,
)
from kombu.transport._options import COMMON_OPTIONS, warn_of_unknown
from kombu.transport._pushing import PushingTransport
from kombu.transport._tls import TLS

__all__ = ("SSLTransport", "Transport")

logger = get_logger(__name__)


#: What RabbitMQ does beside what AMQP says.
RABBITMQ_ABILITIES = {
    **native_abilities,
    **dict.fromkeys(
        (
            "exchange_binding",
            "alternate_exchange",
            "cancel_notice",
            "event_loop",
            "concurrent_publish",
            "priority",
            "message_ttl",
            "queue_expires",
            "dead_letter",
            "max_length",
            "single_active_consumer",
            "consumer_priority",
            "tls",
        ),
        Support(NATIVE),
    ),
    "delivery_limit": Support(NATIVE, "of quorum queues"),
}

_amqp_names = frozenset(option.name for option in AMQP_OPTIONS)
_known_names = frozenset(
    option.name for option in (*COMMON_OPTIONS, *AMQP_OPTIONS, *OWN_OPTIONS)
)
#: Parameters of the connection that options may override, as in kombu 5.7.
_overridable = frozenset(
    {
        "host",
        "userid",
        "password",
        "login_method",
        "virtual_host",
        "ssl",
        "connect_timeout",
        "heartbeat",
        "insist",
    }
)


class Transport(PushingTransport, NativeTransport):
    """AMQP 0-9-1, by the :mod:`amqp` library and code of our own.

    Arguments:
        client: The :class:`kombu.Connection` that this serves.
        default_port: Port to use when none is given.
        default_ssl_port: The same with TLS.
    """

    Connection = AMQPConnection

    connection_errors = (amqp_errors.ConnectionError, OSError)
    channel_errors = (amqp_errors.ChannelError,)
    recoverable_connection_errors = (
        amqp_errors.RecoverableConnectionError,
        amqp_errors.MessageNacked,
        OSError,
    )
    recoverable_channel_errors = (amqp_errors.RecoverableChannelError,)

    driver_name = "py-amqp"

    implements = NativeTransport.implements.extend(
        asynchronous=True,
        heartbeats=True,
        abilities=RABBITMQ_ABILITIES,
    )

    options = (*AMQP_OPTIONS, *OWN_OPTIONS)

    def driver_version(self) -> str:
        """Return the version of :mod:`amqp`."""
        return str(amqp_version)

    # -- connecting ------------------------------------------------------------------

    def establish_connection(self) -> AMQPConnection:
        """Connect, and log in.

        Raises:
            OSError: The host can not be reached, or its certificate is not valid.
            AccessRefused: The login is refused.
        """
        client = self.client
        given = client.transport_options
        warn_of_unknown(given, _known_names | _overridable, self.driver_type, False)
        options = Options.of(given)
        parameters = self._parameters(client, options)
        parameters.update({k: v for k, v in given.items() if k in _overridable})
        parameters.pop("insist", None)
        ssl = parameters.pop("ssl")
        connection = self.Connection(
            tls=TLS(ssl) if ssl else None,
            options=options,
            client=client,
            **parameters,
            **{
                name: given[name]
                for name in _amqp_names & given.keys()
                if name != "client_properties"
            },
        )
        connection.connect()
        if not connection.has_confirms:
            connection.options = options.without_confirms()
        if connection.heartbeat and options.heartbeat_keeper:
            connection.keeper = HeartbeatKeeper(connection)
        return connection

    def _parameters(self, client: Any, options: Options) -> dict[str, Any]:
        defaults = self.default_connection_params
        hostname = client.hostname or defaults["hostname"]
        if ":" in hostname and not hostname.startswith("["):
            hostname = f"[{hostname}]"  # IPv6
        return {
            "host": f"{hostname}:{client.port or defaults['port']}",
            "userid": client.userid or defaults["userid"],
            "password": self.password(),
            "login_method": client.login_method or defaults["login_method"],
            "virtual_host": client.virtual_host or "/",
            "ssl": client.ssl or self.is_secure,
            "connect_timeout": client.connect_timeout,
            "heartbeat": client.heartbeat or 0,
            "client_properties": self._client_properties(client, options),
        }

    def _client_properties(self, client: Any, options: Options) -> dict[str, Any]:
        name = options.connection_name
        if name is None:
            program = Path(sys.argv[0] if sys.argv else "").name or "python"
            name = f"{program} ({os.getpid()})"
        given = client.transport_options.get("client_properties") or {}
        return {"connection_name": name, **given}

    def close_connection(self, connection: AMQPConnection) -> None:
        """Close *connection*, once what was published is confirmed.

        If it was lost before, another one is made for that: it may be the last chance.
        """
        self._stop_keeper(connection)
        connection.close()
        outbox = connection.outbox
        if not outbox:
            return
        reason: BaseException | str = "the broker did not confirm them"
        try:
            another = self.establish_connection()
            self._stop_keeper(another)
            another.close()
        except (*self.connection_errors, *self.channel_errors, KombuError) as exc:
            reason = exc
        if outbox:
            logger.error(
                "%d messages were not confirmed before the connection was lost, and "
                "could not be published again: %s",
                len(outbox),
                reason,
            )

    def _collect(self, connection: AMQPConnection) -> None:
        """Drop *connection* without a word: it is lost, or the parent process's."""
        self._stop_keeper(connection)
        connection.give_up()

    def _stop_keeper(self, connection: AMQPConnection) -> None:
        keeper, connection.keeper = connection.keeper, None
        if keeper is not None:
            keeper.stop()

    def close_channel(self, connection: Any) -> None:
        """Close a channel."""
        connection.close()


class SSLTransport(Transport):
    """The same, always with TLS (``amqps://``)."""

    is_secure = True
