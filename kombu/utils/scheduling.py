"""Who is next: orders in which consumers are served."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.utils.imports import symbol_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = (
    "CYCLE_ALIASES",
    "FairCycle",
    "cycle_by_name",
    "priority_cycle",
    "round_robin_cycle",
    "sorted_cycle",
)

#: Names that :func:`cycle_by_name` knows.
CYCLE_ALIASES = {
    "priority": "kombu.utils.scheduling:priority_cycle",
    "round_robin": "kombu.utils.scheduling:round_robin_cycle",
    "sorted": "kombu.utils.scheduling:sorted_cycle",
}


class FairCycle:
    """Asks each of several resources in turn, so that none is left out.

    Args:
        fun: Asks a resource: ``fun(resource, callback, **kwargs)``.
        resources: What to ask; may be changed at any time.
        predicate: The error, or a tuple of errors, by which *fun* says that a
            resource has nothing.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        resources: list[Any],
        predicate: Any = Exception,
    ) -> None:
        self.fun = fun
        self.resources = resources
        self.predicate = predicate
        self.pos = 0

    def _next(self) -> Any:
        while True:
            try:
                resource = self.resources[self.pos]
            except IndexError:
                if not self.resources:
                    raise self._nothing() from None
                self.pos = 0  # the end, or the list has become shorter
            else:
                self.pos += 1
                return resource

    def _nothing(self) -> BaseException:
        error = self.predicate
        made: BaseException = error[0]() if isinstance(error, tuple) else error()
        return made

    def get(self, callback: Callable[..., Any], **kwargs: Any) -> Any:
        """Ask one resource after the other until one has something.

        Args:
            callback: Passed on to ``fun``.
            **kwargs: Passed on to ``fun``.

        Returns:
            What ``fun`` returned.

        Raises:
            Exception: The ``predicate``, if no resource has anything.
        """
        for tried in count(1):
            resource = self._next()
            try:
                return self.fun(resource, callback, **kwargs)
            except self.predicate:
                if tried >= len(self.resources):
                    raise
        raise AssertionError("count() never ends")  # pragma: no cover

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.pos}/{len(self.resources)} "
            f"{self.resources}>"
        )


class round_robin_cycle:
    """Serves in turn: what was used last comes last.

    Args:
        it: The items, in the order to begin with.
    """

    def __init__(self, it: Iterable[Any] | None = None) -> None:
        self.items: Any = it if it is not None else []

    def update(self, it: Iterable[Any]) -> None:
        """Replace the items by those of *it*."""
        self.items[:] = it

    def consume(self, n: int) -> list[Any]:
        """Return the next *n* items, or all if there are fewer."""
        return list(self.items[:n])

    def rotate(self, last_used: Any) -> Any:
        """Note that an item was used.

        Returns:
            The item.
        """
        items = self.items
        with suppress(ValueError):  # may have been removed meanwhile
            items.append(items.pop(items.index(last_used)))
        return last_used

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.items!r}>"


class priority_cycle(round_robin_cycle):
    """Serves in the order given, always from the first one."""

    def rotate(self, last_used: Any) -> None:
        """Do nothing: the order stays as it is."""


class sorted_cycle(priority_cycle):
    """Serves in sorted order, always from the first one."""

    def consume(self, n: int) -> list[Any]:
        """Return the first *n* items in sorted order."""
        return sorted(self.items[:n])


def cycle_by_name(name: Any) -> Any:
    """Return the cycle class of that name.

    Args:
        name: ``round_robin``, ``priority``, ``sorted``, the path of a class
            as ``package.module:Class``, or a class.
    """
    return symbol_by_name(name, CYCLE_ALIASES)
