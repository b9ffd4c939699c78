"""Threads that tell a transport when another process may have put a message.

SQLite: ``PRAGMA data_version`` changes whenever another connection has written; it
takes some microseconds to read, and takes no lock.  PostgreSQL: ``LISTEN``.  Other
databases are looked into by the transport itself.

A watcher holds no reference to its transport: one that was dropped ends it.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.transport.sqlalchemy._listening import Listening
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Collection

    from kombu.transport.sqlalchemy._broker import SqlBroker
    from kombu.transport.sqlalchemy._database import Database

__all__ = ("ListeningWatcher", "SqliteWatcher", "Watcher", "watcher_of")

logger = get_logger(__name__)

#: Seconds between two looks at SQLite's version of the data.
_SQLITE_INTERVAL = 0.02

#: Seconds until a watcher that has failed tries again.
_PAUSE = 1.0


def watcher_of(transport: Any, broker: SqlBroker) -> Watcher | None:
    """Return the watcher that suits *broker*; None if there is none."""
    database = broker.database
    if database.path is not None:
        return SqliteWatcher(transport, database)
    if broker.topic and Listening.is_possible(database):
        return ListeningWatcher(transport, database, broker.topic)
    return None


class Watcher:
    """A thread that wakes a transport.

    Arguments:
        transport: The transport.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = weakref.ref(transport)
        self._waiter = waiting.Waiter()
        self._is_stopped = False
        self._thread = threading.Thread(
            target=self._run, name="kombu-sql-watcher", daemon=True
        )

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{type(self).__name__}: {state}>"

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._is_stopped = True
        self._interrupt()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _interrupt(self) -> None:
        self._waiter.wake()

    def _is_wanted(self) -> bool:
        return not self._is_stopped and self._transport() is not None

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._watch()
            except Exception as exc:
                # Messages come later without it, and the database may be back soon.
                logger.info("Lost sight of the database, trying again: %s", exc)
                self._waiter.wait(_PAUSE)

    def _watch(self) -> None:
        """Wake the transport when there may be messages, until not wanted."""
        raise NotImplementedError

    def _wake(self, queues: Collection[str] | None = None) -> None:
        """Wake the transport, if it consumes from one of *queues*, or from any."""
        transport = self._transport()
        if transport is None:
            return
        if queues is None:
            transport.wake()
        else:
            transport.wake_consumers_of(queues)


class SqliteWatcher(Watcher):
    """Watches a file of SQLite."""

    def __init__(self, transport: Any, database: Database) -> None:
        super().__init__(transport)
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
        super().__init__(transport)
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
                queues = self._listening.wait(_PAUSE)
                if queues:
                    self._wake(queues)
