"""What can not be decoded reaches ``on_decode_error``, and the consumer goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.messaging import Consumer
from kombu.testing.conformance._dead_letters import deaths_of, with_dead_letters
from kombu.testing.conformance._garbage import GARBAGE, TWISTED, with_property

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.connection import Connection
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestPoison",)


def consume_any(harness: Harness, queue: Queue, count: int) -> list[Message]:
    """Consume *count* messages, whether they can be read or not."""
    received: list[Message] = []

    def on_message(message: Message, _: Any = None) -> None:
        received.append(message)
        message.ack()

    connection = harness.connect()
    with Consumer(
        connection.channel(),
        [queue],
        on_message=on_message,
        on_decode_error=on_message,
    ):
        harness.drain(connection, lambda: len(received) >= count)
    connection.close()
    return received


def hold_once(
    harness: Harness, queue: Queue, settle: Callable[[Message, Connection], Any]
) -> None:
    """Consume one message, and call *settle* with it and its connection."""
    held: list[Message] = []
    connection = harness.connect()
    consumer = Consumer(
        connection.channel(),
        [queue],
        on_message=held.append,
        on_decode_error=lambda message, _: held.append(message),
        prefetch_count=1,
    )
    with consumer:
        harness.drain(connection, lambda: held)
    settle(held[0], connection)
    connection.close()


class Recorder:
    """A consumer that notes what it can decode, and what it can not."""

    def __init__(self, harness: Harness, queue: Queue, **options: Any) -> None:
        self.harness = harness
        self.bodies: list[Any] = []
        self.errors: list[BaseException] = []
        self.connection = harness.connect()
        self.consumer = Consumer(
            self.connection.channel(),
            [queue],
            callbacks=[self.on_body],
            on_decode_error=self.on_decode_error,
            **options,
        )

    def on_body(self, body: Any, message: Message) -> None:
        self.bodies.append(body)
        message.ack()

    def on_decode_error(self, message: Message, error: BaseException) -> None:
        self.errors.append(error)
        message.reject()

    def receive(self, count: int) -> None:
        """Wait for *count* messages, good or bad."""
        with self.consumer:
            self.harness.drain(
                self.connection, lambda: len(self.bodies) + len(self.errors) >= count
            )


@pytest.mark.stress
class TestPoison:
    """Each is one bad message between two good ones."""

    def check(self, harness: Harness, queue: Queue, **options: Any) -> BaseException:
        """Consume what was published; return the error of the bad message."""
        recorder = Recorder(harness, queue, **options)
        recorder.receive(3)
        recorder.connection.close()
        assert recorder.bodies == ["before", "after"]
        assert queue.get() is None, "the bad message came back"
        [error] = recorder.errors
        return error

    @pytest.mark.parametrize("data", GARBAGE, ids=repr)
    def test_garbage_in_the_store(self, harness: Harness, data: bytes) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.put_raw(queue.name, data)
        harness.publish("after", queue, serializer="json")

        self.check(harness, queue)

    @pytest.mark.parametrize("data", GARBAGE, ids=repr)
    def test_garbage_is_dead_lettered(self, harness: Harness, data: bytes) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(harness)
        harness.publish("before", queue, serializer="json")
        harness.put_raw(queue.name, data)
        harness.publish("after", queue, serializer="json")

        self.check(harness, queue)

        [message] = consume_any(harness, dead, 1)
        assert deaths_of(message) == [(queue.name, "rejected", 1)]
        assert dead.get() is None

    def test_any_bytes_are_dead_lettered(self, harness: Harness) -> None:
        harness.require("dead_letter")
        hypothesis = pytest.importorskip("hypothesis")
        queue, dead = with_dead_letters(harness)
        found: list[bytes] = []

        settings = hypothesis.settings(
            max_examples=30, deadline=None, derandomize=True, database=None
        )
        given = hypothesis.given(hypothesis.strategies.binary(max_size=40))
        settings(given(lambda data: found.append(data)))()
        for data in found:
            harness.put_raw(queue.name, data)
        harness.publish("after", queue, serializer="json")
        recorder = Recorder(harness, queue)
        recorder.receive(len(found) + 1)
        recorder.connection.close()

        assert recorder.bodies == ["after"]
        for message in consume_any(harness, dead, len(found)):
            assert deaths_of(message) == [(queue.name, "rejected", 1)]
        assert dead.get() is None

    @pytest.mark.parametrize("name", TWISTED)
    def test_twisted_envelope_stops_nobody(self, harness: Harness, name: str) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(harness)
        harness.publish("before", queue, serializer="json")
        harness.put_raw(queue.name, json.dumps(TWISTED[name]).encode())
        harness.publish("after", queue, serializer="json")
        sound: list[Any] = []
        refused: list[Any] = []

        def on_body(body: Any, message: Message) -> None:
            # Some can be read all the same; nobody wants them.
            if body in ("before", "after"):
                sound.append(body)
                message.ack()
            else:
                on_decode_error(message, None)

        def on_decode_error(message: Message, _: Any) -> None:
            refused.append(message)
            message.reject()

        connection = harness.connect()
        with Consumer(
            connection.channel(),
            [queue],
            callbacks=[on_body],
            on_decode_error=on_decode_error,
        ):
            harness.drain(connection, lambda: len(sound) == 2 and refused)
        connection.close()

        assert sound == ["before", "after"]
        assert len(refused) == 1
        [message] = consume_any(harness, dead, 1)
        assert deaths_of(message)[0] == (queue.name, "rejected", 1)
        assert queue.get() is None

    @pytest.mark.parametrize("name", TWISTED)
    def test_twisted_envelope_can_be_put_back(
        self, harness: Harness, name: str
    ) -> None:
        queue = harness.queue(max_priority=5)
        harness.put_raw(queue.name, json.dumps(TWISTED[name]).encode())

        hold_once(harness, queue, lambda message, _: message.requeue())
        hold_once(harness, queue, lambda _, connection: connection.close())
        hold_once(harness, queue, lambda message, _: message.ack())

        assert queue.get() is None

    def test_poison_that_is_put_back_too_often_is_dead_lettered(
        self, harness: Harness
    ) -> None:
        harness.require("dead_letter", "delivery_limit")
        queue, dead = with_dead_letters(
            harness, queue_arguments={"x-delivery-limit": 1}
        )
        harness.put_raw(queue.name, json.dumps(with_property("priority", {})).encode())

        for _ in range(2):
            hold_once(harness, queue, lambda message, _: message.requeue())

        [message] = consume_any(harness, dead, 1)
        assert deaths_of(message) == [(queue.name, "delivery_limit", 1)]
        assert queue.get() is None

    def test_refused_serializer_is_never_loaded(self, harness: Harness) -> None:
        harness.require("dead_letter")
        queue, dead = with_dead_letters(harness)
        # Loading it would raise: os.system is not what is called, but might be.
        forged = b"cbuiltins\nexec\n(S'raise SystemExit(1)'\ntR."
        harness.publish("before", queue, serializer="json")
        harness.publish(
            forged,
            queue,
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )
        harness.publish("after", queue, serializer="json")

        assert isinstance(self.check(harness, queue), ContentDisallowed)

        message = harness.get(dead)
        assert bytes(message.body) == forged
        assert deaths_of(message) == [(queue.name, "rejected", 1)]

    def test_body_that_is_not_what_it_says(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.publish(
            "{", queue, content_type="application/json", content_encoding="utf-8"
        )
        harness.publish("after", queue, serializer="json")

        assert isinstance(self.check(harness, queue), DecodeError)

    def test_text_that_is_not_in_its_encoding(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.publish(
            b"\xff\xfe\xfd",
            queue,
            content_type="application/json",
            content_encoding="utf-8",
        )
        harness.publish("after", queue, serializer="json")

        assert isinstance(self.check(harness, queue), DecodeError)

    def test_encoding_that_nobody_knows(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.publish(
            b"text", queue, content_type="text/plain", content_encoding="klingon"
        )
        harness.publish("after", queue, serializer="json")

        assert isinstance(self.check(harness, queue), DecodeError)

    def test_serializer_that_is_refused(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.publish({1, 2}, queue, serializer="pickle")
        harness.publish("after", queue, serializer="json")

        assert isinstance(self.check(harness, queue), ContentDisallowed)

    def test_content_type_that_is_not_accepted(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.publish(
            "a: b", queue, content_type="application/x-yaml", content_encoding="utf-8"
        )
        harness.publish("after", queue, serializer="json")

        error = self.check(harness, queue, accept=["json"])

        assert isinstance(error, ContentDisallowed)

    def test_content_type_that_nobody_knows_is_handed_over_as_it_is(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish(
            b"\x00\x01",
            queue,
            content_type="application/x-unheard-of",
            content_encoding="binary",
        )
        recorder = Recorder(harness, queue)

        recorder.receive(1)

        assert [bytes(body) for body in recorder.bodies] == [b"\x00\x01"]

    @pytest.mark.parametrize("method", ["gzip", "unheard-of", 7])
    def test_compression_that_it_does_not_have(
        self, harness: Harness, method: Any
    ) -> None:
        queue = harness.queue()
        harness.publish("before", queue, serializer="json")
        harness.publish("plain", queue, headers={"compression": method})
        harness.publish("after", queue, serializer="json")

        self.check(harness, queue)

    def test_poison_counts_against_the_prefetch_limit_no_more(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        for _ in range(5):
            harness.publish({1}, queue, serializer="pickle")
        harness.publish("after", queue, serializer="json")
        recorder = Recorder(harness, queue, prefetch_count=1)

        recorder.receive(6)

        assert len(recorder.errors) == 5
        assert recorder.bodies == ["after"]

    def test_without_a_handler_the_error_is_raised_and_the_next_one_comes(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish({1}, queue, serializer="pickle")
        harness.publish("after", queue, serializer="json")
        bodies: list[Any] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, message: bodies.append(body)],
        ):
            with pytest.raises(ContentDisallowed):
                harness.drain(connection, lambda: bodies)

            harness.drain(connection, lambda: bodies)

        assert bodies == ["after"]

    def test_message_that_is_not_decoded_may_be_anything(
        self, harness: Harness
    ) -> None:
        queue = harness.queue()
        harness.publish({1}, queue, serializer="pickle")

        [message] = harness.consume_all(queue, 1)

        assert message.content_type == "application/x-python-serialize"
