"""What goes wrong around a test that is stressed."""

from __future__ import annotations

import sys
from itertools import count

import pytest

from kombu.testing import Harness
from kombu.testing._disturbance import Disturbance
from kombu.transport import memory

_names = count(1)


@pytest.fixture
def harness():
    name = f"disturbance-{next(_names)}"
    with Harness(f"memory://{name}", patience=10) as harness:
        yield harness
    memory.brokers.get(name).clear()


def test_goes_on_while_it_is_entered(harness):
    with Disturbance(harness) as disturbance:
        harness.settle(lambda: len(disturbance.counts) == 3)

    assert set(disturbance.counts) == {
        "switch_threads",
        "collect_garbage",
        "lose_a_connection",
    }


def test_leaves_brokers_alone_without_a_harness(harness):
    with Disturbance() as disturbance:
        harness.settle(lambda: sum(disturbance.counts.values()) > 5)

    assert "lose_a_connection" not in disturbance.counts


def test_puts_back_what_it_has_changed():
    before = sys.getswitchinterval()

    with pytest.raises(ZeroDivisionError), Disturbance():
        raise ZeroDivisionError

    assert sys.getswitchinterval() == before
