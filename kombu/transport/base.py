"""The contract between this library and a transport, and what all share.

A *transport* makes connections to one kind of broker, and channels on them.
``transport.client`` is the :class:`~kombu.Connection` that uses it, and
``channel.connection`` is the transport (virtual) or the driver's connection
(native): names that applications and other transports rely on.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any, NoReturn

from kombu.exceptions import KombuError
from kombu.message import Message
from kombu.transport._capabilities import Implements, default_transport_capabilities
from kombu.transport._complaints import AbilityWarning, complain
from kombu.transport._queue_arguments import (
    RABBITMQ_QUEUE_ARGUMENTS,
    to_rabbitmq_queue_arguments,
)
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu.transport._options import Option

__all__ = (
    "RABBITMQ_QUEUE_ARGUMENTS",
    "AbilityWarning",
    "Implements",
    "Management",
    "Message",
    "StdChannel",
    "Transport",
    "default_transport_capabilities",
    "to_rabbitmq_queue_arguments",
)


class NotSupported(KombuError, NotImplementedError):
    """The transport does not have the operation asked for."""


def not_supported(obj: Any, what: str) -> NoReturn:
    """Raise that the transport of *obj* has no operation *what*."""
    kind = type(obj)
    raise NotSupported(
        f"Transport {kind.__module__}.{kind.__name__} does not implement {what}"
    )


class ProtocolErrors:
    """Class attribute that names error classes of :mod:`amqp`, loaded when read.

    Reading it from a class works too, as in
    ``connection_errors = virtual.Transport.connection_errors + (MyError,)``.
    """

    __slots__ = ("_names",)

    def __init__(self, *names: str) -> None:
        self._names = names

    def __get__(
        self, instance: object | None, owner: type | None = None
    ) -> tuple[type[BaseException], ...]:
        from kombu import exceptions

        return tuple(getattr(exceptions, name) for name in self._names)


class StdChannel:
    """What every channel offers beside the operations of AMQP."""

    #: Tags of consumers whose messages need no acknowledgement, if tracked.
    no_ack_consumers: set[str] | None = None

    def Consumer(self, *args: Any, **kwargs: Any) -> Any:
        """Make a :class:`~kombu.Consumer` on this channel."""
        from kombu.messaging import Consumer

        return Consumer(self, *args, **kwargs)

    def Producer(self, *args: Any, **kwargs: Any) -> Any:
        """Make a :class:`~kombu.Producer` on this channel."""
        from kombu.messaging import Producer

        return Producer(self, *args, **kwargs)

    def get_bindings(self) -> Iterable[dict[str, Any]]:
        """Return the bindings that the broker has, where it can tell."""
        not_supported(self, "get_bindings")

    def after_reply_message_received(self, queue: str) -> None:
        """Is called when all replies were taken from the reply queue *queue*."""

    def cancel_delayed(self, queue: str, message_id: str) -> bool:
        """Take back a message of *queue* that is not due yet.

        Returns:
            Whether there was one.

        Raises:
            AbilityNotOffered: The transport keeps no delayed messages that can
                be taken back.
        """
        from kombu.exceptions import AbilityNotOffered

        raise AbilityNotOffered(
            f"{type(self).__module__} can not take back delayed messages"
        )

    def prepare_queue_arguments(
        self, arguments: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Turn options of :class:`~kombu.Queue` into arguments for the broker.

        Arguments:
            arguments: Arguments that are in the broker's form already.
            **kwargs: ``expires``, ``message_ttl`` (seconds), ``max_length``,
                ``max_length_bytes``, ``max_priority``.
        """
        return arguments

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()  # type: ignore[attr-defined]


