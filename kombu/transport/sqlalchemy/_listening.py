"""A connection to PostgreSQL that waits for notifications.

It is waited for by a selector, which gevent can patch, never within the driver.
"""

from __future__ import annotations

import selectors
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu.transport.sqlalchemy._database import Database

__all__ = ("Listening",)

#: Drivers whose connection has a descriptor to wait for.
_DRIVERS = frozenset({"psycopg", "psycopg2"})

#: Seconds of silence after which the server is asked whether it is still there.
_SILENCE = 20.0


class Listening:
    """A connection beside the pool; used by one thread, interrupted by any.

    Arguments:
        database: The database.
        topic: Name that is listened to.
    """

    def __init__(self, database: Database, topic: str) -> None:
        self._database = database
        self._topic = topic
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._connection: Any = None
        self._driver: Any = None
        self._heard_at = 0.0

    def __repr__(self) -> str:
        state = "closed" if self._connection is None else "open"
        return f"<{type(self).__name__}: {self._topic}, {state}>"

    @staticmethod
    def is_possible(database: Database) -> bool:
        """Return whether the driver lets us wait."""
        return database.dialect.driver in _DRIVERS

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Connect and listen, as long as the block lasts."""
        connection = self._database.connect_aside()
        try:
            connection.exec_driver_sql(f"LISTEN {self._topic}")
            self._connection = connection
            self._driver = connection.connection.driver_connection
            self._heard_at = waiting.monotonic()
            yield
        finally:
            self._connection = self._driver = None
            with suppress(Exception):  # it may be broken
                connection.close()

    def interrupt(self) -> None:
        """End a wait, from any thread."""
        with suppress(OSError):
            self._far.send(b"x")

    def wait(self, seconds: float) -> set[str]:
        """Wait for notifications; return the queues that they name."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._driver.fileno(), selectors.EVENT_READ)
            selector.register(self._near, selectors.EVENT_READ)
            ready = selector.select(seconds)
        with suppress(OSError):
            self._near.recv(100)
        now = waiting.monotonic()
        if ready:
            self._heard_at = now
        elif now - self._heard_at > _SILENCE:
            # A connection that was cut in the middle says nothing for ever.
            self._connection.exec_driver_sql("SELECT 1")
            self._heard_at = now
        return set(self._notifications())

    def _notifications(self) -> Iterator[str]:
        low_level = getattr(self._driver, "pgconn", None)
        if low_level is not None:  # psycopg
            low_level.consume_input()
            while (found := low_level.notifies()) is not None:
                yield found.extra.decode()
            return
        self._driver.poll()  # psycopg2
        while self._driver.notifies:
            yield self._driver.notifies.pop(0).payload
