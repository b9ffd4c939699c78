"""The broadcast queue: each consumer has one, and gets every message."""

from __future__ import annotations

from typing import Any

from kombu.entity import Exchange, Queue
from kombu.utils.uuid import uuid

__all__ = ("Broadcast",)


class Broadcast(Queue):
    """A queue of its own for each consumer, bound to a fanout exchange.

    Arguments:
        name: Name of the exchange, and alias of the queue.
        queue: Name of the queue; made up if not given.
        unique: Make the name of the queue unique, even if one is given.
        auto_delete: Delete the queue when its consumer is gone.
        exchange: The exchange, instead of the one named *name*.
        alias: Alias, instead of *name*.
        **kwargs: Further arguments of :class:`~kombu.Queue`.
    """

    __module__ = "kombu.common"

    attrs = (*Queue.attrs, ("queue", None))

    def __init__(
        self,
        name: str | None = None,
        queue: str | None = None,
        unique: bool = False,
        auto_delete: bool = True,
        exchange: Exchange | str | None = None,
        alias: str | None = None,
        **kwargs: Any,
    ) -> None:
        if queue and unique:
            queue = f"{queue}.{uuid()}"
        queue = queue or f"bcast.{uuid()}"
        super().__init__(
            name=queue,
            queue=queue,
            alias=alias or name,
            auto_delete=auto_delete,
            exchange=(
                Exchange(name or "", type="fanout") if exchange is None else exchange
            ),
            **kwargs,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.as_dict())

    def __copy__(self) -> Broadcast:
        return _rebuild(type(self), self.as_dict())


def _rebuild(cls: type[Broadcast], attributes: dict[str, Any]) -> Broadcast:
    """Make a copy whose queue has the same name, not another unique one."""
    return cls(**{**attributes, "name": attributes["alias"]})
