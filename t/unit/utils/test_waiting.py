"""The seam through which the library waits."""

from __future__ import annotations

import threading
import time

from kombu.utils import waiting
from kombu.utils.waiting import Waiter

TIMEOUT = 5


def test_sleep_and_monotonic_are_those_of_time(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: 12.5)
    waiting.sleep(3)
    assert slept == [3]
    assert waiting.monotonic() == 12.5


class test_Waiter:
    def test_a_wait_ends_with_the_time(self):
        assert Waiter().wait(0) is False

    def test_a_wake_up_before_the_wait_is_not_lost(self):
        waiter = Waiter()
        waiter.wake()
        assert waiter.wait(0) is True

    def test_several_count_as_one(self):
        waiter = Waiter()
        waiter.wake()
        waiter.wake()
        assert waiter.wait(0) is True
        assert waiter.wait(0) is False

    def test_a_waiting_thread_is_woken(self):
        waiter = Waiter()
        woken = []
        thread = threading.Thread(target=lambda: woken.append(waiter.wait(TIMEOUT)))
        thread.start()
        waiter.wake()
        thread.join(TIMEOUT)
        assert woken == [True]

    def test_repr_tells_the_state(self):
        waiter = Waiter()
        assert "idle" in repr(waiter)
        waiter.wake()
        assert "woken" in repr(waiter)
