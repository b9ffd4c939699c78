"""The harness of the memory transport, and of those that derive from it."""

from __future__ import annotations

import json

from kombu.testing import Harness
from kombu.testing._killable import ThreadConsumer
from kombu.transport.memory import brokers


class MemoryHarness(Harness):
    # No other process can reach the broker.
    killable_kind = ThreadConsumer

    def put_raw(self, queue, data):
        try:
            found = json.loads(data)  # this store holds objects
        except ValueError:
            found = data
        stored = brokers.get(self.url.partition("://")[2]).queue(queue)
        stored.envelopes.append(found)
        stored.wake()
