"""The driver's errors among the transport's, without importing the driver before."""

from __future__ import annotations

from typing import Any

from kombu.transport import virtual

__all__ = ("DriverErrors",)


class DriverErrors:
    """A tuple of errors that is made when it is asked for: it needs the driver.

    Arguments:
        attribute: Name of the base class's tuple, which they are added to.
        *names: Of redis-py's errors.
    """

    def __init__(self, attribute: str, *names: str) -> None:
        self._attribute = attribute
        self._names = names

    def __get__(self, instance: Any, owner: Any) -> tuple[type[BaseException], ...]:
        inherited = getattr(virtual.Transport, self._attribute)
        try:
            from redis import exceptions
        except ImportError:
            return tuple(inherited)
        return (*inherited, *(getattr(exceptions, name) for name in self._names))
