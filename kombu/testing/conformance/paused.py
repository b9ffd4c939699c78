"""Processes that are stopped for longer than their lease: swapped out, suspended.

Not among the themes of every transport: it is for stores that other processes can
reach.  These say ``from kombu.testing.conformance.paused import *``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer
from kombu.testing._killable import ProcessConsumer

if TYPE_CHECKING:
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestPausedConsumer",)


class TestPausedConsumer:
    """A consumer that was taken for dead lives after all."""

    @pytest.fixture(autouse=True)
    def needs_leases(self, harness: Harness) -> None:
        harness.require("lease")
        if not issubclass(harness.killable_kind, ProcessConsumer):
            harness.skip("a thread can not be stopped")

    def start(self, harness: Harness, queue: Queue, **task: object) -> ProcessConsumer:
        consumer = harness.killable_consumer(queue, **task)  # type: ignore[arg-type]
        assert isinstance(consumer, ProcessConsumer)
        return consumer

    def test_late_acknowledgement_settles_nothing_of_others(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        paused = self.start(
            harness, queue, waits_for=1, acknowledges=1, is_late=True, seconds=1.0
        )
        again: list[Message] = []
        survivor = harness.connect_leased()
        Consumer(survivor.channel(), [queue], on_message=again.append).consume()

        paused.pause()
        harness.drain(survivor, lambda: again)
        paused.resume()
        harness.settle(lambda: len(paused.received) == 2 or paused.has_ended)
        paused.kill()
        survivor.close()

        [message] = harness.consume_all(queue, 1)
        assert message.payload == "hello"
        assert message.headers["x-delivery-count"] == 2

    def test_it_goes_on_consuming(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("one", queue)
        paused = self.start(harness, queue, waits_for=1)
        survivor = harness.connect_leased()

        paused.pause()
        [message] = harness.consume_all(queue, 1, connection=survivor)
        paused.resume()
        harness.publish("two", queue)

        assert message.payload == "one"
        harness.settle(lambda: paused.bodies == ["one", "two"])
        assert not paused.received[1].is_redelivered

    def test_what_it_gets_later_is_leased(self, harness: Harness) -> None:
        queue = harness.queue()
        paused = self.start(harness, queue)
        watcher = harness.watching()
        paused.pause()
        harness.drain_for(watcher, harness.lease + harness.longer_lease)
        paused.resume()

        harness.publish("hello", queue)
        harness.drain(watcher, lambda: paused.received)
        paused.kill()

        [message] = harness.consume_all(queue, 1, connection=harness.connect_leased())
        assert message.payload == "hello"

    def test_it_counts_as_a_consumer_again(self, harness: Harness) -> None:
        queue = harness.queue()
        paused = self.start(harness, queue)
        watcher = harness.watching()

        def count() -> int:
            return int(queue.queue_declare(passive=True).consumer_count)

        paused.pause()
        harness.drain(watcher, lambda: count() == 0)
        paused.resume()

        harness.drain(watcher, lambda: count() == 1)
