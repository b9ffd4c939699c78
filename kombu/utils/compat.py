"""What differs between platforms and between ways to run Python code."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from functools import wraps
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Any

from kombu.utils._forking import register_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager
    from importlib.metadata import EntryPoint

__all__ = (
    "FILENO_ERRORS",
    "coro",
    "detect_environment",
    "entrypoints",
    "fileno",
    "get_gevent_concurrent_error",
    "maybe_fileno",
    "nested",
    "plugins",
    "register_after_fork",
)

#: What ``fileno()`` raises when an object has no file descriptor.
FILENO_ERRORS = (AttributeError, ValueError, UnsupportedOperation)

#: Found by :func:`detect_environment`, once per process.
_environment: str | None = None


def coro(gen: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    """Decorate a generator function so that it starts when it is called."""

    @wraps(gen)
    def start(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = gen(*args, **kwargs)
        next(generator)
        return generator

    return start


def _detect_environment() -> str:
    """Return ``eventlet`` or ``gevent`` if it has patched sockets, or ``default``."""
    if "eventlet" in sys.modules and _eventlet_has_patched_sockets():
        return "eventlet"
    if "gevent" in sys.modules and _gevent_has_patched_sockets():
        return "gevent"
    return "default"


def _eventlet_has_patched_sockets() -> bool:
    import socket

    try:
        from eventlet.patcher import is_monkey_patched
    except ImportError:
        return False
    return bool(is_monkey_patched(socket))


def _gevent_has_patched_sockets() -> bool:
    import socket

    try:
        from gevent import socket as gevent_socket
    except ImportError:
        return False
    return bool(socket.socket is gevent_socket.socket)


def detect_environment() -> str:
    """Return how this process runs: ``default``, ``eventlet`` or ``gevent``.

    The answer is found at the first call, and kept.
    """
    global _environment
    if _environment is None:
        _environment = _detect_environment()
    return _environment


def entrypoints(namespace: str) -> Iterator[tuple[EntryPoint, Any]]:
    """Iterate over the plug-ins that installed packages offer.

    Args:
        namespace: Group of entry points, for example ``kombu.serializers``.

    Returns:
        Pairs of an entry point and the object that it names, which is loaded
        as the iteration reaches it.
    """
    from importlib.metadata import entry_points

    return ((entry, entry.load()) for entry in entry_points(group=namespace))


def plugins(namespace: str) -> Iterator[tuple[str, Any]]:
    """Iterate over the plug-ins that installed packages offer, if they load.

    One that can not be loaded is logged and left out: a broken package must
    not keep others from working.

    Args:
        namespace: Group of entry points, for example ``kombu.serializers``.

    Returns:
        Pairs of a name and the object of that name.
    """
    from importlib.metadata import entry_points

    for entry in entry_points(group=namespace):
        try:
            plugin = entry.load()
        except Exception:
            import logging

            logging.getLogger(__name__).warning(
                "Plug-in %r can not be loaded", entry, exc_info=True
            )
        else:
            yield entry.name, plugin


def fileno(f: Any) -> int:
    """Return the file descriptor of *f*, which may be one already.

    Raises:
        ValueError: If *f* is None or closed.
        AttributeError: If *f* is no file.
    """
    if isinstance(f, int):
        return f
    if f is None:
        raise ValueError("file descriptor is None")
    descriptor: int = f.fileno()
    return descriptor


def maybe_fileno(f: Any) -> int | None:
    """Return the file descriptor of *f*, or None if it has none."""
    try:
        return fileno(f)
    except FILENO_ERRORS:
        return None


@contextmanager
def nested(*managers: AbstractContextManager[Any]) -> Iterator[list[Any]]:
    """Enter several context managers as one.

    Gives a list of what each of them gives.  They are left in reverse order,
    however the block ends.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(manager) for manager in managers]


def get_gevent_concurrent_error() -> type[BaseException] | None:
    """Return the error gevent raises when two greenlets use one socket.

    Returns:
        The class, or None if this process does not run under gevent.
    """
    if detect_environment() != "gevent":
        return None
    from gevent.exceptions import ConcurrentObjectUseError

    error: type[BaseException] = ConcurrentObjectUseError
    return error
