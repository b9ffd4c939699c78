"""The client written in C, where it is installed."""

from __future__ import annotations

import pytest

from kombu import Connection, Consumer, Queue

pytest.importorskip("librabbitmq", reason="pip install librabbitmq-fork")


def test_messages_go_and_come(url):
    bodies = [{"a": 1}, "täxt", b"\xff\0", "x" * 300_000]
    with Connection(url.replace("amqp://", "librabbitmq://")) as connection:
        channel = connection.default_channel
        queue = Queue("q")(channel)
        queue.declare()
        for body in bodies:
            connection.Producer().publish(body, routing_key="q")
        received = []

        def on_message(message):
            received.append(message.payload)
            message.ack()

        with Consumer(channel, [queue], on_message=on_message):
            while len(received) < len(bodies):
                connection.drain_events(timeout=30)

    assert received == bodies


def test_nothing_comes(url):
    with (
        Connection(url.replace("amqp://", "librabbitmq://")) as connection,
        pytest.raises(TimeoutError),
    ):
        connection.drain_events(timeout=0.05)


def test_queue_that_is_not_there(url):
    with Connection(url.replace("amqp://", "librabbitmq://")) as connection:
        channel = connection.channel()

        with pytest.raises(connection.channel_errors, match="NOT_FOUND"):
            channel.queue_declare("nothing", passive=True)
