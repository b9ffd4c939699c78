"""The memory transport keeps what every transport promises."""

from __future__ import annotations

import pytest

from kombu.testing import Harness
from kombu.testing.conformance import *  # noqa: F403
from kombu.transport.memory import brokers


class MemoryHarness(Harness):
    def put_raw(self, queue, data):
        stored = brokers.get(self.url.removeprefix("memory://")).queue(queue)
        stored.envelopes.append(data)
        stored.wake()


@pytest.fixture
def harness(kombu_memory):
    with MemoryHarness(kombu_memory) as harness:
        yield harness
