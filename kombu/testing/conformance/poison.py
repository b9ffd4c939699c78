"""What can not be decoded reaches ``on_decode_error``, and the consumer goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from kombu.entity import Queue
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestPoison",)

GARBAGE = [
    b"",
    b"\x00\xff\xfe garbage",
    b"{",
    b"[]",
    b"null",
    b"{}",
    b'{"body": 1}',
    b'{"body": "x", "properties": null}',
    b'{"body": "a", "properties": {"body_encoding": "base64"}}',
]


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
