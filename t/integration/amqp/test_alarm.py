"""A broker that is short of memory: it reads nothing from those who publish."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from kombu import Connection, Consumer, Producer, Queue
from kombu.exceptions import OperationalError
from kombu.transport._amqp.errors import ConfirmTimeout, ConnectionBlocked

PATIENCE = 30

HASTY = {"blocked_timeout": 0.5, "confirm_timeout": 0.5, "close_timeout": 0.5}


@pytest.fixture
def alarm(rabbitmq):
    """Return a context in which there is an alarm."""

    @contextmanager
    def alarm():
        rabbitmq.control("set_vm_memory_high_watermark", "0")
        try:
            yield
        finally:
            rabbitmq.control("set_vm_memory_high_watermark", "0.4")

    return alarm


@pytest.fixture
def connection(url):
    with Connection(url, transport_options=HASTY) as connection:
        Queue("q")(connection.default_channel).declare()
        yield connection


def publish_until_refused(producer, routing_key="q"):
    """Publish: the broker says that it is blocked once it gets something."""
    with pytest.raises((ConnectionBlocked, ConfirmTimeout)) as caught:
        for _ in range(10_000):
            producer.publish("x" * 10_000, routing_key=routing_key)
    return caught.value


def test_publisher_is_told(connection, alarm):
    producer = connection.Producer()
    with alarm():
        error = publish_until_refused(producer)

        assert isinstance(error, OperationalError)
        assert connection.connection.is_blocked
        assert "low on memory" in connection.connection.blocked_reason
        with pytest.raises(ConnectionBlocked, match="low on memory"):
            producer.publish("x", routing_key="q")

    producer.publish("after", routing_key="q").wait(PATIENCE)
    assert not connection.connection.is_blocked


def test_publisher_without_confirms_is_told(url, connection, alarm):
    options = {**HASTY, "confirm_publish": False}
    with Connection(url, transport_options=options) as other:
        with alarm():
            error = publish_until_refused(other.Producer())

            assert isinstance(error, ConnectionBlocked)


@pytest.mark.parametrize("how", ["confirm_publish", "confirm_timeout", "batch"])
def test_who_waits_for_confirms_is_told(url, connection, alarm, how):
    options = {**HASTY, "confirm_publish": how == "confirm_publish" or None}
    with Connection(url, transport_options=options) as other:
        producer = other.Producer()
        with alarm(), pytest.raises((ConnectionBlocked, ConfirmTimeout)):
            if how == "batch":
                with producer.batch():
                    producer.publish("x", routing_key="q")
            else:
                timeout = 0.5 if how == "confirm_timeout" else None
                producer.publish("x", routing_key="q", confirm_timeout=timeout)


def test_closing_is_not_held_up(url, connection, alarm):
    other = Connection(url, transport_options=HASTY)
    raw = other.connection
    with alarm():
        publish_until_refused(other.Producer())

        other.close()

        assert not raw.connected


def test_pool_is_not_held_up(connection, alarm):
    pool = connection.Pool(1)
    with pool.acquire() as pooled:
        producer = pooled.Producer()
        with alarm():
            publish_until_refused(producer)
            pool.force_close_all()


def test_consumer_of_the_same_connection_goes_on(url, connection, alarm):
    received = []
    channel = connection.channel()
    for number in range(20):
        Producer(channel).publish(number, routing_key="q")
    channel.wait_for_confirms(PATIENCE)
    other = connection.channel()
    Queue("other")(other).declare()
    with alarm():
        # What the broker has sent before it stopped reading comes all the same.
        Consumer(channel, [Queue("q")], on_message=received.append).consume()
        publish_until_refused(Producer(other), "other")

        while len(received) < 20:
            connection.drain_events(timeout=PATIENCE)
        assert connection.connection.is_blocked

    # By now it reads, and takes the acknowledgements.
    for message in received:
        message.ack()
    Producer(channel).publish("after", routing_key="q", confirm_timeout=PATIENCE)
    while len(received) < 21:
        connection.drain_events(timeout=PATIENCE)
    assert received[-1].payload == "after"
