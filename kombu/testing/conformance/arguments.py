"""Arguments of queues that make no sense, and those that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kombu.entity import Queue
from kombu.exceptions import PreconditionFailed

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestQueueArguments",)

#: Arguments that no queue can have, with the ability that they ask for.
BAD_ARGUMENTS: list[tuple[str, Any, str]] = [
    ("x-message-ttl", -1, "message_ttl"),
    ("x-message-ttl", "soon", "message_ttl"),
    ("x-expires", 0, "queue_expires"),
    ("x-expires", "never", "queue_expires"),
    ("x-max-length", -1, "max_length"),
    ("x-max-length", 1.5, "max_length"),
    ("x-max-length-bytes", -1, "max_length"),
    ("x-overflow", "burst", "max_length"),
    ("x-max-priority", 256, "priority"),
    ("x-max-priority", -1, "priority"),
    ("x-dead-letter-exchange", 7, "dead_letter"),
    ("x-dead-letter-routing-key", ["key"], "dead_letter"),
    ("x-single-active-consumer", "yes", "single_active_consumer"),
]


class TestQueueArguments:
    """Arguments that make no sense are refused, and those there are stay."""

    @pytest.mark.parametrize(("name", "value", "ability"), BAD_ARGUMENTS, ids=repr)
    def test_bad_argument_is_refused_by_name(
        self, harness: Harness, name: str, value: Any, ability: str
    ) -> None:
        harness.require(ability, "passive_declare")
        queue = harness.undeclared_queue(queue_arguments={name: value})

        with pytest.raises(PreconditionFailed, match=name) as refused:
            queue(harness.connect().channel()).declare()

        assert isinstance(refused.value, harness.connection.channel_errors)
        assert not harness.exists(queue)

    def test_arguments_that_nobody_knows_are_let_be(self, harness: Harness) -> None:
        queue = harness.queue(queue_arguments={"x-of-mine": {"any": "thing"}})

        harness.publish("hello", queue)

        assert harness.take(queue, 1) == ["hello"]

    def test_other_arguments_leave_the_queue_as_it_is(self, harness: Harness) -> None:
        if not harness.emulates("max_length"):
            harness.skip("the broker itself compares arguments")
        queue = harness.queue(max_length=2)
        changed = Queue(queue.name, max_length=1)

        changed(harness.connect().channel()).declare()

        for number in range(3):
            harness.publish(number, queue)
        assert harness.take(queue, 2) == [1, 2]

    def test_strict_connection_is_told_of_other_arguments(
        self, harness: Harness
    ) -> None:
        harness.require("max_length")
        queue = harness.queue(max_length=2)
        changed = Queue(queue.name, max_length=1)
        strict = harness.connect(strict=True)

        with pytest.raises(PreconditionFailed, match="x-max-length") as refused:
            changed(strict.channel()).declare()

        assert queue.name in str(refused.value)
        Queue(queue.name, max_length=2)(strict.channel()).declare()
