"""The one seam through which the library waits."""

from __future__ import annotations

import threading
import time

from kombu.utils import waiting
from kombu.utils.waiting import Waiter


def test_monotonic_never_goes_back():
    readings = [waiting.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_sleep_is_looked_up_when_called(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    waiting.sleep(2.5)
    assert slept == [2.5]


class test_Waiter:
    def test_time_runs_out(self):
        assert Waiter().wait(0) is False

    def test_a_wake_up_before_the_wait_is_not_lost(self):
        waiter = Waiter()
        waiter.wake()
        assert waiter.wait() is True

    def test_several_count_as_one(self):
        waiter = Waiter()
        waiter.wake()
        waiter.wake()
        assert waiter.wait(0) is True
        assert waiter.wait(0) is False

    def test_woken_while_waiting(self):
        waiter, woken = Waiter(), []
        thread = threading.Thread(target=lambda: woken.append(waiter.wait(10)))
        thread.start()
        waiter.wake()
        thread.join(10)
        assert woken == [True]

    def test_who_asks_before_the_wait_has_been_told(self):
        waiter = Waiter()
        assert waiter.was_woken() is False
        waiter.wake()
        waiter.wake()

        assert waiter.was_woken() is True

        assert waiter.was_woken() is False
        assert waiter.wait(0) is False

    def test_one_that_comes_after_it_was_asked_is_not_lost(self):
        waiter = Waiter()
        waiter.wake()
        waiter.was_woken()

        waiter.wake()

        assert waiter.wait() is True

    def test_repr(self):
        waiter = Waiter()
        assert repr(waiter) == "<Waiter: idle>"
        waiter.wake()
        assert repr(waiter) == "<Waiter: woken>"
