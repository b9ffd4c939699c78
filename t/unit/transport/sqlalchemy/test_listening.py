from __future__ import annotations

import socket
import types
from contextlib import contextmanager, suppress

import pytest

from kombu.transport.sqlalchemy._listening import Listening
from kombu.transport.sqlalchemy._watching import ListeningWatcher, watcher_of
from kombu.transport.virtual import watcher as watchers


class Server:
    """Notifies who is connected by one of the drivers; may be gone."""

    def __init__(self, driver):
        self.driver = driver
        self.statements = []
        self.is_gone = False
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.queues = []
        self.dialect = types.SimpleNamespace(driver=driver)
        self.path = None

    def notify(self, queue):
        self.queues.append(queue)
        self.far.send(b"x")

    def _take(self):
        with suppress(BlockingIOError):
            self.near.recv(100)
        found, self.queues = self.queues, []
        return found

    # -- as the database

    def connect_aside(self):
        if self.is_gone:
            raise ConnectionRefusedError
        return self

    # -- as SQLAlchemy's connection

    @property
    def connection(self):
        return types.SimpleNamespace(driver_connection=self._of_driver())

    def exec_driver_sql(self, statement):
        self.statements.append(statement)

    def close(self):
        pass

    def _of_driver(self):
        driver = types.SimpleNamespace(fileno=self.near.fileno, notifies=[])

        def consume_input():
            for queue in self._take():
                low_level.found.append(types.SimpleNamespace(extra=queue.encode()))

        def poll():
            for queue in self._take():
                driver.notifies.append(types.SimpleNamespace(payload=queue))

        if self.driver == "psycopg2":
            driver.poll = poll
            return driver
        low_level = types.SimpleNamespace(found=[], consume_input=consume_input)
        low_level.notifies = lambda: low_level.found.pop(0) if low_level.found else None
        driver.pgconn = low_level
        return driver


class Transport:
    """Notes what it is woken for."""

    def __init__(self):
        self.woken = []
        self.ears, self.mouth = socket.socketpair()
        self.ears.settimeout(10)

    def wake(self):
        self.woken.append(None)
        self.mouth.send(b"x")

    def wake_consumers_of(self, queues):
        self.woken.extend(sorted(queues))
        self.mouth.send(b"x")

    def wait(self):
        self.ears.recv(1)


@pytest.fixture(params=["psycopg", "psycopg2"])
def server(request):
    return Server(request.param)


@contextmanager
def watching(transport, server):
    watcher = ListeningWatcher(transport, server, "topic")
    try:
        yield watcher
    finally:
        watcher.stop()


class test_listening:
    def test_queues_are_named(self, server):
        listening = Listening(server, "topic")

        with listening.opened():
            server.notify("a")
            server.notify("b")
            found = listening.wait(10)

        assert found == {"a", "b"}
        assert server.statements == ["LISTEN topic"]

    def test_interruption_ends_the_wait(self, server):
        listening = Listening(server, "topic")

        with listening.opened():
            listening.interrupt()

            assert listening.wait(10) == set()

    def test_unknown_driver_is_not_listened_by(self):
        assert Listening.is_possible(Server("psycopg"))
        assert not Listening.is_possible(Server("pg8000"))


class test_watcher:
    def test_transport_is_woken(self, server):
        transport = Transport()

        with watching(transport, server) as watcher:
            transport.wait()  # it has begun
            server.notify("q")
            transport.wait()

        assert transport.woken == [None, "q"]
        assert not watcher._thread.is_alive()

    def test_connects_again_when_the_server_is_back(self, server, monkeypatch):
        monkeypatch.setattr(watchers, "PAUSE", 0.001)
        transport = Transport()
        server.is_gone = True

        with watching(transport, server):
            server.is_gone = False
            transport.wait()

        assert "LISTEN topic" in server.statements

    def test_is_chosen_if_notified(self, server):
        transport = Transport()
        broker = types.SimpleNamespace(database=server, topic="topic")

        watcher = watcher_of(transport, broker)
        watcher.stop()

        assert isinstance(watcher, ListeningWatcher)

    def test_is_not_chosen_if_not(self, server):
        broker = types.SimpleNamespace(database=server, topic="")

        assert watcher_of(Transport(), broker) is None
