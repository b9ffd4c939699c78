from __future__ import annotations

import gc
import threading

import pytest

from kombu.utils._repeating import Repeater

PATIENCE = 10


class Thing:
    pass


class Counter(Repeater):
    """Counts up to a number, and ends."""

    def __init__(self, what, enough, interval=0.001):
        self.count, self.enough = 0, enough
        self.was_called = threading.Event()
        super().__init__(what, interval, "counter")

    def look_after(self, what):
        self.count += 1
        self.was_called.set()
        return self.count < self.enough

    def has_ended(self):
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()


@pytest.fixture
def thing():
    return Thing()


def test_again_and_again_until_it_has_enough(thing):
    counter = Counter(thing, 3)

    assert counter.has_ended()
    assert counter.count == 3


def test_stopped(thing):
    counter = Counter(thing, 1, interval=1000)
    assert "running, every 1000 s" in repr(counter)

    counter.stop(PATIENCE)

    assert counter.has_ended()
    assert counter.count == 0
    assert "stopped" in repr(counter)


def test_ends_with_what_it_looks_after():
    thing = Thing()
    counter = Counter(thing, float("inf"))
    assert counter.was_called.wait(PATIENCE)

    del thing
    gc.collect()

    assert counter.has_ended()


def test_may_be_stopped_by_its_own_thread(thing):
    class Suicidal(Counter):
        def look_after(self, what):
            self.stop(PATIENCE)
            return True

    assert Suicidal(thing, 1).has_ended()
