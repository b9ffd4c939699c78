"""Workloads on RabbitMQ; run as a script, by any kombu, as ``workloads.py`` is.

    KOMBU_BENCH_AMQP_URL=amqp://... python rabbitmq_workloads.py NAME

Each publishes persistent messages to a queue of its own, and checks that every one
arrived exactly once and whole.
"""

from __future__ import annotations

import os
import sys
import uuid

from workloads import body, timed

MESSAGES = 4000
#: Without confirms so many are sent in the time of those: fewer are over too soon.
UNCONFIRMED = 12000
CONFIRMED = 1500
LARGE = 400
WINDOW = 100
PREFETCH = 100

#: Where the server is that ``python -m t.benchmarks`` has started.
VARIABLE = "KOMBU_BENCH_AMQP_URL"


def is_ours():
    import kombu

    return not kombu.__version__.startswith("5.")


class Bench:
    """A queue, and a connection to publish by and one to consume by."""

    def __init__(self, **options):
        from kombu import Connection, Exchange, Producer, Queue

        url = os.environ[VARIABLE]
        self.publishing = Connection(url, transport_options=options)
        self.consuming = Connection(url)
        name = f"bench-{uuid.uuid4().hex}"
        # The queue is not durable: the broker's disk would be most of what is measured.
        exchange = Exchange(name, "direct", durable=False)
        self.queue = Queue(name, exchange, "key", durable=False)
        self.channel = self.publishing.channel()
        self.queue(self.channel).declare()
        self.producer = Producer(self.channel, exchange, routing_key="key")
        self.received = []

    def publish(self, bodies):
        publish = self.producer.publish
        for each in bodies:
            publish(each)

    def publish_in_window(self, bodies):
        """Publish, and wait in the end: for what the window has left unconfirmed."""
        self.publish(bodies)
        if is_ours():
            self.channel.wait_for_confirms(30)

    def receive(self, found, message):
        self.received.append(found)
        message.ack()

    def consume(self, count):
        drain_events = self.consuming.drain_events
        received = self.received
        while len(received) < count:
            drain_events(timeout=30)

    def consumer(self):
        from kombu import Consumer

        channel = self.consuming.channel()
        channel.basic_qos(0, PREFETCH, False)
        return Consumer(channel, [self.queue], callbacks=[self.receive])

    def end(self, bodies):
        """Check what was received, and that nothing is left."""
        assert self.received == bodies, "a message is lost, doubled or changed"
        self.consuming.close()
        left = self.queue(self.channel).queue_declare(passive=True).message_count
        assert left == 0, f"{left} messages are left"
        self.queue(self.channel).delete()
        self.queue.exchange(self.channel).delete()
        self.publishing.close()


def run(what, bodies, publish="publish", **options):
    """Publish *bodies*, and consume and acknowledge them; return how long *what* took."""
    bench = Bench(**options)
    publish = getattr(bench, publish)
    warm_up = bodies[: len(bodies) // 10]
    publish(warm_up)
    with bench.consumer():
        bench.consume(len(warm_up))
    bench.received.clear()
    figures = {"publish": timed(lambda: publish(bodies), len(bodies))}
    consumer = bench.consumer()

    def consume():
        consumer.consume()
        bench.consume(len(bodies))

    figures["consume"] = timed(consume, len(bodies))
    bench.end(bodies)
    return figures[what]


def small(count):
    return [body(number) for number in range(count)]


def large():
    return [bytes([number % 256]) * 65536 for number in range(LARGE)]


def window():
    """Confirmed, many at a time; by the other release one by one: it has no other way."""
    if is_ours():
        options = {"confirm_window": WINDOW}
        return run("publish", small(MESSAGES), "publish_in_window", **options)
    return run("publish", small(CONFIRMED), confirm_publish=True)


WORKLOADS = {
    "amqp_publish": lambda: run("publish", small(UNCONFIRMED), confirm_publish=False),
    "amqp_window": window,
    "amqp_one_by_one": lambda: run("publish", small(CONFIRMED), confirm_publish=True),
    "amqp_consume": lambda: run("consume", small(MESSAGES), confirm_publish=False),
    "amqp_publish_64k": lambda: run("publish", large(), confirm_publish=False),
    "amqp_consume_64k": lambda: run("consume", large(), confirm_publish=False),
}


if __name__ == "__main__":
    print(WORKLOADS[sys.argv[1]]())
