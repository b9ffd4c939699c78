"""Consuming from an event loop, without a thread that waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from kombu.asynchronous import Hub
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestEventLoop",)


def run(hub: Hub, harness: Harness, condition: Callable[[], Any]) -> None:
    """Run *hub* until *condition* is true."""
    ends = time.monotonic() + harness.patience
    # A timer bounds the wait of a round in which nothing happens.
    timer = hub.call_repeatedly(harness.idle, bool)
    while not condition():
        assert time.monotonic() < ends, "nothing came by the event loop"
        hub.run_once()
    timer.cancel()


def run_idle(hub: Hub, harness: Harness) -> None:
    """Run *hub* for ``idle`` seconds."""
    ends = time.monotonic() + harness.idle
    run(hub, harness, lambda: time.monotonic() >= ends)


class TestEventLoop:
    """A connection that is registered with a hub."""

    @pytest.fixture
    def hub(self, harness: Harness) -> Iterator[Hub]:
        harness.require("event_loop")
        hub = Hub()
        yield hub
        hub.close()

    def test_what_waits_is_delivered(self, harness: Harness, hub: Hub) -> None:
        queue = harness.queue()
        for number in range(50):
            harness.publish(number, queue)
        received: list[Any] = []
        connection = harness.connect()
        consumer = Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, message: received.append(body)],
            no_ack=True,
        )
        consumer.consume()

        connection.register_with_event_loop(hub)
        run(hub, harness, lambda: len(received) == 50)

        assert received == list(range(50))

    def test_what_comes_later_wakes_the_loop(self, harness: Harness, hub: Hub) -> None:
        queue = harness.queue()
        received: list[Any] = []
        connection = harness.connect()
        Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, message: received.append(body)],
            no_ack=True,
        ).consume()
        connection.register_with_event_loop(hub)
        run_idle(hub, harness)

        publisher = threading.Thread(
            target=harness.publish,
            args=("hello", queue),
            kwargs={"connection": harness.connect()},
        )
        publisher.start()
        run(hub, harness, lambda: received)
        publisher.join()

        assert received == ["hello"]

    def test_prefetch_limit_holds(self, harness: Harness, hub: Hub) -> None:
        harness.require("prefetch")
        queue = harness.queue()
        for number in range(5):
            harness.publish(number, queue)
        held: list[Message] = []
        connection = harness.connect()
        Consumer(
            connection.channel(), [queue], on_message=held.append, prefetch_count=1
        ).consume()
        connection.register_with_event_loop(hub)

        for number in range(5):
            run(hub, harness, lambda: held)
            run_idle(hub, harness)
            assert [message.payload for message in held] == [number]
            held.pop().ack()

    def test_consumer_added_later_is_served(self, harness: Harness, hub: Hub) -> None:
        queue = harness.queue()
        received: list[Any] = []
        connection = harness.connect()
        connection.connect()
        connection.register_with_event_loop(hub)
        run_idle(hub, harness)
        harness.publish("hello", queue)

        Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, message: received.append(body)],
            no_ack=True,
        ).consume()

        run(hub, harness, lambda: received)

    def test_timers_run_beside_it(self, harness: Harness, hub: Hub) -> None:
        queue = harness.queue()
        ticks: list[int] = []
        received: list[Any] = []
        connection = harness.connect()
        Consumer(
            connection.channel(), [queue], on_message=received.append, no_ack=True
        ).consume()
        connection.register_with_event_loop(hub)

        def tick() -> None:
            ticks.append(len(ticks))
            harness.publish(len(ticks), queue)

        hub.call_repeatedly(0.001, tick)
        run(hub, harness, lambda: len(received) >= 5)

        assert len(ticks) >= 5

    def test_closed_connection_leaves_the_loop(
        self, harness: Harness, hub: Hub
    ) -> None:
        queue = harness.queue()
        received: list[Any] = []
        connection = harness.connect()
        Consumer(
            connection.channel(), [queue], on_message=received.append, no_ack=True
        ).consume()
        connection.register_with_event_loop(hub)
        run_idle(hub, harness)

        connection.close()
        harness.publish("hello", queue)
        run_idle(hub, harness)

        assert not received
        assert harness.take(queue, 1) == ["hello"]
