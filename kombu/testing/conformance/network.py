"""A network that fails, and a broker that dies: for transports that have a server.

Not among the themes of every transport: a store without a server imports none of
these, one with a server says
``from kombu.testing.conformance.network import *``.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import OperationalError
from kombu.messaging import Consumer, Producer

if TYPE_CHECKING:
    from kombu.connection import Connection
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness
    from kombu.testing.proxy import FaultProxy

__all__ = ("TestBrokerDeath", "TestNetwork")

#: Tries that follow at once.
AT_ONCE: dict[str, Any] = {
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


class TestNetwork:
    """Connections that are cut, refused, or go silent (needs ``fault_proxy``)."""

    def test_publishing_goes_on_after_the_socket_was_cut(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        with harness.fault_proxy() as proxy:
            connection = harness.connect(proxy.url_for(harness.url))
            producer = Producer(connection, routing_key=queue.name)
            producer.publish("one")

            proxy.cut()
            for body in ("two", "three"):
                producer.publish(
                    body, retry=True, retry_policy={"max_retries": 5, **AT_ONCE}
                )
            connection.close()

        bodies = [harness.get(queue, no_ack=True).payload for _ in range(2)]
        assert bodies[0] == "one"
        assert bodies[-1] in ("two", "three")

    def test_publishing_to_a_broker_that_refuses_fails_in_the_end(
        self, harness: Harness
    ) -> None:
        with harness.fault_proxy() as proxy:
            connection = harness.connect(proxy.url_for(harness.url))
            proxy.refuse()

            with pytest.raises(OperationalError):
                connection.ensure_connection(
                    max_retries=2, interval_start=0, interval_step=0, interval_max=0
                )

            proxy.heal()
            assert connection.ensure_connection(max_retries=1).connected

    def test_consumer_goes_on_after_the_socket_was_cut(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Any] = []
        with harness.fault_proxy() as proxy:
            connection = harness.connect(proxy.url_for(harness.url))
            consumer = Consumer(
                connection.channel(),
                [queue],
                callbacks=[lambda body, message: received.append(body)],
                no_ack=True,
            )
            consumer.consume()
            for number in range(5):
                proxy.cut()
                call = connection.ensure(
                    consumer,
                    lambda: harness.drain_idle(connection),
                    max_retries=5,
                    **AT_ONCE,
                )
                call()
                harness.publish(number, queue)
                harness.drain(connection, partial(received.__contains__, number))
            connection.close()

        assert received == list(range(5))

    @pytest.mark.parametrize("how", ["cut", "black_hole"])
    def test_claims_of_a_connection_that_was_lost_go_to_others(
        self, harness: Harness, how: str
    ) -> None:
        harness.require("lease")
        queue = harness.queue()
        harness.publish("hello", queue)
        with harness.fault_proxy() as proxy:
            connection, _ = _take_one(harness, proxy, queue)

            if how == "cut":
                proxy.refuse()
                proxy.cut()
            else:
                proxy.black_hole()

            survivor = harness.connect_leased()
            [again] = harness.consume_all(queue, 1, connection=survivor)
            # What it may be waiting for in vain ends here.
            proxy.heal()
            connection.collect()

        assert again.payload == "hello"
        assert again.delivery_info["redelivered"]
        assert queue.get() is None

    def test_late_acknowledgement_settles_nothing_of_others(
        self, harness: Harness
    ) -> None:
        harness.require("lease")
        queue = harness.queue()
        harness.publish("hello", queue)
        with harness.fault_proxy() as proxy:
            connection, held = _take_one(harness, proxy, queue)
            proxy.refuse()
            proxy.cut()
            survivor = harness.connect_leased()
            again: list[Message] = []
            channel = survivor.channel()
            Consumer(channel, [queue], on_message=again.append).consume()
            harness.drain(survivor, lambda: again)

            proxy.heal()
            # It may be told that it is too late, or not.
            with suppress(*connection.connection_errors, *connection.channel_errors):
                held[0].ack()
            survivor.close()

        assert harness.get(queue).payload == "hello"


def _take_one(
    harness: Harness, proxy: FaultProxy, queue: Queue
) -> tuple[Connection, list[Message]]:
    """Return a connection through *proxy*, and the message of *queue* that it holds."""
    held: list[Message] = []
    connection = harness.connect(
        proxy.url_for(harness.url),
        transport_options=harness.lease_options(harness.lease),
    )
    Consumer(connection.channel(), [queue], on_message=held.append).consume()
    harness.drain(connection, lambda: held)
    return connection, held


class TestBrokerDeath:
    """A broker that is killed and started again (``kill_broker``, ``start_broker``)."""

    def test_durable_messages_survive_a_broker_that_is_killed(
        self, harness: Harness
    ) -> None:
        queue = harness.queue(durable=True)
        harness.publish("hello", queue, delivery_mode="persistent")
        harness.settle(lambda: harness.size(queue) == 1)

        harness.kill_broker()
        harness.start_broker()

        again = harness.queue(durable=True, connection=harness.connect())
        assert harness.get(again, no_ack=True).payload == "hello"

    def test_publishing_waits_for_a_broker_that_was_killed(
        self, harness: Harness
    ) -> None:
        queue = harness.queue(durable=True)
        connection = harness.connect()
        producer = Producer(connection, routing_key=queue.name)
        producer.publish("one")

        harness.kill_broker()
        harness.start_broker()
        producer.publish(
            "two",
            retry=True,
            retry_policy={"max_retries": 50, "interval_start": 0.1},
        )

        again = harness.queue(durable=True, connection=harness.connect())
        bodies = {harness.get(again, no_ack=True).payload for _ in range(2)}
        assert bodies == {"one", "two"}
