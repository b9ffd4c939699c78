"""A fanout reaches everybody who listens, and nobody twice."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from kombu.common import Broadcast
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.connection import Connection
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestFanout",)


def record(
    heard: Counter[tuple[int, object]], number: int
) -> Callable[[Message], object]:
    """Return a callback that counts what listener *number* hears."""

    def on_message(message: Message) -> None:
        heard[number, message.payload] += 1

    return on_message


def listen(
    connection: Connection,
    harness: Harness,
    name: str,
    heard: Counter[tuple[int, object]],
    number: int,
) -> Consumer:
    """Start a listener with a broadcast queue of its own."""
    consumer = Consumer(
        connection.channel(),
        [Broadcast(harness.unique(name))],
        on_message=record(heard, number),
        no_ack=True,
    )
    consumer.consume()
    return consumer


class TestFanout:
    """Fanout exchanges and broadcast queues."""

    def test_hundred_queues_get_a_copy_each(self, harness: Harness) -> None:
        harness.require("fanout")
        exchange = harness.exchange(type="fanout")
        connection = harness.connect()
        heard: Counter[tuple[int, object]] = Counter()
        channel = connection.channel()
        for number in range(100):
            queue = harness.queue(f"queue-{number}", exchange)
            queue(channel).consume(f"tag-{number}", record(heard, number), no_ack=True)

        harness.publish("hello", exchange)

        harness.drain(connection, lambda: len(heard) == 100)
        harness.drain_idle(connection)
        assert set(heard.values()) == {1}

    def test_broadcast_reaches_every_connection(self, harness: Harness) -> None:
        harness.require("fanout")
        heard: Counter[tuple[int, object]] = Counter()
        connections = [harness.connect() for _ in range(3)]
        for number, connection in enumerate(connections):
            listen(connection, harness, "news", heard, number)

        harness.publish("hello", harness.exchange("news", "fanout", durable=True))

        for number, connection in enumerate(connections):
            harness.drain(connection, partial(heard.__contains__, (number, "hello")))
            harness.drain_idle(connection)
        assert heard == Counter((number, "hello") for number in range(3))

    def test_late_listener_hears_what_comes_after(self, harness: Harness) -> None:
        harness.require("fanout")
        heard: Counter[tuple[int, object]] = Counter()
        early, late = harness.connect(), harness.connect()
        exchange = harness.exchange("news", "fanout", durable=True)
        listen(early, harness, "news", heard, 0)
        harness.publish("one", exchange)
        harness.drain(early, lambda: heard[0, "one"])

        listen(late, harness, "news", heard, 1)
        harness.publish("two", exchange)

        harness.drain(early, lambda: heard[0, "two"])
        harness.drain(late, lambda: heard[1, "two"])
        assert not heard[1, "one"]

    def test_who_left_is_not_waited_for(self, harness: Harness) -> None:
        harness.require("fanout")
        heard: Counter[tuple[int, object]] = Counter()
        stays, leaves = harness.connect(), harness.connect()
        exchange = harness.exchange("news", "fanout", durable=True)
        listen(stays, harness, "news", heard, 0)
        listen(leaves, harness, "news", heard, 1)

        leaves.close()
        harness.publish("hello", exchange)

        harness.drain(stays, lambda: heard[0, "hello"])
        assert heard == Counter([(0, "hello")])

    def test_fanout_nobody_listens_to_is_no_error(self, harness: Harness) -> None:
        harness.require("fanout")
        exchange = harness.exchange(type="fanout")

        harness.publish("hello", exchange)

        assert harness.queue("queue", exchange).get() is None
