"""Deadlines."""

from __future__ import annotations

import pytest

from kombu.exceptions import TimeoutError
from kombu.utils import waiting
from kombu.utils.deadline import Deadline


@pytest.fixture
def turn(monkeypatch):
    """Return a function that turns the clock by so many seconds."""
    now = [100.0]
    monkeypatch.setattr(waiting, "monotonic", lambda: now[0])

    def turn(seconds):
        now[0] += seconds

    return turn


def test_without_seconds_it_never_ends(turn):
    deadline = Deadline()
    turn(1e9)
    assert deadline.remaining() is None
    assert not deadline.has_expired
    deadline.check()
    assert "none" in repr(deadline)


def test_what_remains_shrinks_to_nothing(turn):
    deadline = Deadline(5)
    assert deadline.remaining() == 5
    turn(3)
    assert deadline.remaining() == 2
    assert "2.000s left" in repr(deadline)
    turn(3)
    assert deadline.remaining() == 0


def test_it_expires_at_the_moment(turn):
    deadline = Deadline(5)
    turn(4.999)
    assert not deadline.has_expired
    turn(0.001)
    assert deadline.has_expired


def test_check_names_what_took_too_long(turn):
    deadline = Deadline(0)
    with pytest.raises(TimeoutError, match="connecting timed out"):
        deadline.check("connecting")
