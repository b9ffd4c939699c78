"""Tests of kombu.transport.virtual.local_records."""

from __future__ import annotations

import threading

import pytest

from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.records import BINDING, CONSUMER, EXCHANGE, QUEUE


@pytest.fixture
def records():
    return LocalRecords()


class test_records:
    def test_are_read_by_kind_and_group(self, records):
        records.write(BINDING, "one", {"n": 1}, group="a")
        records.write(BINDING, "two", {"n": 2}, group="b")
        records.write(QUEUE, "one", {"n": 3})

        assert records.read(BINDING) == {"one": {"n": 1}, "two": {"n": 2}}
        assert records.read(BINDING, "b") == {"two": {"n": 2}}
        assert records.read(BINDING, "c") == {}
        assert records.read(EXCHANGE) == {}

    def test_the_first_one_added_stays(self, records):
        assert records.add(QUEUE, "q", {"n": 1})
        assert not records.add(QUEUE, "q", {"n": 2})

        assert records.read(QUEUE) == {"q": {"n": 1}}

    def test_what_is_written_replaces(self, records):
        records.write(QUEUE, "q", {"n": 1})
        records.write(QUEUE, "q", {"n": 2})

        assert records.read(QUEUE) == {"q": {"n": 2}}

    def test_are_removed_once(self, records):
        records.write(QUEUE, "q", {})

        assert records.remove(QUEUE, "q")
        assert not records.remove(QUEUE, "q")

    def test_are_copies(self, records):
        value = {"n": 1}
        records.write(QUEUE, "q", value)
        value["n"] = 2

        assert records.read(QUEUE) == {"q": {"n": 1}}

    @pytest.mark.parametrize("kind", [QUEUE, "x0123.queue"])
    def test_of_topology_change_the_version(self, records, kind):
        versions = [records.version()]
        for change in (
            lambda: records.add(kind, "q", {}),
            lambda: records.write(kind, "q", {}),
            lambda: records.remove(kind, "q"),
        ):
            change()
            versions.append(records.version())

        assert len(set(versions)) == 4

    def test_others_do_not(self, records):
        before = records.version()

        records.write(CONSUMER, "c", {})
        records.remove(CONSUMER, "c")
        records.remove(QUEUE, "never there")

        assert records.version() == before


class test_owners:
    def test_live_as_long_as_their_thread(self, records, clock):
        thread = threading.Thread(target=records.renew, args=("owner", 10))
        thread.start()
        thread.join()
        records.renew("other", 10)

        assert records.live_owners() == {"owner", "other"}
        clock.sleep(11)
        assert records.live_owners() == {"other"}

    def test_the_dead_are_taken_once(self, records, clock):
        thread = threading.Thread(target=records.renew, args=("owner", 10))
        thread.start()
        thread.join()
        clock.sleep(11)

        assert records.take_dead_owners() == ["owner"]
        assert records.take_dead_owners() == []
        assert records.live_owners() == set()

    def test_renewing_tells_whether_they_were_alive(self, records):
        assert not records.renew("owner", 10)
        assert records.renew("owner", 10)

        records.retire("owner")
        assert not records.renew("owner", 10)

    def test_an_orphan_is_dead_at_once(self, records):
        records.renew("owner", 10)

        records.orphan("owner")
        records.orphan("unknown")

        assert records.live_owners() == set()
        assert records.take_dead_owners() == ["owner"]

    def test_another_thread_keeps_an_owner_alive(self, records, clock):
        thread = threading.Thread(target=records.renew, args=("owner", 10))
        thread.start()
        thread.join()
        records.renew("owner", 10)
        clock.sleep(11)

        assert records.live_owners() == {"owner"}


def test_a_forked_child_begins_without():
    records = LocalRecords()
    records.renew("owner", 10)
    records.write(QUEUE, "q", {})

    records.after_fork()

    assert records.live_owners() == set()
    assert records.read(QUEUE) == {}
