"""Consumers that can be killed."""

from __future__ import annotations

import time
from itertools import count

import pytest

from kombu import Connection
from kombu.testing._killable import ProcessConsumer, ThreadConsumer
from kombu.testing._tasks import ConsumerTask, Delivery
from kombu.transport import memory

_names = count(1)

#: Seconds after which what does not come is taken for missing.
PATIENCE = 20


@pytest.fixture
def url():
    name = f"killable-{next(_names)}"
    yield f"memory://{name}"
    memory.brokers.get(name).clear()


def until(condition):
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.002)


@pytest.fixture
def start():
    consumers = []

    def start(kind, task):
        consumer = kind(task)
        consumers.append(consumer)
        until(lambda: consumer.is_ready or consumer.has_ended)
        return consumer

    yield start
    for consumer in consumers:
        consumer.kill()


def publish(url, *bodies):
    with Connection(url) as connection:
        queue = connection.SimpleQueue("queue")
        for body in bodies:
            queue.put(body)


class test_task:
    def test_goes_through_text(self):
        task = ConsumerTask(
            "memory://",
            "queue",
            transport_options={"visibility_timeout": 0.5},
            declaration={"exclusive": True},
            consumer_arguments={"x-priority": 1},
            acknowledges=2,
        )

        assert "\n" not in task.as_text()
        assert ConsumerTask.from_text(task.as_text()) == task


class test_thread:
    def test_tells_what_it_gets(self, url, start):
        publish(url, "one", "two")
        consumer = start(ThreadConsumer, ConsumerTask(url, "queue", acknowledges=1))

        until(lambda: len(consumer.received) == 2)

        assert consumer.received == [
            Delivery("one", False, 0, True),
            Delivery("two", False, 0, False),
        ]
        assert "alive, 2 messages of queue" in repr(consumer)

    @pytest.mark.parametrize("seconds", [0, 3600])
    def test_killed_it_keeps_what_it_has(self, url, start, seconds):
        publish(url, "hello")
        consumer = start(ThreadConsumer, ConsumerTask(url, "queue", seconds=seconds))
        until(lambda: consumer.received)

        consumer.kill()

        assert consumer.has_ended
        assert "dead" in repr(consumer)
        broker = memory.brokers.get(url.removeprefix("memory://"))
        assert sum(map(len, broker.in_flight.values())) == 1

    def test_declares_and_binds(self, url, start):
        with Connection(url) as connection:
            connection.channel().exchange_declare("exchange")
            start(
                ThreadConsumer,
                ConsumerTask(
                    url,
                    "bound",
                    declaration={"auto_delete": True},
                    exchange="exchange",
                    routing_key="key",
                ),
            )

            bindings = list(connection.default_channel.list_bindings())

        assert bindings == [("bound", "exchange", "key")]

    def test_that_can_not_begin_has_ended(self, start):
        consumer = start(ThreadConsumer, ConsumerTask("telepathy://", "queue"))

        assert consumer.has_ended
        assert not consumer.is_ready


class test_process:
    def test_consumes_until_it_is_killed(self, url, start):
        consumer = start(ProcessConsumer, ConsumerTask(url, "queue"))
        assert consumer.is_ready
        assert not consumer.has_ended

        consumer.kill()

        assert consumer.has_ended
        assert consumer.received == []

    def test_tells_what_it_gets(self, tmp_path, start):
        options = {
            "data_folder_in": str(tmp_path / "data"),
            "data_folder_out": str(tmp_path / "data"),
            "control_folder": str(tmp_path / "control"),
        }
        with Connection("filesystem://", transport_options=options) as connection:
            connection.SimpleQueue("queue").put({"a": 1})
        task = ConsumerTask(
            "filesystem://", "queue", transport_options=options, acknowledges=1
        )

        consumer = start(ProcessConsumer, task)
        until(lambda: consumer.received)

        assert consumer.received == [Delivery({"a": 1}, False, 0, True)]

    def test_that_can_not_begin_has_ended(self, start, capfd):
        consumer = start(ProcessConsumer, ConsumerTask("telepathy://", "queue"))

        assert consumer.has_ended
        assert "telepathy" in capfd.readouterr().err
