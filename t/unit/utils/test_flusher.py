"""Acknowledgements that were gathered are sent before long."""

from __future__ import annotations

import gc
import threading

from kombu.utils._flusher import Flusher

PATIENCE = 10.0


class FakeTransport:
    """Notes that it was asked to flush; fails as often as it is told to."""

    def __init__(self, failures=0):
        self.failures = failures
        self.flushed = threading.Semaphore(0)

    def _flush(self):
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError("the store is away")
        self.flushed.release()


def test_flushes_soon_after_it_was_asked_to():
    transport = FakeTransport()
    flusher = Flusher(transport)

    flusher.soon()
    assert transport.flushed.acquire(timeout=PATIENCE)
    flusher.soon()
    assert transport.flushed.acquire(timeout=PATIENCE)

    flusher.stop(PATIENCE)
    assert "stopped" in repr(flusher)


def test_goes_on_after_a_failure():
    transport = FakeTransport(failures=1)
    flusher = Flusher(transport)

    flusher.soon()
    while transport.failures:
        flusher._thread.join(0.01)
    flusher.soon()

    assert transport.flushed.acquire(timeout=PATIENCE)
    flusher.stop(PATIENCE)


def test_ends_with_its_transport():
    transport = FakeTransport()
    flusher = Flusher(transport)

    del transport
    gc.collect()
    flusher.soon()

    flusher._thread.join(PATIENCE)
    assert not flusher._thread.is_alive()
