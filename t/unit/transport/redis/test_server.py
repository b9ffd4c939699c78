from __future__ import annotations

import pytest
from redis import exceptions

from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.resp import part
from kombu.transport.redis.server import Request


def put(text):
    keys = part("q", "_kombu.bell.q")
    return Request("put", keys, part(0, "", "", text), "q")


class test_requests:
    def test_plain(self):
        request = Request.plain("LPUSH", "k", "a", b"b")

        assert request.packed(False) == (
            b"*4\r\n$5\r\nLPUSH\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\nb\r\n"
        )

    def test_script_is_sent_by_its_digest(self):
        assert b"EVALSHA" in put("x").packed(False)
        assert b"LPUSH" in put("x").packed(False, whole=True)


class test_run:
    def test_returns_the_reply(self, redis):
        assert redis.run(Request.plain("LPUSH", "l", "1")) == 1
        assert repr(redis) == "<Server: Redis at home>"

    def test_several_take_one_round_trip(self, redis, server):
        replies = redis.run_all([put("a"), Request.plain("EXISTS", "q")])

        assert replies == [1, 1]
        assert len(server.connections) == 1

    def test_refusal_names_what_was_refused(self, redis, server):
        server.answers["put"].append(exceptions.ResponseError("WRONGTYPE"))

        with pytest.raises(ServerRefused, match="Redis at home refuses put: WRONG"):
            redis.run(put("a"))

    def test_refusal_of_one_stops_no_other(self, redis, server):
        server.answers["put"].append(exceptions.ResponseError("WRONGTYPE"))

        with pytest.raises(ServerRefused):
            redis.run_all([put("a"), put("b")])

        assert list(server.lists["q"]) == [b"b"]

    def test_server_of_another_role_is_lost(self, redis, server):
        server.answers["put"].append(exceptions.ReadOnlyError("You can't write"))

        with pytest.raises(ServerLost):
            redis.run(put("a"))

    def test_packed_command_is_answered_by_what_came(self, redis, server):
        error = exceptions.ResponseError("WRONGTYPE")
        server.answers["put"].append(error)

        assert redis.run_packed(put("a").packed(False)) is error
        assert redis.run_packed(put("a").packed(False)) == 1

    def test_posted_commands_are_not_waited_for(self, redis, server):
        redis.post_all([Request.plain("LPUSH", "l", "1")] * 2)
        assert not server.calls

        redis.flush()

        assert len(server.lists["l"]) == 2
        assert redis.run(Request.plain("EXISTS", "l")) == 1

    def test_posted_commands_go_in_front_of_the_next_ones(self, redis, server):
        redis.post_all([Request.plain("LPUSH", "l", "1")])

        assert redis.run(Request.plain("LPUSH", "l", "2")) == 2

    def test_closing(self, redis, server):
        redis.run(Request.plain("EXISTS", "q"))

        redis.close()

        assert not server.connections[0].is_open


class test_unknown_script:
    def test_is_told(self, redis, server):
        server.knows_scripts = False

        assert redis.run(put("a")) == 1
        assert list(server.lists["q"]) == [b"a"]

    def test_many_take_one_more_round_trip_and_keep_their_order(self, redis, server):
        server.knows_scripts = False

        assert redis.run_all([put(str(n)) for n in range(3)]) == [1, 1, 1]

        assert list(server.lists["q"]) == [b"2", b"1", b"0"]
        verbs = [words[0] for words in server.connections[0].sent]
        assert verbs == [b"EVALSHA"] * 3 + [b"EVAL"] + [b"EVALSHA"] * 2

    def test_refusal_afterwards(self, redis, server):
        server.knows_scripts = False
        server.answers["put"].append(exceptions.ResponseError("OOM"))

        with pytest.raises(ServerRefused, match="OOM"):
            redis.run(put("a"))

    def test_after_a_packed_command(self, redis, server):
        error = exceptions.NoScriptError("No matching script.")

        assert redis.run_after(error, put("a")) == 1
        server.answers["put"].append(exceptions.ResponseError("OOM"))
        with pytest.raises(ServerRefused, match="OOM"):
            redis.run_after(error, put("a"))
        with pytest.raises(ServerRefused, match="WRONG"):
            redis.run_after(exceptions.ResponseError("WRONGTYPE"), put("a"))
