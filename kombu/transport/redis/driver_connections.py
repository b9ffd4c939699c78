"""Classes of the driver's connections, without importing the driver before."""

from __future__ import annotations

from typing import Any

__all__ = ("DriverConnection",)


class DriverConnection:
    """A class of redis-py's connections; None where redis-py is missing.

    A subclass of a channel names another one in its place.

    Arguments:
        name: Name of the class.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        try:
            from redis import connection
        except ImportError:
            return None
        return getattr(connection, self._name)
