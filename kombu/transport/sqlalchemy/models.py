"""The tables as models of SQLAlchemy's ORM, for programs that look into them.

The transport itself does without.  Importing this module imports SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import MetaData
from sqlalchemy.orm import declarative_base, registry, relationship

if TYPE_CHECKING:
    from kombu.transport.sqlalchemy._tables import Tables

__all__ = ("Message", "ModelBase", "Models", "Queue", "class_registry", "metadata")

class_registry: dict[str, Any] = {}
metadata = MetaData()
ModelBase: Any = declarative_base(metadata=metadata, class_registry=class_registry)


class Queue:
    """A queue.

    Arguments:
        name: Its name.

    Attributes:
        id: Its number.
        messages: The messages in it.
    """

    id: Any
    messages: Any

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"<Queue({self.name})>"


class Message:
    """A message, whatever its state.

    Arguments:
        payload: The envelope, as JSON.
        queue: The queue that it is put into.

    Attributes:
        id: Its number: the order of arrival.
        queue_id: Number of the queue.
        visible: Whether it is ready.
        sent_at: When kombu 5.7 has taken it.
        version: Changes whenever it is taken.
    """

    id: Any
    queue_id: Any
    visible: Any
    sent_at: Any
    version: Any

    def __init__(self, payload: str, queue: Queue) -> None:
        self.payload = payload
        self.queue = queue
        self.visible = True

    def __str__(self) -> str:
        return f"<Message: {self.id} in queue {self.queue_id}>"


class Models(NamedTuple):
    """The two models for one pair of tables.

    Attributes:
        queue: A subclass of :class:`Queue`.
        message: A subclass of :class:`Message`.
    """

    queue: Any
    message: Any

    @classmethod
    def of(cls, tables: Tables) -> Models:
        """Return models of *tables*."""
        mapped = registry()
        queue = type("Queue", (Queue,), {"__module__": __name__})
        message = type("Message", (Message,), {"__module__": __name__})
        messages = relationship(message, viewonly=True)
        mapped.map_imperatively(queue, tables.queue, properties={"messages": messages})
        mapped.map_imperatively(
            message,
            tables.message,
            properties={
                "sent_at": tables.message.c.timestamp,
                "queue": relationship(queue),
            },
            version_id_col=tables.message.c.version,
        )
        return cls(queue, message)
