"""What was declared on a connection, so that it is not declared again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu._queue import Queue

__all__ = ("DeclaredEntities",)


class DeclaredEntities:
    """The entities that were declared on a connection.

    Two declarations are the same if they would do the same: of two queues of
    one name that are bound differently, both have to be declared.

    Attributes:
        generation: Grows whenever something is forgotten.
    """

    __slots__ = ("_by_key", "generation")

    def __init__(self) -> None:
        self._by_key: dict[Any, Any] = {}
        self.generation = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {list(self._by_key.values())}>"

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(self._by_key.values()))

    def __contains__(self, entity: Any) -> bool:
        return _key_of(entity) in self._by_key

    def add(self, entity: Any) -> None:
        """Note that *entity* is declared."""
        self._by_key[_key_of(entity)] = entity

    def discard(self, entity: Any) -> None:
        """Forget *entity*."""
        self._by_key.pop(_key_of(entity), None)
        self.generation += 1

    def clear(self) -> None:
        """Forget all."""
        self._by_key.clear()
        self.generation += 1

    def forget_queue(self, name: str) -> None:
        """Forget the queue *name*, which was deleted."""
        for key, entity in tuple(self._by_key.items()):
            if entity.name == name and hasattr(entity, "queue_declare"):
                self._by_key.pop(key, None)
                self.generation += 1

    def forget_exchange(self, name: str) -> None:
        """Forget the exchange *name*, which was deleted, and queues bound to it."""
        bound = [queue for queue, _ in self.queues_bound_to(name)]
        for key, entity in tuple(self._by_key.items()):
            if entity in bound or (
                entity.name == name and not hasattr(entity, "queue_declare")
            ):
                self._by_key.pop(key, None)
                self.generation += 1

    def queues_bound_to(self, exchange: str) -> list[tuple[Queue, str]]:
        """Return the declared queues that *exchange* routes to, with their keys."""
        found: list[tuple[Queue, str]] = []
        for entity in self:
            if not hasattr(entity, "queue_declare"):
                continue
            if entity.exchange is not None and entity.exchange.name == exchange:
                found.append((entity, entity.routing_key))
            found.extend(
                (entity, item.routing_key)
                for item in entity.bindings
                if getattr(item.exchange, "name", item.exchange) == exchange
            )
        return found


def _key_of(entity: Any) -> Any:
    try:
        return entity.declaration_key()
    except AttributeError:
        return hash(entity)
