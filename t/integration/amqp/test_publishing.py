"""What is published with confirms is there, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from kombu import Connection, Exchange, Producer, Queue
from kombu.exceptions import (
    BatchPublishError,
    NotFound,
    PublishRefused,
    UnroutableError,
)
from kombu.transport._amqp.errors import Unconfirmed

PATIENCE = 30


def bodies_of(url, name, count):
    """Take *count* messages from the queue *name*; return their bodies."""
    found = []
    with Connection(url) as connection:
        queue = Queue(name)(connection.default_channel)
        until = time.monotonic() + PATIENCE
        while len(found) < count and time.monotonic() < until:
            message = queue.get(no_ack=True)
            if message is not None:
                found.append(message.payload)
    return found


@pytest.fixture
def connection(url):
    with Connection(url) as connection:
        Queue("q")(connection.default_channel).declare()
        yield connection


def test_publishing_does_not_wait_but_promises(connection):
    promise = connection.Producer().publish("hello", routing_key="q")

    promise.wait(PATIENCE)

    assert promise.is_confirmed


def test_transient_messages_are_not_confirmed(connection):
    producer = connection.Producer()

    assert producer.publish("hello", routing_key="q", delivery_mode=1) is None


def test_without_confirms(url, connection):
    options = {"confirm_publish": False}
    with Connection(url, transport_options=options) as other:
        assert other.Producer().publish("hello", routing_key="q") is None

    assert bodies_of(url, "q", 1) == ["hello"]


def test_closing_waits_for_what_is_outstanding(url, connection):
    with Connection(url) as short:
        producer = short.Producer()
        promises = [producer.publish(number, routing_key="q") for number in range(500)]

    assert all(promise.is_confirmed for promise in promises)


def test_window_is_never_exceeded(url, connection):
    options = {"confirm_window": 10}
    with Connection(url, transport_options=options) as other:
        producer = other.Producer()
        promises = []
        for number in range(200):
            promises.append(producer.publish(number, routing_key="q"))
            assert sum(not promise.is_done for promise in promises[-30:]) <= 10


def test_batch_is_confirmed_when_it_ends(url, connection):
    producer = connection.Producer()
    with producer.batch(max_size=30):
        for number in range(100):
            producer.publish(number, routing_key="q")

    assert Queue("q")(connection.default_channel).queue_declare().message_count == 100
    assert bodies_of(url, "q", 100) == list(range(100))


def test_batch_that_is_refused(connection):
    full = Queue("full", max_length=1, queue_arguments={"x-overflow": "reject-publish"})
    full(connection.default_channel).declare()
    producer = connection.Producer()

    with pytest.raises(BatchPublishError, match="of 5 messages"), producer.batch():
        for number in range(5):
            producer.publish(number, routing_key="full")


def test_refused_message_is_named(url, connection):
    full = Queue("full", max_length=1, queue_arguments={"x-overflow": "reject-publish"})
    full(connection.default_channel).declare()
    options = {"confirm_publish": True}
    with Connection(url, transport_options=options) as other:
        producer = other.Producer()
        with pytest.raises(PublishRefused, match="'third'"):
            for name in ("first", "second", "third"):
                try:
                    producer.publish("x", routing_key="full", message_id=name)
                except PublishRefused:
                    if name == "third":
                        raise


def test_refusal_that_nobody_waits_for_is_raised_later(connection):
    full = Queue("full", max_length=1, queue_arguments={"x-overflow": "reject-publish"})
    channel = connection.default_channel
    full(channel).declare()
    producer = Producer(channel)
    for number in range(5):
        producer.publish(number, routing_key="full", message_id=f"m{number}")

    with pytest.raises(Unconfirmed, match="'m"):
        channel.wait_for_confirms(PATIENCE)

    producer.publish("hello", routing_key="q").wait(PATIENCE)


def test_mandatory_message_that_reaches_no_queue(connection):
    producer = connection.Producer()

    with pytest.raises(UnroutableError, match="nowhere"):
        producer.publish("x", routing_key="nowhere", mandatory=True)

    returned = []
    listening = Producer(connection, on_return=lambda *args: returned.append(args[2]))
    listening.publish("x", routing_key="nowhere", mandatory=True).wait(PATIENCE)
    assert returned == ["nowhere"]


def test_exchange_that_is_not_there_is_told_to_who_published(url):
    options = {"confirm_publish": True}
    with Connection(url, transport_options=options) as connection:
        producer = connection.Producer(auto_declare=False)

        with pytest.raises(NotFound, match="no exchange 'none'"):
            producer.publish("x", exchange="none", routing_key="q")

        assert connection.connected


def test_threads_declare_on_one_connection(connection):
    errors = []

    def declare(thread):
        try:
            for number in range(20):
                exchange = Exchange(f"e{thread}", "direct")
                queue = Queue(f"q{thread}.{number}", exchange, str(number))
                queue(connection.default_channel).declare()
        except Exception as exc:
            errors.append(exc)

    threads = [threading.Thread(target=declare, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert errors == []
