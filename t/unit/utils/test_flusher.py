"""Acknowledgements that were gathered are sent before long."""

from __future__ import annotations

import gc
import threading
import time

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


def until(condition):
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


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
    until(lambda: not transport.failures)
    flusher.soon()

    assert transport.flushed.acquire(timeout=PATIENCE)
    flusher.stop(PATIENCE)


def test_thread_lives_as_long_as_there_is_something_to_send():
    transport = FakeTransport()
    flusher = Flusher(transport)
    assert flusher._thread is None

    for _ in range(2):
        flusher.soon()
        thread = flusher._thread
        assert transport.flushed.acquire(timeout=PATIENCE)

        thread.join(PATIENCE)
        assert flusher._thread is None


def test_same_thread_sends_what_goes_on_coming():
    flusher = None

    class AskingAgain(FakeTransport):
        count = 0

        def _flush(self):
            super()._flush()
            self.count += 1
            if self.count < 3:
                flusher.soon()

    transport = AskingAgain()
    flusher = Flusher(transport)
    flusher.soon()
    thread = flusher._thread

    thread.join(PATIENCE)

    assert transport.count == 3


def test_nobody_is_asked_when_it_was_stopped():
    transport = FakeTransport()
    flusher = Flusher(transport)

    flusher.stop()
    flusher.soon()

    assert flusher._thread is None
    assert not transport.flushed.acquire(blocking=False)


def test_is_done_at_once_where_no_thread_can_be_had(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    transport = FakeTransport(failures=1)
    flusher = Flusher(transport)

    flusher.soon()  # its failure is logged
    flusher.soon()

    assert transport.flushed.acquire(blocking=False)


def test_ends_with_its_transport():
    transport = FakeTransport()
    flusher = Flusher(transport)
    flusher.soon()
    thread = flusher._thread

    del transport
    gc.collect()

    thread.join(PATIENCE)
    assert not thread.is_alive()
