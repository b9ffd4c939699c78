"""The Redis transport keeps what every transport promises, where little is allowed.

By TLS, with a password, and as a user that may use its own keys and channels alone.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.network import *  # noqa: F403
from t.brokers.fixtures import redis_secured  # noqa: F401
from t.brokers.redis_secured import PREFIX
from t.conformance.redis import AS_AMQP, RedisHarness


class SecuredHarness(RedisHarness):
    prefix = PREFIX


@pytest.fixture
def harness(redis_secured):  # noqa: F811
    url = redis_secured.limited(redis_secured.new_database())
    options = {"global_keyprefix": PREFIX, **AS_AMQP}
    url = f"{url}?{urlencode(redis_secured.tls_options())}"
    with SecuredHarness(redis_secured, url, options) as harness:
        yield harness
