"""What people have in their programs: each test is a program that must work."""

from __future__ import annotations

import pickle
import queue
import socket
from uuid import uuid4

import pytest

import kombu
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.common import collect_replies, eventloop
from kombu.mixins import ConsumerMixin
from kombu.pidbox import Mailbox
from kombu.pools import connections, producers


@pytest.fixture
def url():
    return f"memory://{uuid4()}"


def test_publish_and_consume(url):
    media = Exchange("media", "direct", durable=True)
    videos = Queue("video", exchange=media, routing_key="video")
    seen = []

    def process_media(body, message):
        seen.append(body)
        message.ack()

    with Connection(url) as conn:
        producer = conn.Producer(serializer="json")
        producer.publish(
            {"name": "/tmp/lolcat1.avi", "size": 1301013},
            exchange=media,
            routing_key="video",
            declare=[videos],
        )
        with conn.Consumer(videos, callbacks=[process_media]) as consumer:
            assert consumer
            conn.drain_events(timeout=1)
    assert seen == [{"name": "/tmp/lolcat1.avi", "size": 1301013}]


def test_several_queues(url):
    media = Exchange("media", "direct")
    videos = Queue("video", exchange=media, routing_key="video")
    images = Queue("image", media, routing_key="image")
    seen = []
    with Connection(url) as connection:
        with connection.Consumer(
            [videos, images],
            callbacks=[lambda body, message: seen.append(body) or message.ack()],
        ):
            for key in ("video", "image"):
                connection.Producer().publish(key, exchange=media, routing_key=key)
            for _ in eventloop(connection, limit=2, timeout=1):
                pass
    assert sorted(seen) == ["image", "video"]


def test_by_hand(url):
    connection = Connection(url)
    connection.connect()
    channel = connection.channel()
    exchange = Exchange("tasks", type="topic", channel=channel)
    producer = Producer(channel, exchange, routing_key="task.low")
    task_queue = Queue("tasks", exchange, routing_key="task.#", channel=channel)
    task_queue.declare()
    producer.publish({"hello": "world"}, compression="bzip2")
    message = task_queue.get()
    assert message.payload == {"hello": "world"}
    message.ack()
    task_queue.unbind_from(exchange, "task.#")
    task_queue.delete()
    exchange.delete()
    connection.release()


def test_consumer_on_a_channel(url):
    seen = []
    with Connection(url) as connection, connection.channel() as channel:
        consumer = Consumer(channel, Queue("q"), accept=["json", "pickle"])
        consumer.register_callback(lambda body, message: seen.append(message))
        consumer.consume()
        connection.Producer().publish([1], routing_key="q", serializer="pickle")
        connection.drain_events(timeout=1)
        seen[0].ack()
    assert seen[0].decode() == [1]


def test_hello_world_with_a_simple_queue(url):
    with Connection(url) as connection:
        simple_queue = connection.SimpleQueue("simple_queue")
        simple_queue.put("helloworld, sent at noon")
        simple_queue.close()
    with Connection(url) as connection:
        simple_queue = connection.SimpleQueue("simple_queue")
        message = simple_queue.get(block=True, timeout=1)
        assert message.payload == "helloworld, sent at noon"
        message.ack()
        with pytest.raises(queue.Empty):
            simple_queue.get_nowait()
        simple_queue.close()


def test_pools(url):
    connection = Connection(url)
    with connections[connection].acquire(block=True) as conn:
        assert conn.default_channel
    with producers[connection].acquire(block=True) as producer:
        producer.publish({"hello": "pool"}, routing_key="q", declare=[Queue("q")])
    with connection.Pool(2).acquire() as conn:
        assert conn.SimpleQueue("q").get_nowait().payload == {"hello": "pool"}
    kombu.pools.reset()


def test_eventloop(url):
    with Connection(url) as connection:
        with pytest.raises(socket.timeout):
            for _ in eventloop(connection, timeout=0.001):
                pytest.fail("there is nothing")


def test_worker(url):
    task_exchange = Exchange("tasks", type="direct")
    task_queues = [
        Queue("hipri", task_exchange, routing_key="hipri"),
        Queue("lopri", task_exchange, routing_key="lopri"),
    ]

    class Worker(ConsumerMixin):
        def __init__(self, connection):
            self.connection = connection
            self.done = []

        def get_consumers(self, Consumer, channel):
            return [
                Consumer(
                    queues=task_queues,
                    accept=["pickle", "json"],
                    callbacks=[self.process_task],
                )
            ]

        def process_task(self, body, message):
            self.done.append(body["fun"](*body["args"]))
            message.ack()
            self.should_stop = True

    with Connection(url) as connection:
        with producers[connection].acquire(block=True) as producer:
            producer.publish(
                {"fun": sum, "args": [[1, 2]]},
                serializer="pickle",
                compression="bzip2",
                exchange=task_exchange,
                declare=[task_exchange, *task_queues],
                routing_key="hipri",
            )
        worker = Worker(connection)
        worker.run()
    assert worker.done == [3]
    kombu.pools.reset()


def test_mailbox(url):
    with Connection(url) as connection:
        mailbox = Mailbox("testMailbox", type="fanout", connection=connection)
        node = mailbox.Node("worker1", state={"a": "b"}, channel=connection.channel())

        @node.handler
        def dump_state(state, **kwargs):
            return state

        node.listen()
        assert mailbox.multi_call("dump_state", timeout=1, limit=1) == [
            {"worker1": {"a": "b"}}
        ]
        assert mailbox.call(["worker1"], "dump_state", timeout=1) == [
            {"worker1": {"a": "b"}}
        ]
        mailbox.abcast("dump_state")
        connection.drain_events(timeout=1)


def test_requests_and_replies(url):
    with Connection(url) as connection:
        replies = Queue("amq-reply", exclusive=True, auto_delete=True)
        with connection.channel() as channel:
            replies(channel).declare()
            connection.Producer().publish(
                {"n": 3},
                routing_key="rpc",
                declare=[Queue("rpc")],
                reply_to=replies.name,
            )
            request = Queue("rpc")(channel).get()
            connection.Producer().publish(
                request.payload["n"] ** 2, routing_key=request.properties["reply_to"]
            )
            found = collect_replies(connection, channel, replies, limit=1, timeout=1)
            assert list(found) == [9]


def test_pickled_declarations():
    exchange = Exchange("foo", type="topic", durable=False)
    declared = Queue("foo", exchange, routing_key="bar", expires=30.0)
    again = pickle.loads(pickle.dumps(declared))
    assert (again, again.exchange, again.expires) == (declared, exchange, 30.0)


def test_failover_and_retry(url):
    with Connection([url, f"memory://{uuid4()}"], failover_strategy="shuffle") as conn:
        conn.ensure_connection(max_retries=3)

        def on_error(exc, interval):
            raise AssertionError("there is nothing wrong")

        publish = conn.ensure(
            conn.Producer(), conn.Producer().publish, errback=on_error, max_retries=3
        )
        publish({"hello": "world"}, routing_key="hello", declare=[Queue("hello")])
        assert Queue("hello")(conn).get().payload == {"hello": "world"}
        assert conn.as_uri().startswith("memory://")
        assert "transport" in conn.info()
