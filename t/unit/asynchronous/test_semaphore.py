from __future__ import annotations

import pytest

from kombu.asynchronous.semaphore import DummyLock, LaxBoundedSemaphore


class test_LaxBoundedSemaphore:
    def test_acquire_and_release(self):
        semaphore = LaxBoundedSemaphore(2)
        calls = []
        assert semaphore.acquire(calls.append, 1)
        assert semaphore.acquire(calls.append, 2)
        assert not semaphore.acquire(calls.append, 3)
        assert not semaphore.acquire(calls.append, 4)
        assert calls == [1, 2]
        semaphore.release()
        assert calls == [1, 2, 3]
        semaphore.release()
        assert calls == [1, 2, 3, 4]
        assert semaphore.value == 0
        semaphore.release()
        assert semaphore.value == 1

    def test_arguments(self):
        semaphore = LaxBoundedSemaphore(1)
        calls = []

        def callback(*args, **kwargs):
            calls.append((args, kwargs))

        semaphore.acquire(callback, 1, x=2)
        semaphore.acquire(callback, 3, x=4)
        semaphore.release()
        assert calls == [((1,), {"x": 2}), ((3,), {"x": 4})]

    def test_released_too_often(self):
        semaphore = LaxBoundedSemaphore(2)
        for _ in range(5):
            semaphore.release()
        assert semaphore.value == 2

    def test_grow(self):
        semaphore = LaxBoundedSemaphore(1)
        calls = []
        for number in range(4):
            semaphore.acquire(calls.append, number)
        semaphore.grow(2)
        assert calls == [0, 1, 2]
        assert (semaphore.initial_value, semaphore.value) == (3, 0)
        semaphore.grow(2)
        assert calls == [0, 1, 2, 3]
        assert (semaphore.initial_value, semaphore.value) == (5, 1)

    def test_shrink(self):
        semaphore = LaxBoundedSemaphore(4)
        semaphore.acquire(list)
        semaphore.shrink()
        assert (semaphore.initial_value, semaphore.value) == (3, 2)
        semaphore.shrink(5)
        assert (semaphore.initial_value, semaphore.value) == (0, 0)

    def test_clear(self):
        semaphore = LaxBoundedSemaphore(1)
        calls = []
        semaphore.acquire(calls.append, 1)
        semaphore.acquire(calls.append, 2)
        semaphore.clear()
        assert semaphore.value == 1
        semaphore.release()
        assert calls == [1]

    def test_errors_leave_the_others_waiting(self):
        semaphore = LaxBoundedSemaphore(1)
        calls = []
        semaphore.acquire(calls.append, 1)
        semaphore.acquire(lambda: 1 / 0)
        semaphore.acquire(calls.append, 3)
        with pytest.raises(ZeroDivisionError):
            semaphore.release()
        semaphore.release()
        assert calls == [1, 3]

    def test_repr(self):
        semaphore = LaxBoundedSemaphore(1)
        semaphore.acquire(list)
        semaphore.acquire(list)
        assert repr(semaphore).endswith("value:0 waiting:1>")


def test_DummyLock():
    lock = DummyLock()
    with lock as entered, lock:
        assert entered is lock
