"""What a transport offers: the one truth that tables and warnings come from."""

from __future__ import annotations

from typing import Any

__all__ = ("Implements", "default_transport_capabilities")


class Implements(dict[str, Any]):
    """Abilities by name, also readable as attributes.

    Known names: ``asynchronous`` (works with an event loop), ``batch_publish``,
    ``exchange_type`` (names of the types it routes), ``heartbeats``.
    """

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def extend(self, **kwargs: Any) -> Implements:
        """Return a copy with the abilities *kwargs* changed or added."""
        return type(self)(self, **kwargs)


default_transport_capabilities = Implements(
    asynchronous=False,
    batch_publish=False,
    exchange_type=frozenset({"direct", "topic", "fanout", "headers"}),
    heartbeats=False,
)
