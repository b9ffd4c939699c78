from __future__ import annotations

from importlib.util import find_spec

import pytest

from kombu import Connection

if find_spec("redis") is None:
    collect_ignore_glob = ["test_*.py", "server.py"]


@pytest.fixture
def server():
    from t.unit.transport.redis.server import FakeServer

    return FakeServer()


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
