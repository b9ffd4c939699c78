"""100,000 messages rest in the store, and a consumer neither holds nor minds them."""

from __future__ import annotations

import os
import tracemalloc
from uuid import uuid4

import pytest

from kombu import Connection, Consumer, Producer, Queue

RESTING = int(os.environ.get("KOMBU_TEST_RESTING", "100000"))
AN_HOUR = 3_600_000
#: Bytes that a consumer may take by the way, whatever there is to be consumed.
ALLOWED = 512 * 1024


@pytest.fixture(params=["memory", "filesystem", "sqlite"])
def connect(request, tmp_path):
    url, options = f"memory://{uuid4()}", {}
    if request.param == "sqlite":
        url = f"sqla+sqlite:///{tmp_path / 'broker.db'}"
    elif request.param == "filesystem":
        url = "filesystem://"
        options = {
            f"{name}": str(tmp_path / name)
            for name in ("data_folder_in", "control_folder")
        }
        options["data_folder_out"] = options["data_folder_in"]
    return lambda: Connection(url, transport_options=options)


def test_consumer_does_not_grow_and_what_is_due_arrives(connect):
    queue = Queue("reminders")
    with connect() as publishing:
        producer = Producer(publishing, routing_key="reminders")
        producer.publish("first", declare=[queue])
        with producer.batch():
            for number in range(RESTING):
                producer.publish(number, headers={"x-delay": AN_HOUR + number})

        with connect() as consuming:
            received = []

            def receive(body, message):
                received.append(body)
                message.ack()

            with Consumer(consuming, [queue], callbacks=[receive]):
                consuming.drain_events(timeout=10)
                tracemalloc.start()
                before, _ = tracemalloc.get_traced_memory()
                for number in range(20):
                    producer.publish(f"now {number}")
                    consuming.drain_events(timeout=10)
                producer.publish("soon", headers={"x-delay": 100})
                consuming.drain_events(timeout=10)
                after, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()

            assert received == ["first", *(f"now {n}" for n in range(20)), "soon"]
            assert after - before < ALLOWED
            bound = queue(consuming.channel())
            assert bound.queue_declare(passive=True).message_count == 0
            assert bound.purge() == RESTING
