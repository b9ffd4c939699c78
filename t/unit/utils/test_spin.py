"""Looking for a moment before a thread goes to sleep."""

from __future__ import annotations

import os

import pytest

from kombu.utils import _spin
from kombu.utils._spin import Spin


@pytest.fixture
def useful(monkeypatch):
    monkeypatch.setattr(_spin, "_is_useful", lambda: True)


class Thing:
    """Comes when it was looked for so many times."""

    def __init__(self, comes_after=0):
        self.looks = 0
        self.comes_after = comes_after

    def has_come(self):
        self.looks += 1
        return self.looks > self.comes_after


NEVER = 10**9


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a microsecond whenever it is read."""
    now = iter(range(10**6))
    monkeypatch.setattr(_spin, "perf_counter", lambda: next(now) * 1e-6)


@pytest.mark.usefixtures("useful", "clock")
class test_Spin:
    def test_it_looks_until_it_has_come(self):
        thing = Thing(comes_after=5)

        assert Spin(100e-6).until(thing.has_come)

        assert thing.looks == 6

    def test_it_looks_for_the_given_time_at_most(self):
        thing = Thing(NEVER)

        assert not Spin(100e-6).until(thing.has_come)

        assert thing.looks == pytest.approx(100, abs=1)

    def test_it_looks_no_longer_than_may_be_waited(self):
        thing = Thing(NEVER)

        assert not Spin(100e-6).until(thing.has_come, at_most=10e-6)

        assert thing.looks == pytest.approx(10, abs=1)

    def test_after_vain_attempts_ever_more_waits_go_without(self):
        spin, waits = Spin(100e-6), []
        for number in range(600):
            thing = Thing(NEVER)
            spin.until(thing.has_come)
            if thing.looks:
                waits.append(number)

        gaps = [b - a for a, b in zip(waits, waits[1:], strict=False)]

        assert gaps == [2, 4, 8, 16, 32, 64, 128, 128, 128]

    def test_one_success_and_all_waits_look_again(self):
        spin = Spin(100e-6)
        for _ in range(20):
            spin.until(Thing(NEVER).has_come)
        while not spin.until(Thing().has_come):
            pass

        thing = Thing(comes_after=3)

        assert spin.until(thing.has_come)

    def test_an_error_is_not_hidden(self):
        def fails():
            raise OSError("the line is cut")

        with pytest.raises(OSError, match="cut"):
            Spin(100e-6).until(fails)


class test_whether_it_is_useful:
    def test_not_with_one_processor(self, monkeypatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)

        assert not _spin._is_useful()

    def test_with_several_processors(self, monkeypatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)

        assert _spin._is_useful()

    def test_where_the_system_tells_only_how_many_there_are(self, monkeypatch):
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 1)

        assert not _spin._is_useful()

    def test_not_where_greenlets_would_stand_still(self, monkeypatch):
        monkeypatch.setattr(_spin, "detect_environment", lambda: "gevent")

        assert not _spin._is_useful()

    def test_where_it_is_not_it_does_not_look(self, monkeypatch):
        monkeypatch.setattr(_spin, "_is_useful", lambda: False)
        thing = Thing()

        assert not Spin(10.0).until(thing.has_come)

        assert not thing.looks

    @pytest.mark.usefixtures("useful")
    def test_nor_where_it_is_not_wanted(self):
        thing = Thing()

        assert not Spin(0).until(thing.has_come)

        assert not thing.looks
