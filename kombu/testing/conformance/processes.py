"""Greenlets and forks: programs that need a process of their own."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from kombu.testing._scenarios import MESSAGES

if TYPE_CHECKING:
    from kombu.testing.harness import Harness

__all__ = ("TestFork", "TestGreenlets")


class TestGreenlets:
    """A consumer that waits lets others run, under gevent and eventlet too."""

    @pytest.mark.parametrize("name", ["gevent", "eventlet"])
    def test_publishers_and_consumers_share_one_thread(
        self, harness: Harness, name: str
    ) -> None:
        if find_spec(name) is None:
            harness.skip(f"{name} is not installed")
        queues = [harness.undeclared_queue(f"queue-{n}") for n in range(3)]

        result = harness.run_scenario(name, queues)

        assert result["received"] == [list(range(MESSAGES))] * 3
        # It would run but once in each of the waits if these blocked.
        assert result["ticks"] >= MESSAGES // 2


class TestFork:
    """A forked child has a copy of what its parent has in hand: not its own."""

    def test_child_neither_settles_nor_gives_back(self, harness: Harness) -> None:
        if not hasattr(os, "fork"):
            harness.skip("this system does not fork")
        queue = harness.undeclared_queue()

        result = harness.run_scenario("fork", [queue])

        # Acknowledged by a child, closed by it, and ended with it.
        assert 2 not in result["statuses"], "an error that is not the library's"
        assert not [status for status in result["statuses"] if status < 0]
        assert result["ready"] == 0, "a child gave back what its parent has"
        assert result["again"] == 2
        assert not result["left"]
