"""The library :mod:`proton`, imported when a connection is opened."""

from __future__ import annotations

from typing import Any

from kombu.exceptions import DriverNotInstalled

__all__ = ("driver_version", "load_connection")


def load_connection() -> Any:
    """Return the class of connections.

    Raises:
        DriverNotInstalled: The library is not installed.
    """
    try:
        import proton  # noqa: F401
    except ImportError as exc:
        raise DriverNotInstalled(
            "qpid:// needs the package python-qpid-proton: pip install 'kombu[qpid]'"
        ) from exc
    from kombu.transport._qpid.connection import Connection

    return Connection


def driver_version() -> str:
    """Return the version of the library; ``N/A`` without it."""
    try:
        from proton import VERSION
    except ImportError:
        return "N/A"
    return ".".join(str(part) for part in VERSION)
