from __future__ import annotations

from importlib.util import find_spec
from threading import get_ident

import pytest

from kombu import Connection
from kombu.utils import waiting
from t.unit.fakes import Clock

if find_spec("redis") is None:
    collect_ignore_glob = ["test_*.py", "server.py"]


@pytest.fixture
def server():
    from t.unit.transport.redis.server import FakeServer

    return FakeServer()


@pytest.fixture
def clock(monkeypatch, server):
    """A clock that is turned by the test's own thread: others wait in real time."""
    waits, sleeps = waiting.Waiter.wait, waiting.sleep
    clock = Clock().install(monkeypatch)
    turning, own = waiting.Waiter.wait, get_ident()

    def wait(waiter, timeout=None):
        if get_ident() != own:
            return waits(waiter, timeout)
        if server.meanwhile and not waiter._is_woken:
            server.meanwhile.popleft()()
        return turning(waiter, timeout)

    def sleep(seconds):
        (clock.sleep if get_ident() == own else sleeps)(seconds)

    monkeypatch.setattr(waiting.Waiter, "wait", wait)
    monkeypatch.setattr(waiting, "sleep", sleep)
    server.clock = clock
    yield clock
    # What was to happen in a wait has happened in one.
    assert not server.meanwhile


@pytest.fixture
def make_link(server):
    from kombu.transport.redis.link import Link

    return lambda: Link(server.connect, "Redis at home", "secret")


@pytest.fixture
def redis(server, make_link):
    """The library's view of the server."""
    from kombu.transport.redis.lines import Quota
    from kombu.transport.redis.server import Server

    return Server(make_link, Quota(5), "Redis at home")


@pytest.fixture
def connect(server, make_link):
    """Makes connections to the server, which are closed when the test is over."""
    from kombu.transport.redis import Transport

    class Ours(Transport):
        def _link_maker(self):
            return make_link

    made = []

    def connect(url="redis://home", **options):
        connection = Connection(url, transport=Ours, transport_options=options)
        made.append(connection)
        return connection

    yield connect
    server.is_gone = False
    for connection in made:
        connection.close()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()


@pytest.fixture
def keys():
    from kombu.transport.redis.keys import Keys

    return Keys()


@pytest.fixture
def claims(redis, keys):
    from kombu.transport.redis.claims import Claims
    from kombu.transport.redis.clock import ServerClock

    return Claims(redis, keys, ServerClock(), "me", 60, lambda queue: (0, 3))
