"""Putting messages into queues, in one statement a message."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    Integer,
    String,
    bindparam,
    func,
    insert,
    literal_column,
    select,
)

from kombu.transport.virtual.claims import deliver_at, expires_at
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._queues import Queues
    from kombu.transport.sqlalchemy._tables import Tables
    from kombu.transport.sqlalchemy._traits import Traits

__all__ = ("PutStatements", "Puts", "Row", "digest_of")

#: Columns that a message brings along.
_COLUMNS = (
    "visible",
    "payload",
    "place",
    "size_bytes",
    "deliver_at",
    "expires_at",
    "message_key",
)


class Row(NamedTuple):
    """One message to be put.

    Attributes:
        queues: Names of the queues that it is for.
        values: Of the columns.
    """

    queues: tuple[str, ...]
    values: dict[str, Any]


class PutStatements:
    """What puts a message, and what tells who waits for it.

    Arguments:
        tables: The tables.
        traits: Of the dialect.
    """

    def __init__(self, tables: Tables, traits: Traits) -> None:
        self._tables = tables
        self._topic: Any = literal_column(f"'{traits.topic}'")
        self.tells = traits.tells
        name = bindparam("name", type_=String)
        names = bindparam("names", expanding=True, type_=String)
        self.put = self._put(tables.queue.c.name == name)
        self.put_into = self._put(tables.queue.c.name.in_(names))
        self.tell = select(func.pg_notify(self._topic, name))

    def _put(self, condition: Any) -> Any:
        queue, message = self._tables.queue, self._tables.message
        values = [bindparam(n, type_=message.c[n].type) for n in _COLUMNS]
        version = literal_column("1", type_=Integer)
        source = select(*values, version, queue.c.id).where(condition)
        columns = [*_COLUMNS, "version", "queue_id"]
        put = insert(message).from_select(columns, source)
        if not self.tells:
            # An insert has its count but where it is asked for.
            return put.execution_options(preserve_rowcount=True)
        # Who waits is told in the same round trip.
        done = put.returning(message.c.queue_id).cte("put")
        told = func.pg_notify(self._topic, queue.c.name)
        return select(told).select_from(done.join(queue, queue.c.id == done.c.queue_id))


class Puts:
    """Puts messages.

    Arguments:
        database: Where to.
        tables: The tables.
        traits: Of the dialect.
        queues: Makes those that are not there.
    """

    def __init__(
        self, database: Database, tables: Tables, traits: Traits, queues: Queues
    ) -> None:
        self._database = database
        self._statements = PutStatements(tables, traits)
        self._queues = queues

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    def row(self, queues: Iterable[str], envelope: Any, rank: int = 0) -> Row:
        """Return *envelope* as it is put into *queues*."""
        due, expiry = deliver_at(envelope), expires_at(envelope)
        is_resting = due is not None and due > self._database.now()
        return Row(
            tuple(queues),
            {
                "visible": not is_resting,
                "payload": pack(envelope),
                "place": -rank,
                "size_bytes": _size_of(envelope),
                "deliver_at": _milliseconds(due) if is_resting else None,
                "expires_at": _milliseconds(expiry),
                "message_key": _key_of(envelope) if is_resting else None,
            },
        )

    def put(self, row: Row) -> None:
        """Put a message into all of its queues, making those that are not there."""
        # A message for several queues must not reach only some of them.
        is_single = len(row.queues) == 1
        self.run(lambda connection: self.put_by(connection, row), (row,), is_single)

    def put_many(self, rows: Sequence[Row]) -> None:
        """Put messages into their queues, all of them or none."""

        def work(connection: Connection) -> None:
            for row in rows:
                self.put_by(connection, row)

        self.run(work, rows)

    def run(
        self,
        work: Callable[[Connection], None],
        rows: Sequence[Row],
        is_single: bool = False,
    ) -> None:
        """Have *work* put *rows*, again if one of their queues was not there."""
        while True:
            try:
                self._database.run(work, is_single=is_single)
                return
            except _NoQueue:
                for name in {name for row in rows for name in row.queues}:
                    self._queues.add(name)

    def put_by(self, connection: Connection, row: Row) -> None:
        """Put a message as a part of what :meth:`run` does."""
        statements, names = self._statements, row.queues
        if len(names) == 1:
            done = connection.execute(statements.put, {**row.values, "name": names[0]})
        else:
            values = {**row.values, "names": list(names)}
            done = connection.execute(statements.put_into, values)
        count = len(done.all()) if statements.tells else done.rowcount
        if count != len(names):
            raise _NoQueue()

    def tell(self, connection: Connection, queues: Iterable[str]) -> None:
        """Have those wake who wait for messages of *queues*, where they can be told."""
        if self._statements.tells:
            for name in sorted(queues):
                connection.execute(self._statements.tell, {"name": name})


class _NoQueue(Exception):
    """A queue to put into is not there."""


def digest_of(message_id: Any) -> str:
    """Return what a resting message is found by."""
    return hashlib.sha256(str(message_id).encode("utf-8", "surrogatepass")).hexdigest()


def _milliseconds(moment: float | None) -> int | None:
    return None if moment is None else round(moment * 1000)


def _key_of(envelope: Any) -> str | None:
    message_id = envelope["properties"].get("message_id")
    return None if message_id is None else digest_of(message_id)


def _size_of(envelope: Any) -> int:
    body = envelope["body"]
    return len(body) if isinstance(body, (str, bytes)) else 0
