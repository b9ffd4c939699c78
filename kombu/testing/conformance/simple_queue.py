"""The queue with the interface of :class:`queue.Queue`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu.testing.harness import Harness

__all__ = ("TestSimpleQueue",)

#: Options of the exchanges that a harness declares.
TRANSIENT = {"durable": False}


class TestSimpleQueue:
    """``connection.SimpleQueue`` and ``connection.SimpleBuffer``."""

    @pytest.fixture
    def simple(self, harness: Harness) -> Iterator[Any]:
        harness.exchange("simple")
        name = harness.queue("simple").name
        connection = harness.connect()
        with connection.SimpleQueue(name, exchange_opts=TRANSIENT) as queue:
            yield queue

    def test_what_is_put_is_got_in_order(self, simple: Any) -> None:
        for number in range(5):
            simple.put({"number": number})

        received = []
        for _ in range(5):
            message = simple.get(timeout=5)
            received.append(message.payload["number"])
            message.ack()

        assert received == list(range(5))

    def test_empty_queue_raises(self, simple: Any, harness: Harness) -> None:
        with pytest.raises(simple.Empty):
            simple.get(timeout=harness.idle)
        with pytest.raises(simple.Empty):
            simple.get(block=False)
        with pytest.raises(simple.Empty):
            simple.get_nowait()

    def test_size_and_clear(self, simple: Any, harness: Harness) -> None:
        for number in range(3):
            simple.put(number)
        harness.settle(lambda: len(simple) == 3)

        assert simple.clear() == 3
        assert simple.qsize() == 0

    def test_waiting_get_is_woken_by_a_put(self, simple: Any, harness: Harness) -> None:
        name = harness.unique("simple")

        def put() -> None:
            with harness.connect() as connection:
                with connection.SimpleQueue(name, exchange_opts=TRANSIENT) as other:
                    other.put("hello")

        publisher = threading.Thread(target=put)
        publisher.start()
        message = simple.get(timeout=harness.patience)
        publisher.join()

        assert message.payload == "hello"
        message.ack()

    def test_what_was_not_got_goes_back_when_it_is_closed(
        self, simple: Any, harness: Harness
    ) -> None:
        for number in range(3):
            simple.put(number)
        simple.get(timeout=harness.patience).ack()

        simple.close()
        simple.channel.close()

        queue = harness.queue("simple")
        harness.settle(lambda: harness.size(queue) == 2)
        assert sorted(harness.take(queue, 2)) == [1, 2]

    def test_buffer_needs_no_acknowledgement(self, harness: Harness) -> None:
        harness.require("exclusive")
        with harness.connect().SimpleBuffer(harness.unique("buffer")) as buffer:
            buffer.put("hello")

            assert buffer.get(timeout=harness.patience).payload == "hello"
            with pytest.raises(buffer.Empty):
                buffer.get_nowait()
