"""A message in hand is leased: nobody else gets it while its consumer lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer
from kombu.testing.conformance._leases import receive

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestLease",)


@pytest.mark.stress
class TestLease:
    """Consumers that live, that are killed, and that only look on."""

    @pytest.fixture(autouse=True)
    def needs_leases(self, harness: Harness) -> None:
        harness.require("lease")

    # -- the consumer lives ----------------------------------------------------------

    def test_message_is_delivered_once_however_long_the_handler_takes(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("slow", queue)
        slow, other = (harness.connect_leased(harness.lease) for _ in range(2))
        received: list[str] = []
        is_done = threading.Event()

        def handle(message: Message) -> None:
            received.append("slow")
            # Five leases, in which nothing but the lease itself is seen to.
            is_done.wait(5 * harness.lease)
            message.ack()

        def work() -> None:
            with Consumer(slow.channel(), [queue], on_message=handle):
                harness.drain(slow, lambda: received)

        worker = threading.Thread(target=work)
        worker.start()
        harness.settle(lambda: received)
        with Consumer(
            other.channel(), [queue], on_message=lambda _: received.append("other")
        ):
            harness.drain(
                other,
                lambda: not worker.is_alive(),
                harness.patience + 5 * harness.lease,
            )
        worker.join()
        slow.close()

        assert received == ["slow"]
        assert queue.get() is None

    def test_messages_in_hand_are_kept_while_nothing_is_waited_for(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(3):
            harness.publish(number, queue)
        idle, other = (harness.connect_leased(harness.lease) for _ in range(2))
        held: list[Message] = []
        stolen: list[Message] = []
        Consumer(idle.channel(), [queue], on_message=held.append).consume()
        harness.drain(idle, lambda: len(held) == 3)

        with Consumer(other.channel(), [queue], on_message=stolen.append):
            harness.drain_for(other, 3 * harness.lease)
        for message in held:
            message.ack()
        idle.close()

        assert not stolen
        assert queue.get() is None

    def test_message_that_was_got_is_leased_too(self, harness: Harness) -> None:
        harness.publish("hello", queue := harness.queue())
        holder, other = (harness.connect_leased(harness.lease) for _ in range(2))
        message = harness.get(queue(holder.channel()))
        stolen: list[Message] = []

        with Consumer(other.channel(), [queue], on_message=stolen.append):
            harness.drain_for(other, 3 * harness.lease)
        message.ack()
        holder.close()

        assert not stolen
        assert queue.get() is None

    def test_consumer_that_lives_keeps_its_messages_while_others_die(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(4):
            harness.publish(number, queue)
        alive = harness.killable_consumer(queue, prefetch_count=2, waits_for=2)
        dead = harness.killable_consumer(queue, waits_for=2)

        dead.kill()
        again = receive(harness, queue, 2)

        assert [message.payload for message in again] == dead.bodies
        assert sorted(alive.bodies + dead.bodies) == [0, 1, 2, 3]
        harness.drain_for(harness.watching(), 2 * harness.lease)
        assert harness.size(queue) == 0
        assert len(alive.received) == 2

    # -- who only looks on -----------------------------------------------------------

    @pytest.mark.parametrize("watching", [0.05, 60.0])
    def test_other_lease_of_who_looks_on_changes_nothing(
        self, harness: Harness, watching: float
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        alive = harness.killable_consumer(queue, lease=2.0, waits_for=1)
        watcher = harness.watching(lease=watching)

        harness.drain_for(watcher, 0.5)

        assert harness.size(queue) == 0
        assert len(alive.received) == 1

    def test_lease_is_that_of_the_consumer_not_of_who_sweeps(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        harness.killable_consumer(queue, lease=0.2, waits_for=1).kill()
        # Looks for the dead every quarter of its own.
        connection = harness.connect_leased(2.0)

        assert receive(harness, queue, 1, connection)[0].payload == "hello"

    # -- closing -----------------------------------------------------------------------

    def test_closing_hands_back_at_once(self, harness: Harness) -> None:
        queue = harness.queue()
        for number in range(3):
            harness.publish(number, queue)
        connection = harness.connect_leased(3600)
        held: list[Message] = []
        Consumer(connection.channel(), [queue], on_message=held.append).consume()
        harness.drain(connection, lambda: len(held) == 3)

        connection.close()

        again = receive(harness, queue, 3, harness.connect_leased(3600))
        assert [message.payload for message in again] == [0, 1, 2]
        assert [message.headers["x-delivery-count"] for message in again] == [1, 1, 1]

    def test_what_reached_no_callback_comes_back_unmarked(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(40):
            harness.publish(number, queue)
        connection = harness.connect_leased(3600)
        held: list[Message] = []
        Consumer(connection.channel(), [queue], on_message=held.append).consume()
        # More than one: by then others may have been claimed ahead.
        harness.drain(connection, lambda: len(held) >= 5)
        seen = len(held)

        connection.close()

        again = receive(harness, queue, 40)
        marks = [bool(m.delivery_info.get("redelivered")) for m in again]
        assert marks == [True] * seen + [False] * (40 - seen)
