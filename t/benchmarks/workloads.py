"""What is measured: run as a script, by any kombu, it prints one figure.

    python workloads.py NAME

Each workload checks that every message arrived exactly once and whole.  The
figure is microseconds per message unless its name says otherwise.  Names with
``raw_`` measure what the work costs without any messaging library.
"""

from __future__ import annotations

import gc
import sys
import time

MESSAGES = 4000
BODY = {"id": 0, "name": "hello world", "args": [1, 2, 3], "kwargs": {"a": None}}


def body(number):
    return {**BODY, "id": number}


def timed(function, count):
    """Return the microseconds that each of *count* steps of *function* took."""
    gc.collect()
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) / count * 1e6


def memory():
    from kombu import Connection

    return Connection("memory://")


class Pair:
    """A producer, and a consumer that keeps what it gets."""

    def __init__(self, **options):
        from kombu import Consumer, Exchange, Producer, Queue

        self.connection = memory()
        self.exchange = Exchange("bench", "direct")
        self.queue = Queue("bench", self.exchange, "key")
        self.received = []
        self.producer = Producer(self.connection, self.exchange, routing_key="key")
        self.consumer = Consumer(
            self.connection, [self.queue], callbacks=[self.receive], **options
        )

    def receive(self, body, message):
        self.received.append(body)
        message.ack()

    def publish(self, bodies):
        publish = self.producer.publish
        for each in bodies:
            publish(each)

    def consume(self, count):
        drain_events = self.connection.drain_events
        for _ in range(count):
            drain_events(timeout=5)

    def check(self, bodies):
        assert self.received == bodies, "a message is lost, doubled or changed"


def _publish_and_consume(bodies, what):
    pair = Pair()
    warm_up = bodies[: max(len(bodies) // 10, 1)]
    for each, limit in ((warm_up, None), (bodies, what)):
        pair.received.clear()
        published = timed(lambda each=each: pair.publish(each), len(each))
        pair.consumer.consume()
        consumed = timed(lambda each=each: pair.consume(len(each)), len(each))
        pair.consumer.cancel()
        pair.check(each)
        if limit:
            return {"publish": published, "consume": consumed}[limit]
    return None


def publish():
    return _publish_and_consume([body(n) for n in range(MESSAGES)], "publish")


def consume():
    return _publish_and_consume([body(n) for n in range(MESSAGES)], "consume")


def publish_bytes_64k():
    return _publish_and_consume([bytes([n]) * 65536 for n in range(200)], "publish")


def consume_bytes_64k():
    return _publish_and_consume([bytes([n]) * 65536 for n in range(200)], "consume")


def simple_queue():
    """Put, get and acknowledge, one message after another."""
    queue = memory().SimpleQueue("bench-simple")
    received = []

    def round_trips(count):
        for number in range(count):
            queue.put(body(number))
            message = queue.get(timeout=5)
            received.append(message.payload["id"])
            message.ack()

    round_trips(200)
    received.clear()
    figure = timed(lambda: round_trips(MESSAGES), MESSAGES)
    assert received == list(range(MESSAGES))
    return figure


def _with_bindings(kind, bindings, publishes=2000):
    """Publish with *bindings* bound, of which each message matches one."""
    from kombu import Exchange, Producer, Queue

    connection = memory()
    channel = connection.channel()
    exchange = Exchange(f"bench-{kind}", kind)
    exchange(channel).declare()
    pattern = "zone.{}.*" if kind == "topic" else "zone.{}"
    for number in range(bindings):
        name = f"q{number % 10}"
        if number < 10:
            Queue(name)(channel).declare()
        channel.queue_bind(name, exchange.name, pattern.format(number))
    producer = Producer(channel, exchange)
    # No topic is published to twice: remembering answers does not help.
    key = "zone.{}.event{}" if kind == "topic" else "zone.{}"
    keys = [key.format(n * 7 % bindings, n) for n in range(publishes)]

    def publish_all():
        for each in keys:
            producer.publish(BODY, routing_key=each)

    producer.publish(BODY, routing_key=keys[0])
    figure = timed(publish_all, publishes)
    arrived = sum(channel.queue_purge(f"q{number}") for number in range(10))
    assert arrived == publishes + 1, f"{arrived} of {publishes + 1} messages arrived"
    return figure


def topic_10_bindings():
    return _with_bindings("topic", 10, publishes=300)


def topic_10000_bindings():
    # As few as with 10 bindings: the other release needs milliseconds for each.
    return _with_bindings("topic", 10_000, publishes=300)


def direct_10000_bindings():
    return _with_bindings("direct", 10_000, publishes=1000)


def fanout_100_queues():
    from kombu import Exchange, Producer, Queue

    channel = memory().channel()
    exchange = Exchange("bench-fanout", "fanout")
    queues = [Queue(f"f{n}", exchange)(channel) for n in range(100)]
    for queue in queues:
        queue.declare()
    producer = Producer(channel, exchange)
    producer.publish(BODY)

    def publish_all():
        for _ in range(300):
            producer.publish(BODY)

    figure = timed(publish_all, 300)
    assert [queue.purge() for queue in queues] == [301] * 100
    return figure


def make_connection():
    from kombu import Connection

    Connection("memory://")
    return timed(lambda: [Connection("memory://") for _ in range(2000)], 2000)


def pool_acquire():
    from kombu.pools import producers

    connection = memory()

    def acquire_all():
        for _ in range(2000):
            with producers[connection].acquire(block=True):
                pass

    acquire_all()
    return timed(acquire_all, 2000)


def import_time():
    """Milliseconds to import what applications use."""
    started = time.perf_counter()
    from kombu import Connection, Consumer, Exchange, Producer, Queue  # noqa: F401

    return (time.perf_counter() - started) * 1e3


def import_memory():
    """MiB that the same import takes."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    from kombu import Connection, Consumer, Exchange, Producer, Queue  # noqa: F401

    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def raw_publish():
    """``json.dumps`` and ``deque.append``."""
    import json
    from collections import deque

    queue = deque()
    bodies = [body(n) for n in range(MESSAGES)]
    return timed(lambda: [queue.append(json.dumps(b)) for b in bodies], MESSAGES)


def raw_consume():
    """``deque.popleft`` and ``json.loads``."""
    import json
    from collections import deque

    queue = deque(json.dumps(body(n)) for n in range(MESSAGES))
    return timed(
        lambda: [json.loads(queue.popleft()) for _ in range(MESSAGES)], MESSAGES
    )


if __name__ == "__main__":
    print(globals()[sys.argv[1]]())
