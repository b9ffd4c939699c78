"""From a Connection to the arguments of redis-py's connections."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.exceptions import InvalidURL
from kombu.transport._tls import InvalidTLS, named_options
from kombu.utils._spin import SPIN
from kombu.utils.imports import symbol_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Parameters",)

DEFAULT_PORT = 6379

#: Options that redis-py's connections are given, if the application gives them.
_FOR_THE_DRIVER = ("client_name", "retry", "retry_on_error", "retry_on_timeout")

#: Ours for TLS, and redis-py's.
_TLS_NAMES = {
    "ca_certs": "ssl_ca_certs",
    "ca_path": "ssl_ca_path",
    "ca_data": "ssl_ca_data",
    "certfile": "ssl_certfile",
    "keyfile": "ssl_keyfile",
    "password": "ssl_password",
    "ciphers": "ssl_ciphers",
    "tls_minimum_version": "ssl_min_version",
}

#: Seconds of silence after which TCP asks, between two questions, and their number.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class Parameters(NamedTuple):
    """What a connection to a server is made with.

    Attributes:
        host: Name of the host; none for a UNIX socket.
        port: Its port.
        path: Path of a UNIX socket.
        database: Number of the database.
        uses_tls: Whether to speak TLS.
        common: The other arguments of redis-py's connections.
        secret: The password, which no text may show.
        channel_class: Names the classes of connections.
        busy_wait: Seconds that an answer is looked for before its thread sleeps.
    """

    host: str | None
    port: int
    path: str | None
    database: int
    uses_tls: bool
    common: dict[str, Any]
    secret: str | None
    channel_class: Any
    busy_wait: float

    @classmethod
    def of(
        cls,
        client: Any,
        channel_class: Any,
        is_socket: bool = False,
        uses_tls: bool = False,
    ) -> Parameters:
        """Return those of *client*, a Connection.

        Arguments:
            client: The connection.
            channel_class: Its ``connection_class`` and ``connection_class_ssl`` are
                those of redis-py's connections.
            is_socket: Whether it is to a UNIX socket.
            uses_tls: Whether to speak TLS even if nothing else says so.

        Raises:
            InvalidURL: The database is no number.
        """
        options: Mapping[str, Any] = client.transport_options or {}
        host, path, database = client.hostname, None, client.virtual_host
        if host and "://" in host:  # kombu's form: socket:///path
            host = host.partition("://")[2]
            path, host = host if host.startswith("/") else f"/{host}", None
        elif host and host.startswith("/"):
            path, host = host, None
        elif not host and is_socket:
            path, database = f"/{database}", None
        common: dict[str, Any] = {
            "encoding_errors": "surrogateescape",
            "protocol": 2,
            "socket_timeout": options.get("socket_timeout", 5.0),
            "socket_connect_timeout": _connect_timeout(client, options),
            "health_check_interval": options.get("health_check_interval", 25) or 0,
            **_credentials(client, options),
        }
        for name in _FOR_THE_DRIVER:
            if options.get(name) is not None:
                common[name] = options[name]
        if path is None:
            common.update(_keepalive(options))
        tls = client.ssl or uses_tls
        if tls:
            common.update(_tls(tls))
        return cls(
            host or "localhost",
            int(client.port or DEFAULT_PORT),
            path,
            database_number(database),
            bool(tls),
            common,
            _secret_of(common),
            channel_class,
            options.get("busy_wait", SPIN),
        )

    @property
    def where(self) -> str:
        """The server, for people."""
        place = self.path or f"{self.host}:{self.port}"
        return f"Redis at {place}/{self.database}"

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of redis-py's connections, but for the address."""
        found = {**self.common, **_without_notices(), "db": self.database}
        password = found.get("password")
        if callable(password):
            found["password"] = password()
        return found

    def connection(self, host: str | None = None, port: int | None = None) -> Any:
        """Return a connection of redis-py, which is not open yet.

        Arguments:
            host: Another host than that of the parameters.
            port: Its port.
        """
        arguments = self.arguments
        if self.path is not None and host is None:
            from redis.connection import UnixDomainSocketConnection

            unix: Any = UnixDomainSocketConnection
            return unix(path=self.path, **arguments)
        channel = self.channel_class
        kind = (
            channel.connection_class_ssl if self.uses_tls else channel.connection_class
        )
        return kind(host=host or self.host, port=port or self.port, **arguments)


def database_number(virtual_host: Any) -> int:
    """Return the number of the database that a virtual host names.

    Raises:
        InvalidURL: It is none.
    """
    text = str(virtual_host or "").strip("/")
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        raise InvalidURL(
            f"the database of Redis is a number, from 0 on: {virtual_host!r} is none"
        ) from None


def _without_notices() -> dict[str, Any]:
    """Return arguments that save newer drivers a round trip for each connection."""
    try:
        from redis.maint_notifications import MaintNotificationsConfig
    except ImportError:  # before redis-py 6.3
        return {}
    return {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _secret_of(common: Mapping[str, Any]) -> str | None:
    password = common.get("password")
    # One that is made for each login is known by then only.
    return password if isinstance(password, str) else None


def _connect_timeout(client: Any, options: Mapping[str, Any]) -> Any:
    given = options.get("socket_connect_timeout")
    return client.connect_timeout if given is None else given


def _credentials(client: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    provider = getattr(client, "credential_provider", None)
    provider = provider or options.get("credential_provider")
    if provider is None:
        found = {"username": client.userid, "password": client.password}
        return {name: value for name, value in found.items() if value}
    if isinstance(provider, str):
        provider = symbol_by_name(provider)
    if isinstance(provider, type):
        provider = provider()
    return {"credential_provider": provider}


def _keepalive(options: Mapping[str, Any]) -> dict[str, Any]:
    if options.get("socket_keepalive") is False:
        return {"socket_keepalive": False}
    given = options.get("socket_keepalive_options")
    if given is None:
        given = {
            getattr(socket, name): value
            for name, value in _KEEPALIVE.items()
            if hasattr(socket, name)
        }
    return {"socket_keepalive": True, "socket_keepalive_options": given}


def _tls(ssl_argument: Any) -> dict[str, Any]:
    """Return redis-py's arguments for TLS.

    Raises:
        InvalidTLS: It has a key that means nothing, or a context, which redis-py
            takes none of.
    """
    given = named_options(ssl_argument if hasattr(ssl_argument, "items") else {})
    if ssl_argument is not True and not hasattr(ssl_argument, "items"):
        raise InvalidTLS(
            "redis-py takes no SSLContext: give a dictionary of ca_certs, certfile, "
            "keyfile, cert_reqs, check_hostname, ..."
        )
    requirement = given.pop("cert_reqs", None)
    checks = given.pop("check_hostname", None)
    found: dict[str, Any] = {
        _TLS_NAMES[name]: value for name, value in given.items() if name in _TLS_NAMES
    }
    unknown = sorted(set(given) - set(_TLS_NAMES) - {"ssl_version"})
    if unknown:
        raise InvalidTLS(f"the Redis transport has no TLS option {unknown[0]!r}")
    found["ssl_cert_reqs"] = _requirement(requirement)
    is_checked = found["ssl_cert_reqs"] == "required"
    found["ssl_check_hostname"] = is_checked if checks is None else bool(checks)
    return found


def _requirement(value: Any) -> str:
    """Return what redis-py calls a way to check certificates."""
    if value is None:
        return "required"
    name = str(getattr(value, "name", value)).lower()
    name = name.removeprefix("cert_")
    if name not in ("none", "optional", "required"):
        raise InvalidTLS(
            "cert_reqs must be CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE, "
            f"not {value!r}"
        )
    return name
