"""After the broker was lost: trying again, reconnecting, going on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import OperationalError
from kombu.messaging import Consumer, Producer

if TYPE_CHECKING:
    from kombu.connection import Connection
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestRecovery",)

#: Tries that follow at once.
AT_ONCE: dict[str, Any] = {
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


class Failing:
    """A function that fails a number of times, as if the broker were lost."""

    def __init__(self, connection: Connection, times: int, result: Any = None) -> None:
        self.error = connection.recoverable_connection_errors[0]
        self.times = times
        self.result = result
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error("lost")
        return self.result() if callable(self.result) else self.result


class TestRecovery:
    """What is retried, how often, and what is there again afterwards."""

    def test_call_is_tried_again_until_it_works(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue()
        producer = Producer(connection)
        publish = Failing(
            connection, 2, lambda: producer.publish("hello", routing_key=queue.name)
        )

        connection.ensure(producer, publish, max_retries=3, **AT_ONCE)()

        assert publish.calls == 3
        assert harness.take(queue, 1) == ["hello"]

    def test_call_is_not_tried_more_often_than_asked(self, harness: Harness) -> None:
        connection = harness.connect()
        failing = Failing(connection, 100)

        with pytest.raises(OperationalError):
            connection.ensure(Producer(connection), failing, max_retries=3, **AT_ONCE)()

        assert failing.calls == 4

    def test_other_errors_are_not_retried(self, harness: Harness) -> None:
        connection = harness.connect()
        calls: list[int] = []

        def fail() -> None:
            calls.append(1)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            connection.ensure(Producer(connection), fail, **AT_ONCE)()

        assert len(calls) == 1

    def test_function_gets_a_new_channel(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue()
        channels: list[Any] = []
        error = connection.recoverable_connection_errors[0]

        def publish(channel: Any) -> str:
            channels.append(channel)
            if len(channels) == 1:
                raise error("lost")
            Producer(channel).publish("hello", routing_key=queue.name)
            return "done"

        result, channel = connection.autoretry(publish, max_retries=2, **AT_ONCE)()

        assert result == "done"
        assert channel is channels[1] is not channels[0]
        assert harness.take(queue, 1) == ["hello"]

    def test_lost_connection_is_replaced_when_it_is_used(
        self, harness: Harness
    ) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        producer = Producer(connection)
        producer.publish("one", routing_key=queue.name)

        connection.collect()
        producer.publish("two", routing_key=queue.name)

        assert harness.take(harness.queue(), 2) == ["one", "two"]

    def test_consumer_goes_on_with_a_new_channel(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue()
        received: list[Any] = []
        consumer = Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, message: received.append(body)],
            no_ack=True,
        )
        consumer.consume()

        connection.collect()
        consumer.revive(connection.channel())
        harness.publish("hello", queue)

        harness.drain(connection, lambda: received)
        assert received == ["hello"]

    def test_unsettled_messages_survive_a_lost_connection(
        self, harness: Harness
    ) -> None:
        connection = harness.connect()
        queue = harness.queue()
        held: list[Message] = []
        harness.publish("hello", queue)
        Consumer(connection.channel(), [queue], on_message=held.append).consume()
        harness.drain(connection, lambda: held)

        connection.collect()

        assert harness.get(queue).payload == "hello"

    # -- a network that fails --------------------------------------------------------

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

    # -- a broker that dies --------------------------------------------------------

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
