"""Messages that wait in RabbitMQ itself."""

from __future__ import annotations

import time

import pytest

from kombu import Connection, Exchange, Queue
from kombu.transport.native_delayed_delivery import (
    bind_queue_to_native_delayed_delivery_exchange,
    calculate_routing_key,
    declare_native_delayed_delivery_exchanges_and_queues,
    level_name,
)


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_comes_when_it_is_due_and_not_before(url, queue_type):
    with Connection(url) as connection:
        channel = connection.default_channel
        queue = Queue("work", Exchange("jobs", "topic"), "jobs.new")
        bound = queue(channel)
        bound.declare()
        declare_native_delayed_delivery_exchanges_and_queues(connection, queue_type)
        bind_queue_to_native_delayed_delivery_exchange(connection, queue)
        began = time.time()

        connection.Producer().publish(
            "later",
            exchange=level_name(27),
            routing_key=calculate_routing_key(3, "jobs.new"),
            mandatory=True,
        )
        message = None
        while message is None and time.time() < began + 60:
            message = bound.get()
            time.sleep(0.02)

        assert message.payload == "later"
        assert time.time() - began > 2.9
