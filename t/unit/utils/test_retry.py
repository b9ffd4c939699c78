from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.utils import waiting
from kombu.utils.retry import retry_over_time


class Clock:
    """Time that goes on only by sleeping."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def monotonic(self):
        return self.now


class Trouble(Exception):
    pass


class Flaky:
    """Fails a number of times, then returns its arguments."""

    def __init__(self, failures, error=Trouble):
        self.failures = failures
        self.error = error
        self.tries = 0

    def __call__(self, *args, **kwargs):
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error(self.tries)
        return args, kwargs


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(waiting, "sleep", clock.sleep)
    monkeypatch.setattr(waiting, "monotonic", clock.monotonic)
    return clock


def test_success_needs_no_wait(clock):
    result = retry_over_time(Flaky(0), Trouble, args=[1], kwargs={"k": 2})

    assert result == ((1,), {"k": 2})
    assert clock.pauses == []


def test_pauses_grow(clock):
    retry_over_time(Flaky(3), Trouble)

    assert clock.pauses == [2, 4, 6]


@pytest.mark.parametrize(
    ("start", "step", "maximum", "expected"),
    [
        (0, 0.5, 1, [0.5, 1, 1]),
        (0, 0, 0, []),
        (0.2, 0.2, 0.5, [0.2, 0.4, 0.5, 0.5]),
        (5, 1, 2, [2, 2, 2, 2]),
    ],
)
def test_pauses_are_bounded(clock, start, step, maximum, expected):
    retry_over_time(
        Flaky(4),
        Trouble,
        interval_start=start,
        interval_step=step,
        interval_max=maximum,
    )

    assert clock.pauses == pytest.approx(expected)


@pytest.mark.parametrize(
    ("max_retries", "tries", "pauses"),
    [(0, 1, []), (1, 2, [2]), (3, 4, [2, 4, 6]), (-1, 1, [])],
)
def test_the_last_error_is_raised_without_another_wait(
    clock, max_retries, tries, pauses
):
    flaky = Flaky(100)

    with pytest.raises(Trouble) as caught:
        retry_over_time(flaky, Trouble, max_retries=max_retries)

    assert caught.value.args == (tries,)
    assert flaky.tries == tries
    assert clock.pauses == pauses


def test_other_errors_are_not_caught(clock):
    with pytest.raises(KeyError):
        retry_over_time(Flaky(1, KeyError), (Trouble,))
    with pytest.raises(KeyError):
        retry_over_time(Flaky(1, KeyError), ())


def test_errback_sees_the_failures_and_chooses_the_pause(clock):
    seen = []

    def errback(exc, intervals, retries):
        seen.append((exc.args, retries))
        return 7

    retry_over_time(Flaky(2), Trouble, errback=errback)

    assert seen == [((1,), 0), ((2,), 1)]
    assert clock.pauses == [7, 7]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda intervals: next(intervals), [2, 4]),
        (lambda intervals: None, [2, 4]),
        (lambda intervals: 0, []),
        (lambda intervals: "1.5", [1.5, 1.5]),
        (lambda intervals: 100, [30, 30]),
    ],
)
def test_what_errback_may_return(clock, answer, expected):
    def errback(exc, intervals, retries):
        return answer(intervals)

    retry_over_time(Flaky(2), Trouble, errback=errback)

    assert clock.pauses == expected


def test_errback_is_not_called_after_the_last_failure(clock):
    calls = []

    with pytest.raises(Trouble):
        retry_over_time(
            Flaky(9), Trouble, errback=lambda *args: calls.append(1), max_retries=2
        )

    assert len(calls) == 2


def test_callback_is_called_at_once_and_before_each_second(clock):
    events = []
    clock.sleep = None  # replaced below, to note the order

    def note(seconds):
        events.append(seconds)

    waiting.sleep = note
    retry_over_time(
        Flaky(1), Trouble, callback=lambda: events.append("call"), interval_start=2.5
    )

    assert events == ["call", "call", 1, "call", 1, 0.5]


def test_callback_may_give_up(clock):
    def callback():
        raise SystemExit

    with pytest.raises(SystemExit):
        retry_over_time(Flaky(1), Trouble, callback=callback)

    assert clock.pauses == []


def test_no_pause_goes_beyond_the_timeout(clock):
    flaky = Flaky(100)

    with pytest.raises(Trouble):
        retry_over_time(flaky, Trouble, timeout=5)

    assert clock.pauses == [2, 3]
    assert clock.now == 1005.0
    assert flaky.tries == 3


def test_a_timeout_of_none_or_zero_is_none(clock):
    with pytest.raises(Trouble):
        retry_over_time(Flaky(100), Trouble, timeout=0, max_retries=3)

    assert clock.pauses == [2, 4, 6]


def test_a_slow_callback_takes_time_from_the_pause(clock):
    def callback():
        clock.now += 2

    with pytest.raises(Trouble):
        retry_over_time(Flaky(100), Trouble, callback=callback, timeout=5)

    assert clock.pauses == [1]


def test_any_number_of_tries_needs_the_same_stack(clock):
    flaky = Flaky(5000)

    retry_over_time(flaky, Trouble)

    assert flaky.tries == 5001


@settings(max_examples=50)
@given(
    timeout=st.floats(0.1, 100),
    start=st.floats(0, 10),
    step=st.floats(0.1, 10),
    maximum=st.floats(0.5, 30),
    with_callback=st.booleans(),
)
def test_never_waits_longer_than_the_timeout(
    timeout, start, step, maximum, with_callback
):
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "sleep", clock.sleep)
        patch.setattr(waiting, "monotonic", clock.monotonic)
        with pytest.raises(Trouble):
            retry_over_time(
                Flaky(10**9),
                Trouble,
                interval_start=start,
                interval_step=step,
                interval_max=maximum,
                callback=(lambda: None) if with_callback else None,
                timeout=timeout,
            )

    assert clock.now == pytest.approx(1000 + timeout)
    assert all(0 < pause <= maximum for pause in clock.pauses)
