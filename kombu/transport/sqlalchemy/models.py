"""The tables as models of SQLAlchemy's ORM, for programs that look into them.

The transport itself does without.  Importing this module imports SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.orm import declarative_base, declared_attr, registry, relationship

if TYPE_CHECKING:
    from kombu.transport.sqlalchemy._tables import Tables

__all__ = ("Message", "ModelBase", "Models", "Queue", "class_registry", "metadata")

class_registry: dict[str, Any] = {}
metadata = MetaData()
ModelBase: Any = declarative_base(metadata=metadata, class_registry=class_registry)


class Queue:
    """A queue; also a mixin for models of one's own, as in kombu 5.7.

    Arguments:
        name: Its name.

    Attributes:
        id: Its number.
        messages: The messages in it.
    """

    __table_args__ = {"sqlite_autoincrement": True}

    id = Column(Integer, primary_key=True, autoincrement=True)
    name = Column(String(200), unique=True)

    @declared_attr
    def messages(cls):  # type: ignore[no-untyped-def]
        """The messages in it."""
        return relationship("Message", backref="queue", lazy="noload")

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"<Queue({self.name})>"


class Message:
    """A message, whatever its state; also a mixin for models of one's own.

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

    __table_args__ = {"sqlite_autoincrement": True}

    id = Column(Integer, primary_key=True, autoincrement=True)
    visible = Column(Boolean, default=True, index=True)
    sent_at = Column("timestamp", DateTime, nullable=True, index=True)
    payload = Column(Text, nullable=False)
    version = Column(SmallInteger, nullable=False, default=1)

    @declared_attr
    def queue_id(cls):  # type: ignore[no-untyped-def]
        """Number of the queue."""
        return Column(
            Integer, ForeignKey("kombu_queue.id", name="FK_kombu_message_queue")
        )

    def __init__(self, payload: str, queue: Queue) -> None:
        self.payload = payload  # type: ignore[assignment]
        self.queue = queue
        self.visible = True  # type: ignore[assignment]

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
