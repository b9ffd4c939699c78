"""The memory transport keeps what every transport promises."""

from __future__ import annotations

import json

import pytest

from kombu.testing import Harness
from kombu.testing.conformance import *  # noqa: F403
from kombu.transport.memory import brokers


class MemoryHarness(Harness):
    def put_raw(self, queue, data):
        try:
            found = json.loads(data)  # this store holds objects
        except ValueError:
            found = data
        stored = brokers.get(self.url.removeprefix("memory://")).queue(queue)
        stored.envelopes.append(found)
        stored.wake()


@pytest.fixture
def harness(kombu_memory):
    with MemoryHarness(kombu_memory, idle=0.01) as harness:
        yield harness
