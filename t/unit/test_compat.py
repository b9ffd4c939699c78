"""The interface of the library that came before."""

from __future__ import annotations

import pytest

from kombu import Exchange, Queue, compat


@pytest.fixture
def publisher(connection):
    return compat.Publisher(connection, "e", "k")


@pytest.fixture
def consumer(connection):
    return compat.Consumer(connection, queue="q", exchange="e", routing_key="k")


class test_Publisher:
    def test_settings(self, connection):
        publisher = compat.Publisher(
            connection, "e", "k", exchange_type="topic", durable=False, auto_delete=True
        )
        exchange = publisher.exchange
        assert (exchange.name, exchange.type) == ("e", "topic")
        assert (exchange.durable, exchange.auto_delete) == (False, True)
        assert publisher.routing_key == "k"
        assert publisher.backend is publisher.channel is connection.default_channel

    def test_settings_of_a_class(self, connection):
        class Mine(compat.Publisher):
            exchange = "e"
            exchange_type = "topic"
            routing_key = "k"
            durable = False

        publisher = Mine(connection)
        assert publisher.exchange == Exchange("e", "topic", durable=False)
        assert publisher.routing_key == "k"

    def test_an_exchange_that_is_made_already(self, connection):
        exchange = Exchange("made", "fanout")
        assert compat.Publisher(connection, exchange).exchange == exchange

    def test_on_a_channel(self, connection):
        channel = connection.channel()
        assert compat.Publisher(connection, "e", channel=channel).channel is channel

    @pytest.mark.parametrize("how", ["close", "with"])
    def test_closing_leaves_the_channel_to_others(self, publisher, connection, how):
        channel = publisher.channel
        if how == "close":
            publisher.close()
        else:
            with publisher as entered:
                assert entered is publisher
        assert publisher._closed
        assert not channel.closed
        assert connection.default_channel is channel

    def test_send(self, publisher, consumer):
        publisher.send({"a": 1}, serializer="yaml")
        assert consumer.fetch().content_type == "application/x-yaml"


class test_Consumer:
    def test_settings(self, connection):
        consumer = compat.Consumer(
            connection,
            queue="q",
            exchange="e",
            routing_key="k",
            exchange_type="topic",
            durable=False,
            exclusive=True,
            auto_delete=True,
            no_ack=True,
        )
        (queue,) = consumer.queues
        assert (queue.name, queue.routing_key) == ("q", "k")
        assert (queue.durable, queue.exclusive, queue.auto_delete) == (
            False,
            True,
            True,
        )
        assert queue.exchange == Exchange("e", "topic", durable=False, auto_delete=True)
        assert consumer.no_ack is True
        assert consumer.backend is consumer.channel is not connection.default_channel

    def test_fetch(self, publisher, consumer):
        assert consumer.fetch() is None
        publisher.send({"a": 1})
        message = consumer.fetch()
        assert message.payload == {"a": 1}
        assert not message.acknowledged

    def test_fetch_with_callbacks(self, publisher, consumer):
        got = []
        consumer.register_callback(lambda body, message: got.append(body))
        publisher.send(1)
        publisher.send(2)
        consumer.fetch(no_ack=True)
        consumer.fetch(no_ack=True, enable_callbacks=True)
        assert got == [2]

    def test_iterconsume_and_wait(self, publisher, consumer):
        got = []
        consumer.register_callback(lambda body, message: got.append(body))
        for number in range(3):
            publisher.send(number)
        assert list(consumer.iterconsume(limit=2, no_ack=True)) == [None, None]
        assert consumer.wait(limit=1) == [None]
        assert got == [0, 1, 2]

    def test_iterqueue(self, publisher, consumer):
        for number in range(3):
            publisher.send(number)
        assert [m.payload for m in consumer.iterqueue(limit=2)] == [0, 1]
        assert [m.payload for m in consumer.iterqueue()] == [2]
        assert list(consumer.iterqueue(limit=2, infinite=True)) == [None, None]
        publisher.send(9)
        assert next(iter(consumer)).payload == 9

    def test_discard_all(self, publisher, consumer):
        publisher.send(1)
        publisher.send(2)
        assert consumer.discard_all() == 2

    def test_discard_all_takes_what_the_filter_says(self, publisher, consumer):
        for number in range(5):
            publisher.send(number)
        assert consumer.discard_all(lambda message: message.payload % 2) == 2
        assert [message.payload for message in consumer.iterqueue()] == [0, 2, 4]

    def test_process_next_gives_to_the_callbacks(self, publisher, consumer):
        received = []
        consumer.register_callback(lambda body, message: received.append(body))
        assert consumer.process_next() is None
        publisher.send("a")
        consumer.process_next()
        assert received == ["a"]

    @pytest.mark.parametrize("how", ["close", "with"])
    def test_closing_closes_its_channel(self, consumer, how):
        channel = consumer.channel
        consumer.consume()
        if how == "close":
            consumer.close()
        else:
            with consumer as entered:
                assert entered is consumer
        assert consumer._closed
        assert channel.closed

    def test_revive(self, consumer, connection):
        channel = connection.channel()
        consumer.revive(channel)
        assert consumer.backend is consumer.channel is channel


class test_ConsumerSet:
    def test_queues_from_everywhere(self, connection, publisher, consumer):
        consumers = compat.ConsumerSet(
            connection,
            from_dict={"one": {"exchange": "e", "routing_key": "one"}},
            consumers=[consumer],
        )
        consumers.add_consumer_from_dict("two", exchange="e", routing_key="two")
        consumers.add_consumer(
            compat.Consumer(connection, queue="three", exchange="e", routing_key="3")
        )
        assert {queue.name for queue in consumers.queues} == {
            "one",
            "q",
            "two",
            "three",
        }
        got = []
        consumers.register_callback(lambda body, message: got.append(body))
        for key in ("one", "two", "3", "k"):
            publisher.send(key, routing_key=key)
        list(consumers.iterconsume(limit=3, no_ack=True))
        assert len(got) == 3
        assert consumers.discard_all() == 1

    def test_closing_its_own_channel(self, connection):
        consumers = compat.ConsumerSet(connection)
        channel = consumers.channel
        assert channel is not connection.default_channel
        consumers.close()
        assert channel.closed

    def test_closing_with_the_channel_of_another(self, connection):
        channel = connection.channel()
        consumers = compat.ConsumerSet(connection, channel=channel)
        assert consumers.backend is channel
        consumers.close()
        assert not channel.closed

    def test_revive(self, connection):
        consumers, channel = compat.ConsumerSet(connection), connection.channel()
        consumers.revive(channel)
        assert consumers.backend is consumers.channel is channel


def test_entry_to_queue():
    assert compat.entry_to_queue("q", exchange="e") == Queue("q", Exchange("e"))
