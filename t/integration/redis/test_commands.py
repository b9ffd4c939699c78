"""What things cost: round trips for each message, commands of who waits, connections."""

from __future__ import annotations

import os
import threading
from collections import Counter
from urllib.parse import urlsplit

import pytest

from kombu import Connection, Consumer, Exchange, Queue
from t.brokers.redis_watching import Watch, command_stats
from t.integration.redis.turns import TurnCounter

MESSAGES = 2000
PREFETCH = 100

#: Round trips that have nothing to do with the number of messages: connecting,
#: declaring, and renewing leases from time to time.
ONCE = 40

QUEUE = Queue("tasks", Exchange("work"), "task")


@pytest.fixture
def watch(redis_server):
    with redis_server.client() as client:
        yield Watch(client)


def publish_all(connection, count=MESSAGES, **options):
    producer = connection.Producer()
    for number in range(count):
        producer.publish(number, **options)


def consume_all(connection, count, no_ack=False, prefetch_count=PREFETCH):
    received = []

    def receive(body, message):
        received.append(body)
        if not no_ack:
            message.ack()

    with Consumer(
        connection.channel(),
        [QUEUE],
        callbacks=[receive],
        no_ack=no_ack,
        prefetch_count=prefetch_count,
    ):
        while len(received) < count:
            connection.drain_events(timeout=20)
    return received


