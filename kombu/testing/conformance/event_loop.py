"""Consuming from an event loop, without a thread that waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from kombu.asynchronous import Hub
from kombu.messaging import Consumer
from kombu.testing.conformance._dead_letters import deaths_of, with_dead_letters

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

    # -- what happens as time goes by ------------------------------------------------

    def test_delayed_message_comes_when_it_is_due(
        self, harness: Harness, hub: Hub
    ) -> None:
        harness.require("delay")
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        Consumer(connection.channel(), [queue], on_message=received.append).consume()
        connection.register_with_event_loop(hub)

        harness.publish("later", queue, headers={"x-delay": 200})
        harness.publish("now", queue)
        run(hub, harness, lambda: len(received) == 2)

        assert [message.payload for message in received] == ["now", "later"]

    def test_expired_message_is_dead_lettered(self, harness: Harness, hub: Hub) -> None:
        harness.require("dead_letter", "message_ttl", "lease")
        queue, dead = with_dead_letters(harness, message_ttl=0.1)
        received: list[Message] = []
        connection = harness.connect()
        Consumer(connection.channel(), [dead], on_message=received.append).consume()
        connection.register_with_event_loop(hub)
        run_idle(hub, harness)

        harness.publish("hello", queue)
        run(hub, harness, lambda: received)

        assert deaths_of(received[0]) == [(queue.name, "expired", 1)]

    def test_messages_of_a_killed_consumer_come_back(
        self, harness: Harness, hub: Hub
    ) -> None:
        harness.require("lease")
        queue = harness.queue()
        harness.publish("hello", queue)
        consumer = harness.killable_consumer(queue, waits_for=1)
        received: list[Message] = []
        connection = harness.connect_leased()
        Consumer(connection.channel(), [queue], on_message=received.append).consume()
        connection.register_with_event_loop(hub)
        run_idle(hub, harness)
        assert not received

        consumer.kill()
        run(hub, harness, lambda: received)

        assert received[0].payload == "hello"
        assert received[0].delivery_info["redelivered"]

    def test_messages_in_hand_are_kept_while_the_loop_runs(
        self, harness: Harness, hub: Hub
    ) -> None:
        harness.require("lease")
        queue = harness.queue()
        harness.publish("hello", queue)
        held: list[Message] = []
        connection, other = (harness.connect_leased(harness.lease) for _ in range(2))
        Consumer(connection.channel(), [queue], on_message=held.append).consume()
        connection.register_with_event_loop(hub)
        run(hub, harness, lambda: held)
        stolen: list[Message] = []
        Consumer(other.channel(), [queue], on_message=stolen.append).consume()
        other.register_with_event_loop(hub)

        ends = time.monotonic() + 3 * harness.lease
        run(hub, harness, lambda: time.monotonic() >= ends)
        held[0].ack()

        assert not stolen
        assert len(held) == 1

    def test_loop_and_threads_share_a_queue(self, harness: Harness, hub: Hub) -> None:
        queue = harness.queue()
        received: list[Any] = []
        is_done = threading.Event()
        connection, blocking = harness.connect(), harness.connect()

        def on_message(message: Message) -> None:
            received.append(message.payload)
            message.ack()

        def consume() -> None:
            with Consumer(
                blocking.channel(), [queue], on_message=on_message, prefetch_count=1
            ):
                harness.drain(blocking, is_done.is_set)

        Consumer(
            connection.channel(), [queue], on_message=on_message, prefetch_count=1
        ).consume()
        connection.register_with_event_loop(hub)
        thread = threading.Thread(target=consume)
        thread.start()
        for number in range(50):
            harness.publish(number, queue)
        try:
            run(hub, harness, lambda: len(received) >= 50)
        finally:
            is_done.set()
            thread.join()

        assert sorted(received) == list(range(50))
