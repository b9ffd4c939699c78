"""Carrot's interface."""

from __future__ import annotations

import pytest

from kombu import Exchange, Queue
from kombu.compat import Consumer, ConsumerSet, Publisher, entry_to_queue


@pytest.fixture
def publisher(connection):
    return Publisher(connection, exchange="e", exchange_type="topic", routing_key="rk")


@pytest.fixture
def consumer(connection):
    return Consumer(
        connection,
        queue="q",
        exchange="e",
        exchange_type="topic",
        routing_key="rk",
    )


class test_Publisher:
    def test_declares_the_exchange_it_is_told(self, connection):
        publisher = Publisher(
            connection,
            exchange="e",
            exchange_type="fanout",
            routing_key="rk",
            durable=False,
            auto_delete=True,
        )
        exchange = publisher.exchange
        assert (exchange.name, exchange.type) == ("e", "fanout")
        assert not exchange.durable
        assert exchange.auto_delete

    def test_takes_an_exchange_as_it_is(self, connection):
        exchange = Exchange("given", "direct")
        assert Publisher(connection, exchange=exchange).exchange == exchange

    def test_sends_to_its_exchange(self, publisher, consumer):
        publisher.send({"n": 1})
        assert consumer.fetch().payload == {"n": 1}

    def test_backend_is_the_channel(self, publisher):
        assert publisher.backend is publisher.channel

    def test_leaving_the_block_leaves_the_channel_open(self, connection):
        with Publisher(connection, exchange="e") as publisher:
            channel = publisher.channel
        assert publisher._closed
        assert not channel.closed

    def test_closing_one_that_was_never_used_opens_nothing(self, connection):
        publisher = Publisher(connection, exchange="e")
        publisher.close()
        assert not connection.connected


class test_Consumer:
    def test_declares_queue_and_exchange(self, connection):
        consumer = Consumer(
            connection,
            queue="q",
            exchange="e",
            routing_key="rk",
            durable=False,
            exclusive=True,
            auto_delete=True,
        )
        (queue,) = consumer.queues
        assert (queue.name, queue.exchange.name, queue.routing_key) == ("q", "e", "rk")
        assert (queue.durable, queue.exclusive, queue.auto_delete) == (
            False,
            True,
            True,
        )

    def test_fetch_returns_none_if_there_is_nothing(self, consumer):
        assert consumer.fetch() is None

    def test_fetch_gives_to_the_callbacks_if_asked(self, publisher, consumer):
        received = []
        consumer.register_callback(lambda body, message: received.append(body))
        publisher.send(1)
        publisher.send(2)
        consumer.fetch()
        assert received == []
        consumer.fetch(enable_callbacks=True)
        assert received == [2]

    def test_wait_delivers_as_many_as_asked(self, publisher, consumer):
        received = []
        consumer.register_callback(lambda body, message: received.append(body))
        for number in range(3):
            publisher.send(number)
        consumer.wait(limit=2)
        assert received == [0, 1]

    def test_iterqueue_ends_when_empty(self, publisher, consumer):
        for number in range(3):
            publisher.send(number)
        assert [m.payload for m in consumer.iterqueue(limit=1)] == [0]
        assert [m.payload for m in consumer.iterqueue()] == [1, 2]

    def test_iterating_goes_on_without_end(self, publisher, consumer):
        publisher.send(1)
        messages = iter(consumer)
        assert next(messages).payload == 1
        assert next(messages) is None
        assert next(messages) is None

    def test_discard_all(self, publisher, consumer):
        publisher.send(1)
        publisher.send(2)
        assert consumer.discard_all() == 2
        assert consumer.fetch() is None

    def test_what_carrot_had_and_we_have_not_says_what_to_do(self, consumer):
        with pytest.raises(NotImplementedError, match="iterqueue"):
            consumer.discard_all(lambda message: True)
        with pytest.raises(NotImplementedError, match="fetch"):
            consumer.process_next()

    def test_revive_uses_the_new_channel(self, connection, consumer):
        channel = connection.channel()
        consumer.revive(channel)
        assert consumer.backend is channel
        assert consumer.channel is channel

    def test_leaving_the_block_closes_the_channel(self, connection):
        with Consumer(connection, queue="q", exchange="e") as consumer:
            channel = consumer.channel
            consumer.consume()
        assert channel.closed
        assert consumer._closed


class test_ConsumerSet:
    def test_consumes_from_settings_and_from_consumers(self, connection, consumer):
        consumers = ConsumerSet(
            connection,
            from_dict={"q1": {"exchange": "e1", "exchange_type": "topic"}},
            consumers=[consumer],
        )
        assert sorted(queue.name for queue in consumers.queues) == ["q", "q1"]

    def test_queues_can_be_added(self, connection, consumer):
        consumers = ConsumerSet(connection)
        consumers.add_consumer_from_dict("q2", exchange="e2", binding_key="k2")
        consumers.add_consumer(consumer)
        names = {queue.name: queue.routing_key for queue in consumers.queues}
        assert names == {"q2": "k2", "q": "rk"}

    def test_iterconsume_delivers(self, connection, publisher, consumer):
        consumers = ConsumerSet(connection, consumers=[consumer])
        received = []
        consumers.register_callback(lambda body, message: received.append(body))
        publisher.send("a")
        publisher.send("b")
        assert len(list(consumers.iterconsume(limit=2))) == 2
        assert received == ["a", "b"]

    def test_discard_all(self, connection, publisher, consumer):
        publisher.send("a")
        assert ConsumerSet(connection, consumers=[consumer]).discard_all() == 1

    def test_closes_but_its_own_channel(self, connection, consumer):
        theirs = connection.channel()
        ConsumerSet(connection, consumers=[consumer], channel=theirs).close()
        assert not theirs.closed
        consumers = ConsumerSet(connection, consumers=[consumer])
        ours = consumers.channel
        consumers.close()
        assert ours.closed

    def test_revive_uses_the_new_channel(self, connection):
        consumers = ConsumerSet(connection)
        channel = connection.channel()
        consumers.revive(channel)
        assert consumers.backend is channel


def test_entry_to_queue_reads_flat_settings():
    queue = entry_to_queue("q", exchange="e", binding_key="k", exchange_type="topic")
    assert isinstance(queue, Queue)
    assert (queue.name, queue.exchange.name, queue.exchange.type) == ("q", "e", "topic")
    assert queue.routing_key == "k"
