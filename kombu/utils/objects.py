"""A property that is computed once and may have a setter and a deleter."""

from __future__ import annotations

import functools
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("cached_property",)


class cached_property(functools.cached_property[Any]):
    """A property whose value is computed at the first access, then kept.

    The value lives in the ``__dict__`` of the instance under the name of the
    property; deleting the attribute makes the next access compute it anew,
    and deleting a value that is not there is no error.

    Args:
        fget: Computes the value: ``fget(instance)``.
        fset: Called at assignment: ``fset(instance, value)``; what it returns
            is kept.
        fdel: Called at deletion with the value that was kept, if there was
            one: ``fdel(instance, value)``.

    Example::

        @cached_property
        def connection(self):
            return Connection()

        @connection.setter
        def connection(self, value):
            if value is None:
                raise TypeError("Connection must be a connection")
            return value

        @connection.deleter
        def connection(self, value):
            value.close()
    """

    #: Name of the property; None until the class around it is made.
    attrname: str | None
    __name__: str

    def __init__(
        self,
        fget: Callable[[Any], Any] | None = None,
        fset: Callable[[Any, Any], Any] | None = None,
        fdel: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__(fget)  # type: ignore[arg-type]
        self.fset = fset
        self.fdel = fdel
        # One thread computes, the others wait for its value.  Re-entrant,
        # since the same property of another instance may be needed for it.
        self._compute_lock = RLock()

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        # Having __set__ and __delete__ makes this a data descriptor, which
        # Python asks even when the instance has the value.
        try:
            return instance.__dict__[self.attrname]
        except (AttributeError, KeyError):
            pass  # computed outside, so that its own errors stand alone
        return self._compute(instance)

    def _compute(self, instance: Any) -> Any:
        values = self._values_of(instance)
        with self._compute_lock:
            if self.attrname not in values:
                values[self.attrname] = self.func(instance)
            return values[self.attrname]

    def _values_of(self, instance: Any) -> Any:
        """Return the mapping that keeps the values of *instance*."""
        if self.attrname is None:
            raise TypeError(
                "Cannot use cached_property instance without calling "
                "__set_name__ on it."
            )
        try:
            return instance.__dict__
        except AttributeError:
            raise TypeError(
                f"No '__dict__' attribute on {type(instance).__name__!r} "
                f"instance to cache {self.attrname!r} property."
            ) from None

    def __set__(self, instance: Any, value: Any) -> None:
        values = self._values_of(instance)
        with self._compute_lock:
            if self.fset is not None:
                value = self.fset(instance, value)
            values[self.attrname] = value

    def __delete__(self, instance: Any) -> None:
        values = self._values_of(instance)
        with self._compute_lock:
            if self.attrname not in values:
                return
            value = values.pop(self.attrname)
        if self.fdel is not None:
            self.fdel(instance, value)

    def setter(self, fset: Callable[[Any, Any], Any]) -> cached_property:
        """Return a property like this one that calls *fset* at assignment."""
        return type(self)(self.func, fset, self.fdel)

    def deleter(self, fdel: Callable[[Any, Any], Any]) -> cached_property:
        """Return a property like this one that calls *fdel* at deletion."""
        return type(self)(self.func, self.fset, fdel)