class test_round_trips:
    @pytest.fixture
    def connection(self, url):
        with Connection(url) as connection:
            QUEUE(connection.default_channel).declare()
            yield connection

    @pytest.mark.parametrize(
        "options",
        [
            {"routing_key": QUEUE.name},
            {"exchange": QUEUE.exchange, "routing_key": "task"},
        ],
        ids=["to a queue", "by an exchange"],
    )
    def test_publish(self, connection, watch, options):
        with watch:
            publish_all(connection, **options)

        print(f"{watch.reads / MESSAGES:.3f} a message")
        assert watch.reads <= MESSAGES + ONCE

    def test_batch(self, url, connection):
        parts = urlsplit(url)
        with TurnCounter(parts.hostname, parts.port, patience=20.0) as proxy:
            with Connection(proxy.url_for(url)) as through:
                producer = through.Producer(routing_key=QUEUE.name)
                for _ in range(MESSAGES // 100):
                    with producer.batch():
                        for number in range(100):
                            producer.publish(number)

            print(f"{proxy.turns / MESSAGES:.3f} a message")
            assert proxy.turns <= 0.05 * MESSAGES
        queue = QUEUE(connection.default_channel)
        assert queue.queue_declare(passive=True).message_count == MESSAGES

    def test_consume_with_ack(self, connection, watch, client):
        publish_all(connection, routing_key=QUEUE.name)
        with watch:
            received = consume_all(connection, MESSAGES)

        assert received == list(range(MESSAGES))
        print(f"{watch.reads / MESSAGES:.3f} a message")
        assert watch.reads <= 0.3 * MESSAGES + ONCE
        assert client.hlen("unacked") == 0

    def test_consume_without_ack(self, connection, watch):
        publish_all(connection, routing_key=QUEUE.name)
        with watch:
            received = consume_all(connection, MESSAGES, no_ack=True)

        assert received == list(range(MESSAGES))
        print(f"{watch.reads / MESSAGES:.3f} a message")
        assert watch.reads <= 0.3 * MESSAGES + ONCE

    def test_consume_one_at_a_time(self, connection, watch):
        publish_all(connection, routing_key=QUEUE.name)
        with watch:
            received = consume_all(connection, MESSAGES, prefetch_count=1)

        assert received == list(range(MESSAGES))
        print(f"{watch.reads / MESSAGES:.3f} a message")
        assert watch.reads <= 2 * MESSAGES + ONCE

    def test_close_with_messages_in_hand(self, connection, watch):
        publish_all(connection, 1000, routing_key=QUEUE.name)
        other = connection.clone()
        held = []
        consumer = Consumer(other.channel(), [QUEUE], on_message=held.append)
        consumer.consume()
        while len(held) < 1000:
            other.drain_events(timeout=20)

        with watch:
            other.close()

        print(f"{watch.reads} to close with 1000 in hand")
        assert watch.reads <= 100


class test_command_stats:
    def test_commands_of_consuming_with_ack(self, url, redis_server):
        """Each message is taken from its list, and both moved through the record."""
        with Connection(url) as connection, redis_server.client() as client:
            QUEUE(connection.default_channel).declare()
            publish_all(connection, routing_key=QUEUE.name)
            before = command_stats(client)
            consume_all(connection, MESSAGES)
            after = command_stats(client)
        calls = {
            name: count - before.get(name, 0)
            for name, count in after.items()
            if count != before.get(name, 0)
        }
        print(calls)
        # Scripts and single commands that were sent; within scripts there are more.
        sent = sum(calls.get(name, 0) for name in ("eval", "evalsha", "fcall"))
        assert sent <= 0.3 * MESSAGES + ONCE


class test_idle:
    def test_who_waits_on_eight_queues_hardly_asks(self, url, watch):
        seconds = 10
        queues = [Queue(f"queue-{number}") for number in range(8)]
        with Connection(url) as connection:
            with Consumer(connection.channel(), queues, on_message=print):
                with pytest.raises(TimeoutError):  # begins to wait
                    connection.drain_events(timeout=0.5)
                with watch:
                    with pytest.raises(TimeoutError):
                        connection.drain_events(timeout=seconds)

        names = [command.name for command in watch.sent]
        print(f"{len(names) / seconds:.2f} commands a second: {sorted(set(names))}")
        assert len(names) <= 2 * seconds

    def test_who_drains_in_short_steps_does_not_either(self, url, watch):
        queues = [Queue(f"queue-{number}") for number in range(8)]
        with Connection(url) as connection:
            with Consumer(connection.channel(), queues, on_message=print):
                with pytest.raises(TimeoutError):  # begins to wait
                    connection.drain_events(timeout=0.5)
                with watch:
                    for _ in range(10):  # as ConsumerMixin does
                        with pytest.raises(TimeoutError):
                            connection.drain_events(timeout=1)

        names = [command.name for command in watch.sent]
        print(f"{len(names) / 10:.2f} commands a second: {Counter(names)}")
        assert len(names) <= 2 * 10


def open_files():
    return len(os.listdir("/proc/self/fd"))


class test_connections:
    def clients(self, client, wanted):
        """Return how many connections there are, once there are *wanted*, or never."""
        for _ in range(200):
            found = client.client_list()
            if len(found) <= wanted:
                break
            threading.Event().wait(0.02)
        return len(found)

    def test_thousand_cycles_leave_nothing(self, url, client):
        with Connection(url) as connection:  # what is made once is made
            publish_all(connection, 1, routing_key=QUEUE.name)
        clients, threads = self.clients(client, 1), threading.active_count()
        files = open_files()

        for _ in range(1000):
            with Connection(url) as connection:
                publish_all(connection, 1, routing_key=QUEUE.name)

        assert self.clients(client, clients) == clients
        assert threading.active_count() == threads
        assert open_files() <= files

    def test_cycles_of_consumers_leave_nothing(self, url, client):
        inbox = Queue("inbox", Exchange("news", "fanout"))

        def cycle():
            with Connection(url) as connection:
                QUEUE(connection.default_channel).declare()
                publish_all(connection, 1, routing_key=QUEUE.name)
                with Consumer(
                    connection.channel(),
                    [QUEUE, inbox],
                    callbacks=[lambda body, message: message.ack()],
                ):
                    connection.drain_events(timeout=20)

        cycle()
        clients, threads = self.clients(client, 1), threading.active_count()
        files = open_files()
        for _ in range(50):
            cycle()

        assert self.clients(client, clients) == clients
        assert threading.active_count() == threads
        assert open_files() <= files

    def test_many_channels_share_connections(self, url, client):
        before = len(client.client_list())
        inbox = Queue("inbox", Exchange("news", "fanout"))
        with Connection(url) as connection:
            consumers = [
                Consumer(connection.channel(), [QUEUE, inbox], on_message=print)
                for _ in range(10)
            ]
            for consumer in consumers:
                consumer.consume()
                consumer.channel.basic_publish(
                    consumer.channel.prepare_message("hello"), "", "another"
                )
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.5)
            used = len(client.client_list()) - before

        print(f"{used} connections")
        # For commands, for those who wait, for fanout, and to renew leases.
        assert used <= 4

    def test_limit_holds(self, url, client):
        before = len(client.client_list())
        most = 0
        with Connection(url, transport_options={"max_connections": 4}) as connection:
            QUEUE(connection.default_channel).declare()

            def publish():
                for _ in range(50):
                    connection.Producer(connection.channel()).publish(
                        "hello", routing_key=QUEUE.name
                    )

            threads = [threading.Thread(target=publish) for _ in range(8)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                most = max(most, len(client.client_list()) - before)
            size = QUEUE(connection.default_channel).queue_declare(passive=True)

        assert size.message_count == 400
        assert 0 < most <= 4
