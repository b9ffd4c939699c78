from __future__ import annotations

import json

import pytest
from redis import exceptions

from kombu.transport.redis.claims import Claims
from kombu.transport.redis.clock import ServerClock
from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.tags import queue_of_tag
from t.unit.transport.redis.server import NOW, bodies, commands_in, envelope, fill


def call_of(order, server):
    """Return what *order* asks a server."""
    (words,) = commands_in(order.request.packed(False))
    return server._call_of(words)


class test_names:
    @pytest.mark.parametrize("queue", ["q", "a:b:c", "", ":"])
    def test_tag_tells_the_queue(self, claims, queue):
        assert queue_of_tag(f"{claims.next_prefix()}:00001:{queue}") == queue

    def test_no_two_scripts_have_the_same_tags(self, claims):
        assert claims.next_prefix() != claims.next_prefix()
        assert "k6:me" in repr(claims)


class test_claim:
    def test_moves_into_the_record(self, claims, server):
        fill(server, "q", "a", "b")

        found = claims.claim(("q",), 10)

        assert bodies(found) == ["a", "b"]
        assert [one.token for one in found] == [
            f"k6:me:00000001:{place:05d}:q" for place in (1, 2)
        ]
        assert not server.lists["q"]
        assert set(server.hashes["unacked"]) == {one.token.encode() for one in found}

    def test_of_several_queues(self, claims, server):
        fill(server, "b", "x")
        fill(server, "a", "y")

        found = claims.claim(("a", "b"), 10)

        assert [(one.queue, one.envelope["body"]) for one in found] == [
            ("a", "y"),
            ("b", "x"),
        ]
        assert claims.were_looked_into(["a", "c"]) == {"a"}

    def test_is_limited(self, claims, server):
        fill(server, "q", *"abc")

        assert bodies(claims.claim(("q",), 2)) == ["a", "b"]
        claims.claim(("q",), 10_000)
        limits = [int(call.arguments[0]) for call in server.named("claim")]
        assert limits == [2, 500]

    def test_of_who_knows_an_old_topology_is_none(self, claims, server):
        fill(server, "q", "a")

        assert claims.claim(("q",), 1, b"another") == []
        assert claims.seen_version == server.version
        assert bodies(claims.claim(("q",), 1, server.version)) == ["a"]

    def test_tells_time_and_what_is_due(self, claims, server):
        server.answers["claim"].append([b"1;%d;1700000005000;0;" % NOW])

        claims.claim(("q",), 1)

        assert claims.next_due == 1_700_000_005
        claims.claim(("q",), 1)
        assert claims.next_due is None

    def test_levels_may_change(self, redis, keys, server):
        levels = [(0,)]
        claims = Claims(redis, keys, ServerClock(), "me", 60, lambda queue: levels[-1])
        claims.claim(("q",), 1)
        levels.append((5, 0))
        claims.claim(("q",), 1)

        keys = [call.keys[7:] for call in server.named("claim")]
        assert keys == [["q"], ["q\x06\x165", "q"]]

    def test_of_many_different_queues(self, claims, server):
        for number in range(110):
            claims.claim((f"q{number}",), 1)

        assert len(server.named("claim")) == 110

    def test_text_that_is_no_envelope_is_handed_on(self, claims, server):
        server.lists["q"].append(b"nonsense")

        (found,) = claims.claim(("q",), 1)

        assert found.envelope in (b"nonsense", "nonsense")
        assert found.deliveries == 0

    def test_of_what_has_expired(self, claims, server):
        text = json.dumps(envelope("a")).encode()
        server.answers["claim_expired"].append([text])

        (found,) = claims.claim_expired("q", 5)

        assert found.queue == "q"
        assert found.token.endswith(":00001:q")


