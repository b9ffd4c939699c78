"""What people write first, after reading kombu's documentation."""

from __future__ import annotations

import pickle
import threading

import pytest

from kombu import Connection, Consumer, Exchange, Producer, Queue, eventloop
from kombu.common import collect_replies, send_reply
from kombu.exceptions import NotBoundError
from kombu.mixins import ConsumerMixin
from kombu.pidbox import Mailbox
from kombu.pools import connections, producers

media_exchange = Exchange("media", "direct", durable=True)
video_queue = Queue("video", exchange=media_exchange, routing_key="video")


def test_publish_with_declare_then_consume_with_callbacks(connection):
    received = []

    def process_media(body, message):
        received.append(body)
        message.ack()

    producer = connection.Producer(serializer="json")
    producer.publish(
        {"name": "/tmp/lolcat1.avi", "size": 1301013},
        exchange=media_exchange,
        routing_key="video",
        declare=[video_queue],
    )
    with connection.Consumer(video_queue, callbacks=[process_media]) as consumer:
        connection.drain_events(timeout=5)
        assert consumer.queues[0].name == "video"
    assert received == [{"name": "/tmp/lolcat1.avi", "size": 1301013}]


def test_several_queues_and_consumers(connection):
    image_queue = Queue("image", exchange=media_exchange, routing_key="image")
    seen = []
    with Consumer(
        connection,
        [video_queue, image_queue],
        callbacks=[lambda body, message: (seen.append(body), message.ack())],
        accept=["json"],
    ):
        producer = Producer(connection, exchange=media_exchange)
        producer.publish("v", routing_key="video", serializer="json")
        producer.publish("i", routing_key="image", serializer="json")
        for _ in eventloop(connection, limit=2, timeout=5):
            pass
    assert sorted(seen) == ["i", "v"]


def test_eventloop_says_when_nothing_comes(connection):
    with connection.Consumer(video_queue, callbacks=[print]):
        with pytest.raises(TimeoutError):
            list(eventloop(connection, limit=1, timeout=0.01))
        quiet = eventloop(connection, limit=1, timeout=0.01, ignore_timeouts=True)
        assert list(quiet) == []


def test_simple_queue(connection):
    with connection.SimpleQueue("simple_queue") as queue:
        queue.put("helloworld, sent at noon")
        message = queue.get(block=True, timeout=5)
        assert message.payload == "helloworld, sent at noon"
        message.ack()
        with pytest.raises(queue.Empty):
            queue.get_nowait()


def test_pools(connection):
    with connections[connection].acquire(block=True) as pooled:
        pooled.default_channel.queue_declare("pooled")
    with producers[connection].acquire(block=True) as producer:
        producer.publish({"hello": "world"}, routing_key="pooled")
    with connection.SimpleQueue(Queue("pooled")) as queue:
        assert queue.get(timeout=5).payload == {"hello": "world"}


def test_get_one_message(connection):
    bound = video_queue(connection)
    bound.declare()
    bound.exchange.publish(
        bound.exchange.Message("hi", content_type="text/plain"), "video"
    )
    message = bound.get(no_ack=True)
    assert message.payload == "hi"
    assert bound.get() is None


def test_consumer_mixin(connection):
    class Worker(ConsumerMixin):
        def __init__(self, connection):
            self.connection = connection
            self.done = []

        def get_consumers(self, Consumer, channel):
            return [Consumer([video_queue], callbacks=[self.on_task], accept=["json"])]

        def on_task(self, body, message):
            self.done.append(body)
            message.ack()
            self.should_stop = len(self.done) == 2

    producer = connection.Producer()
    for number in range(2):
        producer.publish(
            {"n": number},
            exchange=media_exchange,
            routing_key="video",
            declare=[video_queue],
        )
    worker = Worker(connection)
    worker.run()
    assert worker.done == [{"n": 0}, {"n": 1}]


def test_mailbox_broadcast(connection):
    mailbox = Mailbox("testMailbox", type="direct", connection=connection)
    assert mailbox.type == "direct"
    mailbox = Mailbox("testMailbox", type="fanout")(connection)
    node = mailbox.Node("worker1", channel=connection.default_channel)

    @node.handler
    def list_files(state, directory):
        return [f"{directory}/a", f"{directory}/b"]

    node.listen()
    asking = threading.Thread(
        target=lambda: replies.extend(
            Mailbox("testMailbox", type="fanout")(Connection(connection.as_uri())).call(
                ["worker1"], "list_files", {"directory": "/tmp"}, timeout=5
            )
        )
    )
    replies = []
    asking.start()
    connection.drain_events(timeout=5)
    asking.join(5)
    assert replies == [{"worker1": ["/tmp/a", "/tmp/b"]}]


def test_request_and_reply(connection):
    requests = Queue("requests", Exchange("rpc"), "square")
    replies = Queue("replies", exclusive=True, auto_delete=True)

    def answer(body, message):
        send_reply(Exchange(""), message, body**2, Producer(connection))
        message.ack()

    with connection.Consumer(requests, callbacks=[answer]):
        replies(connection).declare()
        connection.Producer().publish(
            7,
            serializer="json",
            exchange="rpc",
            routing_key="square",
            reply_to="replies",
            correlation_id="c1",
        )
        connection.drain_events(timeout=5)
    found = collect_replies(
        connection, connection.default_channel, replies, limit=1, timeout=5
    )
    assert list(found) == [49]


def test_declarations_are_pickled_and_bound_again(connection):
    thawed = pickle.loads(pickle.dumps(video_queue))
    assert thawed == video_queue
    assert thawed.exchange == media_exchange
    assert not thawed.is_bound
    bound = thawed(connection.default_channel)
    assert bound.is_bound
    assert bound.declare() == "video"
    assert not pickle.loads(pickle.dumps(bound)).is_bound


def test_unbound_use_says_so():
    with pytest.raises(
        NotBoundError, match="Can't call method on Exchange not bound to a channel"
    ):
        Exchange("tasks", "topic").delete()
    with pytest.raises(
        NotBoundError, match="Can't call method on Queue not bound to a channel"
    ):
        Queue("tasks").delete()


def test_message_is_published_by_hand(connection):
    channel = connection.channel()
    exchange = Exchange("hand", "topic", channel=channel)
    exchange.declare()
    queue = Queue("by-hand", exchange, "a.#", channel=channel)
    queue.declare()
    producer = Producer(channel, exchange, routing_key="a.b", compression="gzip")
    producer.publish({"big": "x" * 1000}, priority=3, headers={"lang": "en"})
    message = queue.get()
    assert message.payload == {"big": "x" * 1000}
    assert message.headers["lang"] == "en"
    assert message.properties["priority"] == 3
