from __future__ import annotations

import pytest
from redis import exceptions

from kombu.transport.redis.errors import ServerRefused
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.parcel import Parcel
from kombu.transport.redis.puts import LARGE, Puts
from kombu.transport.redis.records import Version
from kombu.transport.virtual.policies import QueuePolicy

TARGETS = (("q", 0),)


@pytest.fixture
def puts(redis, keys, claims):
    return Puts(redis, keys, claims)


@pytest.fixture
def version(server):
    return Version(server.version, {"e": b"0"})


class test_put:
    def test_goes_into_lists_and_rings(self, puts, server):
        assert puts.put(Parcel(b"x", (("q", 0), ("r", 3))))

        assert list(server.lists["q"]) == [b"x"]
        assert list(server.lists["r\x06\x163"]) == [b"x"]
        assert server.lists["_kombu.bell.q"]
        assert server.lists["_kombu.bell.r"]

    def test_order(self, puts, server):
        for text in (b"a", b"b"):
            puts.put(Parcel(text, TARGETS))

        assert list(server.lists["q"]) == [b"b", b"a"]

    @pytest.mark.parametrize("exchange", ["", "e", "unknown"])
    def test_topology_is_as_it_is_known(self, puts, exchange, version):
        assert puts.put(Parcel(b"x", TARGETS, exchange, version))

    def test_topology_has_changed(self, puts, server, version):
        server.version = b"2"

        assert not puts.put(Parcel(b"x", TARGETS, "e", version))
        assert not server.lists["q"]

    def test_old_peers_have_bound(self, puts, server, version):
        server.sets["_kombu.binding.e"].add(b"row")

        assert not puts.put(Parcel(b"x", TARGETS, "e", version))

    def test_new_topology_is_sent_with_the_next_one(self, puts, server, version):
        puts.put(Parcel(b"x", TARGETS, "e", version))
        server.version = b"2"

        assert puts.put(Parcel(b"y", TARGETS, "e", Version(b"2", {"e": b"0"})))

    def test_script_that_the_server_does_not_know(self, puts, server):
        server.knows_scripts = False

        assert puts.put(Parcel(b"x", TARGETS))
        assert list(server.lists["q"]) == [b"x"]

    def test_refusal(self, puts, server):
        server.answers["put"].append(exceptions.ResponseError("OOM"))

        with pytest.raises(ServerRefused, match="OOM"):
            puts.put(Parcel(b"x", TARGETS))

    def test_many_queues_are_not_kept(self, puts):
        for number in range(1005):
            puts.put(Parcel(b"x", ((f"q{number}", 0),)))

        assert len(puts._heads) < 10

    def test_empty_text(self, puts, server):
        assert puts.put(Parcel(b"", TARGETS))
        assert list(server.lists["q"]) == [b""]


class test_large:
    def test_does_not_pass_through_a_script(self, puts, server, version):
        text = b"x" * (LARGE + 1)

        assert puts.put(Parcel(text, TARGETS, "e", version))

        assert list(server.lists["q"]) == [text]
        assert server.names() == ["check", "LPUSH", "ring"]

    def test_topology_has_changed(self, puts, server, version):
        server.version = b"2"

        assert not puts.put(Parcel(b"x" * (LARGE + 1), TARGETS, "e", version))
        assert not server.lists["q"]


class test_batch:
    def test_takes_one_round_trip(self, puts, server):
        parcels = [Parcel(b"%d" % number, TARGETS) for number in range(3)]

        assert puts.put_all(parcels) == [True] * 3
        assert list(server.lists["q"]) == [b"2", b"1", b"0"]

    def test_tells_which_were_put(self, puts, server, version):
        old = Version(b"0", {})
        parcels = [Parcel(b"a", TARGETS, "e", version), Parcel(b"b", TARGETS, "e", old)]

        assert puts.put_all(parcels) == [True, False]

    def test_with_a_large_one(self, puts, server):
        parcels = [Parcel(b"a", TARGETS), Parcel(b"x" * (LARGE + 1), TARGETS)]

        assert puts.put_all(parcels) == [True, True]
        assert len(server.lists["q"]) == 2


class test_cluster:
    def test_each_queue_is_asked_for_itself(self, redis, claims, server):
        redis.is_cluster = True
        puts = Puts(redis, Keys(in_cluster=True), claims)

        assert puts.put(Parcel(b"x", (("a", 0), ("b", 0)), "e", Version(b"9", {})))

        assert [call.keys[0] for call in server.named("put")] == ["{a}", "{b}"]
        assert puts.is_current("e", Version(b"9", {}))


class test_resting:
    def test_rests_until_it_is_due(self, puts, server):
        puts.rest("q", 3, b"text", "id", 1.5)

        (call,) = server.named("rest")
        assert call.keys == ["_kombu.due.q", "_kombu.delayed.q", "_kombu.bell.q"]
        assert call.arguments == [b"id", b"1500.000", b"3:text"]

    def test_is_cancelled_once(self, puts):
        puts.rest("q", 0, b"text", "id", 1.5)

        assert puts.cancel("q", "id")
        assert not puts.cancel("q", "id")


class test_limits:
    def test_limit_is_sent(self, puts, server):
        policy = QueuePolicy.of(
            "q", {"x-max-length": 3, "x-overflow": "reject-publish"}
        )

        assert puts.put_limited("q", 0, b"text", policy, 60, (0,)) == (True, [])

        (call,) = server.named("put_limited")
        assert call.arguments[4:7] == [b"3", b"-1", b"1"]

    def test_what_has_to_go_is_claimed(self, puts, server):
        policy = QueuePolicy.of("q", {"x-max-length-bytes": 3})
        server.answers["put_limited"].append([1, b'{"body": "old"}'])

        is_put, claims = puts.put_limited("q", 0, b"text", policy, 60, (0,))

        assert is_put
        assert [claim.envelope for claim in claims] == [{"body": "old"}]
        assert "Puts" in repr(puts)

    def test_full_queue_refuses(self, puts, server):
        server.answers["put_limited"].append([0])

        policy = QueuePolicy.of("q", {"x-max-length": 1})
        assert puts.put_limited("q", 0, b"text", policy, 60, (0,)) == (False, [])
