"""Brokers of AMQP 1.0 in this process; without the library there are no tests."""

from __future__ import annotations

import pytest

from kombu.connection import Connection

try:
    import proton  # noqa: F401
except ImportError:
    collect_ignore_glob = ["test_*.py"]


def running(product, version):
    from t.unit.transport.qpid.broker import Broker

    return Broker(product, version)


@pytest.fixture
def broker():
    with running("generic", "1") as broker:
        yield broker


@pytest.fixture
def broker_j():
    with running("Apache Qpid Broker-J Core", "9.2.0") as broker:
        broker.makes_queues = False
        yield broker


@pytest.fixture
def rabbitmq():
    with running("RabbitMQ", "3.10.8") as broker:
        yield broker


@pytest.fixture
def connect():
    """Return connections that are closed in the end."""
    made = []

    def connect(broker, vhost="/", **options):
        url = broker.url if vhost == "/" else broker.url[:-1] + vhost
        connection = Connection(url, transport_options=options)
        made.append(connection)
        return connection

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def channel(broker, connect):
    return connect(broker, confirm_publish=True).channel()


def message(channel, body=b"hello", **properties):
    return channel.prepare_message(body, properties={"delivery_mode": 2, **properties})
