from __future__ import annotations

import json
import logging

import pytest
from redis import exceptions

from kombu.transport.redis import lost as module
from kombu.transport.redis.errors import ServerRefused
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.lost import LostMessages
from kombu.transport.redis.options import Settings
from kombu.transport.redis.tags import ending_of
from t.unit.transport.redis.server import envelope

ROUTES = {("e", "k"): ["q"], ("e", "both"): ["q", "r"]}


class Store:
    """A server, and what sweeps it."""

    def __init__(self, redis, keys, claims, server):
        self.server = server
        self.lost = LostMessages(
            redis,
            keys,
            Settings.of({}, 0),
            claims,
            "me",
            60,
            lambda queue, text: 0,
            lambda exchange, key: ROUTES.get((exchange, key), ()),
        )
        self.entries = []
        server.always["lost"] = self._list

    def enter(self, tag, value):
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.server.hashes["unacked"][tag.encode()] = text
        self.server.hashes["unacked_index"][tag.encode()] = b"0"
        self.entries.append((tag.encode(), text))

    def enter_ours(self, tag, queue, found):
        text = json.dumps(found) if isinstance(found, dict) else found
        self.enter(tag, f"[{text}{ending_of(queue)}".encode())

    def _list(self, call):
        held = self.server.hashes["unacked"]
        scores = self.server.hashes["unacked_index"]
        left = [
            entry
            for entry in self.entries
            if entry[0] in held and scores.get(entry[0]) == b"0"
        ]
        return [x for entry in left[: int(call.arguments[2])] for x in entry]


@pytest.fixture
def store(redis, keys, claims, server):
    return Store(redis, keys, claims, server)


class test_ours:
    def test_comes_back_marked_and_in_its_order(self, store, server):
        store.enter_ours("k6:dead:1:00001:q", "q", envelope("a"))
        store.enter_ours("k6:dead:1:00002:q", "q", envelope("b"))

        assert store.lost.put_back(()) == {"q"}

        found = [json.loads(text) for text in server.lists["q"]]
        assert [one["body"] for one in found] == ["b", "a"]  # the next at the right
        assert {one["properties"]["x-delivery-count"] for one in found} == {1}
        assert not server.hashes["unacked"]

    def test_deliveries_are_counted(self, store, server):
        before = envelope("a", **{"x-delivery-count": 4})
        store.enter_ours("k6:dead:1:00001:q", "q", before)

        store.lost.put_back(())

        (text,) = server.lists["q"]
        assert json.loads(text)["properties"]["x-delivery-count"] == 5

    def test_nonsense_comes_back_as_it_was(self, store, server):
        store.enter_ours("k6:dead:1:00001:q", "q", "nonsense")

        store.lost.put_back(())

        assert list(server.lists["q"]) == [b"nonsense"]


class test_of_old_peers:
    def test_of_the_default_exchange(self, store, server):
        store.enter("tag", [envelope("a"), "", "q"])

        assert store.lost.put_back(()) == {"q"}

        (text,) = server.lists["q"]
        assert json.loads(text)["redelivered"] is True

    def test_of_an_exchange_is_routed_again(self, store, server):
        store.enter("tag", [envelope("a"), "e", "k"])

        assert store.lost.put_back(()) == {"q"}

    def test_goes_where_it_may_have_come_from(self, store, server):
        store.enter("tag", [envelope("a"), "e", "both"])

        assert store.lost.put_back(()) == {"q", "r"}

        assert len(server.lists["q"]) == len(server.lists["r"]) == 1
        assert not server.hashes["unacked"]

    def test_value_that_is_no_envelope(self, store, server):
        store.enter("tag", [None, "", "q"])

        assert store.lost.put_back(()) == {"q"}
        assert list(server.lists["q"]) == [b"null"]

    @pytest.mark.parametrize(
        "value, text",
        [
            (b"nonsense", "can not be read"),
            ([1, 2], "can not be read"),
            ({"a": 1}, "can not be read"),
            ([envelope("a"), "unknown", "k"], "leads to no queue"),
        ],
    )
    def test_what_leads_nowhere_is_left_and_told(
        self, store, server, caplog, value, text
    ):
        store.enter("tag", value)

        with caplog.at_level(logging.WARNING):
            assert store.lost.put_back(()) == set()

        assert text in caplog.text
        assert server.hashes["unacked"]

    def test_garbage_does_not_hide_what_is_behind(self, store, server, monkeypatch):
        monkeypatch.setattr(module, "_BATCH", 2)
        for number in range(4):
            store.enter(f"tag{number}", b"nonsense")
        store.enter("tag", [envelope("a"), "", "q"])

        assert store.lost.put_back(()) == {"q"}

        # It is still there, to be looked at again later.
        assert len(server.hashes["unacked"]) == 4
        assert b"0" not in server.hashes["unacked_index"].values()


class test_sweep:
    def test_goes_on_while_there_is_more(self, store, server, monkeypatch):
        monkeypatch.setattr(module, "_BATCH", 2)
        for number in range(5):
            store.enter(f"tag{number}", [envelope(number), "", "q"])

        store.lost.put_back(())

        assert len(server.lists["q"]) == 5

    def test_lock_is_let_go_of(self, store, server):
        store.enter("tag", [envelope("a"), "", "q"])
        server.answers["release"].append(exceptions.ResponseError("OOM"))

        with pytest.raises(ServerRefused):
            store.lost.put_back(())

        (call,) = server.named("unlock")
        assert (call.keys, call.arguments) == (["_kombu.sweeping"], [b"me"])

    def test_nothing_lost_is_one_question(self, store, server):
        assert store.lost.put_back(("q",)) == set()
        assert server.names() == ["lost"]

    def test_lock_of_who_is_killed_lasts_not_long(self, store, server):
        store.lost.put_back(())

        (call,) = server.named("lost")
        assert call.arguments[3:] == [b"me", b"7500"]

    def test_in_a_cluster_each_queue_has_its_own(self, redis, claims, server):
        keys = Keys(in_cluster=True)
        store = Store(redis, keys, claims, server)

        store.lost.put_back(("a", "b"))

        assert [call.keys[0] for call in server.named("lost")] == [
            "{a}.unacked",
            "{b}.unacked",
        ]
        assert "LostMessages" in repr(store.lost)
