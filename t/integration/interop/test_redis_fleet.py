"""kombu 5.7 and this release on one Redis: priorities, fanout, leases, and kills."""

from __future__ import annotations

import os
import random
import time

import pytest

from t.benchmarks.peer import python_of_peer
from t.brokers.redis import redis_client
from t.integration.crash.fleet import ROOT, Fleet
from t.integration.interop.conftest import Broker

MESSAGES = int(os.environ.get("KOMBU_TEST_CRASH_MESSAGES", "5000"))

#: Seconds of a lease, where one is to run out.
LEASE = 1.0


@pytest.fixture
def broker(redis_server):
    return Broker(redis_server.new_database())


@pytest.fixture
def client(broker):
    with redis_client(broker.url) as client:
        yield client


@pytest.fixture
def prefixed(broker):
    broker.options["global_keyprefix"] = "app:"


def wait_until(is_so, what, patience=20.0):
    until = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.01)


def bodies(messages):
    return [message["body"] for message in messages]


def publish_all(peer, numbers, **options):
    for number in numbers:
        peer.publish(number, routing_key="tasks", **options)


class test_priorities:
    def test_are_the_same(self, pair):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")
        published = [priority for priority in range(10) for _ in range(3)]
        random.Random(1).shuffle(published)
        for place, priority in enumerate(published):
            producer.publish([priority, place], routing_key="tasks", priority=priority)

        found = bodies(consumer.consume("tasks", len(published)))

        # By step, and within one in the order of publishing.
        expected = sorted(
            ([priority, place] for place, priority in enumerate(published)),
            key=lambda pair: (pair[0] // 3, pair[1]),
        )
        assert found == expected

    def test_options_of_priorities_are_the_same(self, broker, connected):
        broker.options |= {"sep": ":", "priority_steps": [0, 5]}
        ours, theirs = connected(ours=True), connected(ours=False)
        for each in (ours, theirs):
            each.declare("tasks")
        for producer, consumer in ((ours, theirs), (theirs, ours)):
            for priority in (5, 0, 4, 9):
                producer.publish(priority, routing_key="tasks", priority=priority)

            assert bodies(consumer.consume("tasks", 4)) == [0, 4, 5, 9]


class test_prefix:
    @pytest.mark.usefixtures("prefixed")
    def test_is_the_same(self, pair, client):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks", "exchange", "direct", "key")
        producer.publish("hello", exchange="exchange", routing_key="key")
        consumer.get("tasks", ack=False)

        assert all(key.startswith(b"app:") for key in client.keys())
        consumer.settle("requeue")
        assert producer.get("tasks")["body"] == "hello"


#: Transport options, key of the binding, and routing key.
FANOUTS = [
    ({}, "", ""),
    ({}, "a.#", "a.b"),
    ({"fanout_patterns": False}, "", "whatever"),
    ({"fanout_prefix": False}, "", ""),
    ({"fanout_prefix": "/mine{db}."}, "", ""),
    ({"global_keyprefix": "app:"}, "", ""),
]


@pytest.fixture(params=FANOUTS, ids=str)
def keys(request, broker):
    """The keys of one of the cases, whose options are set before anybody connects."""
    options, binding, key = request.param
    broker.options |= options
    return options, binding, key


class test_fanout:
    def test_reaches_who_listens(self, keys, pair, client):
        options, binding, key = keys
        producer, consumer = pair
        before = client.pubsub_numpat() + len(client.pubsub_channels())
        consumer.declare("inbox", "news", "fanout", binding)
        producer.declare("other", "news", "fanout", "unheard.of")

        consumer.tell("consume", queue="inbox", count=2, timeout=20)
        # Ours listens to a channel of its own too, and to one and a pattern of them.
        has_patterns = options.get("fanout_patterns", True)
        expected = before + ((3 if has_patterns else 2) if consumer.ours else 1)
        wait_until(
            lambda: client.pubsub_numpat() + len(client.pubsub_channels()) >= expected,
            "all subscriptions",
        )
        for number in range(2):
            producer.publish(number, exchange="news", routing_key=key)

        assert bodies(consumer.answer(20)) == [0, 1]


class test_redelivery:
    @pytest.mark.parametrize("how", ["requeue", "close"])
    def test_is_marked_for_both(self, pair, how):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")
        publish_all(producer, [1])
        consumer.get("tasks", ack=False)

        consumer.settle("requeue") if how == "requeue" else consumer.close()
        found = producer.get("tasks")

        assert found["body"] == 1
        assert found["redelivered"]

    def test_keeps_what_only_we_know(self, connected):
        ours, theirs = connected(ours=True), connected(ours=False)
        for each in (ours, theirs):
            each.declare("tasks")
        ours.publish(1, routing_key="tasks", expiration=600)
        before = ours.get("tasks", ack=False)
        ours.settle("requeue")

        theirs.get("tasks", ack=False)
        theirs.settle("requeue")
        found = ours.get("tasks")

        assert before["properties"].keys() <= found["properties"].keys()


class test_restore:
    """What a dead consumer had in hand, and what a living one has."""

    @pytest.fixture
    def broker(self, redis_server):
        return Broker(redis_server.new_database(), {"visibility_timeout": LEASE})

    def test_dead_consumers_messages_go_to_the_other_one(self, pair, client):
        dying, heir = pair
        for each in pair:
            each.declare("tasks")
        publish_all(dying, range(5))
        for _ in range(5):
            dying.get("tasks", ack=False)

        dying.kill()
        found = heir.consume("tasks", 5, timeout=30)

        assert sorted(bodies(found)) == [0, 1, 2, 3, 4]
        assert all(message["redelivered"] for message in found)
        assert heir.consume("tasks", timeout=LEASE * 2) == []
        assert client.hlen("unacked") == client.zcard("unacked_index") == 0

    def test_messages_of_exchange_come_back_to_their_queue(self, pair):
        dying, heir = pair
        for each in pair:
            each.declare("tasks", "exchange", "topic", "task.*")
        dying.publish("hello", exchange="exchange", routing_key="task.new")
        dying.get("tasks", ack=False)

        dying.kill()

        assert bodies(heir.consume("tasks", 1, timeout=30)) == ["hello"]

    def test_living_consumer_of_ours_keeps_what_it_has(self, connected):
        ours, theirs = connected(ours=True), connected(ours=False)
        for each in (ours, theirs):
            each.declare("tasks")
        publish_all(theirs, ["mine"])
        ours.get("tasks", ack=False)

        # They look for what has been lost, all the time.
        assert theirs.consume("tasks", timeout=LEASE * 5) == []

        ours.settle("ack")
        assert theirs.consume("tasks", timeout=LEASE * 2) == []

    def test_living_consumer_of_theirs_keeps_what_it_has(self, broker, connected):
        broker.options["peer_visibility_timeout"] = 600.0
        ours, theirs = connected(ours=True), connected(ours=False)
        for each in (ours, theirs):
            each.declare("tasks")
        publish_all(ours, ["theirs"])
        theirs.get("tasks", ack=False)

        assert ours.consume("tasks", timeout=LEASE * 5) == []

        theirs.settle("ack")
        assert ours.consume("tasks", timeout=LEASE * 2) == []


class test_bindings:
    def test_survive_when_theirs_expire(self, connected, client):
        """A set of rows is deleted when their last expiring binding was due.

        Unless there is one that they know not to expire.
        """
        ours, theirs = connected(ours=True), connected(ours=False)
        ours.declare("ours", "exchange", "direct", "key")
        theirs.declare("theirs", "exchange", "direct", "key", expires=60)
        client.zadd("_kombu.binding_deadlines", {"exchange": 1})

        # They look for them when they begin to consume.
        theirs.consume("theirs", timeout=0.5)

        assert client.zscore("_kombu.binding_deadlines", "exchange") != 1
        ours.publish("hello", exchange="exchange", routing_key="key")
        assert ours.get("ours")["body"] == "hello"
        theirs.publish("hello", exchange="exchange", routing_key="key")
        assert ours.get("ours")["body"] == "hello"


class test_kills:
    def test_nothing_is_lost(self, broker, client, tmp_path):
        options = {"visibility_timeout": 4.0, "fanout": "durable"}
        (tmp_path / "logs").mkdir()
        fleet = Fleet(
            broker.url,
            options,
            tmp_path / "logs",
            MESSAGES,
            peer=python_of_peer(ROOT),
        )

        fleet.run()
        ledger = fleet.account()

        print(f"{fleet.kills} kills: {ledger}")
        ledger.check()
        assert len(ledger.numbers("published")) > MESSAGES * 0.9
        assert client.hlen("unacked") == client.zcard("unacked_index") == 0
