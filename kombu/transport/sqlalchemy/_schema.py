"""Making the tables, and adding our columns to those that kombu 5.7 has made.

Many processes may do so at the same time, and old peers with them.  Whatever fails
is looked at again: if another process was faster, all is well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.schema import CreateColumn, CreateIndex

from kombu.transport.sqlalchemy._errors import DatabaseRefused
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


def prepare(database: Database, tables: Tables) -> None:
    """See to it that *database* has *tables*.

    Raises:
        DatabaseLost: The database can not be reached.
        DatabaseRefused: The user may not make or change a table.
    """
    for attempt in range(_TRIES):
        try:
            statements = database.run(lambda c: tuple(_missing(c, tables)))
            if not statements:
                return
            for statement in statements:
                _execute(database, statement, tables)
        except DatabaseRefused:
            if attempt == _TRIES - 1:
                raise
            waiting.sleep(_PAUSE)


def _execute(database: Database, statement: Any, tables: Tables) -> None:
    def work(connection: Connection) -> None:
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
        raise DatabaseRefused(
            f"{exc}; have a user who may do so execute once: {what}", exc.orig
        ) from exc


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
    if is_short and connection.dialect.name in ("mysql", "mariadb"):
        # It ends at 64 KiB.
        yield f"{alter} MODIFY payload LONGTEXT NOT NULL"
