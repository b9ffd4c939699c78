"""A memory broker for each test, and connections to it."""

from __future__ import annotations

from itertools import count

import pytest

from kombu import Connection
from kombu.transport import memory

_names = count(1)


@pytest.fixture
def url():
    name = f"test-broker-{next(_names)}"
    yield f"memory://{name}"
    memory.brokers._by_name.pop(name, None)


@pytest.fixture
def connect(url):
    """Makes connections, which are closed when the test is over."""
    made = []

    def connect(*args, **kwargs):
        if not args and "transport" not in kwargs:
            args = (url,)
        connection = Connection(*args, **kwargs)
        made.append(connection)
        return connection

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()
