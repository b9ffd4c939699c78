"""The records and owners of one database.

A record is found by a digest of its kind, group and name, since databases compare
texts each in its own way, and index no long ones.  The row of digest ``version``
counts the changes of the topology, in the transactions that make them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    String,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy import exc as sql_errors

from kombu.transport.sqlalchemy._traits import now_in_milliseconds
from kombu.transport.virtual.records import TOPOLOGY, RecordStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import Dialect

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._orphans import Orphans
    from kombu.transport.sqlalchemy._tables import Tables

__all__ = ("SqlRecordStore",)

_VERSION = "version"


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _RecordStatements:
    """Every statement about records and owners."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        record, owner = tables.record, tables.owner
        is_named = record.c.digest == bindparam("key", type_=String)
        content = bindparam("text", type_=Text)
        self.version = select(record.c.number).where(record.c.digest == _VERSION)
        self.bump = (
            update(record)
            .where(record.c.digest == _VERSION)
            .values(number=record.c.number + 1)
        )
        self.insert = insert(record)
        self.update = update(record).where(is_named).values(content=content)
        self.remove = delete(record).where(is_named)
        of_kind = record.c.kind == bindparam("kind_", type_=String)
        of_group = record.c.group_digest == bindparam("group_", type_=String)
        self.read = select(record.c.content).where(of_kind)
        self.read_group = self.read.where(of_group)
        now = now_in_milliseconds(dialect)
        self.takes_now = dialect.name not in ("postgresql", "mysql", "mariadb")
        end = now + bindparam("length", type_=BigInteger)
        is_owner = owner.c.owner == bindparam("owner_", type_=String)
        renew = update(owner).where(is_owner).values(lease_end=end)
        self.renew = renew.where(owner.c.lease_end > now)
        self.renew_dead = renew
        self.add_owner = insert(owner).values(
            owner=bindparam("owner_", type_=String), lease_end=end
        )
        self.retire = delete(owner).where(is_owner)
        self.live = select(owner.c.owner).where(owner.c.lease_end > now)


class SqlRecordStore(RecordStore):
    """Records in a table beside that of the messages.

    Arguments:
        database: Where they are.
        tables: The tables.
        orphans: Puts back what an old lease had, when there is a new one.
    """

    def __init__(self, database: Database, tables: Tables, orphans: Orphans) -> None:
        self._database = database
        self._orphans = orphans
        self._statements = _RecordStatements(tables, database.dialect)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    # -- records -------------------------------------------------------------------

    def version(self) -> object:
        return self._database.run(
            lambda c: c.execute(self._statements.version).scalar(), is_single=True
        )

    def read(self, kind: str, group: str | None = None) -> dict[str, dict[str, Any]]:
        statement = self._statements.read
        values = {"kind_": kind}
        if group is not None:
            statement = self._statements.read_group
            values["group_"] = _digest(group)
        found = self._database.run(
            lambda c: c.execute(statement, values).scalars().all(), is_single=True
        )
        contents = (json.loads(text) for text in found)
        return dict(contents)

    def add(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> bool:
        def work(connection: Connection) -> bool:
            self._insert(connection, kind, name, value, group)
            self._changed(connection, kind)
            return True

        try:
            return self._database.run(work)
        except sql_errors.DatabaseError as exc:
            if not isinstance(exc.__cause__, sql_errors.IntegrityError):
                raise
            return False

    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        def work(connection: Connection) -> None:
            key, text = _digest(kind, group, name), json.dumps([name, value])
            change = {"key": key, "text": text}
            if not connection.execute(self._statements.update, change).rowcount:
                self._insert(connection, kind, name, value, group)
            self._changed(connection, kind)

        # Another may have inserted it in between.
        self._database.run(work, again=(sql_errors.IntegrityError,))

    def remove(self, kind: str, name: str, group: str = "") -> bool:
        def work(connection: Connection) -> bool:
            key = {"key": _digest(kind, group, name)}
            was_there = connection.execute(self._statements.remove, key).rowcount > 0
            if was_there:
                self._changed(connection, kind)
            return was_there

        return self._database.run(work)

    def _insert(
        self,
        connection: Connection,
        kind: str,
        name: str,
        value: Mapping[str, Any],
        group: str,
    ) -> None:
        row = {
            "digest": _digest(kind, group, name),
            "kind": kind,
            "group_digest": _digest(group),
            "content": json.dumps([name, value]),
        }
        connection.execute(self._statements.insert, row)

    def _changed(self, connection: Connection, kind: str) -> None:
        if kind not in TOPOLOGY:
            return
        # Last of all, since others that change the topology wait for it.
        if not connection.execute(self._statements.bump).rowcount:
            self._begin_counting(connection)

    def _begin_counting(self, connection: Connection) -> None:
        row = {
            "digest": _VERSION,
            "kind": _VERSION,
            "group_digest": "",
            "content": "[]",
            "number": 1,
        }
        connection.execute(self._statements.insert, row)

    def begin_counting(self) -> None:
        """Make the row of the version, unless it is there."""

        def work(connection: Connection) -> None:
            if connection.execute(self._statements.version).scalar() is None:
                self._begin_counting(connection)

        if self.version() is None:
            self._database.run(work, again=(sql_errors.IntegrityError,))

    # -- owners --------------------------------------------------------------------

    def renew(self, owner: str, seconds: float) -> bool:
        statements = self._statements
        values = self._at_this_moment(owner_=owner, length=int(seconds * 1000))
        if self._count(statements.renew, values):
            return True

        def work(connection: Connection) -> bool:
            if connection.execute(statements.renew, values).rowcount:
                return True
            if not connection.execute(statements.renew_dead, values).rowcount:
                connection.execute(statements.add_owner, values)
            # It had its time: what it claimed before is others' to take.
            self._orphans.put_back(connection, [owner])
            return False

        return self._database.run(work, again=(sql_errors.IntegrityError,))

    def retire(self, owner: str) -> None:
        self._count(self._statements.retire, {"owner_": owner})

    def live_owners(self) -> set[str]:
        values = self._at_this_moment()
        work: Callable[[Connection], Any] = lambda c: (  # noqa: E731
            c.execute(self._statements.live, values).scalars().all()
        )
        return set(self._database.run(work, is_single=True))

    def _count(self, statement: Any, values: dict[str, Any]) -> int:
        return self._database.run(
            lambda c: c.execute(statement, values).rowcount, is_single=True
        )

    def _at_this_moment(self, **values: Any) -> dict[str, Any]:
        if self._statements.takes_now:
            values["now"] = int(self._database.now() * 1000)
        return values

    def close(self) -> None:
        """Nothing is held open beside the engine, which is the transport's."""
