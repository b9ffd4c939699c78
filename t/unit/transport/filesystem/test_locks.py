from __future__ import annotations

import os
import threading

import pytest

from kombu.testing.clock import Clock
from kombu.transport.filesystem import LOCK_EX, LOCK_NB, lock, unlock
from kombu.transport.filesystem._locks import is_locked, locked


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "locks" / "q")


class test_locked:
    def test_excludes_others(self, path):
        with locked(path), open(path) as file:
            with pytest.raises(BlockingIOError):
                lock(file, LOCK_EX | LOCK_NB)
            assert is_locked(path)
        assert not is_locked(path)

    def test_waits_by_the_seam(self, path):
        order = []

        def other():
            with locked(path):
                order.append("other")

        with Clock() as clock:
            with locked(path):
                thread = threading.Thread(target=other)
                thread.start()
                clock.wait_until_waiting()
                order.append("first")
            clock.advance(1)
            thread.join(10)

        assert order == ["first", "other"]

    def test_is_not_held_on_a_file_that_was_removed(self, path):
        entered = []

        def other():
            with locked(path):
                entered.append(os.path.exists(path))

        with Clock() as clock:
            with locked(path):
                thread = threading.Thread(target=other)
                thread.start()
                clock.wait_until_waiting()
                os.unlink(path)
            clock.advance(1)
            thread.join(10)

        assert entered == [True]

    def test_lets_go_after_an_error(self, path):
        with pytest.raises(ZeroDivisionError), locked(path):
            raise ZeroDivisionError
        assert not is_locked(path)


class test_lock:
    def test_can_be_undone(self, tmp_path):
        with open(tmp_path / "a", "w") as file:
            lock(file, LOCK_EX)
            assert is_locked(file.name)
            unlock(file)
            assert not is_locked(file.name)
