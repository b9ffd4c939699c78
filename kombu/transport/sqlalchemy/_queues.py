"""The queues of one database: made, counted, emptied, locked, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    String,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy import exc as sql_errors

from kombu.transport.sqlalchemy._errors import DatabaseRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._tables import Tables

__all__ = ("QueueStatements", "Queues")


class QueueStatements:
    """Every statement about queues, and about all messages of one.

    Arguments:
        tables: The tables.
    """

    def __init__(self, tables: Tables) -> None:
        queue, message = tables.queue, tables.message
        is_named = queue.c.name == bindparam("name", type_=String)
        self.find = select(queue.c.name).where(is_named)
        self.add = insert(queue)
        self.lock = self.find.with_for_update(key_share=True)
        self.delete = delete(queue).where(is_named)
        mine = message.c.queue_id == tables.queue_id()
        self.delete_messages = delete(message).where(mine)
        # What is in flight stays; what old peers have taken is nobody's any more.
        self.purge = self.delete_messages.where(message.c.claim_owner.is_(None))
        is_ready: Any = message.c.visible == true()
        is_due: Any = message.c.deliver_at <= bindparam("moment", type_=BigInteger)
        count = select(func.count()).select_from(message)
        self.count_ready = count.where(tables.is_ready(tables.queue_id()))
        self.count_due = count.where(mine, is_due)
        # Due or not; what a peer of 5.7 has taken has no moment.
        rests = and_(message.c.claim_owner.is_(None), message.c.deliver_at.is_not(None))
        self.count_purged = count.where(mine, or_(is_ready, rests))
        size = func.coalesce(message.c.size_bytes, func.length(message.c.payload))
        self.sum_bytes = select(func.sum(size)).where(mine, or_(is_ready, is_due))


class Queues:
    """The queues.

    Arguments:
        database: Where they are.
        tables: The tables.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._statements = QueueStatements(tables)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    def has(self, name: str) -> bool:
        """Return whether there is a queue *name*."""
        return bool(self._one(self._statements.find, name=name) == name)

    def add(self, name: str) -> None:
        """Make the queue *name*, unless it is there.

        Raises:
            DatabaseRefused: The database takes another name for the same.
        """
        if not self.has(name):
            # Another process may be faster: it is found the next time.
            self._database.run(
                lambda connection: self._add(connection, name),
                again=(sql_errors.IntegrityError,),
            )

    def _add(self, connection: Connection, name: str) -> None:
        statements = self._statements
        found = connection.execute(statements.find, {"name": name}).scalar()
        if found is None:
            connection.execute(statements.add, {"name": name})
        elif found != name:
            raise DatabaseRefused(
                f"{self._database.name} can not tell the queue {name!r} from "
                f"{found!r}: choose another name, or change the collation of the "
                "column with the names of queues to one that compares exactly"
            )

    def delete(self, name: str) -> None:
        """Remove the queue *name* with all that is in it."""

        def work(connection: Connection) -> None:
            statements = self._statements
            connection.execute(statements.lock, {"name": name})
            connection.execute(statements.delete_messages, {"name": name})
            connection.execute(statements.delete, {"name": name})

        # An old peer may put a message between the two.
        self._database.run(work, again=(sql_errors.IntegrityError,))

    def purge(self, name: str) -> int:
        """Remove what is not in flight; return how many were ready or at rest."""

        def work(connection: Connection) -> int:
            count = connection.execute(self._statements.count_purged, {"name": name})
            purged = int(count.scalar() or 0)
            connection.execute(self._statements.purge, {"name": name})
            return purged

        return self._database.run(work)

    def size(self, name: str) -> int:
        """Return how many messages of the queue *name* are ready."""
        return self._database.run(lambda c: self._count(c, name))

    def _count(self, connection: Connection, name: str) -> int:
        statements = self._statements
        values = {"name": name, "moment": self._database.moment()}
        ready = connection.execute(statements.count_ready, {"name": name}).scalar()
        due = connection.execute(statements.count_due, values).scalar()
        return int(ready or 0) + int(due or 0)

    def size_bytes(self, name: str) -> int:
        """Return how many bytes the bodies of those are."""
        moment = self._database.moment()
        found = self._one(self._statements.sum_bytes, name=name, moment=moment)
        return int(found or 0)

    def _one(self, statement: Any, **values: Any) -> Any:
        return self._database.run(
            lambda connection: connection.execute(statement, values).scalar(),
            is_single=True,
        )

    def lock(self, name: str) -> Callable[[Connection], Any]:
        """Return what locks a queue in a transaction, making it if need be."""
        self.add(name)
        return lambda c: c.execute(self._statements.lock, {"name": name})
