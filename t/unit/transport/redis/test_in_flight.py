from __future__ import annotations

import pytest
from redis import exceptions

from kombu.transport.redis import in_flight
from kombu.transport.redis.errors import ServerLost
from kombu.transport.redis.in_flight import InFlight
from kombu.transport.virtual.claims import Claim
from t.unit.transport.redis.server import bodies, envelope, fill


def test_repr(redis, keys):
    assert repr(InFlight(redis, keys, 60)) == "<InFlight: in <Server: Redis at home>>"


class test_settling:
    def test_removes_from_the_record(self, claims, redis, server):
        fill(server, "q", "a", "b")
        found = claims.claim(("q",), 2)

        claims.settle(found)
        assert len(server.hashes["unacked"]) == 2  # it goes with what is sent next
        redis.flush()

        assert not server.hashes["unacked"]
        assert not server.hashes["unacked_index"]
        assert len(server.named("HDEL")) == 1

    def test_several_are_one_command(self, claims, redis, server):
        fill(server, "q", "a", "b")
        for found in claims.claim(("q",), 2):
            claims.settle([found])

        redis.flush()

        assert not server.hashes["unacked"]
        assert [len(call.arguments) for call in server.named("HDEL")] == [2]

    def test_many_do_not_wait_for_more(self, claims, server, monkeypatch):
        monkeypatch.setattr(in_flight, "MOST_SETTLED", 2)
        fill(server, "q", "a", "b", "c")
        found = claims.claim(("q",), 3)

        claims.settle(found[:1])
        assert len(server.hashes["unacked"]) == 3
        claims.settle(found[1:])

        assert not server.hashes["unacked"]

    def test_in_a_cluster_it_is_done_at_once_or_again(
        self, claims, redis, server, monkeypatch
    ):
        fill(server, "q", "a")
        found = claims.claim(("q",), 1)
        redis.is_cluster = True
        monkeypatch.setattr(redis, "post_all", redis.run_all)
        cut = exceptions.ConnectionError("cut")
        server.answers["HDEL"] += [cut, cut]

        with pytest.raises(ServerLost):
            claims.settle(found)
        claims.settle([])

        assert not server.hashes["unacked"]

    def test_what_was_only_heard_is_in_no_record(self, claims, server):
        claims.settle([Claim("q", envelope("a"))])
        claims.extend([Claim("q", envelope("a"))])
        claims.release([Claim("q", envelope("a"))], lambda queue, text: 0)

        assert not server.calls

    def test_lease_is_renewed(self, claims, server):
        fill(server, "q", "a")
        found = claims.claim(("q",), 1)

        claims.extend(found)

        (call,) = server.named("extend")
        assert call.arguments == [b"60.0", found[0].token.encode()]


class test_release:
    def test_order_is_kept(self, claims, server):
        fill(server, "q", "a", "b", "c")
        found = claims.claim(("q",), 2)

        claims.release(found, lambda queue, text: 0)

        again = claims.claim(("q",), 3)
        assert bodies(again) == ["a", "b", "c"]
        assert not any(one.deliveries for one in again)

    def test_what_was_delivered_is_marked(self, claims, server):
        fill(server, "q", "a")
        (found,) = claims.claim(("q",), 1)
        found.was_delivered = True

        claims.release([found], lambda queue, text: 0)

        (again,) = claims.claim(("q",), 1)
        assert again.deliveries == 1
        assert again.envelope["redelivered"] is True

    def test_level_is_kept(self, claims, server):
        fill(server, "q", "a")
        found = claims.claim(("q",), 1)

        claims.release(found, lambda queue, text: 3)

        assert len(server.lists["q\x06\x163"]) == 1

    def test_nonsense_is_put_back_as_it_is(self, claims, server):
        server.lists["q"].append(b"nonsense")
        (found,) = claims.claim(("q",), 1)
        found.was_delivered = True

        claims.release([found], lambda queue, text: 0)

        assert list(server.lists["q"]) == [b"nonsense"]


class test_move:
    def test_copies_go_with_the_removal(self, claims, server):
        fill(server, "q", "a")
        (found,) = claims.claim(("q",), 1)

        assert claims.move(found.token, "q", [("r", 0, "one"), ("s", 3, "two")])

        assert list(server.lists["r"]) == [b"one"]
        assert list(server.lists["s\x06\x163"]) == [b"two"]
        assert not claims.move(found.token, "q", [("r", 0, "one")])
