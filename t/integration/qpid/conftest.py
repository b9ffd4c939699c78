"""A Broker-J, and a RabbitMQ with its plug-in and a virtual host for each test."""

from __future__ import annotations

import pytest

from t.brokers.fixtures import broker_j, rabbitmq_amqp1

__all__ = ("broker_j", "rabbitmq_amqp1")


@pytest.fixture
def vhost(rabbitmq_amqp1):  # noqa: F811
    """The virtual host as ``amqp://`` and ``qpid://`` have it."""
    url = rabbitmq_amqp1.new_vhost()
    yield url, url.replace("amqp://", "qpid://")
    rabbitmq_amqp1.delete_vhost(url)
