"""A RabbitMQ, and a virtual host of it for each test; two more, to fail over to."""

from __future__ import annotations

import pytest

from t.brokers.fixtures import rabbitmq
from t.brokers.rabbitmq import RabbitMQ

__all__ = ("rabbitmq",)


@pytest.fixture
def url(rabbitmq):  # noqa: F811
    url = rabbitmq.new_vhost()
    yield url
    rabbitmq.start()  # a test may have killed it
    rabbitmq.delete_vhost(url)


@pytest.fixture(scope="module")
def three_nodes(rabbitmq):  # noqa: F811
    """Three brokers that know nothing of each other."""
    if not isinstance(rabbitmq, RabbitMQ):
        pytest.skip("three nodes are wanted, and one is given")
    with RabbitMQ() as second, RabbitMQ() as third:
        yield rabbitmq, second, third
