"""Redis servers, and an empty database for each test."""

from __future__ import annotations

import pytest

from t.brokers.fixtures import (
    redis_cluster,
    redis_secured,
    redis_sentinel,
    redis_server,
)
from t.brokers.redis import redis_client

__all__ = ("redis_cluster", "redis_secured", "redis_sentinel", "redis_server")


@pytest.fixture
def url(redis_server):  # noqa: F811
    """The URL of an empty database."""
    return redis_server.new_database()


@pytest.fixture
def client(url):
    """A client of redis-py for the same database."""
    with redis_client(url) as client:
        yield client
