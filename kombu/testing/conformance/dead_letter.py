"""What dies in a queue goes to its dead-letter exchange, and tells of its deaths.

See https://www.rabbitmq.com/docs/dlx for what is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer
from kombu.testing.conformance._dead_letters import deaths_of, with_dead_letters

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestDeadLetter",)


@pytest.mark.stress
class TestDeadLetter:
    """Rejected, expired, too many: where they go, and what is said of them."""

    @pytest.fixture(autouse=True)
    def needs_dead_letters(self, harness: Harness) -> None:
        harness.require("dead_letter")

    # -- reasons -----------------------------------------------------------------------

    def test_rejected_message_is_dead_lettered(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue)

        harness.get(queue).reject()

        message = harness.get(dead)
        assert message.payload == "hello"
        assert deaths_of(message) == [(queue.name, "rejected", 1)]
        assert queue.get() is None

    def test_message_rejected_by_a_consumer(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        for number in range(10):
            harness.publish(number, queue)
        seen: list[Message] = []

        def on_message(message: Message) -> None:
            seen.append(message)
            if message.payload % 2:
                message.reject()
            else:
                message.ack()

        connection = harness.connect()
        with Consumer(
            connection.channel(), [queue], on_message=on_message, prefetch_count=1
        ):
            harness.drain(connection, lambda: len(seen) == 10)

        assert harness.take(dead, 5) == [1, 3, 5, 7, 9]
        assert queue.get() is None

    @pytest.mark.parametrize("how", ["ack", "requeue"])
    def test_other_ways_to_settle_are_no_death(
        self, harness: Harness, how: str
    ) -> None:
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue)

        getattr(harness.get(queue), how)()

        assert dead.get() is None

    def test_purged_messages_are_not_dead_lettered(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue)
        harness.settle(lambda: harness.size(queue) == 1)

        queue.purge()

        assert dead.get() is None

    # -- what is told ------------------------------------------------------------------

    def test_death_is_told_of_in_full(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue, dead = with_dead_letters(harness)
        queue.bind_to(exchange, "key")
        harness.publish("hello", exchange, "key")

        harness.get(queue).reject()

        [death] = harness.get(dead).headers["x-death"]
        assert death["count"] == 1
        assert death["reason"] == "rejected"
        assert death["queue"] == queue.name
        assert death["exchange"] == exchange.name
        assert death["routing-keys"] == ["key"]
        assert death["time"]
        assert "original-expiration" not in death

    def test_first_death_is_told_of_in_headers(self, harness: Harness) -> None:
        exchange = harness.exchange()
        queue, dead = with_dead_letters(harness)
        queue.bind_to(exchange, "key")
        harness.publish("hello", exchange, "key")

        harness.get(queue).reject()

        headers = harness.get(dead).headers
        assert headers["x-first-death-exchange"] == exchange.name
        assert headers["x-first-death-queue"] == queue.name
        assert headers["x-first-death-reason"] == "rejected"

    def test_message_itself_is_as_it_was(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        harness.publish(
            {"a": [1, None]},
            queue,
            headers={"key": ["value"]},
            correlation_id="id",
            reply_to="me",
            compression="gzip",
        )

        harness.get(queue).reject()

        message = harness.get(dead)
        assert message.payload == {"a": [1, None]}
        assert message.headers["key"] == ["value"]
        assert message.properties["correlation_id"] == "id"
        assert message.properties["reply_to"] == "me"
        assert message.delivery_info["routing_key"] == "dead"
        assert not message.delivery_info.get("redelivered")

    def test_dead_letter_does_not_expire_again(self, harness: Harness) -> None:
        harness.require("message_ttl")
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue, expiration=0.1)
        harness.let_pass(0.1)
        assert queue.get() is None

        harness.let_pass(0.2)

        message = harness.get(dead)
        assert not message.properties.get("expiration")
        assert str(message.headers["x-death"][0]["original-expiration"]) == "100"

    def test_deliveries_are_counted_anew(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue)
        for _ in range(3):
            harness.get(queue).requeue()

        harness.get(queue).reject()

        assert not harness.get(dead).delivery_info.get("redelivered")

    def test_deaths_of_several_queues_are_told_latest_first(
        self, harness: Harness
    ) -> None:
        last = harness.queue("last")
        second = harness.queue(
            "second",
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": last.name,
            },
        )
        first = harness.queue(
            "first",
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": second.name,
            },
        )
        harness.publish("hello", first)

        harness.get(first).reject()
        harness.get(second).reject()

        message = harness.get(last)
        assert deaths_of(message) == [
            (second.name, "rejected", 1),
            (first.name, "rejected", 1),
        ]
        assert message.headers["x-first-death-queue"] == first.name

    def test_deaths_of_the_same_kind_add_up(self, harness: Harness) -> None:
        one = harness.queue(
            "one",
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": harness.unique("two"),
            },
        )
        two = harness.queue(
            "two",
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": one.name,
            },
        )
        harness.publish("hello", one)

        for queue in (one, two, one, two, one):
            harness.get(queue).reject()

        assert deaths_of(harness.get(two)) == [
            (one.name, "rejected", 3),
            (two.name, "rejected", 2),
        ]

    # -- losing none -----------------------------------------------------------------

    def test_none_is_lost_among_many(self, harness: Harness) -> None:
        queue, dead = with_dead_letters(harness)
        for number in range(100):
            harness.publish(number, queue)
        rejected: list[object] = []

        def on_message(message: Message) -> None:
            rejected.append(message.payload)
            message.reject()

        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=on_message):
            harness.drain(connection, lambda: len(rejected) == 100)

        assert harness.take(dead, 100) == list(range(100))
