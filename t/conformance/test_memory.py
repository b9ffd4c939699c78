"""The memory transport keeps what every transport promises."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from t.conformance.memory import MemoryHarness


@pytest.fixture
def harness(kombu_memory):
    with MemoryHarness(kombu_memory, idle=0.01) as harness:
        yield harness
