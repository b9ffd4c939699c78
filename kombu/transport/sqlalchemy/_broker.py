"""What one connection has of a database: engine, tables, statements, stores.

Loaded, with SQLAlchemy, when a connection is opened.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kombu.transport.sqlalchemy._database import Database
from kombu.transport.sqlalchemy._messages import MessageStore
from kombu.transport.sqlalchemy._records import SqlRecordStore
from kombu.transport.sqlalchemy._schema import prepare
from kombu.transport.sqlalchemy._statements import Statements
from kombu.transport.sqlalchemy._tables import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("SqlBroker",)


class SqlBroker:
    """A database with its tables made.

    Arguments:
        url: URL in SQLAlchemy's form.
        engine_options: Arguments for ``sqlalchemy.create_engine``.
        queue_table: Name of the table of queues.
        message_table: Name of the table of messages.
        synchronous: SQLite's ``PRAGMA synchronous``.
        notifies: Whether PostgreSQL tells who waits.

    Raises:
        DatabaseLost: The database can not be reached.
        DatabaseRefused: The tables can not be made.
        DriverNotInstalled: The database's driver is missing.
        InvalidURL: The URL can not be understood.
    """

    def __init__(
        self,
        url: str,
        engine_options: Mapping[str, Any],
        queue_table: str,
        message_table: str,
        synchronous: str,
        notifies: bool,
    ) -> None:
        self.database = Database(url, engine_options, synchronous)
        self.tables = Tables.named(queue_table, message_table)
        try:
            prepare(self.database, self.tables)
            self.topic = _topic_of(message_table) if notifies else ""
            dialect = self.database.dialect
            self.statements = Statements(self.tables, dialect, self.topic)
            self.messages = MessageStore(self.database, self.statements)
            self.records = SqlRecordStore(self.database, self.tables, self.statements)
            self.records.begin_counting()
        except BaseException:
            self.database.close()
            raise

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.tables.message.name} in {self.database!r}>"
        )

    def close(self) -> None:
        """Close the connections to the database."""
        self.database.close()


def _topic_of(table: str) -> str:
    """Return the name to notify under: plain, and of 63 characters at most."""
    if len(table) <= 50 and all(
        c.isascii() and (c.isalnum() or c == "_") for c in table
    ):
        return f"kombu_{table}"
    return f"kombu_{hashlib.sha256(table.encode()).hexdigest()[:32]}"
