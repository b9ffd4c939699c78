"""Messages that rest in the store until they are due."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from kombu.exceptions import InvalidMoment
from kombu.messaging import Consumer
from kombu.testing.conformance._waiting import Waiter

if TYPE_CHECKING:
    from kombu.message import Message
    from kombu.testing.harness import Harness

__all__ = ("TestDelay",)

#: Milliseconds of a delay that is waited for.
SHORT = 200

#: Milliseconds of one that is not.
LONG = 3_600_000

#: Seconds by which a clock may be off that counts milliseconds.
TICK = 0.005


def in_seconds(seconds: float) -> Any:
    return time.time() + seconds


def in_seconds_as_datetime(seconds: float) -> Any:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


class TestDelay:
    """``x-delay`` (milliseconds) and ``deliver_at`` (a moment)."""

    @pytest.fixture(autouse=True)
    def needs_delay(self, harness: Harness) -> None:
        harness.require("delay")

    def check_delay(self, harness: Harness, due: float, **options: Any) -> None:
        """Publish, and see that the message comes when it is due, not before."""
        queue = harness.queue()
        received: list[tuple[float, Any]] = []
        connection = harness.connect()
        with Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, _: received.append((time.time(), body))],
            no_ack=True,
        ):
            harness.publish("hello", queue, **options)
            harness.drain(connection, lambda: received)

        [(at, body)] = received
        assert body == "hello"
        assert at >= due - TICK

    # -- when ------------------------------------------------------------------------

    def test_header_delays(self, harness: Harness) -> None:
        due = time.time() + SHORT / 1000

        self.check_delay(harness, due, headers={"x-delay": SHORT})

    @pytest.mark.parametrize("moment", [in_seconds, in_seconds_as_datetime])
    def test_property_delays(self, harness: Harness, moment: Any) -> None:
        due = time.time() + SHORT / 1000

        self.check_delay(harness, due, deliver_at=moment(SHORT / 1000))

    @pytest.mark.parametrize(
        "options",
        [
            {"headers": {"x-delay": 0}},
            {"headers": {"x-delay": -5000}},
            {"deliver_at": 0},
            {"deliver_at": datetime(2001, 9, 9, tzinfo=timezone.utc)},
        ],
        ids=repr,
    )
    def test_what_is_due_already_is_delivered_at_once(
        self, harness: Harness, options: dict[str, Any]
    ) -> None:
        queue = harness.queue()

        harness.publish("hello", queue, **options)

        assert harness.size(queue) == 1
        assert harness.take(queue, 1) == ["hello"]

    def test_resting_message_is_not_got(self, harness: Harness) -> None:
        queue = harness.queue()

        harness.publish("later", queue, headers={"x-delay": LONG})

        assert queue.get() is None

    def test_message_that_is_due_is_got(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("later", queue, headers={"x-delay": SHORT})

        assert harness.get(queue).payload == "later"

    def test_one_wait_ends_when_a_message_is_due(self, harness: Harness) -> None:
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=received.append):
            harness.publish("later", queue, headers={"x-delay": SHORT})

            Waiter(harness, connection).ends()

        assert received[0].payload == "later"

    def test_order_is_that_in_which_they_are_due(self, harness: Harness) -> None:
        queue = harness.queue()
        now = time.time()
        for step in (3, 1, 4, 2):
            harness.publish(step, queue, deliver_at=now + 0.2 + step / 20)

        received = harness.consume_all(queue, 4)

        assert [message.payload for message in received] == [1, 2, 3, 4]

    def test_others_pass_what_rests(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("later", queue, headers={"x-delay": LONG})
        for number in range(3):
            harness.publish(number, queue)

        received = harness.consume_all(queue, 3)

        assert [message.payload for message in received] == [0, 1, 2]
        assert queue.get() is None

    def test_each_queue_of_an_exchange_gets_it_when_it_is_due(
        self, harness: Harness
    ) -> None:
        exchange = harness.exchange()
        queues = [harness.queue(name, exchange, "key") for name in ("one", "two")]

        harness.publish("later", exchange, "key", headers={"x-delay": SHORT})

        assert [queue.get() for queue in queues] == [None, None]
        for queue in queues:
            assert harness.get(queue).payload == "later"

    # -- what goes with it -----------------------------------------------------------------------

    def test_time_to_live_begins_when_it_is_due(self, harness: Harness) -> None:
        harness.require("message_ttl")
        queue = harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        with Consumer(connection.channel(), [queue], on_message=received.append):
            harness.publish("later", queue, headers={"x-delay": 600}, expiration=0.5)
            harness.drain(connection, lambda: received)

        assert received[0].payload == "later"

    def test_delay_holds_for_one_journey_only(self, harness: Harness) -> None:
        queue = harness.queue()
        harness.publish("later", queue, headers={"x-delay": SHORT})

        harness.get(queue).requeue()

        assert harness.take(queue, 1) == ["later"]

    def test_priority_is_that_of_the_message_once_it_is_due(
        self, harness: Harness
    ) -> None:
        harness.require("priority")
        queue = harness.queue(max_priority=9)
        harness.publish("late", queue, headers={"x-delay": SHORT}, priority=9)
        harness.publish("low", queue, priority=1)

        harness.settle(lambda: harness.size(queue) == 2)

        assert harness.take(queue, 2) == ["late", "low"]

    @pytest.mark.parametrize(
        "options",
        [
            {"deliver_at": datetime(9999, 12, 31, tzinfo=timezone.utc)},
            {"headers": {"x-delay": 10**15}},
            {"expiration": 10**12},
        ],
        ids=["year 9999", "x-delay 10**15", "expiration 10**12"],
    )
    def test_moment_in_the_far_future_stops_nobody(
        self, harness: Harness, options: dict[str, Any]
    ) -> None:
        far, queue = harness.queue("far", message_ttl=3600), harness.queue()
        received: list[Message] = []
        connection = harness.connect()
        with Consumer(connection.channel(), [far, queue], on_message=received.append):
            harness.publish("far", far, **options)
            harness.drain_idle(connection)
            received.clear()
            waiter = Waiter(harness, connection)

            harness.publish("hello", queue)
            waiter.ends()

        assert [message.payload for message in received] == ["hello"]

    @pytest.mark.parametrize("name", ["with space", "a/b", "ümlaut", "a.b#*", "100%"])
    def test_names_may_hold_anything(self, harness: Harness, name: str) -> None:
        queue = harness.queue(name)
        harness.publish("one", queue, headers={"x-delay": SHORT}, message_id=name)
        harness.publish("two", queue, headers={"x-delay": SHORT}, message_id=name * 2)

        assert queue.cancel_delayed(name * 2)

        assert harness.get(queue).payload == "one"
        assert queue.get() is None

    # -- nonsense ----------------------------------------------------------------------

    @pytest.mark.parametrize("delay", ["soon", [1], True, {}], ids=repr)
    def test_delay_that_is_no_number_is_refused(
        self, harness: Harness, delay: Any
    ) -> None:
        queue = harness.queue()

        with pytest.raises(InvalidMoment, match="x-delay"):
            harness.publish("hello", queue, headers={"x-delay": delay})

        assert queue.get() is None

    @pytest.mark.parametrize(
        "moment", ["tomorrow", [1], True, timedelta(1), float("nan"), float("inf")]
    )
    def test_moment_that_is_none_is_refused(
        self, harness: Harness, moment: Any
    ) -> None:
        queue = harness.queue()

        with pytest.raises(InvalidMoment, match="deliver_at"):
            harness.publish("hello", queue, deliver_at=moment)

        assert queue.get() is None
