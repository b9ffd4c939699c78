"""Transports by name, and how to find them.

A transport is found by its alias (the scheme of a URL), by the path of its
class (``"package.module:Class"``), or through the entry-point group
``kombu.transports`` of an installed package, whose entries are aliases too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import InvalidURL, TransportNotFound
from kombu.utils.imports import symbol_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.base import Transport

__all__ = ("TRANSPORT_ALIASES", "get_transport_cls", "resolve_transport")

#: Path of the class by alias.
TRANSPORT_ALIASES: dict[str, str] = {
    "amqp": "kombu.transport.pyamqp:Transport",
    "amqps": "kombu.transport.pyamqp:SSLTransport",
    "filesystem": "kombu.transport.filesystem:Transport",
    "librabbitmq": "kombu.transport.librabbitmq:Transport",
    "memory": "kombu.transport.memory:Transport",
    "pyamqp": "kombu.transport.pyamqp:Transport",
    "qpid": "kombu.transport.qpid:Transport",
    "redis": "kombu.transport.redis:Transport",
    "redis+cluster": "kombu.transport.redis:ClusterTransport",
    "redis+socket": "kombu.transport.redis:UnixSocketTransport",
    "rediss": "kombu.transport.redis:SSLTransport",
    "rediss+cluster": "kombu.transport.redis:SSLClusterTransport",
    "sentinel": "kombu.transport.redis:SentinelTransport",
    "sqla": "kombu.transport.sqlalchemy:Transport",
    "sqlalchemy": "kombu.transport.sqlalchemy:Transport",
    "valkey": "kombu.transport.redis:Transport",
    "valkeys": "kombu.transport.redis:SSLTransport",
}

DEFAULT_TRANSPORT = "amqp"

ENTRY_POINT_GROUP = "kombu.transports"

#: Classes found before, by what they were asked for.
_transport_cache: dict[Any, type[Transport]] = {}


def supports_librabbitmq() -> bool:
    """Return whether ``amqp://`` may use librabbitmq: never of its own accord.

    It is asked for by name (``librabbitmq://``).
    """
    return False


def _installed_transport(name: str) -> Any:
    """Return the class that an installed package offers as *name*, or None."""
    from importlib.metadata import entry_points

    # Only the one asked for is loaded: others may be broken.
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return entry_point.load()
    return None


def _not_found(name: str) -> TransportNotFound:
    from kombu.utils.text import fmatch_best

    nearest = fmatch_best(name, TRANSPORT_ALIASES)
    hint = f".  Did you mean {nearest}?" if nearest else ""
    return TransportNotFound(f"No such transport: {name}{hint}")


def resolve_transport(
    transport: str | type | Callable[[], Any] | None = None,
) -> type[Transport]:
    """Return the transport class that *transport* means.

    Arguments:
        transport: An alias, the path of a class, a class, or a callable that
            returns one.

    Raises:
        TransportNotFound: There is none of that name (also a ``KeyError``).
    """
    if callable(transport) and not isinstance(transport, type):
        transport = transport()
    if not isinstance(transport, str):
        return transport  # type: ignore[return-value]
    path = TRANSPORT_ALIASES.get(transport)
    if path is None:
        if "." not in transport and ":" not in transport:
            found = _installed_transport(transport)
            if found is None:
                raise _not_found(transport)
            return found  # type: ignore[no-any-return]
        path = transport
    return symbol_by_name(path)  # type: ignore[no-any-return]


def get_transport_cls(
    transport: str | type | Callable[[], Any] | None = None,
) -> type[Transport]:
    """Return the transport class that *transport* means, looked up but once.

    Arguments:
        transport: As for :func:`resolve_transport`; ``amqp`` if not given.
    """
    transport = transport or DEFAULT_TRANSPORT
    try:
        return _transport_cache[transport]
    except KeyError:
        found = _transport_cache[transport] = resolve_transport(transport)
        return found


def check_scheme(scheme: str) -> str:
    """Return *scheme* if a URL may have it: class paths are not for URLs.

    Raises:
        InvalidURL: It holds ``.`` or ``:``.
    """
    if "." in scheme or ":" in scheme:
        raise InvalidURL(
            f"Invalid transport scheme: {scheme!r}; "
            "name a class by Connection(transport=...)"
        )
    return scheme
