"""The clock that tests can turn."""

from __future__ import annotations

import threading
import time

import pytest

from kombu import Connection
from kombu.testing import Clock, ClockStopped
from kombu.utils import waiting
from kombu.utils.deadline import Deadline


@pytest.fixture
def start():
    """Runs functions in threads, which are waited for."""
    threads = []

    def start(function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_time_stands_still_until_it_is_turned():
    with Clock(start=100) as clock:
        assert waiting.monotonic() == clock.now == 100

        clock.advance(2.5)

        assert waiting.monotonic() == clock.now == 102.5


def test_it_begins_where_the_real_one_is():
    before = time.monotonic()

    assert before <= Clock().now <= time.monotonic()


def test_time_does_not_go_back():
    with pytest.raises(ValueError, match="-1"):
        Clock().advance(-1)


def test_what_it_replaced_is_put_back():
    before = (waiting.monotonic, waiting.sleep, waiting.wait_on)

    with pytest.raises(ZeroDivisionError), Clock():
        assert (waiting.monotonic, waiting.sleep, waiting.wait_on) != before
        raise ZeroDivisionError

    assert (waiting.monotonic, waiting.sleep, waiting.wait_on) == before


def test_a_process_has_one_time():
    with Clock(), pytest.raises(RuntimeError, match="another clock"), Clock():
        pass

    with Clock():
        pass


def test_sleeper_wakes_when_it_is_due(start):
    events = []
    with Clock(start=0) as clock:

        def sleeper():
            waiting.sleep(10)
            events.append(clock.now)

        thread = start(sleeper)
        clock.wait_until_waiting()
        clock.advance(9)
        clock.wait_until_waiting()
        assert not events
        clock.advance(1)
        thread.join(10)

    assert events == [10]


def test_sleepers_wake_each_in_his_time(start):
    events = []
    with Clock(start=0) as clock:

        def sleeper(seconds):
            waiting.sleep(seconds)
            events.append(seconds)

        threads = {seconds: start(sleeper, seconds) for seconds in (3, 1, 2)}
        clock.wait_until_waiting(3)
        assert clock.waiting == 3
        for seconds in (1, 2, 3):
            clock.advance(1)
            threads[seconds].join(10)

    assert events == [1, 2, 3]


@pytest.mark.parametrize("seconds", [0, -1])
def test_sleep_without_length_ends_at_once(seconds):
    with Clock(patience=0.01):
        waiting.sleep(seconds)


def test_waiter_is_woken_though_time_stands_still(start):
    waiter, outcome = waiting.Waiter(), []
    with Clock() as clock:
        thread = start(lambda: outcome.append(waiter.wait(10)))
        clock.wait_until_waiting()
        waiter.wake()
        thread.join(10)

    assert outcome == [True]


def test_wait_of_a_waiter_ends_when_it_is_due(start):
    waiter, outcome = waiting.Waiter(), []
    with Clock() as clock:
        thread = start(lambda: outcome.append(waiter.wait(10)))
        clock.wait_until_waiting()
        clock.advance(10)
        thread.join(10)

    assert outcome == [False]


def test_wait_without_limit_is_no_matter_of_time(start):
    waiter, outcome = waiting.Waiter(), []
    with Clock() as clock:
        thread = start(lambda: outcome.append(waiter.wait()))
        clock.advance(1000)
        assert clock.waiting == 0
        waiter.wake()
        thread.join(10)

    assert outcome == [True]


def test_wait_that_nobody_ends_is_an_error():
    with Clock(patience=0.01) as clock:
        with pytest.raises(ClockStopped, match=r"5 seconds.*advance"):
            waiting.Waiter().wait(5)
        with pytest.raises(ClockStopped, match="unlimited"):
            waiting.Waiter().wait()
        with pytest.raises(ClockStopped, match="0 do"):
            clock.wait_until_waiting()


def test_clock_that_turns_itself_needs_no_other_thread():
    with Clock(start=0, turns_itself=True) as clock:
        waiting.sleep(3)
        assert waiting.Waiter().wait(4) is False

        assert clock.now == 7


def test_wake_up_before_the_wait_turns_nothing():
    waiter = waiting.Waiter()
    with Clock(start=0, turns_itself=True) as clock:
        waiter.wake()

        assert waiter.wait(4) is True
        assert clock.now == 0


def test_deadline_is_by_the_clock():
    with Clock() as clock:
        deadline = Deadline(5)
        assert not deadline.has_expired

        clock.advance(5)

        assert deadline.has_expired


def test_consumer_waits_by_the_clock(start):
    outcome = []
    with Clock() as clock, Connection("memory://clock") as connection:
        connection.connect()

        def drain():
            try:
                connection.drain_events(timeout=60)
            except TimeoutError:
                outcome.append(clock.now)

        begin = clock.now
        thread = start(drain)
        clock.wait_until_waiting()
        clock.advance(60)
        thread.join(10)

    assert outcome == [begin + 60]


def test_retries_wait_by_the_clock():
    pauses = []
    with Clock(start=0, turns_itself=True) as clock:
        connection = Connection("memory://clock")
        error = connection.recoverable_connection_errors[0]

        def fail():
            raise error("lost")

        with pytest.raises(Exception, match="lost"):
            connection.ensure(
                connection,
                fail,
                errback=lambda exc, pause: pauses.append(pause),
                max_retries=4,
                interval_start=1,
                interval_step=10,
                interval_max=30,
            )()
        assert pauses == [0, 1, 11, 21]
        assert clock.now == sum(pauses)


def test_repr_tells_time_and_waits():
    assert repr(Clock(start=1.5)) == "<Clock: 1.500, 0 waiting>"
