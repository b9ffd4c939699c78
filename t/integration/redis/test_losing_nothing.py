"""What used to be lost: bindings that were flushed, broadcasts to who was away."""

from __future__ import annotations

import json

import pytest

from kombu import Connection, Consumer, Exchange, Queue
from kombu.exceptions import UnroutableError

TASKS = Queue("tasks", Exchange("work"), "task")
MANY = 1000

#: A message as kombu 5.7 stores it.
ENVELOPE = {
    "body": "hello",
    "content-encoding": "utf-8",
    "content-type": "text/plain",
    "headers": {},
    "properties": {
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": TASKS.name},
        "priority": 0,
        "delivery_tag": "5b3e1dd3-8d5c-4a3b-9a0e-6f8c7a4b2d10",
    },
}


@pytest.fixture
def database(redis_server, url):
    return redis_server.client(int(url.rpartition("/")[2]))


def receive(connection, queue, count):
    received = []

    def on_message(message):
        received.append(message.payload)
        message.ack()

    with Consumer(connection.channel(), [queue], on_message=on_message):
        while len(received) < count:
            connection.drain_events(timeout=10)
    return received


class test_flushed_database:
    def test_publisher_declares_again_what_it_knows(self, url, database):
        with Connection(url) as connection:
            producer = connection.Producer(exchange=TASKS.exchange, routing_key="task")
            producer.publish("before", declare=[TASKS])

            database.flushdb()
            producer.publish("after")

            assert receive(connection, TASKS, 1) == ["after"]

    def test_who_knows_nothing_is_told(self, url, database):
        with Connection(url) as connection, Connection(url) as stranger:
            TASKS(connection.default_channel).declare()
            producer = stranger.Producer(exchange=TASKS.exchange, routing_key="task")
            producer.publish("before", mandatory=True)

            database.flushdb()

            with pytest.raises(UnroutableError, match="work"):
                producer.publish("after", mandatory=True)

    def test_consumer_gets_what_comes_afterwards(self, url, database):
        received = []
        with Connection(url) as connection, Connection(url) as other:
            with Consumer(
                connection.channel(), [TASKS], on_message=received.append, no_ack=True
            ):
                database.flushdb()
                TASKS(other.default_channel).declare()
                other.Producer().publish(
                    "hello", exchange=TASKS.exchange, routing_key="task"
                )
                while not received:
                    connection.drain_events(timeout=10)

        assert [message.payload for message in received] == ["hello"]


class test_durable_fanout:
    @pytest.fixture
    def news(self):
        return Queue("inbox", Exchange("news", "fanout"))

    def test_who_was_away_gets_all(self, url, news):
        options = {"fanout": "durable"}
        with Connection(url, transport_options=options) as listener:
            news(listener.default_channel).declare()

        with Connection(url, transport_options=options) as speaker:
            producer = speaker.Producer(exchange=news.exchange)
            for number in range(MANY):
                producer.publish(number, declare=[news.exchange])

        with Connection(url, transport_options=options) as listener:
            assert receive(listener, news, MANY) == list(range(MANY))


class test_in_flight_record_of_old_peers:
    def test_unreadable_entries_hide_nothing(self, url, database):
        taken = json.dumps([ENVELOPE, "", TASKS.name])
        database.hset("unacked", "good", taken)
        database.zadd("unacked_index", {"good": 2})
        for number in range(MANY):
            database.hset("unacked", f"bad-{number}", "nonsense")
            database.zadd("unacked_index", {f"bad-{number}": 1})
        options = {"visibility_timeout": 1}

        with Connection(url, transport_options=options) as connection:
            assert receive(connection, TASKS, 1) == ["hello"]

        assert database.hlen("unacked") == database.zcard("unacked_index") == MANY
