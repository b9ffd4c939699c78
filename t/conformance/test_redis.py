"""The Redis transport keeps what every transport promises."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.network import *  # noqa: F403
from kombu.testing.conformance.paused import *  # noqa: F403
from t.brokers.fixtures import redis_server  # noqa: F401
from t.conformance.redis import AS_AMQP, RedisHarness


@pytest.fixture(params=["pubsub", "durable"])
def harness(request, redis_server):  # noqa: F811
    options = {"fanout": request.param, **AS_AMQP}
    url = redis_server.new_database()
    with RedisHarness(redis_server, url, options) as harness:
        yield harness
