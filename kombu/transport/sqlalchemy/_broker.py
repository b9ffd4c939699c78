"""What one connection has of a database: tables, queues, messages, records.

Loaded, with SQLAlchemy, when a connection is opened.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kombu.transport.sqlalchemy._claims import Claims, ClaimStatements
from kombu.transport.sqlalchemy._database import Database
from kombu.transport.sqlalchemy._looks import Looks
from kombu.transport.sqlalchemy._orphans import Orphans
from kombu.transport.sqlalchemy._puts import Puts
from kombu.transport.sqlalchemy._queues import Queues
from kombu.transport.sqlalchemy._records import SqlRecordStore
from kombu.transport.sqlalchemy._schema import prepare
from kombu.transport.sqlalchemy._settling import Settling
from kombu.transport.sqlalchemy._tables import Tables
from kombu.transport.sqlalchemy._traits import Traits

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
        self.tables = Tables.named(queue_table, message_table, self.database.kind)
        self.topic = _topic_of(message_table) if notifies else ""
        try:
            prepare(self.database, self.tables)
            self._make_parts()
        except BaseException:
            self.database.close()
            raise

    def _make_parts(self) -> None:
        database, tables = self.database, self.tables
        traits = Traits.of(database.dialect, self.topic)
        self.queues = Queues(database, tables)
        self.puts = Puts(database, tables, traits, self.queues)
        self.looks = Looks(database, tables, traits, self.puts)
        self.claims = Claims(database, ClaimStatements(tables, traits), self.looks)
        self.settling = Settling(database, tables, traits, self.puts)
        self.orphans = Orphans(database, tables, traits, self.puts)
        self.records = SqlRecordStore(database, tables, self.orphans)
        self.records.begin_counting()

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
