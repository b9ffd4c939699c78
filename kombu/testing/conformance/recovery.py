"""After the connection was lost: trying again, reconnecting, going on."""

from __future__ import annotations

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
