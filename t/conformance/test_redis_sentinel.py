"""The Redis transport keeps what every transport promises, by way of a Sentinel."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.network import TestBrokerDeath  # noqa: F401
from t.brokers.fixtures import redis_sentinel  # noqa: F401
from t.conformance.redis import AS_AMQP, RedisHarness


class SentinelHarness(RedisHarness):
    """A broker whose death is that of the master: the replica takes its place."""

    def fault_proxy(self):
        self.skip("clients are told by the Sentinel where to connect to")


@pytest.fixture
def harness(redis_sentinel):  # noqa: F811
    url = redis_sentinel.new_database()
    options = {**redis_sentinel.options, **AS_AMQP}
    with SentinelHarness(redis_sentinel, url, options) as harness:
        yield harness
    redis_sentinel.start()  # a test may have killed the master
