from __future__ import annotations

import pytest

from kombu.transport._amqp.deliveries import Deliveries
from kombu.transport._amqp.parser import Delivered

#: Channels.
A, B = object(), object()


def delivery(channel, consumer_tag, tag):
    event = Delivered(1, consumer_tag, tag, False, "", "q", b"", b"")
    return channel, event, tag


@pytest.fixture
def deliveries():
    deliveries = Deliveries()
    came = [(A, "X"), (A, "Y"), (B, "X"), (A, "X")]
    for tag, (channel, consumer_tag) in enumerate(came):
        deliveries.put(delivery(channel, consumer_tag, tag))
    return deliveries


def tags_of(deliveries):
    tags = []
    while (found := deliveries.take()) is not None:
        tags.append(found[2])
    return tags


def test_in_order(deliveries):
    assert repr(deliveries) == "<Deliveries: 4 waiting>"
    assert tags_of(deliveries) == [0, 1, 2, 3]
    assert not deliveries


def test_of_one_consumer(deliveries):
    assert [found[2] for found in deliveries.take_of(A, "X")] == [0, 3]
    assert deliveries.take_of(B, "Y") == []
    assert tags_of(deliveries) == [1, 2]


def test_of_a_channel_that_is_closed(deliveries):
    deliveries.forget(A)

    assert tags_of(deliveries) == [2]


def test_of_a_connection_that_is_lost(deliveries):
    deliveries.clear()

    assert not deliveries
