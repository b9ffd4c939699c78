"""Where dead letters go: by which exchange, by which key, round and round."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from kombu.messaging import Consumer
from kombu.testing.conformance._dead_letters import with_dead_letters

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestDeadLetterRouting",)


@pytest.mark.stress
class TestDeadLetterRouting:
    """The dead-letter exchange is an exchange like any other."""

    @pytest.fixture(autouse=True)
    def needs_dead_letters(self, harness: Harness) -> None:
        harness.require("dead_letter")

    def test_without_a_key_of_the_queue_the_message_keeps_its_own(
        self, harness: Harness
    ) -> None:
        graveyard = harness.exchange("graveyard", "direct")
        dead = harness.queue("dead", graveyard, "key")
        other = harness.queue("other", graveyard, "another key")
        exchange = harness.exchange()
        queue = harness.queue(
            "queue",
            exchange,
            "key",
            queue_arguments={"x-dead-letter-exchange": graveyard.name},
        )
        harness.publish("hello", exchange, "key")

        harness.get(queue).reject()

        message = harness.get(dead)
        assert message.delivery_info["routing_key"] == "key"
        assert message.delivery_info["exchange"] == graveyard.name
        assert other.get() is None

    def test_topic_exchange_gets_dead_letters_by_key(self, harness: Harness) -> None:
        harness.require("topic")
        graveyard = harness.exchange("graveyard", "topic")
        dead = harness.queue("dead", graveyard, "dead.#")
        other = harness.queue("other", graveyard, "alive.#")
        queue = harness.queue(
            queue_arguments={
                "x-dead-letter-exchange": graveyard.name,
                "x-dead-letter-routing-key": "dead.and.gone",
            }
        )
        harness.publish("hello", queue)

        harness.get(queue).reject()

        assert harness.take(dead, 1) == ["hello"]
        assert other.get() is None

    def test_all_queues_of_a_fanout_exchange_get_dead_letters(
        self, harness: Harness
    ) -> None:
        harness.require("fanout")
        graveyard = harness.exchange("graveyard", "fanout", durable=True)
        received: list[tuple[int, object]] = []
        connection = harness.connect()
        for number in range(2):
            dead = harness.queue(f"dead-{number}", graveyard, connection=connection)
            dead.consume(
                callback=lambda message, number=number: received.append(  # type: ignore[misc]
                    (number, message.payload)
                ),
                no_ack=True,
            )
        queue = harness.queue(
            queue_arguments={"x-dead-letter-exchange": graveyard.name}
        )
        harness.publish("hello", queue)

        harness.get(queue).reject()

        harness.drain(connection, lambda: len(received) == 2)
        assert sorted(received) == [(0, "hello"), (1, "hello")]

    def test_all_queues_bound_by_the_key_get_dead_letters(
        self, harness: Harness
    ) -> None:
        queue, dead = with_dead_letters(harness)
        graveyard = queue.queue_arguments["x-dead-letter-exchange"]  # type: ignore[index]
        copy = harness.queue("copy")
        copy.bind_to(graveyard, "dead")
        harness.publish("hello", queue)

        harness.get(queue).reject()

        assert harness.take(dead, 1) == ["hello"]
        assert harness.take(copy, 1) == ["hello"]

    def test_exchange_without_a_name_leads_to_the_queue_of_the_key(
        self, harness: Harness
    ) -> None:
        dead = harness.queue("dead")
        queue = harness.queue(
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": dead.name,
            }
        )
        harness.publish("hello", queue)

        harness.get(queue).reject()

        assert harness.take(dead, 1) == ["hello"]

    def test_missing_exchange_means_that_it_is_dropped(
        self, harness: Harness, caplog: pytest.LogCaptureFixture
    ) -> None:
        queue = harness.queue(
            queue_arguments={"x-dead-letter-exchange": harness.unique("missing")}
        )
        harness.publish("lost", queue)
        harness.publish("hello", queue)

        with caplog.at_level(logging.WARNING):
            harness.get(queue).reject()

        assert harness.take(queue, 1) == ["hello"]
        if harness.emulates("dead_letter"):
            assert queue.name in caplog.text

    def test_who_never_declared_the_queue_dead_letters_too(
        self, harness: Harness
    ) -> None:
        harness.require("shared_topology")
        queue, dead = with_dead_letters(harness)
        harness.publish("hello", queue)
        stranger = harness.connect()

        harness.get(queue(stranger.channel())).reject()

        assert harness.take(dead, 1) == ["hello"]

    # -- round and round -------------------------------------------------------------

    def test_circle_that_nobody_has_a_part_in_ends(self, harness: Harness) -> None:
        harness.require("message_ttl")
        names = [harness.unique(name) for name in ("one", "two")]
        one, two = (
            harness.queue(
                name,
                message_ttl=0.05,
                queue_arguments={
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": target,
                },
            )
            for name, target in (("one", names[1]), ("two", names[0]))
        )
        harness.publish("hello", one)

        watching = harness.watching()
        harness.drain(watching, lambda: not (harness.size(one) or harness.size(two)))
        # It might not have come yet, or have been between the two.
        harness.drain_for(watching, 0.4)

        assert one.get() is None
        assert two.get() is None

    def test_waiting_queue_gives_back_what_was_rejected(self, harness: Harness) -> None:
        harness.require("message_ttl", "lease")
        waiting = harness.queue(
            "waiting",
            message_ttl=0.1,
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": harness.unique("work"),
            },
        )
        work = harness.queue(
            "work",
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": waiting.name,
            },
        )
        harness.publish("hello", work)
        tries: list[int] = []

        def on_message(message: Message) -> None:
            deaths = message.headers.get("x-death", ())
            tries.append(sum(d["count"] for d in deaths if d["queue"] == work.name))
            if len(tries) < 4:
                message.reject()
            else:
                message.ack()

        connection = harness.connect()
        with Consumer(connection.channel(), [work], on_message=on_message):
            harness.drain(connection, lambda: len(tries) == 4)

        assert tries == [0, 1, 2, 3]
        assert harness.size(waiting) == harness.size(work) == 0
