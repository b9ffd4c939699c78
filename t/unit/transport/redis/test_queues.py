from __future__ import annotations

import pytest

from kombu.transport.redis.clock import ServerClock
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.queues import Queues
from t.unit.transport.redis.server import NOW


@pytest.fixture
def queues(redis, keys):
    return Queues(redis, keys, ServerClock(), lambda queue: (0, 3))


class test_queues:
    def test_all_levels_count(self, queues, server):
        server.lists["q"].append(b"a")
        server.lists["q\x06\x163"].append(b"b")

        assert queues.size("q") == 2
        assert queues.has_messages("q")
        assert queues.purge("q") == 2
        assert queues.size("q") == 0
        assert "Queues" in repr(queues)

    def test_end(self, queues, server):
        server.lists["q"].append(b"a")

        queues.delete("q")

        assert not server.lists["q"]
        (call,) = server.named("delete")
        assert call.arguments == [b"\x06\x16", b"0,3", b"k6:", b"q"]
        assert server.named("DEL")[0].keys == ["_kombu.aside.q"]

    def test_what_could_not_be_read_is_kept_for_people(self, queues, server):
        queues.set_aside("q", b"nonsense")

        assert list(server.lists["_kombu.aside.q"]) == [b"nonsense"]
        assert server.named("LTRIM")[0].arguments == [b"0", b"99"]


class test_next_due:
    def test_of_all(self, queues, server):
        server.answers["next_due"].append([b"%d" % NOW, b"5000"])

        assert queues.next_due(["a", "b"]) == 5
        (call,) = server.named("next_due")
        assert call.arguments == [b"\x06\x16", b"0,3", b"0,3"]

    def test_there_is_none(self, queues):
        assert queues.next_due(["a"]) is None

    def test_in_a_cluster_each_is_asked_for(self, redis, server):
        redis.is_cluster = True
        keys = Keys(in_cluster=True)
        queues = Queues(redis, keys, ServerClock(), lambda queue: (0,))
        for moment in (b"9000", b"7000"):
            server.answers["next_due"].append([b"%d" % NOW, moment])

        assert queues.next_due(["a", "b"]) == 7
