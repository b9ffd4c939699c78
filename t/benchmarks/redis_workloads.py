"""Workloads on Redis; run as a script, by any kombu, as ``workloads.py`` is.

    KOMBU_BENCH_REDIS_URL=redis://... python redis_workloads.py NAME

Each uses a queue of its own, and checks that every message arrived exactly once and
whole.  Names with ``raw_`` do with redis-py's pipeline alone what there is to be done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from statistics import median

from workloads import body, timed

MESSAGES = 3000
UNACKNOWLEDGED = 1000
REQUESTS = 2000
BATCH = 100

#: Where the server is that ``python -m t.benchmarks`` has started.
VARIABLE = "KOMBU_BENCH_REDIS_URL"


def connect():
    from kombu import Connection

    return Connection(os.environ[VARIABLE])


class Bench:
    """A queue, and a connection to publish by and one to consume by."""

    def __init__(self):
        from kombu import Exchange, Producer, Queue

        self.publishing, self.consuming = connect(), connect()
        name = f"bench-{uuid.uuid4().hex}"
        self.exchange = Exchange(name, "direct")
        self.queue = Queue(name, self.exchange, "key")
        self.channel = self.publishing.channel()
        self.queue(self.channel).declare()
        self.producer = Producer(self.channel, self.exchange, routing_key="key")
        self.received = []
        self.publish([body(-1)])
        message = self.queue(self.channel).get()
        message.ack()

    def publish(self, bodies):
        publish = self.producer.publish
        for each in bodies:
            publish(each)

    def publish_batch(self, bodies):
        with self.producer.batch(max_size=BATCH):
            self.publish(bodies)

    def receive(self, found, message):
        self.received.append(found)
        message.ack()

    def receive_only(self, found, message):
        self.received.append(found)

    def consumer(self, prefetch, no_ack=False, receive=None):
        from kombu import Consumer

        channel = self.consuming.channel()
        channel.basic_qos(0, prefetch, False)
        receive = receive or (self.receive_only if no_ack else self.receive)
        return Consumer(channel, [self.queue], callbacks=[receive], no_ack=no_ack)

    def consume(self, count):
        drain_events = self.consuming.drain_events
        received = self.received
        while len(received) < count:
            drain_events(timeout=30)

    def end(self, bodies):
        """Check what was received, and that nothing is left."""
        assert self.received == bodies, "a message is lost, doubled or changed"
        self.consuming.close()
        assert self.queue(self.channel).get() is None, "a message is left"
        self.queue(self.channel).delete()
        self.publishing.close()


def small(count=MESSAGES):
    return [body(number) for number in range(count)]


def publish(how="publish"):
    bench, bodies = Bench(), small()
    figure = timed(lambda: getattr(bench, how)(bodies), len(bodies))
    with bench.consumer(100):
        bench.consume(len(bodies))
    bench.end(bodies)
    return figure


def consume(prefetch, no_ack=False):
    bench, bodies = Bench(), small()
    bench.publish_batch(bodies)
    with bench.consumer(prefetch, no_ack):
        figure = timed(lambda: bench.consume(len(bodies)), len(bodies))
    bench.end(bodies)
    return figure


def close():
    """Close a channel that has 1,000 messages in hand."""
    bench, bodies = Bench(), small(UNACKNOWLEDGED)
    bench.publish_batch(bodies)
    consumer = bench.consumer(0, receive=bench.receive_only)
    consumer.consume()
    bench.consume(len(bodies))
    figure = timed(consumer.channel.close, len(bodies))
    bench.received.clear()
    with bench.consumer(100):
        bench.consume(len(bodies))
    bench.received.sort(key=lambda found: found["id"])  # the other release reverses
    bench.end(bodies)
    return figure


def request_reply():
    """Half of the requests to another process are answered after so long."""
    from kombu import Consumer, Producer, Queue

    requests, replies = (f"bench-{uuid.uuid4().hex}" for _ in range(2))
    with connect() as connection:
        channel = connection.channel()
        Queue(requests)(channel).declare()
        answers, latencies = [], []
        producer = Producer(connection.channel(), routing_key=requests)

        def receive(found, message):
            answers.append(found)
            message.ack()

        command = [sys.executable, __file__, "answer", requests]
        with Consumer(channel, [Queue(replies)], callbacks=[receive]):
            process = subprocess.Popen(command)
            for number in range(REQUESTS):
                started = time.perf_counter()
                producer.publish(number, reply_to=replies)
                while len(answers) <= number:
                    connection.drain_events(timeout=30)
                latencies.append((time.perf_counter() - started) * 1e6)
        assert process.wait() == 0
        assert answers == list(range(REQUESTS))
        for name in (requests, replies):
            Queue(name)(channel).delete()
    return median(latencies[REQUESTS // 10 :])


def answer(requests):
    """The other process of `request_reply`."""
    from kombu import Consumer, Producer, Queue

    with connect() as connection:
        answered = []
        producer = Producer(connection.channel())

        def receive(found, message):
            producer.publish(found, routing_key=message.properties["reply_to"])
            message.ack()
            answered.append(found)

        with Consumer(connection.channel(), [Queue(requests)], callbacks=[receive]):
            while len(answered) < REQUESTS:
                connection.drain_events(timeout=30)


def raw(verb):
    """Push, or pop, as many texts of the size of a message as there are messages."""
    from redis import Redis

    with Redis.from_url(os.environ[VARIABLE]) as client:
        key = f"bench-{uuid.uuid4().hex}"
        text = str(body(1)) * 4

        def run(verb, *arguments):
            for _ in range(MESSAGES // BATCH):
                pipeline = client.pipeline(transaction=False)
                for _ in range(BATCH):
                    pipeline.execute_command(verb, key, *arguments)
                pipeline.execute()

        figures = {
            "LPUSH": timed(lambda: run("LPUSH", text), MESSAGES),
            "RPOP": timed(lambda: run("RPOP"), MESSAGES),
        }
        assert not client.exists(key)
        return figures[verb]


WORKLOADS = {
    "redis_publish": publish,
    "redis_batch": lambda: publish("publish_batch"),
    "redis_consume": lambda: consume(100),
    "redis_consume_1": lambda: consume(1),
    "redis_no_ack": lambda: consume(100, no_ack=True),
    "redis_request_reply": request_reply,
    "redis_close": close,
    "answer": answer,
    "raw_push": lambda: raw("LPUSH"),
    "raw_pop": lambda: raw("RPOP"),
}


if __name__ == "__main__":
    figure = WORKLOADS[sys.argv[1]](*sys.argv[2:])
    if figure is not None:
        print(figure)
