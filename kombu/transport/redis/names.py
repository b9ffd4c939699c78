"""Names of kombu 5.7's module that other packages use, as far as they do something here."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.exceptions import KombuError
from kombu.transport.redis.compat import PRIORITY_STEPS
from kombu.transport.redis.parameters import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = (
    "DEFAULT_DB",
    "DEFAULT_HEALTH_CHECK_INTERVAL",
    "DEFAULT_PORT",
    "PRIORITY_STEPS",
    "Mutex",
    "MutexHeld",
    "error_classes_t",
    "get_redis_ConnectionError",
    "get_redis_error_classes",
)

DEFAULT_DB = 0

#: Seconds of silence after which a connection is asked whether it is there.
DEFAULT_HEALTH_CHECK_INTERVAL = 25


class error_classes_t(NamedTuple):
    """Errors of the transport, the driver's own included.

    Attributes:
        connection_errors: Those that mean that the connection is lost.
        channel_errors: Those that mean that something was refused.
    """

    connection_errors: tuple[type[BaseException], ...]
    channel_errors: tuple[type[BaseException], ...]


def get_redis_error_classes() -> error_classes_t:
    """Return the errors of the transport."""
    from kombu.transport.redis.transport import Transport

    return error_classes_t(Transport.connection_errors, Transport.channel_errors)


def get_redis_ConnectionError() -> type[Exception]:
    """Return redis-py's error for connections.

    Raises:
        ImportError: redis-py is not installed.
    """
    from redis.exceptions import ConnectionError

    return ConnectionError


class MutexHeld(KombuError):
    """Somebody else holds the lock."""


@contextmanager
def Mutex(client: Any, name: str, expire: int) -> Iterator[None]:
    """Hold a lock in the server while the context lasts.

    The transport itself has no use for it.

    Arguments:
        client: A client of redis-py.
        name: Key of the lock.
        expire: Seconds after which it is free in any case.

    Raises:
        MutexHeld: Somebody else holds it.
    """
    from redis.exceptions import LockError

    lock = client.lock(name, timeout=expire)
    if not lock.acquire(blocking=False):
        raise MutexHeld(f"the lock {name!r} is held by somebody else")
    try:
        yield
    finally:
        with suppress(LockError):  # it has expired
            lock.release()
