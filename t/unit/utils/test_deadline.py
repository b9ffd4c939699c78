"""Deadlines that nested steps share."""

from __future__ import annotations

import socket

import pytest

from kombu.utils.deadline import Deadline


def test_no_limit(clock):
    deadline = Deadline()
    clock.now += 1e9
    assert deadline.remaining() is None
    assert not deadline.has_expired
    deadline.check()
    assert repr(deadline) == "<Deadline: none>"


def test_time_runs_out(clock):
    deadline = Deadline(3)
    assert (deadline.remaining(), deadline.has_expired) == (3.0, False)
    clock.now += 2
    assert (deadline.remaining(), deadline.has_expired) == (1.0, False)
    assert repr(deadline) == "<Deadline: 1.000s left>"
    deadline.check("publish")
    clock.now += 1
    assert (deadline.remaining(), deadline.has_expired) == (0.0, True)
    clock.now += 1
    assert deadline.remaining() == 0.0
    with pytest.raises(socket.timeout, match="publish timed out"):
        deadline.check("publish")


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time(clock, seconds):
    deadline = Deadline(seconds)
    assert deadline.has_expired
    assert deadline.remaining() == 0.0
