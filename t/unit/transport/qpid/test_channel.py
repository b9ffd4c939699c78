from __future__ import annotations

import pytest
from amqp.exceptions import ConsumerCancelled

from kombu.exceptions import (
    NotFound,
    OperationalError,
    PreconditionFailed,
)
from kombu.transport._amqp.errors import StaleDelivery
from kombu.transport._qpid.errors import ChannelEnded
from t.unit.transport.qpid.conftest import message


def fill(channel, count, queue="q"):
    for number in range(count):
        channel.basic_publish(message(channel, f"{number}".encode()), "", queue)


def bodies(messages):
    return [each.body for each in messages]


def drain(connection, condition):
    while not condition():
        connection.drain_events(timeout=10)


def test_get(channel):
    fill(channel, 1)

    got = channel.basic_get("q")

    assert got.body == b"0"
    assert got.delivery_info["routing_key"] == "q"
    assert channel.basic_get("q") is None


def test_get_without_acknowledgement(channel, broker):
    fill(channel, 1)

    assert channel.basic_get("q", no_ack=True).body == b"0"

    channel.close()
    assert not broker.queues["q"]


def test_get_from_a_queue_that_is_not_there(channel, broker):
    broker.makes_queues = False

    with pytest.raises(NotFound, match="missing"):
        channel.basic_get("missing")


def test_links_for_getting_are_not_kept_for_ever(channel, broker):
    for number in range(60):
        channel.basic_get(f"q{number}")

    channel.close()

    assert len(broker.closed) >= 10


@pytest.mark.parametrize(("how", "redelivered"), [("requeue", True), ("recover", True)])
def test_message_is_put_back(channel, how, redelivered):
    fill(channel, 1)
    got = channel.basic_get("q")

    got.requeue() if how == "requeue" else channel.basic_recover(requeue=True)

    again = channel.basic_get("q")
    assert again.body == b"0"
    assert again.delivery_info["redelivered"] is redelivered
    assert again.headers["x-delivery-count"] == 1


@pytest.mark.parametrize("how", ["ack", "reject"])
def test_message_is_done_with(channel, broker, how):
    fill(channel, 1)

    getattr(channel.basic_get("q"), how)()

    channel.close()
    assert not broker.queues["q"]


def test_several_are_settled_at_once(channel, broker):
    fill(channel, 4)
    tags = [channel.basic_get("q").delivery_tag for _ in range(4)]

    channel.basic_ack(tags[1], multiple=True)
    channel.basic_nack(tags[2])
    channel.basic_ack(0, multiple=True)

    channel.close()
    assert [stored.count for stored in broker.queues["q"]] == [1]


def test_message_is_settled_but_once(channel):
    fill(channel, 1)
    tag = channel.basic_get("q").delivery_tag
    channel.basic_ack(tag)

    with pytest.raises(PreconditionFailed, match=f"delivery {tag}"):
        channel.basic_ack(tag)


def test_consuming(channel):
    received = []
    tag = channel.basic_consume("q", callback=received.append, consumer_tag="me")
    fill(channel, 3)

    drain(channel.connection, lambda: len(received) == 3)

    assert tag == "me"
    assert bodies(received) == [b"0", b"1", b"2"]
    assert received[0].delivery_info["consumer_tag"] == "me"


def test_prefetch_limit_is_kept(channel):
    received = []
    channel.basic_qos(0, 2, False)
    channel.basic_consume("q", callback=received.append)
    fill(channel, 5)
    drain(channel.connection, lambda: len(received) == 2)
    with pytest.raises(TimeoutError):
        channel.connection.drain_events(timeout=0.05)

    received[0].ack()

    drain(channel.connection, lambda: len(received) == 3)
    with pytest.raises(TimeoutError):
        channel.connection.drain_events(timeout=0.05)


def test_limit_for_those_that_consume_already(channel):
    received = []
    channel.basic_qos(0, 1, False)
    channel.basic_consume("q", callback=received.append)
    fill(channel, 3)
    drain(channel.connection, lambda: received)

    channel.basic_qos(0, 3, True)

    drain(channel.connection, lambda: len(received) == 3)


