"""Three brokers of which two are dead, or swallow what they are sent."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from kombu import Connection, Consumer, Producer, Queue
from kombu.exceptions import OperationalError
from kombu.testing import FaultProxy

PATIENCE = 30

#: Ways to fail, of which a client is told at once or never.
FAULTS = ["dead", "black hole"]

#: For hosts that answer nothing: short, but not for a busy machine.
OPTIONS = {"connect_timeout": 1, "heartbeat": 1}
AT_ONCE = {"interval_start": 0, "interval_step": 0, "interval_max": 0.1}


class Site:
    """Three nodes behind proxies, and their names in one list."""

    def __init__(self, proxies, urls):
        self.proxies = proxies
        self.urls = urls
        self.through = [
            proxy.url_for(url) for proxy, url in zip(proxies, urls, strict=True)
        ]

    def fail(self, fault, *but):
        """Let all fail that are not in *but*."""
        for number, proxy in enumerate(self.proxies):
            if number not in but:
                if fault == "dead":
                    proxy.refuse()
                    proxy.cut()
                else:
                    proxy.black_hole()

    def heal(self):
        for proxy in self.proxies:
            proxy.heal()

    def connect(self):
        return Connection(self.through, **OPTIONS)

    def number_of(self, connection):
        """Return which of the nodes *connection* is connected to."""
        return [proxy.port for proxy in self.proxies].index(connection.port)

    @contextmanager
    def node(self, number):
        with Connection(self.urls[number]) as connection:
            yield Queue("q")(connection.default_channel)


@pytest.fixture
def site(three_nodes):
    with ExitStack() as stack:
        urls = [node.new_vhost() for node in three_nodes]
        for node, url in zip(three_nodes, urls, strict=True):
            stack.callback(node.delete_vhost, url)
            with Connection(url) as connection:
                Queue("q")(connection.default_channel).declare()
        proxies = [
            stack.enter_context(FaultProxy("127.0.0.1", urlsplit(url).port))
            for url in urls
        ]
        yield Site(proxies, urls)


@pytest.fixture(params=FAULTS)
def fault(request):
    return request.param


@pytest.fixture(params=[1, 2], ids=["second", "third"])
def survivor(request):
    return request.param


@pytest.mark.parametrize("survivor", [0, 1, 2], ids=["first", "second", "third"])
def test_connection(site, fault, survivor):
    site.fail(fault, survivor)

    with site.connect() as connection:
        connection.ensure_connection(max_retries=3, **AT_ONCE)

        assert site.number_of(connection) == survivor
        assert connection.connected


def test_pool(site, fault, survivor):
    pool = site.connect().Pool(2)
    with pool.acquire() as connection:
        assert connection.default_channel.is_open
        assert site.number_of(connection) == 0
    site.fail(fault, survivor)

    # The connection in the pool seems to be in order, if nobody says otherwise.
    with pool.acquire() as connection:
        Producer(connection).publish(
            "hello",
            routing_key="q",
            retry=True,
            retry_policy={"max_retries": 10, **AT_ONCE},
            confirm_timeout=PATIENCE,
        )
        assert site.number_of(connection) == survivor

    with site.node(survivor) as queue:
        assert queue.get().payload == "hello"
    site.heal()
    pool.force_close_all()


def test_producer(site, fault, survivor):
    with site.connect() as connection:
        producer = connection.Producer()
        producer.publish("before", routing_key="q", confirm_timeout=PATIENCE)
        assert site.number_of(connection) == 0
        site.fail(fault, survivor)

        producer.publish(
            "after",
            routing_key="q",
            retry=True,
            retry_policy={"max_retries": 10, **AT_ONCE},
            confirm_timeout=PATIENCE,
        )

        assert site.number_of(connection) == survivor
        with site.node(survivor) as queue:
            assert queue.get().payload == "after"
        site.heal()


def test_consumer(site, fault, survivor):
    received = []
    with site.connect() as connection:
        consumer = Consumer(
            connection.channel(), [Queue("q")], on_message=received.append, no_ack=True
        )
        consumer.consume()
        assert site.number_of(connection) == 0
        site.fail(fault, survivor)
        with site.node(survivor) as queue:
            Producer(queue.channel).publish("hello", routing_key="q")

        drain = connection.ensure(
            consumer,
            lambda: connection.drain_events(timeout=PATIENCE),
            max_retries=10,
            **AT_ONCE,
        )
        while not received:
            drain()

        assert site.number_of(connection) == survivor
        assert received[0].payload == "hello"
        site.heal()


def test_nobody_is_left(site, fault):
    site.fail(fault)

    with site.connect() as connection:
        with pytest.raises(OperationalError):
            connection.ensure_connection(max_retries=2, **AT_ONCE)
        site.heal()

        assert connection.ensure_connection(max_retries=3, **AT_ONCE).connected
