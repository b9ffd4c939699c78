"""Threads that tell a transport when another process may have put a message.

SQLite: ``PRAGMA data_version`` changes whenever another connection has written; it
takes some microseconds to read, and takes no lock.  PostgreSQL: ``LISTEN``.  Other
databases are looked into by the transport itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport.sqlalchemy._listening import Listening
from kombu.transport.virtual.watcher import PAUSE, Watcher

if TYPE_CHECKING:
    from kombu.transport.sqlalchemy._broker import SqlBroker
    from kombu.transport.sqlalchemy._database import Database

__all__ = ("ListeningWatcher", "SqliteWatcher", "Watcher", "watcher_of")

#: Seconds between two looks at SQLite's version of the data.
_SQLITE_INTERVAL = 0.02


def watcher_of(transport: Any, broker: SqlBroker) -> Watcher | None:
    """Return the watcher that suits *broker*; None if there is none."""
    database = broker.database
    if database.path is not None:
        return SqliteWatcher(transport, database)
    if broker.topic and Listening.is_possible(database):
        return ListeningWatcher(transport, database, broker.topic)
    return None


class SqliteWatcher(Watcher):
    """Watches a file of SQLite."""

    def __init__(self, transport: Any, database: Database) -> None:
        super().__init__(transport, "kombu-sql-watcher")
        self._database = database
        self.start()

    def _watch(self) -> None:
        with self._database.engine().connect() as connection:
            cursor: Any = connection.connection.cursor()
            known = None
            while self._is_wanted():
                found = cursor.execute("PRAGMA data_version").fetchone()
                if found != known:
                    known = found
                    self._wake()
                self._waiter.wait(_SQLITE_INTERVAL)


class ListeningWatcher(Watcher):
    """Listens to what PostgreSQL is told by who puts messages."""

    def __init__(self, transport: Any, database: Database, topic: str) -> None:
        super().__init__(transport, "kombu-sql-watcher")
        self._listening = Listening(database, topic)
        self.start()

    def _interrupt(self) -> None:
        super()._interrupt()
        self._listening.interrupt()

    def _watch(self) -> None:
        with self._listening.opened():
            # What came before we listened.
            self._wake()
            while self._is_wanted():
                queues = self._listening.wait(PAUSE)
                if queues:
                    self._wake(queues)
