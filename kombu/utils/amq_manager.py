"""The management interface of RabbitMQ."""

from __future__ import annotations

from typing import Any

__all__ = ("get_manager",)

#: Port of the management plug-in of RabbitMQ.
DEFAULT_MANAGER_PORT = 15672


def get_manager(
    client: Any,
    hostname: str | None = None,
    port: int | None = None,
    userid: str | None = None,
    password: str | None = None,
) -> Any:
    """Return a client of the management interface of a connection's broker.

    What is not given is taken from the transport options ``manager_hostname``,
    ``manager_port``, ``manager_userid`` and ``manager_password``, then from
    the connection.

    Args:
        client: The connection.
        hostname: Host of the management interface.
        port: Its port, 15672 by default.
        userid: User name.
        password: Password of that user.

    Returns:
        A ``pyrabbit.Client``.

    Raises:
        kombu.exceptions.DriverNotInstalled: If pyrabbit is not installed.
    """
    try:
        import pyrabbit
    except ImportError as exc:
        from kombu.exceptions import DriverNotInstalled

        raise DriverNotInstalled(
            "The management interface needs the package pyrabbit: pip install pyrabbit"
        ) from exc
    options = client.transport_options.get
    host = hostname or options("manager_hostname") or client.hostname or "localhost"
    port = port or options("manager_port") or DEFAULT_MANAGER_PORT
    return pyrabbit.Client(
        f"{host}:{port}",
        userid or options("manager_userid") or client.userid or "guest",
        password or options("manager_password") or client.password or "guest",
    )
