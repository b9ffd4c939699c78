"""Looking into queues: what is ready, what will be due; and having it ready then."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    String,
    and_,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    true,
    union_all,
)

from kombu.transport.sqlalchemy._puts import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._puts import Puts
    from kombu.transport.sqlalchemy._tables import Tables
    from kombu.transport.sqlalchemy._traits import Traits

__all__ = ("LookStatements", "Looks", "Seen")

#: Queues that are looked at by one statement.
_LOOK_LIMIT = 50

#: Rows that are made ready at a time, when they are due.
DUE_LIMIT = 500


class LookStatements:
    """What looks into queues, and moves what is due.

    Arguments:
        tables: The tables.
        traits: Of the dialect.
    """

    def __init__(self, tables: Tables, traits: Traits) -> None:
        self._tables = tables
        self._traits = traits
        self._looks: dict[int, Any] = {}
        self._build_due()

    def _build_due(self) -> None:
        message = self._tables.message
        moment = bindparam("moment", type_=BigInteger)
        mine = message.c.queue_id == self._tables.queue_id()
        is_due: Any = message.c.deliver_at <= moment
        found = select(message.c.id).where(mine, is_due)
        found = self._by_index(found, "deliver_at").limit(DUE_LIMIT)
        found = found.order_by(message.c.deliver_at, message.c.id)
        ids = bindparam("ids", expanding=True, type_=BigInteger)
        self.lock_due: Any = None
        if self._traits.is_mysql:
            # By the index that kombu 5.7 reads by: see the settling of claims.
            rests = and_(message.c.timestamp.is_(None), message.c.id.in_(ids), is_due)
            lock = self._by_index(select(message.c.id).where(rests), "timestamp_id")
            self.lock_due = lock.with_for_update()
        else:
            # Two that do this at the same time share what is due.
            found = found.with_for_update(skip_locked=self._traits.skips_locked)
        self.find_due = found
        # A new row, since it comes behind what has come before it was due.
        names = ["payload", "version", "queue_id", "deliveries", "place"]
        names += ["expires_at", "size_bytes"]
        copied = select(true(), *(message.c[name] for name in names)).where(
            message.c.id == bindparam("id_", type_=BigInteger)
        )
        self.make_ready = insert(message).from_select(["visible", *names], copied)
        self.delete_due = delete(message).where(message.c.id.in_(ids))
        key = bindparam("key", type_=String)
        is_resting = and_(message.c.message_key == key, message.c.deliver_at > moment)
        self.cancel = delete(message).where(mine, is_resting)

    def look(self, queues: Sequence[str]) -> tuple[Any, dict[str, str]]:
        """Return what looks into *queues*, and its parameters.

        A row is as :class:`Seen` has it.  Each of its parts is one step into an
        index.
        """
        count = len(queues)
        statement = self._looks.get(count)
        if statement is None:
            looks: list[Any] = [self._look_at(number) for number in range(count)]
            union: Any = union_all
            statement = self._looks[count] = looks[0] if count == 1 else union(*looks)
        return statement, {f"name_{n}": name for n, name in enumerate(queues)}

    def _look_at(self, number: int) -> Any:
        columns = self._tables.message.c
        queue_id = self._tables.queue_id(f"name_{number}")
        mine = columns.queue_id == queue_id
        first = select(columns.id).where(self._tables.is_ready(queue_id))
        first = self._by_index(first, "ready").order_by(columns.place, columns.id)
        due = select(columns.deliver_at).where(mine, columns.deliver_at > 0)
        due = self._by_index(due, "deliver_at").order_by(columns.deliver_at)
        expiry = select(columns.expires_at).where(
            mine, columns.visible == true(), columns.expires_at > 0
        )
        expiry = self._by_index(expiry, "expires_at").order_by(columns.expires_at)
        parts: list[Any] = [literal_column(str(number))]
        parts += [part.limit(1).scalar_subquery() for part in (first, due, expiry)]
        return select(*parts)

    def _by_index(self, statement: Any, name: str) -> Any:
        return self._traits.by_index(statement, self._tables.message, name)


class Seen(NamedTuple):
    """What is to be seen of a queue.

    Attributes:
        queue: Its name.
        first: Id of the first that is ready.
        due: Moment at which the first of what rests is due.
        expiry: Moment at which the first of what is ready expires.
    """

    queue: str
    first: int | None
    due: int | None
    expiry: int | None


class Looks:
    """Looks into queues.

    Arguments:
        database: Where they are.
        tables: The tables.
        traits: Of the dialect.
        puts: Tells who waits.
    """

    def __init__(
        self, database: Database, tables: Tables, traits: Traits, puts: Puts
    ) -> None:
        self._database = database
        self._statements = LookStatements(tables, traits)
        self._puts = puts

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    def look(self, queues: Sequence[str]) -> list[Seen]:
        """Return what is to be seen of *queues*, in their order."""
        seen: list[Seen] = []
        for start in range(0, len(queues), _LOOK_LIMIT):
            part = queues[start : start + _LOOK_LIMIT]
            statement, values = self._statements.look(part)
            rows: list[Any] = self._database.run(
                partial(_all_rows, statement, values), True
            )
            rows.sort(key=lambda row: row[0])
            seen += [Seen(part[row[0]], *row[1:]) for row in rows]
        return seen

    def promising(self, queues: Sequence[str]) -> list[str]:
        """Return those of *queues* that have something ready, after having it so."""
        moment = self._database.moment()
        found = []
        for seen in self.look(queues):
            is_due = seen.due is not None and seen.due <= moment
            if is_due:
                self._make_ready(seen.queue, moment)
            if is_due or seen.first is not None:
                found.append(seen.queue)
        return found

    def _make_ready(self, queue: str, moment: int) -> None:
        """Append what is due in *queue* to what is ready, what was due first first."""
        statements = self._statements

        def work(connection: Connection) -> None:
            ids = self._due(connection, queue, moment)
            if ids:
                rows = [{"id_": number} for number in ids]
                connection.execute(statements.make_ready, rows)
                connection.execute(statements.delete_due, {"ids": ids})
                self._puts.tell(connection, [queue])

        self._database.run(work)

    def _due(self, connection: Connection, queue: str, moment: int) -> list[int]:
        """Return the rows that are due, locked."""
        statements, values = self._statements, {"name": queue, "moment": moment}
        ids = list(connection.execute(statements.find_due, values).scalars())
        if not ids or statements.lock_due is None:
            return ids
        locked = connection.execute(statements.lock_due, {"ids": ids, "moment": moment})
        mine = set(locked.scalars())
        return [number for number in ids if number in mine]

    def next_moment(self, queues: Iterable[str]) -> float | None:
        """Return when something happens by itself in *queues*, in seconds."""
        moments = (
            moment
            for seen in self.look(tuple(queues))
            for moment in (seen.due, seen.expiry)
            if moment is not None
        )
        first = min(moments, default=None)
        return None if first is None else first / 1000

    def cancel(self, queue: str, message_id: str) -> bool:
        """Remove a resting message; return whether there was one."""
        values = {
            "name": queue,
            "key": digest_of(message_id),
            "moment": self._database.moment(),
        }
        return self._database.run(
            lambda c: bool(c.execute(self._statements.cancel, values).rowcount)
        )


def _all_rows(statement: Any, values: dict[str, Any], connection: Connection) -> Any:
    return connection.execute(statement, values).all()
