from __future__ import annotations

import os
import threading

import pytest

from kombu.transport.filesystem import _record_files as record_files
from kombu.transport.filesystem.records import FileRecords
from kombu.transport.virtual.records import BINDING, CONSUMER, EXCHANGE, QUEUE, USE
from kombu.transport.virtual.topology import binding_record


@pytest.fixture
def records(folders, clock):
    return FileRecords(folders, clock)


@pytest.fixture
def other(folders, clock):
    return FileRecords(folders, clock)


def declare(records, exchange, type="direct"):
    records.add(EXCHANGE, exchange, {"type": type, "durable": True})


def bind(records, exchange, queue, key="k", arguments=None, is_exchange=False):
    name, value = binding_record(exchange, queue, is_exchange, key, arguments)
    assert isinstance(records.add(BINDING, name, value, group=exchange), bool)
    return name, value


class test_records:
    @pytest.mark.parametrize("name", ["q", "a/b", "..", "", "é\0", "x" * 400, "%2F"])
    def test_are_seen_by_all(self, records, other, name):
        assert records.add(QUEUE, name, {"durable": True}, group=name)

        assert other.read(QUEUE) == {name: {"durable": True}}
        assert other.read(QUEUE, name) == {name: {"durable": True}}
        assert other.read(QUEUE, "another") == {}
        assert other.read(EXCHANGE) == {}

    def test_are_added_once(self, records, other):
        assert records.add(QUEUE, "q", {"n": 1})
        assert not other.add(QUEUE, "q", {"n": 2})
        other.write(QUEUE, "q", {"n": 3})

        assert records.read(QUEUE) == {"q": {"n": 3}}
        assert records.remove(QUEUE, "q")
        assert not other.remove(QUEUE, "q")
        assert records.read(QUEUE) == {}

    def test_are_added_once_where_there_are_no_links(self, records, monkeypatch):
        def link(source, target):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
        records.write(USE, "p", {})
        assert records.add(USE, "q", {})
        assert not records.add(USE, "q", {})

    def test_are_added_once_by_many(self, records):
        won = []

        def add(number):
            if records.add(QUEUE, "q", {"n": number}):
                won.append(number)

        threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert records.read(QUEUE) == {"q": {"n": won[0]}}
        assert len(won) == 1

    def test_leave_nothing_behind(self, records, folders):
        records.write(CONSUMER, "one", {}, group="q")
        records.remove(CONSUMER, "one", group="q")

        assert os.listdir(f"{folders.records}consumer") == []
        assert os.listdir(f"{folders.records}tmp") == []

    def test_that_can_not_be_read_are_none(self, records, folders):
        records.write(QUEUE, "q", {})
        (folder,) = os.listdir(f"{folders.records}queue")
        with open(f"{folders.records}queue/{folder}/-x.json", "w") as file:
            file.write("{")

        assert records.read(QUEUE) == {"q": {}}

    def test_are_errors_of_the_transport_if_they_can_not_be_written(
        self, records, monkeypatch
    ):
        from kombu.exceptions import ChannelError

        def write(descriptor, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", write)
        with pytest.raises(ChannelError, match="No space left"):
            records.write(QUEUE, "q", {})


class test_version:
    def test_changes_with_topology_alone(self, records, other):
        seen = [other.version()]
        records.write(USE, "q", {})
        records.write(CONSUMER, "c", {}, group="q")
        assert other.version() == seen[-1]
        for change in (
            lambda: records.add(QUEUE, "q", {}),
            lambda: records.write(QUEUE, "q", {"n": 1}),
            lambda: records.write(QUEUE, "q", {"n": 1}),
            lambda: records.remove(QUEUE, "q"),
            lambda: declare(records, "e"),
            lambda: bind(records, "e", "q"),
        ):
            change()
            assert other.version() not in seen
            seen.append(other.version())

    def test_changes_with_files_of_kombu_5_7(self, records, folders):
        seen = [records.version()]
        for text in ("[]", '[["k", "", "q"]]', '[["k", "", "q1"]]'):
            with open(f"{folders.control}e.exchange", "w") as file:
                file.write(text)
            assert records.version() not in seen
            seen.append(records.version())

    def test_does_not_grow_for_ever(self, records, folders, monkeypatch):
        monkeypatch.setattr(record_files, "_LONGEST_VERSION", 200)
        seen = set()
        for number in range(500):
            records.write(QUEUE, f"q{number % 2}", {})
            seen.add(records.version())

        assert len(seen) == 500
        assert os.stat(f"{folders.records}version").st_size < 400


class test_bindings:
    @pytest.mark.parametrize(
        ("type", "key", "pattern"),
        # What kombu 5.7.0 wrote.
        [
            ("direct", "k", ""),
            ("fanout", "somekey", ""),
            ("topic", "a.*.#", r"^a\.[^\.]+\..*?$"),
            ("topic", "#", r"^.*?$"),
            ("topic", "#.b", r"^.*?\.b$"),
            ("topic", "", r"^$"),
            # It wrote an expression here that is none.
            ("topic", "a.**", r"^a\.\*\*$"),
            ("topic", "a-b+c.(x)", r"^a\-b\+c\.\(x\)$"),
            ("topic", "é.*", r"^é\.[^\.]+$"),
            ("topic", "##", r"^##$"),
        ],
    )
    def test_are_rows_for_kombu_5_7(self, records, type, key, pattern):
        declare(records, "e", type)
        name, value = bind(records, "e", "q", key)

        assert records.binding_files.read("e") == [(key, pattern, "q")]
        assert records.read(BINDING) == {name: value}
        assert records.read(BINDING, "e") == {name: value}
        assert records.is_bound("q")
        assert records.remove(BINDING, name, "e")
        assert records.binding_files.read("e") == []
        assert records.read(BINDING) == {}
        assert not records.is_bound("q")

    def test_that_kombu_5_7_does_not_know_are_none(self, records):
        declare(records, "h", "headers")
        declare(records, "a b")
        declare(records, "d")
        found = dict(
            [
                bind(records, "h", "q", arguments={"x": 1}),
                bind(records, "a b", "q"),
                bind(records, "d", "h", is_exchange=True),
            ]
        )

        assert records.read(BINDING) == found
        assert records.binding_files.exchanges() == []
        for name, value in found.items():
            assert records.remove(BINDING, name, value["source"])
        assert records.read(BINDING) == {}

    def test_of_kombu_5_7_are_shown(self, records, folders):
        with open(f"{folders.control}e.exchange", "w") as file:
            file.write('[["k", "", "q"]]')

        name, value = binding_record("e", "q", False, "k", None)
        assert records.read(BINDING) == {name: value}
        assert records.read(BINDING, "e") == {name: value}
        assert records.remove(BINDING, name, "e")
        assert records.read(BINDING) == {}

    def test_that_kombu_5_7_removed_are_gone(self, records, folders):
        declare(records, "e")
        name, value = bind(records, "e", "q")
        with open(f"{folders.control}e.exchange", "w") as file:
            file.write("[]")

        assert records.read(BINDING) == {}
        assert records.add(BINDING, name, value, group="e")
        assert records.read(BINDING) == {name: value}

    def test_of_several_arguments_share_a_row(self, records):
        declare(records, "e")
        one, value = bind(records, "e", "q", arguments={"x": 1})
        two, _ = bind(records, "e", "q", arguments={"x": 2})
        assert set(records.read(BINDING)) == {one, two}
        assert not records.add(BINDING, one, value, group="e")

        records.remove(BINDING, one, "e")
        assert set(records.read(BINDING)) == {two}
        records.remove(BINDING, two, "e")
        assert records.binding_files.read("e") == []


class test_tidying:
    def test_removes_what_writers_left_behind(self, records, folders, clock):
        left = [f"{folders.control}.x.tmp", f"{folders.records}tmp/x"]
        os.makedirs(f"{folders.records}tmp", exist_ok=True)
        for path in left:
            with open(path, "w"):
                pass
        records.tidy()
        assert all(map(os.path.exists, left))
        clock.offset += 3700
        records.tidy()

        assert not any(map(os.path.exists, left))


class test_owners:
    def test_live_as_long_as_their_lease(self, records, other, clock):
        assert not records.renew("a/b", 60)
        assert records.renew("a/b", 60)
        assert other.live_owners() == {"a/b"}
        clock.offset += 61

        assert other.live_owners() == set()
        assert not records.renew("a/b", 60)
        assert other.live_owners() == {"a/b"}

    def test_are_forgotten(self, records, other, folders):
        records.renew("a", 60)
        records.retire("a")

        assert other.live_owners() == set()
        assert not records.renew("a", 60)
        records.retire("a")
        assert os.listdir(folders.claimed) == []

    def test_that_died_leave_nothing(self, records, folders, clock):
        records.renew("a", 60)
        with open(f"{folders.records}owners/-b.x.tmp", "w"):
            pass
        clock.offset += 2 * 3600
        records.tidy()

        assert os.listdir(folders.claimed) == []
        assert os.listdir(f"{folders.records}owners") == []

    def test_that_live_are_not_buried(self, records, clock):
        records.renew("a", 60)
        assert not records.bury("-a")
        clock.offset += 61
        assert records.bury("-a")
        assert records.bury("-a")
