"""Masters come and go: whoever publishes and consumes by a Sentinel goes on."""

from __future__ import annotations

import pytest

from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from t.brokers.redis_sentinel import SentinelRedis
from t.integration.redis.listener import Listener

TASKS = Queue("tasks")

#: Seconds after which a message has arrived, once there is a new master.
BOUND = 10.0

POLICY = {"max_retries": 100, "interval_start": 0, "interval_step": 0.1}


@pytest.fixture(params=[None, "s3cret"], ids=["open", "password"], scope="module")
def server(request):
    with SentinelRedis(request.param) as server:
        yield server


@pytest.mark.parametrize("how", ["fail_over", "kill"])
def test_another_master(server, how):
    url, options = server.new_database(), server.options
    with (
        Listener(url, [TASKS], transport_options=options) as listener,
        Connection(url, transport_options=options) as connection,
    ):
        producer = connection.Producer(routing_key=TASKS.name)
        for number in range(3):
            producer.publish(("before", number))
            listener.wait_for_body(["before", number], BOUND)
            getattr(server, how)()

            producer.publish(("after", number), retry=True, retry_policy=POLICY)
            listener.wait_for_body(["after", number], BOUND)
            server.start()


def test_sentinel_that_is_gone_is_passed_over(server):
    url = f"sentinel://127.0.0.1:1;{server.new_database()}"
    options = {**server.options, "socket_connect_timeout": 5}
    login = {"password": server.password} if server.password else {}
    with Connection(url, transport_options=options, **login) as connection:
        queue = connection.SimpleQueue("tasks")
        queue.put("hello")

        message = queue.get(timeout=BOUND)
        message.ack()
    assert message.payload == "hello"


def test_master_that_nobody_knows(server):
    options = {**server.options, "master_name": "nobody"}
    with Connection(server.url, transport_options=options) as connection:
        with pytest.raises(OperationalError, match="nobody"):
            connection.ensure_connection(max_retries=1, interval_start=0)


def test_name_of_the_master_is_needed(server):
    with pytest.raises(ValueError, match="master_name"):
        Connection(server.url).connect()