class test_emptiness:
    def test_is_known_after_a_look(self, claims, server):
        assert not claims.are_empty(["q"])

        claims.claim(("q",), 1)

        assert claims.are_empty(["q"])
        assert not claims.are_empty(["q", "r"])

    def test_is_trusted_for_as_long_as_a_bell_rings(self, claims, server, clock):
        claims.claim(("q",), 1)

        clock.now += 49
        assert claims.are_empty(["q"])
        clock.now += 1

        assert not claims.are_empty(["q"])

    def test_full_claim_says_nothing_of_it(self, claims, server):
        fill(server, "q", "a")

        claims.claim(("q",), 1)

        assert not claims.are_empty(["q"])

    def test_is_no_more_when_messages_are_left(self, claims, server):
        claims.claim(("q",), 1)
        fill(server, "q", "a", "b")

        order = claims.order(("q",), 1, None, has_rung=True)
        claims.claims_of(order, server.do_claim(call_of(order, server)))

        assert not claims.are_empty(["q"])

    def test_can_be_forgotten(self, claims, server):
        claims.claim(("q", "r"), 1)

        claims.have_rung(["q"])
        assert not claims.are_empty(["q"])
        assert claims.are_empty(["r"])
        claims.forget_what_is_empty()

        assert not claims.are_empty(["r"])

    def test_of_many_queues_is_not_kept(self, claims, server):
        queues = tuple(f"q{number}" for number in range(1001))
        claims.claim(queues, 1)

        claims.claim(("q",), 1)

        assert not claims.are_empty(["q0"])
        assert claims.are_empty(["q"])


class test_bells:
    """Who has taken the element of a bell rings it again if messages are left."""

    def rung(self, server):
        return [call.arguments[3] for call in server.named("claim")]

    def test_look_without_one_rings_none(self, claims, server):
        fill(server, "q", "a", "b")

        claims.claim(("q",), 1)

        assert self.rung(server) == [b"0"]
        assert not server.lists["_kombu.bell.q"]

    def test_one_that_was_taken_rings_for_what_is_left(self, claims, server):
        fill(server, "q", "a", "b")
        claims.have_rung(["q", "r"])

        claims.claim(("q",), 1)
        claims.claim(("q",), 1)

        assert self.rung(server) == [b"1", b"0"]

    def test_one_that_was_taken_is_remembered_for_its_queue(self, claims, server):
        claims.have_rung(["r"])

        claims.claim(("q",), 1)
        claims.claim(("q", "r"), 1)
        claims.claim(("q", "r"), 1)

        assert self.rung(server) == [b"0", b"1", b"0"]

    def test_claim_of_an_old_topology_leaves_it_to_the_next(self, claims, server):
        claims.have_rung(["q"])

        claims.claim(("q",), 1, b"old")
        claims.claim(("q",), 1)

        assert self.rung(server) == [b"1", b"1"]

    def test_so_does_one_that_went_behind_a_wait(self, claims, server):
        order = claims.order(("q",), 1, b"old", has_rung=True)
        claims.claims_of(order, server.do_claim(call_of(order, server)))

        claims.claim(("q",), 1)

        assert self.rung(server) == [b"1"]

    def test_claim_that_was_lost_leaves_it_to_the_next(self, claims, server):
        claims.have_rung(["q"])
        server.answers["claim"].append(exceptions.ConnectionError("cut"))
        with pytest.raises(ServerLost):
            claims.claim(("q",), 1)

        claims.claim(("q",), 1)

        assert self.rung(server) == [b"1", b"1"]

    def test_who_does_not_claim_has_others_woken(self, claims, server):
        fill(server, "q", "a")
        claims.have_rung(["q", "r"])

        claims.ring_again(("r", "s"))
        assert [call.keys[0] for call in server.named("ring_again")] == [
            "_kombu.bell.r"
        ]
        claims.ring_again()
        claims.ring_again()

        assert len(server.named("ring_again")) == 2
        assert server.lists["_kombu.bell.q"]
        assert not server.lists["_kombu.bell.r"]

    def test_one_that_rings_during_a_claim_is_not_forgotten(self, claims, server):
        # Given a claim that finds nothing
        def hear(call):
            reply = server.do_claim(call)
            # ... and another thread that hears a bell before that is known
            fill(server, "q", "a", "b")
            claims.have_rung(["q"])
            return reply

        server.answers["claim"].append(hear)

        # When the queue is looked into
        assert not claims.claim(("q",), 1)

        # Then it does not count as empty, and what is left will ring
        assert not claims.are_empty(["q"])
        claims.claim(("q",), 1)
        assert self.rung(server) == [b"0", b"1"]


