"""What one of the two protocols sends by RabbitMQ, the other reads."""

from __future__ import annotations

import pytest

from kombu.connection import Connection
from kombu.entity import Exchange, Queue

PROPERTIES = {
    "content_type": "application/json",
    "content_encoding": "utf-8",
    "delivery_mode": 2,
    "priority": 3,
    "correlation_id": "c",
    "reply_to": "replies",
    "expiration": "60000",
    "message_id": "m",
    "timestamp": 1_700_000_000,
}


@pytest.fixture(params=["amqp to qpid", "qpid to amqp", "qpid to qpid"])
def channels(request, vhost):
    amqp, qpid = (Connection(url) for url in vhost)
    queue = Queue("q", Exchange("x"), "key")
    queue(amqp.default_channel).declare()
    by_name = {"amqp": amqp, "qpid": qpid}
    sender, receiver = request.param.split(" to ")
    yield by_name[sender].default_channel, by_name[receiver].default_channel
    for connection in (amqp, qpid):
        connection.close()


def publish(channel, **options):
    given = {**PROPERTIES, **options}
    content = {name: given.pop(name) for name in ("content_type", "content_encoding")}
    priority = given.pop("priority")
    headers = given.pop("headers", {})
    message = channel.prepare_message(
        '{"a": "ä"}', priority, headers=headers, properties=given, **content
    )
    channel.basic_publish(message, "x", "key", confirm_timeout=30)


def test_properties(channels):
    sender, receiver = channels
    publish(sender)

    message = receiver.message_to_python(receiver.basic_get("q"))

    found = {name: message.properties[name] for name in PROPERTIES}
    assert found == PROPERTIES
    assert message.decode() == {"a": "ä"}
    assert message.delivery_info["routing_key"] == "key"
    assert not message.delivery_info["redelivered"]


def test_headers_are_for_clients_of_the_same_protocol(channels):
    sender, receiver = channels
    publish(sender, headers={"n": 1, "list": [1, {"a": None}]})

    message = receiver.message_to_python(receiver.basic_get("q"))

    if type(sender) is type(receiver):
        assert message.headers == {"n": 1, "list": [1, {"a": None}]}
    else:
        # What the plug-in makes of them no client of the other protocol can read.
        assert "n" not in message.headers


def test_exchange_that_amqp_declared(vhost):
    with Connection(vhost[0]) as amqp:
        Queue("q", Exchange("x", "topic"), "a.*")(amqp.default_channel).declare()

    options = {"declare_policy": "passive"}
    with Connection(vhost[1], transport_options=options) as qpid:
        queue = Queue("q", Exchange("x", "topic"), "a.*")
        producer = qpid.Producer()
        producer.publish({"n": 1}, "a.b", exchange=queue.exchange, declare=[queue])
        with qpid.SimpleQueue(queue) as simple:
            message = simple.get(timeout=30)
            message.ack()

    assert message.payload == {"n": 1}
