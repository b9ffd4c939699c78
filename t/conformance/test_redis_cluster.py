"""The Redis transport keeps what every transport promises, on a cluster."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.network import TestBrokerDeath  # noqa: F401
from t.brokers.fixtures import redis_cluster  # noqa: F401
from t.conformance.redis import AS_AMQP, RedisHarness


class ClusterHarness(RedisHarness):
    def put_raw(self, queue, data):
        data = data if isinstance(data, bytes) else str(data).encode()
        with self._server.client() as client:
            # All keys of a queue have its name for their hash tag.
            client.lpush(f"{{{queue}}}", data)

    def fault_proxy(self):
        self.skip("clients are told by the cluster where to connect to")


@pytest.fixture
def harness(redis_cluster):  # noqa: F811
    redis_cluster.start()  # a test may have killed it
    with ClusterHarness(redis_cluster, redis_cluster.flush(), AS_AMQP) as harness:
        yield harness
