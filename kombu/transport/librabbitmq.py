"""AMQP 0-9-1 by librabbitmq, a client written in C.

It is used when asked for by name (``librabbitmq://``).  The package is built up to
Python 3.11; where it can't be had, ``amqp://`` does more, and is about as fast.

Known limits, which are those of the package: no TLS, no heartbeats while nothing is
received, no confirms, no bindings from exchange to exchange.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from kombu.exceptions import DriverNotInstalled, KombuError
from kombu.transport import base
from kombu.transport._amqp.native import NativeTransport
from kombu.transport._capabilities import NATIVE, Support, native_abilities

if TYPE_CHECKING:
    from kombu.transport._capabilities import Implements

__all__ = ("Message", "Transport")  # and, once it is installed, Channel, Connection

DEFAULT_PORT = 5672
DEFAULT_SSL_PORT = 5671

#: What RabbitMQ does beside what AMQP says.
_RABBITMQ = dict.fromkeys(
    (
        "alternate_exchange",
        "event_loop",
        "priority",
        "message_ttl",
        "queue_expires",
        "dead_letter",
        "max_length",
        "single_active_consumer",
        "consumer_priority",
    ),
    Support(NATIVE),
)


class NoTLS(KombuError, NotImplementedError):
    """TLS was asked of librabbitmq, which has none."""


class Message(base.Message):
    """A message that came by librabbitmq.

    Arguments:
        channel: The channel.
        props: Properties, and headers.
        info: Where it came from.
        body: The body.
    """

    def __init__(
        self, channel: Any, props: dict[str, Any], info: dict[str, Any], body: Any
    ) -> None:
        super().__init__(
            # A view of memory that the driver may use again.
            body=bytes(body) if isinstance(body, memoryview) else body,
            channel=channel,
            delivery_tag=info.get("delivery_tag"),
            content_type=props.get("content_type"),
            content_encoding=props.get("content_encoding"),
            delivery_info=info,
            properties=props,
            headers=props.get("headers") or {},
        )


class _Driver(NamedTuple):
    """The classes of the package, with what Kombu adds."""

    Connection: Any
    Channel: Any
    connection_error: type[BaseException]
    channel_error: type[BaseException]


class _ChannelAdditions(base.StdChannel):
    """What Kombu adds to a channel of librabbitmq."""

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Return a message to be published."""
        found = {
            **(properties or {}),
            "content_type": content_type,
            "content_encoding": content_encoding,
            "headers": headers,
            "priority": priority,
        }
        return body, {name: value for name, value in found.items() if value is not None}

    def basic_publish(
        self,
        message: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
        **properties: Any,
    ) -> Any:
        """Publish a message; the timeouts have no effect."""
        body, prepared = message if isinstance(message, tuple) else (message, {})
        if isinstance(body, str):
            body = body.encode(prepared.get("content_encoding") or "utf-8")
        return super().basic_publish(  # type: ignore[misc]
            bytes(body),
            exchange,
            routing_key or "",
            bool(mandatory),
            bool(immediate),
            **{**prepared, **properties},
        )

    def basic_consume(self, *args: Any, on_cancel: Any = None, **kwargs: Any) -> Any:
        """Consume; librabbitmq does not tell when the broker cancels."""
        return super().basic_consume(*args, **kwargs)  # type: ignore[misc]

    def prepare_queue_arguments(
        self, arguments: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Turn options of a queue into arguments of RabbitMQ."""
        return base.to_rabbitmq_queue_arguments(arguments, **kwargs)


@lru_cache(maxsize=1)
def _driver() -> _Driver:
    """Return the classes of librabbitmq.

    Raises:
        DriverNotInstalled: The package is not there.
    """
    try:
        import librabbitmq
    except ImportError as exc:
        raise DriverNotInstalled(
            "librabbitmq:// needs the package librabbitmq: pip install "
            "'kombu[librabbitmq]' (Python 3.10), or librabbitmq-fork (up to 3.11); "
            "amqp:// needs nothing and does more"
        ) from exc
    channel = type(
        "Channel", (_ChannelAdditions, librabbitmq.Channel), {"Message": Message}
    )
    connection = type(
        "Connection",
        (librabbitmq.Connection,),
        {"Channel": channel, "Message": Message},
    )
    return _Driver(
        connection, channel, librabbitmq.ConnectionError, librabbitmq.ChannelError
    )


def __getattr__(name: str) -> Any:
    if name in {"Channel", "Connection"}:
        return getattr(_driver(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Errors:
    """Class attribute: errors of the driver, if there is one, beside those of all."""

    def __init__(self, kind: str, *others: type[BaseException]) -> None:
        self._kind = kind
        self._others = others

    def __get__(
        self, instance: object | None, owner: type | None = None
    ) -> tuple[type[BaseException], ...]:
        common: tuple[type[BaseException], ...] = getattr(
            base.Transport, f"{self._kind}_errors"
        )
        try:
            own = getattr(_driver(), f"{self._kind}_error")
        except DriverNotInstalled:
            return (*common, *self._others)
        return (*common, own, *self._others)


class Transport(NativeTransport):
    """AMQP 0-9-1 by librabbitmq.

    Arguments:
        client: The :class:`kombu.Connection` that this serves.
        default_port: Port to use when none is given.
        default_ssl_port: Has no effect: there is no TLS.
    """

    default_port = DEFAULT_PORT
    default_ssl_port = DEFAULT_SSL_PORT

    connection_errors = _Errors("connection", OSError)
    channel_errors = _Errors("channel")
    driver_name = "librabbitmq"

    implements: Implements = base.Transport.implements.extend(
        asynchronous=True,
        abilities={**native_abilities, **_RABBITMQ},
    )

    def driver_version(self) -> str:
        """Return the version of librabbitmq."""
        import librabbitmq

        return str(librabbitmq.__version__)

    def establish_connection(self) -> Any:
        """Connect, and log in.

        Raises:
            DriverNotInstalled: librabbitmq is not installed.
            NoTLS: TLS is asked for.
        """
        client = self.client
        driver = _driver()
        if client.ssl:
            _refuse_tls()
        defaults = self.default_connection_params
        connection = driver.Connection(
            **{
                "host": client.hostname or defaults["hostname"],
                "userid": client.userid or defaults["userid"],
                "password": self.password(),
                "virtual_host": client.virtual_host or "/",
                "port": client.port or defaults["port"],
                **client.transport_options,
            }
        )
        connection.client = client
        return connection

    def close_connection(self, connection: Any) -> None:
        """Close *connection*."""
        connection.close()

    def verify_connection(self, connection: Any) -> bool:
        """Return whether *connection* can still be used."""
        return bool(connection.connected)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have *loop* deliver what comes by *connection*."""
        loop.add_reader(connection.fileno(), self.on_readable, connection, loop)


def _refuse_tls() -> NoReturn:
    raise NoTLS("librabbitmq has no TLS: use amqps://")
