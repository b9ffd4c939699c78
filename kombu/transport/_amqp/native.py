"""What transports of AMQP 0-9-1 share, whatever client they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport import base

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("NativeTransport", "release_of_rabbitmq")


def release_of_rabbitmq(properties: Mapping[str, Any] | None) -> tuple[int, ...]:
    """Return the first two numbers of a release of RabbitMQ.

    Arguments:
        properties: What the broker says of itself.

    Returns:
        Nothing, which is less than any release, if it is another broker.
    """
    if not properties or properties.get("product") != "RabbitMQ":
        return ()
    parts = str(properties.get("version", "")).split(".")
    return tuple(int(part) for part in parts[:2] if part.isdecimal())


class NativeTransport(base.Transport):
    """A transport of AMQP 0-9-1.

    Arguments:
        client: The :class:`kombu.Connection` that this serves.
        default_port: Port to use when none is given.
        default_ssl_port: The same with TLS.
    """

    default_port = 5672
    default_ssl_port = 5671

    driver_type = "amqp"

    #: Whether it is TLS, whatever the connection says.
    is_secure = False

    def __init__(
        self,
        client: Any,
        default_port: int | None = None,
        default_ssl_port: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(client, **kwargs)
        self.default_port = default_port or type(self).default_port
        self.default_ssl_port = default_ssl_port or type(self).default_ssl_port

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Connection parameters to use where none are given."""
        is_secure = self.is_secure or bool(self.client and self.client.ssl)
        return {
            "userid": "guest",
            "password": "guest",
            "port": self.default_ssl_port if is_secure else self.default_port,
            "hostname": "localhost",
            "login_method": "PLAIN",
        }

    def password(self) -> Any:
        """Return the password; one that is a callable is asked for each time."""
        client = self.client
        password = client.password
        if password is None and client.userid is None:
            password = self.default_connection_params["password"]
        return (password() if callable(password) else password) or ""

    def create_channel(self, connection: Any) -> Any:
        """Open a channel on *connection*."""
        return connection.channel()

    def drain_events(
        self, connection: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Wait for an event, and deliver it.

        Raises:
            socket.timeout: Nothing came within *timeout* seconds.
        """
        return connection.drain_events(timeout=timeout)

    def qos_semantics_matches_spec(self, connection: Any) -> bool:
        """Return whether a prefetch count is for a channel, as AMQP says."""
        return release_of_rabbitmq(connection.server_properties) < (3, 3)

    def get_manager(self, *args: Any, **kwargs: Any) -> Any:
        """Return a client of RabbitMQ's management interface."""
        from kombu.utils.amq_manager import get_manager

        return get_manager(self.client, *args, **kwargs)
