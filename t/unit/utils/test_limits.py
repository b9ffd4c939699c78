from __future__ import annotations

import pytest

from kombu.utils import waiting
from kombu.utils.limits import TokenBucket


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(waiting, "monotonic", clock)
    return clock


def test_gives_what_it_holds_then_no_more(clock):
    bucket = TokenBucket(10, capacity=5)

    assert [bucket.can_consume() for _ in range(6)] == [True] * 5 + [False]


def test_fills_at_its_rate(clock):
    bucket = TokenBucket(10, capacity=5)
    bucket.can_consume(5)

    clock.now += 0.25

    assert not bucket.can_consume(3)
    assert bucket.can_consume(2)
    assert bucket.expected_time(5) == pytest.approx(0.45)


def test_holds_no_more_than_its_capacity(clock):
    bucket = TokenBucket(10, capacity=5)
    bucket.can_consume(1)

    clock.now += 1000

    assert bucket.expected_time(5) == 0.0
    assert not bucket.can_consume(6)
    assert bucket.can_consume(5)


def test_says_how_long_to_wait(clock):
    bucket = TokenBucket("0.5")

    assert bucket.expected_time() == 0.0
    assert bucket.can_consume()
    assert bucket.expected_time() == 2.0


def test_one_that_is_never_filled(clock):
    bucket = TokenBucket(0)

    assert bucket.can_consume()
    assert bucket.expected_time() == float("inf")


def test_keeps_what_waits(clock):
    bucket = TokenBucket(1)

    bucket.add("x")
    bucket.add("y")

    assert bucket.pop() == "x"
    assert list(bucket.contents) == ["y"]
    bucket.clear_pending()
    with pytest.raises(IndexError):
        bucket.pop()


def test_repr(clock):
    bucket = TokenBucket(2.5, 4)
    bucket.add("x")

    assert repr(bucket) == "<TokenBucket: 4 of 4 tokens, 2.5/s, 1 pending>"
