"""However often, and however, a connection is lost: messages arrive soon afterwards."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from kombu import Connection, Exchange, Queue
from t.integration.redis.listener import Listener
from t.integration.redis.silence import SilencingProxy

#: How often connections are lost.
LOSSES = 200

#: One in so many goes silent rather than being cut.
SILENT = 30

#: One in so many comes right after another one.
HASTY = 4

#: Seconds after which a message has arrived that was published after a cut.
BOUND = 5.0

#: The same after a silence that nothing announces, by default.
BOUND_OF_SILENCE = 20.0

#: Seconds between two messages to a fanout exchange, which reach who listens.
PAUSE = 0.05

TASKS = Queue("tasks")
NEWS = Queue("inbox", Exchange("news", "fanout", durable=False))


@pytest.fixture
def proxy(url):
    parts = urlsplit(url)
    with SilencingProxy(parts.hostname, parts.port, patience=20.0) as proxy:
        yield proxy


@pytest.fixture
def publish(url):
    """Publishes by a connection that is never lost."""
    with Connection(url) as connection:
        producer = connection.Producer()
        yield producer.publish


class Misfortune:
    """What happens to the connections of a proxy, at random, and the same each time.

    Attributes:
        counts: How often what has happened.
        longest: Seconds that it has taken at most, until a message had arrived.
    """

    def __init__(self, proxy):
        self.proxy = proxy
        self.longest = Counter()
        self.random = random.Random(1)
        self.counts = Counter()

    def __repr__(self):
        longest = {bound: f"{took:.2f} s" for bound, took in self.longest.items()}
        return f"{dict(self.counts)}, longest by bound: {longest}"

    @contextmanager
    def strikes(self):
        """Lose the connections; tell how many seconds a message may take then."""
        bound = self._strike()
        began = time.monotonic()
        yield bound
        took = time.monotonic() - began
        self.longest[bound] = max(self.longest[bound], took)

    def _strike(self):
        if self.random.randrange(SILENT) == 0:
            self.proxy.fall_silent()
            self.counts["silent"] += 1
            return BOUND_OF_SILENCE
        if self.random.randrange(HASTY) == 0:
            self.proxy.cut()
            self.counts["hasty"] += 1
            time.sleep(self.random.uniform(0, 0.3))
        self.proxy.cut()
        self.counts["cut"] += 1
        return BOUND


def test_queue(url, proxy, publish):
    misfortune = Misfortune(proxy)
    with Listener(proxy.url_for(url), [TASKS]) as listener:
        for number in range(LOSSES):
            with misfortune.strikes() as seconds:
                publish(number, routing_key=TASKS.name)
                listener.wait_for_body(number, seconds)

    assert misfortune.counts["silent"] > 3
    assert misfortune.counts["hasty"] > 20
    print(f"{misfortune}: {listener}")


def test_fanout(url, proxy, publish):
    misfortune = Misfortune(proxy)
    with Listener(proxy.url_for(url), [TASKS, NEWS]) as listener:
        for number in range(LOSSES // 4):
            with misfortune.strikes() as seconds:
                until = time.monotonic() + seconds
                while number not in listener.bodies:
                    assert time.monotonic() < until, f"{number} not heard: {seconds} s"
                    publish(number, exchange=NEWS.exchange, declare=[NEWS.exchange])
                    time.sleep(PAUSE)
                publish(-number, routing_key=TASKS.name)
                listener.wait_for_body(-number, seconds)

    print(f"{misfortune}: {listener}")


def test_publisher(url, proxy):
    misfortune = Misfortune(proxy)
    policy = {"max_retries": 20, "interval_start": 0, "interval_step": 0.1}
    with (
        Listener(url, [TASKS]) as listener,
        Connection(proxy.url_for(url)) as connection,
    ):
        producer = connection.Producer(routing_key=TASKS.name)
        for number in range(LOSSES // 2):
            with misfortune.strikes() as seconds:
                producer.publish(number, retry=True, retry_policy=policy)
                listener.wait_for_body(number, seconds)

    print(f"{misfortune}: {listener}")


def test_idle_consumer_notices_silence(url, proxy, publish):
    with Listener(proxy.url_for(url), [TASKS]) as listener:
        publish("before", routing_key=TASKS.name)
        listener.wait_for_body("before", BOUND)
        proxy.fall_silent()
        proxy.wait_until(lambda: proxy.connections > 0)

        publish("after", routing_key=TASKS.name)

        listener.wait_for_body("after", BOUND_OF_SILENCE)
    assert listener.losses
