"""Acknowledgements that channels have gathered, and leases that have lapsed."""

from __future__ import annotations

from uuid import uuid4

import pytest

from kombu import Connection
from kombu.exceptions import RecoverableConnectionError
from kombu.transport.virtual.storage import Empty


class FakeQoS:
    def __init__(self):
        self.flushed = 0
        self.seconds = 0.0

    def flush(self):
        self.flushed += 1

    def put_off(self):
        return self.seconds


class FakeChannel:
    def __init__(self, leases):
        self._leases = leases
        self._qos = FakeQoS()

    def _refresh_lightly(self):
        pass

    def _store_time(self):
        return 0.0


@pytest.fixture
def transport():
    with Connection(f"memory://{uuid4()}") as connection:
        yield connection.transport


@pytest.fixture
def channels(transport):
    """One whose messages the store holds, and one whose it does not."""
    made = [FakeChannel(True), FakeChannel(False)]
    transport.channels, kept = made, transport.channels
    yield made
    transport.channels = kept


class test_settling:
    def test_concerns_what_the_store_holds(self, transport, channels):
        transport._settle()

        assert [channel._qos.flushed for channel in channels] == [1, 0]

    def test_is_done_before_all_is_sent(self, transport, channels):
        transport._flush()

        assert [channel._qos.flushed for channel in channels] == [1, 0]

    def test_is_done_when_it_is_idle(self, transport, channels):
        transport._idle()

        assert channels[0]._qos.flushed == 1

    def test_idling_does_not_send(self, transport, channels):
        # What sends is called for by other means: see the flusher.
        transport._flush = None

        transport._idle()

        assert channels[0]._qos.flushed == 1

    def test_claiming_that_is_put_off_ends_the_pause(self, transport, channels):
        assert transport._idle() != 0.25
        channels[0]._qos.seconds = 0.25

        assert transport._idle() == 0.25

    def test_nothing_is_done_without_channels(self, transport):
        transport.channels, kept = [], transport.channels

        transport._settle()
        assert transport._idle() is None

        transport.channels = kept


class FakeRecords:
    """Leases that may have been forgotten."""

    is_alive = True

    def renew(self, owner, seconds):
        return self.is_alive

    def retire(self, owner):
        pass

    def close(self):
        pass


class FakeKeeper:
    def stop(self):
        pass


class test_lapse:
    @pytest.fixture
    def records(self, transport):
        records = FakeRecords()
        transport.__dict__.update(own_records=records, records=records)
        return records

    def test_none_without_a_lease(self, transport, clock):
        assert not transport._has_lapsed()

    def test_none_while_it_is_renewed_in_time(self, transport, records, clock):
        transport._keeper = FakeKeeper()

        for _ in range(3):
            transport._renew()
            clock.now += transport.visibility_timeout

        assert not transport._has_lapsed()

    def test_one_that_is_not_renewed_in_time(self, transport, records, clock):
        transport._keeper = FakeKeeper()
        transport._renew()
        clock.now += transport.visibility_timeout + 1

        assert transport._has_lapsed()

    def test_others_may_be_at_work_for_a_while_after_that(
        self, transport, records, clock
    ):
        transport._keeper = FakeKeeper()
        transport._renew()
        clock.now += transport.visibility_timeout + 1
        transport._renew()

        assert transport._has_lapsed()
        clock.now += transport.visibility_timeout
        assert not transport._has_lapsed()

    def test_store_that_has_forgotten_it(self, transport, records, clock):
        records.is_alive = False
        transport._renew()  # the first time there was none
        assert not transport._has_lapsed()

        transport._renew()

        assert transport._has_lapsed()

    def test_nobody_who_renews_means_nobody_who_takes(self, transport, records, clock):
        transport._renew()
        clock.now += transport.visibility_timeout + 1

        assert not transport._has_lapsed()

    def test_consumers_whose_queues_are_gone_are_to_connect_anew(self, transport):
        # Given consumers, of which others have thought that they are dead
        channel = transport.create_channel(transport)
        cancelled = []
        for name in ("q", "r"):
            channel.queue_declare(name)
            channel.basic_consume(name, True, print, name, on_cancel=cancelled.append)
            channel._queue_was_deleted(name)
        transport._has_lapsed = lambda: True

        # When they are drained
        with pytest.raises(RecoverableConnectionError, match="lease.*deleted: q, r"):
            channel.drain_events()

        # Then that is told once, and not as the end of the consumers
        assert cancelled == []
        with pytest.raises(Empty):
            channel.drain_events()