def test_window_is_filled_again(broker, connect):
    channel = connect(broker, credit_window=4).channel()
    received = []
    channel.basic_consume("q", callback=received.append, no_ack=True)
    fill(channel, 20)

    drain(channel.connection, lambda: len(received) == 20)


def test_cancelled_consumer(channel, broker):
    received = []
    tag = channel.basic_consume("q", callback=received.append)
    fill(channel, 3)
    drain(channel.connection, lambda: received)

    assert channel.basic_cancel(tag) == tag

    received[0].ack()
    channel.close()
    # What no callback has seen is not marked.
    assert [(stored.data[-1:], stored.count) for stored in broker.queues["q"]] == [
        (b"1", 0),
        (b"2", 0),
    ]


def test_consumer_that_is_not_there_is_cancelled(channel):
    assert channel.basic_cancel("nobody") is None


def test_consumer_pauses(channel, broker):
    received = []
    channel.basic_consume("q", callback=received.append)
    fill(channel, 3)
    drain(channel.connection, lambda: received)

    channel.flow(False)
    left = []
    broker.call(lambda: left.append(len(broker.queues["q"])))
    channel.flow(True)

    assert left == [2]
    drain(channel.connection, lambda: len(received) == 3)


def test_deleted_queue_ends_the_consumer(channel, broker):
    ended = []
    channel.basic_consume(
        "q", callback=print, consumer_tag="me", on_cancel=ended.append
    )

    broker.close_links("q", "amqp:resource-deleted")

    drain(channel.connection, lambda: ended)
    assert ended == ["me"]


def test_end_of_a_consumer_is_told_to_who_drains(channel, broker):
    channel.basic_consume("q", callback=print, consumer_tag="me")

    broker.close_links("q", "amqp:resource-deleted")

    with pytest.raises(ConsumerCancelled, match="me"):
        channel.connection.drain_events(timeout=10)


def test_garbage_reaches_the_callback(channel, broker):
    received = []
    channel.basic_consume("q", callback=received.append)

    def put():
        from t.unit.transport.qpid.broker import Stored

        broker.queue("q").append(Stored(b"\x00\xff garbage"))

    broker.call(put)
    drain(channel.connection, lambda: received)

    [garbage] = received
    assert isinstance(garbage.errors[0][1], ValueError)
    assert garbage.body == b"\x00\xff garbage"


def test_closing_gives_back(channel, broker):
    received = []
    channel.basic_consume("q", callback=received.append)
    fill(channel, 2)
    drain(channel.connection, lambda: received)

    channel.close()

    assert [stored.count for stored in broker.queues["q"]] == [1, 0]
    channel.close()


def test_session_that_was_ended_begins_again(channel, broker):
    fill(channel, 1)
    got = channel.basic_get("q")
    broker.refused["bad"], broker.ends_sessions = "amqp:internal-error", True

    with pytest.raises(ChannelEnded, match="for a test"):
        channel.basic_get("bad")

    with pytest.raises(StaleDelivery, match="comes again"):
        got.ack()
    assert channel.basic_get("q").body == b"0"


def test_silence_is_an_error(broker, connect):
    connection = connect(broker, read_timeout=0.05)
    channel = connection.channel()
    broker.call(lambda: setattr(broker, "is_deaf", True))

    with pytest.raises(OperationalError, match="read_timeout"):
        channel.basic_get("q")
    connection.collect()


def test_channels_show_what_they_are(channel):
    channel.basic_consume("q", callback=print, consumer_tag="me")

    assert repr(channel) == "<Channel: 1 open>"
    assert "open" in repr(channel.connection)
    assert repr(channel.dialect) == "<Dialect>"
    assert {repr(link) for link in channel.connection.links.values()} == {
        "<Incoming: consuming from queue 'q', open>"
    }
    channel.close()
    assert repr(channel) == "<Channel: 1 closed>"
