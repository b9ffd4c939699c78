from __future__ import annotations

import json

import pytest

from kombu.transport.redis.clock import ServerClock
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.records import RedisRecords
from kombu.transport.virtual.topology import binding_record

SEP = "\x06\x16"
DIRECT = {"type": "direct"}


@pytest.fixture
def records(redis, keys):
    return RedisRecords(redis, keys, ServerClock())


def bind(records, exchange, key, queue, is_exchange=False, arguments=None):
    name, value = binding_record(exchange, queue, is_exchange, key, arguments)
    records.add("binding", name, value, exchange)
    return name


class test_records:
    def test_is_added_once(self, records):
        assert records.add("queue", "q", {"durable": True})
        assert not records.add("queue", "q", {"durable": False})

        assert records.read("queue") == {"q": {"durable": True}}

    def test_groups(self, records):
        records.write("consumer", "c", {"n": 1}, "x")
        records.write("consumer", "c", {"n": 2}, "y")

        assert records.read("consumer", "x") == {"c": {"n": 1}}

    def test_is_removed_once(self, records):
        records.write("queue", "q", {})

        assert records.remove("queue", "q")
        assert not records.remove("queue", "q")

    def test_only_topology_changes_the_version(self, records):
        before = records.version()
        records.write("consumer", "c", {}, "q")
        assert records.version() == before

        records.add("queue", "q", {})
        assert records.version() != before

    def test_closing_leaves_the_connections(self, records, server):
        records.add("queue", "q", {})
        records.close()

        assert server.connections[0].is_open
        assert "RedisRecords" in repr(records)


class test_rows_of_old_peers:
    @pytest.mark.parametrize(
        "kind, key, row",
        [
            ("direct", "k", f"k{SEP}{SEP}q"),
            ("fanout", "k", f"k{SEP}{SEP}q"),
            ("topic", "a.*", f"a.*{SEP}^a\\.[^\\.]+${SEP}q"),
        ],
    )
    def test_are_written(self, records, server, kind, key, row):
        records.add("exchange", "e", {"type": kind})

        bind(records, "e", key, "q")

        assert server.sets["_kombu.binding.e"] == {row.encode()}
        # Without it they remove the first set now and then.
        assert server.sets["_kombu.binding_permanent.e"] == {row.encode()}

    @pytest.mark.parametrize("kind, linked", [("headers", False), ("direct", True)])
    def test_are_not_written_for_what_they_do_not_know(
        self, records, server, kind, linked
    ):
        records.add("exchange", "e", {"type": kind})

        bind(records, "e", "k", "q", linked)

        assert not server.sets["_kombu.binding.e"]

    def test_are_bindings(self, records, server):
        records.add("exchange", "e", DIRECT)
        records.read("exchange")
        server.sets["_kombu.binding.e"].add(f"k{SEP}{SEP}old".encode())

        found = records.read("binding")

        assert [
            (one["source"], one["routing_key"], one["destination"])
            for one in found.values()
        ] == [("e", "k", "old")]

    def test_of_ours_are_no_second_binding(self, records):
        records.add("exchange", "e", DIRECT)
        records.read("exchange")
        name = bind(records, "e", "k", "q", arguments={"x": 1})

        assert list(records.read("binding", "e")) == [name]

    def test_what_they_remove_is_gone(self, records, server):
        records.add("exchange", "e", DIRECT)
        records.read("exchange")
        bind(records, "e", "k", "q")
        linked = bind(records, "e", "k", "other", is_exchange=True)

        server.sets["_kombu.binding.e"].clear()

        assert list(records.read("binding")) == [linked]

    def test_nonsense_is_overlooked(self, records, server):
        records.add("exchange", "e", DIRECT)
        records.read("exchange")
        server.sets["_kombu.binding.e"].add(b"nonsense")

        assert records.read("binding", "e") == {}
        assert records.route_of_peers("e", "nonsense") == []

    def test_change_the_version(self, records, server):
        records.add("exchange", "e", DIRECT)
        records.read("exchange")
        before = records.version()

        server.sets["_kombu.binding.e"].add(b"x")

        assert records.version() != before
        assert "1 exchanges" in repr(before)
        assert before != "another thing"

    def test_go_with_the_record(self, records, server):
        records.add("exchange", "e", DIRECT)
        name = bind(records, "e", "k", "q")

        assert records.remove("binding", name, "e")

        assert not server.sets["_kombu.binding.e"]
        assert not server.sets["_kombu.binding_permanent.e"]

    def test_stay_while_a_twin_has_the_same(self, records, server):
        records.add("exchange", "e", DIRECT)
        records.read("exchange")
        bind(records, "e", "k", "q")
        twin = bind(records, "e", "k", "q", arguments={"x": 1})

        records.remove("binding", twin, "e")

        assert server.sets["_kombu.binding.e"]
        assert len(records.read("binding", "e")) == 1

    def test_route_of_who_knows_no_type(self, records, server):
        server.sets["_kombu.binding.e"] |= {
            f"k{SEP}{SEP}direct".encode(),
            f"a.*{SEP}^a\\.[^\\.]+${SEP}topic".encode(),
            f"##{SEP}^##${SEP}broken".encode(),
            f"x{SEP}^**${SEP}none".encode(),
        }

        assert records.route_of_peers("e", "k") == ["direct"]
        assert records.route_of_peers("e", "a.b") == ["topic"]
        assert records.route_of_peers("e", "z") == []


class test_cluster:
    @pytest.fixture
    def records(self, redis):
        return RedisRecords(redis, Keys(in_cluster=True), ServerClock())

    def test_there_are_no_old_peers(self, records, server):
        records.add("exchange", "e", DIRECT)
        bind(records, "e", "k", "q")

        assert len(records.read("binding", "e")) == 1
        assert not any(server.sets.values())
        assert records.route_of_peers("e", "k") == []
        assert not records.is_checked_by_scripts

    def test_record_is_removed(self, records):
        name = bind(records, "e", "k", "q")

        assert records.remove("binding", name, "e")


class test_owners:
    def test_renewal_tells_the_time(self, redis, keys):
        clock = ServerClock()
        records = RedisRecords(redis, keys, clock)

        assert records.renew("me", 60) is False
        assert records.renew("me", 60) is True
        assert clock.is_read
        assert records.live_owners() == {"me"}

    def test_is_forgotten(self, records):
        records.renew("me", 60)
        records.retire("me")

        assert records.live_owners() == set()


def test_values_are_json(records, server):
    records.add("queue", "é", {"a": None})

    ((field, value),) = server.hashes["_kombu.records.queue"].items()
    assert field == b"\x00" + "é".encode()
    assert json.loads(value) == {"a": None}
