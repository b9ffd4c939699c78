from __future__ import annotations

from importlib.util import find_spec

import pytest

from kombu import Connection

if find_spec("sqlalchemy") is None:
    collect_ignore_glob = ["test_*.py"]

TRANSPORT = "kombu.transport.sqlalchemy:Transport"


class Store:
    """A database of SQLite, and connections of ours to it."""

    def __init__(self, path):
        self.path = path
        self.url = f"sqlite:///{path}"
        self._connections = []

    def connect(self, **options):
        options.setdefault("sqlite_synchronous", "OFF")
        connection = Connection(
            self.url, transport=TRANSPORT, transport_options=options
        )
        self._connections.append(connection)
        return connection

    def channel(self, lease=600.0, **options):
        """Return a channel of a connection of its own, whose lease is held."""
        channel = self.connect(**options).channel()
        channel.connection.own_records.renew(channel.owner, lease)
        return channel

    def rows(self, statement):
        import sqlite3

        connection = sqlite3.connect(self.path)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def close(self):
        for connection in self._connections:
            connection.close()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "kombu.db")
    yield store
    store.close()


@pytest.fixture
def channel(store):
    channel = store.channel()
    channel._new_queue("q")
    return channel