class test_due:
    def test_is_told_by_a_look(self, claims, server, clock):
        assert not claims.is_something_due()
        head = b"1;%d;%d;0;" % (NOW, NOW // 1000 + 3000)
        server.answers["claim"].append([head])
        claims.claim(("q",), 1)

        assert not claims.is_something_due()
        clock.now += 3

        assert claims.is_something_due()

    def test_of_many_different_queues_is_not_kept(self, claims):
        for number in range(102):
            claims._note_due((f"q{number}",), None)

        assert claims.were_looked_into(["q0", "q101"]) == {"q101"}


class test_unsure:
    def lose(self, server, call):
        """Carry out *call*, and lose the connection before the reply."""
        server.do_claim(call)
        return exceptions.ConnectionError("cut")

    def test_what_may_have_been_claimed_is_put_back(self, claims, server):
        # Given a claim that was made, and whose reply is lost
        fill(server, "q", "a", "b")
        server.answers["claim"].append(lambda call: self.lose(server, call))
        with pytest.raises(ServerLost):
            claims.claim(("q",), 2)
        assert len(server.hashes["unacked"]) == 2

        # When it is claimed again
        found = claims.claim(("q",), 2)

        # Then it is the same, in its order, and unmarked
        assert bodies(found) == ["a", "b"]
        assert len(server.hashes["unacked"]) == 2
        assert not any(one.deliveries for one in found)

    def test_interruption_leaves_it_unsure(self, claims, server):
        def interrupt(call):
            server.do_claim(call)
            raise KeyboardInterrupt

        fill(server, "q", "a")
        server.answers["claim"].append(interrupt)
        with pytest.raises(KeyboardInterrupt):
            claims.claim(("q",), 1)

        assert bodies(claims.claim(("q",), 1)) == ["a"]

    def test_refusal_does_not(self, claims, server):
        server.answers["claim"].append(exceptions.ResponseError("OOM"))

        with pytest.raises(ServerRefused):
            claims.claim(("q",), 1)

        assert not claims._unsure

    def test_order_can_be(self, claims, server):
        order = claims.order(("q",), 5, None)
        fill(server, "q", "a")
        server.do_claim(call_of(order, server))
        claims.note_unsure(order)

        claims.give_back_unsure()

        assert not server.hashes["unacked"]
        assert len(server.lists["q"]) == 1

    def test_is_remembered_until_the_server_is_back(self, claims, server):
        fill(server, "q", "a")
        server.answers["claim"].append(lambda call: self.lose(server, call))
        with pytest.raises(ServerLost):
            claims.claim(("q",), 1)
        server.is_gone = True
        for _ in range(2):
            with pytest.raises(ServerLost):
                claims.claim(("q",), 1)
        server.is_gone = False

        assert bodies(claims.claim(("q",), 1)) == ["a"]


class test_cluster:
    @pytest.fixture
    def claims(self, redis):
        redis.is_cluster = True
        keys = Keys(in_cluster=True)
        return Claims(redis, keys, ServerClock(), "me", 60, lambda queue: (0,))

    def put(self, server, queue, *names):
        for name in names:
            text = json.dumps(envelope(name, queue)).encode()
            server.lists[f"{{{queue}}}"].appendleft(text)

    def test_queues_are_asked_one_by_one(self, claims, server):
        self.put(server, "a", *"123")
        self.put(server, "b", "4")

        found = claims.claim(("a", "b"), 4)

        # First each has its share, then those that have more.
        assert bodies(found) == ["1", "2", "4", "3"]
        assert claims.were_looked_into(["a", "b", "c"]) == {"a", "b"}

    def test_share_is_never_nothing(self, claims, server):
        self.put(server, "b", "4")

        assert bodies(claims.claim(("a", "b"), 1)) == ["4"]

    def test_soonest_is_due_next(self, claims, server):
        for moment in (b"1700000009000", b"1700000005000"):
            server.answers["claim"].append([b";%d;%b;0;" % (NOW, moment)])

        claims.claim(("a", "b"), 1)

        assert claims.next_due == 1_700_000_005

    def test_what_was_claimed_is_not_lost_with_another_node(self, claims, server):
        self.put(server, "a", "1")
        server.answers["claim"].extend(
            [
                server.do_claim,
                exceptions.ConnectionError("cut"),
            ]
        )

        assert bodies(claims.claim(("a", "b"), 2)) == ["1"]

    def test_loss_of_the_first_node_is_told(self, claims, server):
        server.answers["claim"].append(exceptions.ConnectionError("cut"))

        with pytest.raises(ServerLost):
            claims.claim(("a", "b"), 2)

    def test_move_puts_first_and_removes_then(self, claims, server):
        self.put(server, "a", "1")
        (found,) = claims.claim(("a",), 1)

        assert claims.move(found.token, "a", [("b", 0, "copy")])

        assert list(server.lists["{b}"]) == [b"copy"]
        names = server.names()
        assert names.index("put") < names.index("HDEL")
