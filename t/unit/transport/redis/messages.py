"""Messages that travel through a channel."""

from __future__ import annotations

import json

from kombu import Consumer, Exchange, Producer, Queue


def receive(connection, queue, count, **kwargs):
    """Return the bodies of *count* messages, acknowledged."""
    found = []

    def note(body, message):
        found.append(body)
        message.ack()

    with Consumer(connection.channel(), [queue], callbacks=[note], **kwargs):
        while len(found) < count:
            connection.drain_events(timeout=10)
    return found


def declare(channel, kind="direct", name="q", **kwargs):
    queue = Queue(name, Exchange("e", kind), "k", **kwargs)
    queue(channel).declare()
    return queue


def publish(channel, body, **properties):
    producer = Producer(channel, Exchange("e"), routing_key="k", auto_declare=False)
    producer.publish(body, **properties)


def texts(server, key="q"):
    return [json.loads(text) for text in server.lists[key]]
