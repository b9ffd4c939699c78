"""Each release reads what the other one has written, and leaves it its own."""

from __future__ import annotations

import pytest

BODY = {"text": "h\u00e9llo", "numbers": [1, 2.5, None], "nested": {"deep": True}}


class test_messages:
    def test_arrive_whole(self, pair):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")

        producer.publish(
            BODY,
            routing_key="tasks",
            headers={"h": "\u00e9"},
            correlation_id="c-1",
            reply_to="replies",
            priority=5,
        )
        found = consumer.get("tasks")

        assert found["body"] == BODY
        assert found["headers"] == {"h": "\u00e9"}
        assert found["properties"]["correlation_id"] == "c-1"
        assert found["properties"]["reply_to"] == "replies"
        assert found["content_type"] == "application/json"
        assert not found["redelivered"]
        assert consumer.size("tasks") == 0
        assert producer.size("tasks") == 0

    def test_of_bytes(self, pair):
        producer, consumer = pair
        data = bytes(range(256)) * 300
        for each in pair:
            each.declare("tasks")

        producer.publish(data, routing_key="tasks")

        assert consumer.get("tasks")["body"] == data

    def test_with_what_only_one_of_them_knows(self, pair):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")

        producer.publish(1, routing_key="tasks", expiration=60)

        assert consumer.get("tasks")["body"] == 1

    def test_come_once_each(self, pair):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")
        for number in range(100):
            producer.publish(number, routing_key="tasks")

        found = consumer.consume("tasks", 100)

        assert sorted(each["body"] for each in found) == list(range(100))
        assert consumer.get("tasks", timeout=0) is None

    # On MariaDB a transaction that kombu 5.7 leaves open shows it an old count.
    @pytest.mark.parametrize(
        "broker", ["filesystem", "sqlite", "postgresql", "redis"], indirect=True
    )
    def test_are_counted_and_purged(self, pair):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")
        for number in range(5):
            producer.publish(number, routing_key="tasks")

        assert consumer.size("tasks") == 5
        assert consumer.purge("tasks") == 5
        assert producer.size("tasks") == 0


class test_both_at_once:
    def test_two_consumers_share_what_two_producers_publish(self, connected):
        peers = [connected(ours=ours) for ours in (True, False, True, False)]
        for peer in peers:
            peer.declare("tasks")
        producers, consumers = peers[:2], peers[2:]
        for number in range(0, 200, 2):
            producers[0].publish(number, routing_key="tasks")
            producers[1].publish(number + 1, routing_key="tasks")

        for consumer in consumers:
            consumer.tell("consume", queue="tasks", count=None, ack=True, timeout=3)
        found = [each["body"] for peer in consumers for each in peer.answer(60)]

        assert sorted(found) == list(range(200))


class test_what_is_not_acknowledged:
    def test_is_not_seen_by_the_other_one(self, pair):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")
        producer.publish("mine", routing_key="tasks")

        assert consumer.get("tasks", ack=False)["body"] == "mine"

        assert producer.size("tasks") == 0
        assert producer.get("tasks", timeout=0) is None

    @pytest.mark.parametrize("how", ["close", "requeue"])
    def test_goes_to_the_other_one(self, pair, how):
        producer, consumer = pair
        for each in pair:
            each.declare("tasks")
        producer.publish("back", routing_key="tasks")
        consumer.get("tasks", ack=False)

        if how == "close":
            consumer.close()
        else:
            consumer.settle("requeue")
        found = producer.get("tasks")

        assert found["body"] == "back"
        assert producer.get("tasks", timeout=0) is None

    def test_rests_where_the_other_one_does_not_look(self, connected):
        ours, theirs = connected(ours=True), connected(ours=False)
        for each in (ours, theirs):
            each.declare("tasks")

        ours.publish("later", routing_key="tasks", headers={"x-delay": 600})

        assert theirs.get("tasks", timeout=0) is None
        assert ours.get("tasks")["body"] == "later"


# The only ones of these stores in which kombu 5.7 keeps bindings.
@pytest.mark.parametrize("broker", ["filesystem", "redis"], indirect=True)
class test_bindings:
    @pytest.mark.parametrize(
        ("type", "binding", "key"),
        [
            ("direct", "key", "key"),
            ("topic", "a.*.#", "a.b.c.d"),
            ("fanout", "", "whatever"),
        ],
    )
    def test_of_the_consumer_are_those_of_the_producer(
        self, broker, pair, type, binding, key
    ):
        if type == "fanout" and broker.url.startswith("redis"):
            pytest.skip("reaches who listens: see test_redis_fleet.py")
        producer, consumer = pair
        consumer.declare("inbox", "exchange", type, binding)
        # The type is not stored: the producer has to say it.
        producer.declare("other", "exchange", type, "unheard.of")

        producer.publish("hello", exchange="exchange", routing_key=key)

        assert consumer.get("inbox")["body"] == "hello"

    def test_are_not_doubled(self, pair):
        producer, consumer = pair
        for _ in range(2):
            for each in pair:
                each.declare("inbox", "exchange", "topic", "a.#")

        producer.publish("once", exchange="exchange", routing_key="a.b")

        assert consumer.get("inbox")["body"] == "once"
        assert consumer.get("inbox", timeout=0) is None
