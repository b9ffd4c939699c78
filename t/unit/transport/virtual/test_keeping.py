"""Tests of kombu.transport.virtual.keeper and .sweeper: who renews, and who sweeps."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from kombu import Connection, Queue
from kombu.transport import memory
from kombu.transport.virtual.keeper import Keeper
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.sweeper import Sweeper

LEASE = 0.2


class Kept:
    """What a keeper keeps; says when it was called."""

    def __init__(self, error=None):
        self.error = error
        self.called = threading.Event()
        self.threads = []

    def _keep(self):
        self.threads.append(threading.current_thread())
        self.called.set()
        if self.error is not None:
            raise self.error


class test_Keeper:
    def test_calls_again_and_again(self):
        kept = Kept()
        keeper = Keeper(kept, 0.001)
        for _ in range(3):
            assert kept.called.wait(5)
            kept.called.clear()

        keeper.stop()

        count = len(kept.threads)
        assert not kept.threads[-1].is_alive()
        assert kept.threads[-1].daemon
        assert len(kept.threads) == count
        assert "stopped" in repr(keeper)

    def test_goes_on_after_an_error(self, caplog):
        kept = Kept(ConnectionResetError("the store is away"))
        keeper = Keeper(kept, 0.001)
        for _ in range(2):
            assert kept.called.wait(5)
            kept.called.clear()
        keeper.stop()

        assert "Could not renew the leases" in caplog.text

    def test_does_not_keep_what_nobody_else_has(self):
        kept = Kept()
        reference = weakref.ref(kept)
        keeper = Keeper(kept, 0.001)
        assert kept.called.wait(5)

        del kept
        keeper._thread.join(5)
        gc.collect()

        assert not keeper._thread.is_alive()
        assert reference() is None

    def test_can_be_stopped_by_itself(self):
        class Stopping(Kept):
            def _keep(self):
                keeper.stop()
                super()._keep()

        kept = Stopping()
        keeper = Keeper(kept, 0.001)

        assert kept.called.wait(5)
        keeper._thread.join(5)
        assert not keeper._thread.is_alive()


class RenewedRecords(LocalRecords):
    """Leases that end unless they are renewed, as those of a real store."""

    def __init__(self):
        super().__init__()
        self.renewed = threading.Semaphore(0)
        self.answers = []

    def renew(self, owner, seconds):
        self.renewed.release()
        return super().renew(owner, seconds)


@pytest.fixture
def records():
    return RenewedRecords()


@pytest.fixture
def connect_kept(records, url):
    made = []

    class Transport(memory.Transport):
        def _make_records(self):
            return records

        def _needs_keeper(self):
            return True

    def connect():
        connection = Connection(
            url, transport=Transport, transport_options={"visibility_timeout": LEASE}
        )
        made.append(connection)
        return connection

    yield connect
    for connection in made:
        connection.close()


class test_a_connection_that_consumes:
    def test_renews_while_its_callback_runs(self, connect_kept, records):
        connection = connect_kept()
        queue = Queue("q")(connection.channel())
        queue.declare()
        connection.Producer().publish("x", routing_key="q")
        renewed = []

        def work(body, message):
            while records.renewed.acquire(blocking=False):
                pass
            renewed.extend(records.renewed.acquire(timeout=5) for _ in range(3))
            message.ack()

        with connection.Consumer(queue, callbacks=[work]):
            connection.drain_events(timeout=5)

        assert renewed == [True] * 3

    def test_does_not_renew_without_a_thread_that_consumes(self, connect_kept, records):
        connection = connect_kept()
        channel = connection.channel()
        channel.queue_declare("q")
        thread = threading.Thread(
            target=channel.basic_consume, args=("q", True, print, "tag")
        )
        thread.start()
        thread.join()
        transport = connection.transport
        transport._keep()  # finds that it has died
        while records.renewed.acquire(blocking=False):
            pass

        transport._keep()

        assert not records.renewed.acquire(blocking=False)

    def test_says_so_when_its_lease_has_run_out(self, connect_kept, records, caplog):
        connection = connect_kept()
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")
        transport = connection.transport
        key = channel._records["tag"].attendee.key
        records.retire(transport.owner)
        transport.attendance.leave("q", key)

        transport._keep()

        assert "has run out" in caplog.text
        assert [one.key for one in transport.attendance.consumers("q")] == [key]

    def test_has_no_thread_once_it_is_closed(self, connect_kept):
        connection = connect_kept()
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")
        thread = connection.transport._keeper._thread

        connection.close()

        assert not thread.is_alive()


def test_a_connection_in_memory_needs_no_thread(connection, channel):
    channel.queue_declare("q")
    channel.basic_consume("q", False, print, "tag")

    assert connection.transport._keeper is None


class test_Sweeper:
    @pytest.fixture
    def sweeper(self, connection):
        connection.connect()
        return connection.transport._sweeper_of_own()

    def test_leaves_a_sweep_out_when_the_clock_has_jumped(
        self, sweeper, channel, monkeypatch
    ):
        swept = sweeper._channel
        reaped = []
        monkeypatch.setattr(swept, "_reap", lambda: reaped.append(1) or ())
        now = swept._store_time()

        monkeypatch.setattr(swept, "_store_time", lambda: now + 3600)
        sweeper.sweep()
        assert reaped == []

        sweeper.sweep()
        assert reaped == [1]

    def test_releases_what_could_not_be_buried(self, connection, channel, sweeper):
        channel.queue_declare("q")
        connection.Producer().publish("x", routing_key="q")
        claim = sweeper._channel._claim_next("q")
        sweeper._channel._claimed.append(claim)

        sweeper.sweep()

        assert channel._size("q") == 1

    def test_shows_how_often(self, sweeper):
        assert "every 15 s" in repr(sweeper)
        assert isinstance(sweeper, Sweeper)


class test_visibility_timeout:
    @pytest.mark.parametrize("value", [0, -1, "soon", float("nan")])
    def test_must_be_some_time(self, url, value):
        options = {"visibility_timeout": value}
        with Connection(url, transport_options=options) as connection:
            with pytest.raises(ValueError, match="visibility_timeout"):
                connection.channel().basic_consume("q", True, print, "tag")

    def test_is_a_minute_by_default(self, connection):
        assert connection.transport.visibility_timeout == 60.0
