"""A RabbitMQ, and a virtual host of it for each test."""

from __future__ import annotations

import pytest

from t.brokers.fixtures import rabbitmq

__all__ = ("rabbitmq",)


@pytest.fixture
def url(rabbitmq):  # noqa: F811
    url = rabbitmq.new_vhost()
    yield url
    rabbitmq.start()  # a test may have killed it
    rabbitmq.delete_vhost(url)
