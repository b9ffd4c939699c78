"""Closing works in any state, more than once, and loses nothing."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kombu.connection import Connection
from kombu.messaging import Consumer, Producer

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestClosing",)


def open_files() -> int:
    """Return how many files this process has open, where that can be seen."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


class TestClosing:
    """Connections and channels that are closed."""

    def test_connection_that_was_never_used_can_be_closed(
        self, harness: Harness
    ) -> None:
        connection = harness.connect()

        connection.close()
        connection.close()

        assert not connection.connected

    def test_closing_is_idempotent(self, harness: Harness) -> None:
        connection = harness.connect()
        channel = connection.channel()
        assert connection.connected

        for _ in range(2):
            channel.close()
        for _ in range(2):
            connection.close()

        assert not connection.connected

    def test_closed_connection_can_be_opened_again(self, harness: Harness) -> None:
        connection = harness.connect()
        queue = harness.queue(connection=connection)
        harness.publish("hello", queue, connection=connection)
        connection.close()

        connection.connect()

        assert connection.connected
        assert harness.get(harness.queue(connection=connection)).payload == "hello"

    def test_closing_with_active_consumers(self, harness: Harness) -> None:
        queue = harness.queue()
        connection = harness.connect()
        for _ in range(3):
            Consumer(connection.channel(), [queue], on_message=repr).consume()

        connection.close()
        harness.publish("hello", queue)

        assert harness.take(queue, 1) == ["hello"]

    def test_closing_a_channel_leaves_the_others(self, harness: Harness) -> None:
        queue = harness.queue()
        connection = harness.connect()
        received: list[Message] = []
        one, two = connection.channel(), connection.channel()
        Consumer(one, [queue], on_message=repr, no_ack=True).consume()
        Consumer(two, [queue], on_message=received.append, no_ack=True).consume()

        one.close()
        for number in range(3):
            harness.publish(number, queue)

        harness.drain(connection, lambda: len(received) == 3)

    @pytest.mark.stress
    def test_closing_while_another_thread_waits_for_messages(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        connection = harness.connect()
        is_waiting = threading.Event()
        outcome: list[BaseException | None] = []

        def wait() -> None:
            is_waiting.set()
            try:
                connection.drain_events(timeout=harness.patience)
            except BaseException as exc:
                outcome.append(exc)
            else:
                outcome.append(None)

        Consumer(connection.channel(), [queue], on_message=repr).consume()
        waiter = threading.Thread(target=wait, daemon=True)
        waiter.start()
        is_waiting.wait(harness.patience)

        connection.close()
        waiter.join(harness.patience)

        assert not waiter.is_alive()
        assert isinstance(outcome[0], Exception)

    def test_contexts_close(self, harness: Harness) -> None:
        queue = harness.queue()
        with harness.connect() as connection:
            with connection.channel() as channel:
                with Producer(channel) as producer:
                    producer.publish("hello", routing_key=queue.name)
                with Consumer(channel, [queue], on_message=repr) as consumer:
                    assert consumer.consuming_from(queue)
                assert not consumer.consuming_from(queue)

        assert not connection.connected
        assert harness.take(queue, 1) == ["hello"]

    def test_error_in_a_consumer_context_comes_through(self, harness: Harness) -> None:
        queue = harness.queue()
        connection = harness.connect()

        with pytest.raises(ZeroDivisionError):
            with Consumer(connection.channel(), [queue], on_message=repr) as consumer:
                raise ZeroDivisionError

        assert not consumer.consuming_from(queue)

    def test_error_of_a_callback_comes_through_and_loses_nothing(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        connection = harness.connect()

        def fail(message: Message) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            with Consumer(connection.channel(), [queue], on_message=fail):
                harness.drain(connection, lambda: False)
        connection.close()

        assert harness.take(queue, 1) == ["hello"]

    def test_channels_opened_and_closed_leave_nothing(self, harness: Harness) -> None:
        connection = harness.connect()
        channels = []
        for _ in range(50):
            channel = connection.channel()
            channels.append(weakref.ref(channel))
            channel.close()
        del channel

        gc.collect()

        assert [channel() for channel in channels] == [None] * 50

    def test_connections_opened_and_closed_leave_nothing(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()

        def use(times: int) -> tuple[int, int, int]:
            for number in range(times):
                with harness.connect() as connection:
                    harness.publish(number, queue, connection=connection)
                    bound = queue(connection.channel())
                    harness.get(bound).ack()
                harness.forget(connection)
            del connection, bound
            gc.collect()
            alive = sum(isinstance(one, Connection) for one in gc.get_objects())
            return open_files(), threading.active_count(), alive

        before = use(10)
        after = use(40)

        # Fewer are no wonder: tests before this one may have left some.
        assert all(now <= then for now, then in zip(after, before, strict=True))

    @pytest.mark.stress
    def test_closing_in_the_midst_of_work_loses_and_doubles_nothing(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for number in range(100):
            harness.publish(number, queue)
        settled: list[int] = []

        def work(count: int) -> None:
            """Settle *count* messages, and close with others in hand."""
            held: list[Message] = []
            connection = harness.connect()
            consumer = Consumer(
                connection.channel(), [queue], on_message=held.append, prefetch_count=9
            )
            consumer.consume()
            for _ in range(count):
                harness.drain(connection, lambda: held)
                message = held.pop(0)
                message.ack()
                settled.append(message.payload)
            connection.close()

        for count in (1, 7, 30, 2, 20, 40):
            work(count)

        assert sorted(settled) == list(range(100))
        assert queue.get() is None

    @pytest.mark.parametrize("how", ["ack", "reject", "requeue"])
    @pytest.mark.parametrize("what", ["channel", "connection"])
    def test_settling_after_it_was_closed_is_reported(
        self, harness: Harness, what: str, how: str
    ) -> None:
        queue = harness.queue()
        harness.publish("hello", queue)
        connection = harness.connect()
        channel = connection.channel()
        message = harness.get(queue(channel))
        lost = connection.connection_errors + connection.channel_errors
        (channel if what == "channel" else connection).close()

        with pytest.raises(lost):
            getattr(message, how)()

        # It was put back when the channel closed, and came but once.
        assert harness.take(queue, 1) == ["hello"]
