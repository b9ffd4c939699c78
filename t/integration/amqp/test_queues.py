"""Queues of all kinds, as RabbitMQ documents them."""

from __future__ import annotations

import time

import pytest

from kombu import Connection, Exchange, Queue
from kombu.exceptions import PublishRefused

PATIENCE = 30


@pytest.fixture
def connection(url):
    with Connection(url) as connection:
        yield connection


@pytest.fixture
def channel(connection):
    return connection.default_channel


def declared(channel, name, **options):
    queue = Queue(name, **options)(channel)
    queue.declare()
    return queue


def publish(channel, queue, *bodies, **options):
    producer = channel.connection.client.Producer()
    for body in bodies:
        producer.publish(body, routing_key=queue.name, **options)
    producer.wait_until_published(PATIENCE)


def take(queue, **options):
    """Wait for a message of *queue*, as one that dies elsewhere takes a moment."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        message = queue.get(**options)
        if message is not None:
            return message
        time.sleep(0.01)
    raise AssertionError(f"nothing came to {queue.name}")


def test_quorum_queue_counts_deliveries_and_gives_up(channel):
    dead = declared(channel, "dead")
    queue = declared(
        channel,
        "quorum",
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": 2,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        },
    )
    publish(channel, queue, "poison")
    counts = []
    for _ in range(3):
        message = take(queue)
        counts.append(message.headers.get("x-delivery-count", 0))
        message.requeue()

    found = take(dead, no_ack=True)

    assert counts == [0, 1, 2]
    assert found.payload == "poison"
    assert found.headers["x-death"][0]["reason"] == "delivery_limit"


def test_delivery_limit_makes_a_quorum_queue(channel):
    queue = declared(channel, "limited", queue_arguments={"x-delivery-limit": 1})

    # It is the same one: nothing differs.
    declared(
        channel,
        "limited",
        queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 1},
    )
    publish(channel, queue, "x")
    assert take(queue).payload == "x"


def test_priority_queue(channel):
    queue = declared(channel, "ranked", max_priority=5)
    for priority in (1, 5, 3):
        publish(channel, queue, priority, priority=priority)

    found = [take(queue, no_ack=True) for _ in range(3)]

    assert [message.payload for message in found] == [5, 3, 1]
    assert found[0].properties["priority"] == 5


def test_time_to_live_of_a_queue_ends_in_its_dead_letters(channel):
    exchange = Exchange("deaths", "direct")
    dead = Queue("dead", exchange, "late")(channel)
    dead.declare()
    queue = declared(
        channel,
        "short",
        message_ttl=0.1,
        queue_arguments={
            "x-dead-letter-exchange": "deaths",
            "x-dead-letter-routing-key": "late",
        },
    )
    publish(channel, queue, "hello")

    found = take(dead, no_ack=True)

    assert found.payload == "hello"
    death = found.headers["x-death"][0]
    assert (death["reason"], death["queue"], death["count"]) == ("expired", "short", 1)
    assert found.headers["x-first-death-queue"] == "short"
    assert queue.get() is None


def test_time_to_live_of_a_message(channel):
    declared(channel, "dead")
    queue = declared(
        channel,
        "short",
        queue_arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        },
    )
    publish(channel, queue, "hello", expiration=0.1)

    found = take(Queue("dead")(channel), no_ack=True)

    assert found.headers["x-death"][0]["original-expiration"] == "100"


def test_rejected_message_is_a_dead_letter(channel):
    dead = declared(channel, "dead")
    queue = declared(
        channel,
        "picky",
        queue_arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        },
    )
    publish(channel, queue, "hello")
    take(queue).reject()

    assert take(dead, no_ack=True).headers["x-death"][0]["reason"] == "rejected"


def test_full_queue_drops_its_head_or_refuses(channel):
    dropping = declared(channel, "dropping", max_length=2)
    publish(channel, dropping, 1, 2, 3)
    assert [take(dropping, no_ack=True).payload for _ in range(2)] == [2, 3]

    refusing = declared(
        channel,
        "refusing",
        max_length=1,
        queue_arguments={"x-overflow": "reject-publish"},
    )
    producer = channel.connection.client.Producer()
    producer.publish("first", routing_key=refusing.name, confirm_timeout=PATIENCE)
    with pytest.raises(PublishRefused, match="'second'"):
        for _ in range(5):  # it takes one more than it has room for
            producer.publish(
                "x",
                routing_key=refusing.name,
                message_id="second",
                confirm_timeout=PATIENCE,
            )


def test_queue_that_nobody_uses_ends(channel):
    declared(channel, "fleeting", expires=0.2)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            channel.queue_declare("fleeting", passive=True)
        except channel.connection.client.channel_errors:
            break
        # Each look counts as a use.
        time.sleep(0.4)
    else:
        raise AssertionError("it is still there")
