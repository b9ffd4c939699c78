"""Brokers that are killed, and threads that share a connection."""

from __future__ import annotations

import threading

import pytest

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from kombu.utils.uuid import uuid
from t.brokers.broker_j import BrokerJ

_PERSISTENT = 2

POLICY = {"max_retries": 200, "interval_start": 0.1, "interval_max": 0.5}


@pytest.fixture
def url(broker_j):
    yield broker_j.url
    broker_j.start()  # a test may have killed it


@pytest.fixture
def queue(url):
    queue = Queue(f"kombu-test-{uuid()}", durable=True)
    with Connection(url) as connection:
        queue(connection.default_channel).declare()
    yield queue
    with Connection(url) as connection:
        queue(connection.default_channel).delete()


def consume(connection, queue, count):
    """Return *count* bodies, each acknowledged."""
    bodies = []

    def on_message(message):
        bodies.append(message.payload)
        message.ack()

    consumer = connection.Consumer([queue], on_message=on_message, prefetch_count=50)
    with consumer:
        while len(set(bodies)) < count:
            connection.drain_events(timeout=60)
    return bodies


def test_confirmed_messages_outlive_the_broker(broker_j, url, queue):
    if not isinstance(broker_j, BrokerJ):
        pytest.skip("a Broker-J of our own is wanted")
    confirmed = []
    with Connection(url) as connection:
        producer = connection.Producer()
        for number in range(300):
            if number == 150:
                broker_j.kill()
                broker_j.start()
            producer.publish(
                number,
                routing_key=queue.name,
                confirm_timeout=60,
                retry=True,
                retry_policy=POLICY,
            )
            confirmed.append(number)

    with Connection(url) as connection:
        bodies = consume(connection, queue, len(confirmed))

    assert set(bodies) == set(confirmed)


def test_what_was_not_confirmed_is_published_again(broker_j, url, queue):
    if not isinstance(broker_j, BrokerJ):
        pytest.skip("a Broker-J of our own is wanted")
    with Connection(url) as connection:
        producer = connection.Producer()
        for number in range(200):
            if number == 100:
                broker_j.kill()
                broker_j.start()
            producer.publish(
                number,
                routing_key=queue.name,
                retry=True,
                retry_policy=POLICY,
            )

    with Connection(url) as connection:
        bodies = consume(connection, queue, 200)

    assert set(bodies) == set(range(200))


def test_what_a_lost_connection_had_comes_again(url, queue):
    with Connection(url) as publisher:
        for number in range(5):
            publisher.Producer().publish(number, routing_key=queue.name)
    lost = Connection(url)
    received = []
    consumer = lost.Consumer([queue], on_message=received.append)
    consumer.consume()
    while len(received) < 5:
        lost.drain_events(timeout=60)

    lost.connection.sock.shutdown(2)
    with pytest.raises(lost.connection_errors):
        lost.drain_events(timeout=60)
    lost.collect()

    with Connection(url) as connection:
        assert sorted(consume(connection, queue, 5)) == list(range(5))


def test_threads_publish_on_one_connection(url, queue):
    with Connection(url) as connection:
        problems = []

        def publish(first):
            try:
                producer = connection.Producer(channel)
                for number in range(first, first + 250):
                    producer.publish(number, routing_key=queue.name)
            except Exception as exc:
                problems.append(exc)

        channel = connection.default_channel
        threads = [
            threading.Thread(target=publish, args=(1000 * thread,))
            for thread in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        channel.wait_for_confirms(60)
        assert not problems

        bodies = consume(connection, queue, 2000)

    assert len(bodies) == len(set(bodies)) == 2000


def test_sessions_that_the_broker_ends_leave_nothing(url, queue):
    with Connection(url) as connection:
        channel = connection.channel()
        for _ in range(200):
            with pytest.raises((*connection.channel_errors, OperationalError)):
                channel.basic_consume("missing", callback=print)
            other = connection.channel()
            message = other.prepare_message(
                b"x", properties={"delivery_mode": _PERSISTENT}
            )
            other.basic_publish(message, "", queue.name)
            other.basic_get(queue.name).ack()
            other.close()

        assert len(connection.connection.channels) <= 3
        assert len(connection.connection.links) <= 4