class Management:
    """Asks the broker for what it knows."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def get_bindings(self) -> Iterable[dict[str, Any]]:
        """Return the bindings that the broker has."""
        not_supported(self, "get_bindings")


class Transport:
    """Base of every transport.

    Arguments:
        client: The :class:`~kombu.Connection` that this serves.
    """

    Management = Management

    #: The connection that uses this transport.
    client: Any = None

    #: True if the transport wants the URL whole, and parses it by itself.
    can_parse_url = False

    #: Port to use when none is given.
    default_port: int | None = None

    #: Errors after which the connection is lost.
    connection_errors: Any = ProtocolErrors("ConnectionError")

    #: Errors after which the channel is lost.
    channel_errors: Any = ProtocolErrors("ChannelError")

    #: Name of the driver's kind (``"amqp"``, ``"redis"``, ...).
    driver_type = "N/A"

    #: Name of the package that speaks to the broker.
    driver_name = "N/A"

    #: What the transport offers.
    implements: Implements = default_transport_capabilities.extend()

    #: Options of its own, from which known names and documents are derived.
    options: tuple[Option, ...] = ()

    __reader: Any = None

    def __init__(self, client: Any, **kwargs: Any) -> None:
        self.client = client

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__}: {self.driver_type}>"

    # -- connections and channels, which each transport defines ------------

    def establish_connection(self) -> Any:
        """Connect, and return what the other methods take as *connection*."""
        not_supported(self, "establish_connection")

    def close_connection(self, connection: Any) -> None:
        """Close *connection*."""
        not_supported(self, "close_connection")

    def create_channel(self, connection: Any) -> Any:
        """Open a channel on *connection*."""
        not_supported(self, "create_channel")

    def close_channel(self, connection: Any) -> None:
        """Close a channel."""
        not_supported(self, "close_channel")

    def drain_events(
        self, connection: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Wait for events, and deliver what comes.

        Raises:
            socket.timeout: Nothing came within *timeout* seconds.
        """
        not_supported(self, "drain_events")

    def verify_connection(self, connection: Any) -> bool:
        """Return whether *connection* can still be used."""
        return True

    # -- what the broker can do --------------------------------------------

    def heartbeat_check(self, connection: Any, rate: int = 2) -> None:
        """Send and check heartbeats; *rate* is how often per interval."""

    def get_heartbeat_interval(self, connection: Any) -> float:
        """Return the agreed seconds between heartbeats; 0 for none."""
        return 0

    def qos_semantics_matches_spec(self, connection: Any) -> bool:
        """Return whether a prefetch count applies to later consumers alone."""
        return True

    def driver_version(self) -> str:
        """Return the version of the driver."""
        return "N/A"

    def get_manager(self, *args: Any, **kwargs: Any) -> Any:
        """Return a client for the broker's management interface."""
        return self.Management(self)

    @cached_property
    def manager(self) -> Any:
        """The client that :meth:`get_manager` makes."""
        return self.get_manager()

    def ask(self, ability: str) -> None:
        """Note that the application asks for *ability*.

        What is not offered is said once, naming transport and ability; or, if
        the connection is ``strict``, refused.

        Arguments:
            ability: A key of ``kombu.transport._capabilities.ABILITIES``.

        Raises:
            AbilityNotOffered: It is not offered, and the connection strict.
        """
        if not self.implements.offers(ability):
            complain(self, ability)

    @property
    def supports_heartbeats(self) -> bool:
        """True if the transport sends heartbeats."""
        return bool(self.implements.heartbeats)

    @property
    def supports_ev(self) -> bool:
        """True if the transport works with an event loop."""
        return bool(self.implements.asynchronous)

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Connection parameters to use where none are given."""
        return {}

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        """Return *uri* for display (for transports that parse it themselves).

        Arguments:
            uri: The URL.
            include_password: Show the password.
            mask: What to show instead of it.
        """
        not_supported(self, "as_uri")

    # -- event loop ----------------------------------------------------------

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have *loop* deliver what comes by *connection*."""

    def unregister_from_event_loop(self, connection: Any, loop: Any) -> None:
        """Undo :meth:`register_with_event_loop`."""

    def on_readable(self, connection: Any, loop: Any) -> None:
        """Deliver what has arrived, all of it, without waiting."""
        reader = self.__reader
        if reader is None:
            reader = self.__reader = self._make_reader(connection)
        reader(loop)

    def _make_reader(
        self,
        connection: Any,
        timeout: type[BaseException] = socket.timeout,
        error: type[OSError] = OSError,
        _unavail: tuple[int, ...] = (errno.EAGAIN, errno.EINTR),
    ) -> Any:
        drain_events = connection.drain_events

        def _read(loop: Any) -> None:
            if not connection.connected:
                _raise_connection_lost()
            try:
                drain_events(timeout=0)
            except timeout:
                return
            except error as exc:
                if exc.errno in _unavail:
                    return
                raise
            # There may be more: let the loop come back to it.
            loop.call_soon(_read, loop)

        return _read


def _raise_connection_lost() -> NoReturn:
    from kombu.exceptions import RecoverableConnectionError

    raise RecoverableConnectionError("Socket was disconnected")
