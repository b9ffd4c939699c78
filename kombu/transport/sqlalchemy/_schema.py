"""Making the tables, and adding our columns to those that kombu 5.7 has made.

Many processes may do so at the same time, and old peers with them.  Whatever fails
is looked at again: if another process was faster, all is well.

A table can not be changed while a transaction that has read it is open, and kombu 5.7
leaves one open after declaring.  Whoever comes to a table that somebody waits to
change waits as well, or fails; so we hardly wait, let the others pass, and try again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.schema import CreateColumn, CreateIndex

from kombu.transport.sqlalchemy._errors import DatabaseRefused, is_transient
from kombu.transport.sqlalchemy._traits import MYSQL_FAMILY
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._tables import Tables

__all__ = ("prepare",)

#: Tries, while other processes do the same.
_TRIES = 10

_PAUSE = 0.05

#: Seconds after which no further try is begun.
_PATIENCE = 20.0

#: How it is said that a change of a table waits shortly, and how that is undone.
_SHORT_WAIT = "SET SESSION lock_wait_timeout = "
_SHORT_WAITS = {
    "postgresql": ("SET LOCAL lock_timeout = '500ms'", None),
    # MySQL makes it one second.
    "mysql": (f"{_SHORT_WAIT}0", f"{_SHORT_WAIT}DEFAULT"),
    "mariadb": (f"{_SHORT_WAIT}0", f"{_SHORT_WAIT}DEFAULT"),
}


def prepare(database: Database, tables: Tables) -> None:
    """See to it that *database* has *tables*.

    Raises:
        DatabaseLost: The database can not be reached.
        DatabaseRefused: The user may not make or change a table.
    """
    deadline = waiting.monotonic() + _PATIENCE
    for attempt in range(_TRIES):
        try:
            statements = database.run(lambda c: tuple(_missing(c, tables)))
            if not statements:
                return
            for statement in statements:
                _execute(database, statement, tables)
        except DatabaseRefused:
            if attempt == _TRIES - 1 or waiting.monotonic() >= deadline:
                raise
            waiting.sleep(_PAUSE)


def _execute(database: Database, statement: Any, tables: Tables) -> None:
    def work(connection: Connection) -> None:
        with _waiting_shortly(connection):
            if statement is tables.metadata:
                tables.metadata.create_all(connection)
            elif isinstance(statement, str):
                connection.exec_driver_sql(statement)
            else:
                connection.execute(statement)

    try:
        database.run(work)
    except DatabaseRefused as exc:
        what = _in_words(database, statement, tables)
        remedy = "have a user who may do so execute once"
        if is_transient(exc):
            remedy = (
                "a transaction keeps the table as it is: end it (a process of kombu 5.7 "
                "that has declared something, and does nothing, has one open), or execute"
            )
        raise DatabaseRefused(f"{exc}; {remedy}: {what}", exc.orig) from exc


@contextmanager
def _waiting_shortly(connection: Connection) -> Iterator[None]:
    """Have a statement fail rather than wait for long."""
    before, after = _SHORT_WAITS.get(connection.dialect.name, (None, None))
    if before:
        connection.exec_driver_sql(before)
    try:
        yield
    finally:
        if after:
            connection.exec_driver_sql(after)


def _in_words(database: Database, statement: Any, tables: Tables) -> str:
    if statement is tables.metadata:
        names = ", ".join(sorted(tables.metadata.tables))
        return f"CREATE TABLE for each of {names}"
    if isinstance(statement, str):
        return statement
    return " ".join(str(statement.compile(dialect=database.dialect)).split())


def _missing(connection: Connection, tables: Tables) -> Iterator[Any]:
    """Yield what is to be executed until all is there."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    if not {table.name for table in tables.metadata.sorted_tables} <= there:
        # The tables that are there it leaves alone; come again for their columns.
        yield tables.metadata
        if tables.message.name not in there:
            return
    yield from _missing_columns(connection, inspector, tables.message, tables.added)
    indexes = {index["name"] for index in inspector.get_indexes(tables.message.name)}
    for index in tables.message.indexes:
        if index.name not in indexes:
            yield CreateIndex(index)
    # The same as that of timestamp and id there: kombu 5.7 could read by either, and
    # then wait for us in another order than we for it.
    double = f"ix_{tables.message.name}_timestamp"
    if connection.dialect.name in MYSQL_FAMILY and double in indexes:
        quote = connection.dialect.identifier_preparer.quote
        yield f"ALTER TABLE {quote(tables.message.name)} DROP INDEX {quote(double)}"


def _missing_columns(
    connection: Connection, inspector: Any, table: Table, added: frozenset[str]
) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote
    columns = {found["name"]: found for found in inspector.get_columns(table.name)}
    alter = f"ALTER TABLE {quote(table.name)}"
    word = "ADD" if connection.dialect.name in ("mssql", "oracle") else "ADD COLUMN"
    for column in table.columns:
        if column.name in added and column.name not in columns:
            described = CreateColumn(column).compile(dialect=connection.dialect)
            yield f"{alter} {word} {described}"
    is_short = str(columns["payload"]["type"]).upper().startswith("TEXT")
    if is_short and connection.dialect.name in MYSQL_FAMILY:
        # It ends at 64 KiB.
        yield f"{alter} MODIFY payload LONGTEXT NOT NULL"
