from __future__ import annotations

import json
import threading

import pytest
from redis import exceptions

from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.lookout import Lookout
from kombu.transport.redis.resp import part
from kombu.transport.redis.server import Request
from kombu.utils import waiting
from t.unit.transport.redis.server import bodies, envelope, fill

BELL = "_kombu.bell.q"
WAKE = "_kombu.wake.me"


class Watch:
    """Waits by a lookout, and keeps what it finds."""

    def __init__(self, server, redis, keys, claims):
        self.server = server
        self.redis = redis
        self.claims = claims
        redis.quota.take()
        self.lookout = Lookout(redis, keys, "me", claims)
        self.waiter = waiting.Waiter()
        self.found = []

    def wait(self, seconds=None, queues=("q",), claiming=True, receive=None):
        order = self.claims.order(queues, 5, None) if claiming else None
        return self.lookout.wait(
            queues, order, receive or self.found.extend, seconds, self.waiter
        )

    def put(self, name, queue="q"):
        """Put a message into a queue, and ring its bell."""
        text = json.dumps(envelope(name, queue))
        keys = part(queue, f"_kombu.bell.{queue}")
        self.redis.run(Request("put", keys, part(0, "", "", text), queue))

    def begin(self):
        """Look once, so that the queue is known to be empty, and then shortly wait."""
        self.claims.claim(("q",), 1)
        self.wait(0.1)
        assert self.lookout.watches(["q"])

    @property
    def connection(self):
        """That of the lookout."""
        return self.lookout._link._connection

    @property
    def is_idle(self):
        """Whether nothing is under way."""
        return not self.server.waiting and "idle" in repr(self.lookout)


@pytest.fixture
def watch(server, redis, keys, claims):
    return Watch(server, redis, keys, claims)


def in_thread(action):
    """Carry out *action* in another thread; return what it returns."""
    found = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join(10)
    return found[0]


def until_waiting(server):
    for _ in range(10_000_000):
        if server.waiting:
            return
    raise AssertionError("nobody waits")


def do_and_lose(server, *actions):
    """Return an answer: what is asked is done, but the reply is lost."""

    def answer(call):
        server.do_claim(call)
        for action in actions:
            action()
        return exceptions.ConnectionError("cut")

    return answer


class test_claiming:
    def test_what_comes_while_it_waits_is_claimed_in_the_same_trip(
        self, watch, server, clock
    ):
        server.meanwhile.append(lambda: watch.put("a"))

        assert watch.wait()

        assert bodies(watch.found) == ["a"]
        assert server.names() == ["BLPOP", "put", "claim"]
        verbs = [words[0] for words in watch.connection.sent]
        assert verbs == [b"BLPOP", b"EVALSHA"]
        assert clock.now == 1000
        assert watch.is_idle

    def test_what_has_come_before_is_claimed_at_once(self, watch, server, clock):
        watch.put("a")

        watch.wait()

        assert bodies(watch.found) == ["a"]
        assert clock.now == 1000

    def test_claims_are_in_hand_before_they_count_as_known(self, watch, server, clock):
        seen = []
        server.meanwhile.append(lambda: watch.put("a"))

        watch.wait(receive=lambda claims: seen.append(watch.lookout._order))

        assert seen != [None]
        assert watch.is_idle

    def test_ends_by_itself_with_a_look(self, watch, server, clock):
        watch.wait()

        assert clock.now == 1002
        assert len(server.named("claim")) == 1
        assert not watch.found
        assert watch.lookout.watches(["q"])
        assert not watch.lookout.was_silent

    def test_ends_when_its_time_is_over(self, watch, server, clock):
        watch.claims.has_found = True
        watch.wait(1.0)

        assert clock.now == 1001
        assert server.named("BLPOP")[0].arguments[-1] == b"1.0"
        assert not server.named("RPUSH")
        assert watch.is_idle

    def test_what_is_left_rings_again(self, watch, server, clock):
        fill(server, "q", *"abcdef")
        server.lists[BELL].append(b"1")

        watch.wait()

        assert bodies(watch.found) == list("abcde")
        assert not watch.lookout.watches(["q"])
        watch.wait()
        assert bodies(watch.found) == list("abcdef")

    def test_old_topology_means_another_look(self, watch, server, claims, clock):
        claims.claim(("q",), 1)
        server.meanwhile.append(lambda: watch.put("a"))
        order = claims.order(("q",), 5, b"old")

        watch.lookout.wait(("q",), order, watch.found.extend, None, watch.waiter)

        assert not watch.found
        assert not watch.lookout.watches(["q"])
        assert claims.seen_version == server.version


class test_calling_off:
    def be_late(self, server):
        (one,) = server.waiting
        server.waiting = [one._replace(ends_at=one.ends_at + 100)]

    def test_server_that_is_late_is_not_waited_for(self, watch, server, clock):
        watch.claims.has_found = True
        server.meanwhile.append(lambda: self.be_late(server))

        assert watch.wait(1.0)

        assert clock.now == 1001.15
        assert server.named("RPUSH")[0].keys == [WAKE]
        assert watch.is_idle
        assert not server.lists[WAKE]

    def test_what_comes_at_that_very_moment_is_not_lost(self, watch, server, clock):
        watch.claims.has_found = True

        # Given a message that comes just before the wait is called off
        def push(call):
            fill(server, "q", "a")
            server.lists[BELL].append(b"1")
            return server.do_RPUSH(call)

        server.meanwhile.append(lambda: self.be_late(server))
        server.answers["RPUSH"].append(push)

        # When its time is over
        watch.wait(1.0)

        # Then it is claimed, and what has called off the wait ends the next one
        assert bodies(watch.found) == ["a"]
        now = clock.now
        watch.wait(1.0)
        assert clock.now == now
        assert watch.is_idle
        assert not server.lists[WAKE]

    def test_server_that_is_lost_then(self, watch, server, claims, clock):
        watch.claims.has_found = True

        def vanish(call):
            return exceptions.ConnectionError("cut")

        server.meanwhile.append(lambda: self.be_late(server))
        server.answers["RPUSH"].extend([vanish, vanish])

        assert watch.wait(1.0)

        assert watch.is_idle
        assert len(claims._unsure) == 1

    def test_server_that_does_not_end_it(self, watch, server, claims, clock):
        watch.claims.has_found = True
        server.meanwhile.append(server.waiting.clear)

        assert watch.wait(1.0)

        assert not watch.connection
        assert len(claims._unsure) == 1


class test_short_waits:
    def test_carry_no_claim_and_go_on(self, watch, server, clock):
        for _ in range(3):
            assert watch.wait(0.1)

        assert server.names() == ["BLPOP"]
        assert server.named("BLPOP")[0].arguments[-1] == b"2.0"
        assert clock.now == pytest.approx(1000.3)
        assert repr(watch.lookout) == "<Lookout: waits for ('q',)>"

    def test_where_nothing_was_found_lately_longer_ones_do_too(
        self, watch, server, clock
    ):
        watch.claims.claim(("q",), 1)
        server.calls.clear()

        assert watch.wait(1.9)

        assert server.names() == ["BLPOP"]
        assert server.waiting
        assert watch.wait(2.0)  # the longest: its end is that of the wait
        assert server.names() == ["BLPOP", "claim"]

    def test_bell_that_rings_between_them_means_a_look(self, watch, server, clock):
        watch.begin()

        watch.put("a")

        assert not watch.lookout.watches(["q"])
        assert watch.is_idle

    def test_bell_that_rings_in_one_means_a_look(self, watch, server, clock):
        watch.begin()
        server.meanwhile.append(lambda: watch.put("a"))

        watch.wait(0.1)

        assert not watch.found
        assert not watch.lookout.watches(["q"])
        assert not watch.lookout.was_silent

    def test_end_of_the_time_means_a_look(self, watch, server, clock):
        watch.begin()

        while not watch.is_idle:
            watch.wait(0.1)

        assert clock.now == pytest.approx(1002)
        assert watch.lookout.was_silent
        assert not watch.lookout.watches(["q"])

    def test_claim_goes_behind_one_that_is_under_way(self, watch, server, clock):
        watch.wait(0.1)
        server.meanwhile.append(lambda: watch.put("a"))

        watch.wait(5)

        assert bodies(watch.found) == ["a"]
        assert len(server.named("BLPOP")) == 1

    def test_nothing_goes_behind_one_that_has_ended(self, watch, server, clock):
        watch.begin()
        watch.put("a")

        watch.wait(5)

        assert len(server.named("claim")) == 1  # that of the beginning
        assert not watch.lookout.watches(["q"])
        assert watch.is_idle

    def test_longer_one_does_not_outlast_its_time(self, watch, server, clock):
        watch.claims.has_found = True
        watch.wait(0.1)

        watch.wait(0.6)

        assert clock.now == pytest.approx(1000.7)
        assert len(server.named("RPUSH")) == 1
        assert watch.is_idle

    def test_loss_between_them(self, watch, server, clock):
        watch.begin()
        server.lose_all()

        assert watch.wait(5)

        assert watch.is_idle
        assert not watch.claims.are_empty(["q"])

    def test_claim_is_never_sent_alone(self, watch, server, clock):
        # Given a wait whose connection is lost just when a claim is to go behind it
        watch.wait()
        watch.begin()
        claimed = len(server.named("claim"))
        clock.now += 1.5

        def can_read(timeout, answers=iter([False, True])):
            return next(answers)

        watch.connection.can_read = can_read

        # When it is
        watch.wait(5)

        # Then nothing is sent by another connection, where it would be taken
        # for the answer to the wait
        assert len(server.named("claim")) == claimed
        assert not watch.claims.are_empty(["q"])

    def test_other_queues_end_it(self, watch, server, clock):
        watch.begin()

        assert watch.wait(5, ("r",))

        assert clock.now == pytest.approx(1000.1)
        assert watch.is_idle
        assert watch.claims.are_empty(["q"])
        server.meanwhile.append(lambda: watch.put("a", "r"))
        watch.wait(5, ("r",))
        assert bodies(watch.found) == ["a"]


class test_without_a_claim:
    def test_bell_means_a_look(self, watch, server, clock):
        watch.claims.claim(("q",), 1)
        server.meanwhile.append(lambda: watch.put("a"))

        watch.wait(claiming=False)

        assert not watch.found
        assert not watch.lookout.watches(["q"])
        assert clock.now == 1000

    def test_goes_on_when_its_time_is_over(self, watch, server, clock):
        watch.wait(1.0, claiming=False)

        assert server.waiting
        assert not server.named("RPUSH")


class test_unknown_script:
    def test_bell_means_a_look_that_tells_it(self, watch, server, clock):
        def forget():
            server.knows_scripts = False
            fill(server, "q", "a")
            server.lists[BELL].append(b"1")
            server._serve_waiting()

        watch.begin()
        watch.wait(0.1)
        server.meanwhile.append(forget)

        watch.wait(5)

        assert not watch.found
        assert not watch.lookout.watches(["q"])
        assert bodies(watch.claims.claim(("q",), 5)) == ["a"]

    def test_silence_means_a_look_too(self, watch, server, clock):
        watch.claims.claim(("q",), 1)
        server.knows_scripts = False

        watch.wait()

        assert not watch.lookout.watches(["q"])
        assert watch.lookout.was_silent


class test_refusal:
    def test_is_told(self, watch, server, clock):
        server.answers["BLPOP"].append(exceptions.NoPermissionError("no BLPOP"))

        with pytest.raises(ServerRefused, match="BLPOP: no BLPOP"):
            watch.wait()

        assert watch.is_idle
        assert watch.wait(0.1)

    def test_what_was_claimed_is_handed_over_first(self, watch, server, clock):
        fill(server, "q", "a")
        server.answers["BLPOP"].append(exceptions.NoPermissionError("no BLPOP"))

        with pytest.raises(ServerRefused):
            watch.wait()

        assert bodies(watch.found) == ["a"]
        assert not watch.claims._unsure

    def test_another_role_means_that_it_is_lost(self, watch, server, clock):
        error = exceptions.ResponseError("UNBLOCKED force unblock")
        server.meanwhile.append(lambda: server.end_wait(error))

        assert watch.wait()

        assert not watch.wait()  # for a while

    @pytest.mark.parametrize(
        "error",
        [exceptions.NoPermissionError("no BLPOP"), exceptions.ConnectionError("cut")],
    )
    def test_between_short_waits_means_a_look(self, watch, server, clock, error):
        watch.begin()
        server.end_wait(error)

        assert not watch.lookout.watches(["q"])
        assert watch.is_idle


class test_loss:
    def test_is_blind_for_a_while(self, watch, server, clock):
        server.meanwhile.append(lambda: watch.connection.cut())
        assert watch.wait()

        assert not watch.wait()
        clock.now += 1
        server.meanwhile.append(lambda: watch.put("a"))
        assert watch.wait()

        assert bodies(watch.found) == ["a"]

    def test_what_was_claimed_is_given_back_later(self, watch, server, clock):
        # Given a claim that was made, and whose reply is lost
        server.answers["claim"].append(do_and_lose(server))
        watch.put("a")
        watch.wait()
        assert not watch.found
        assert len(server.hashes["unacked"]) == 1

        # When somebody looks, by the other connection
        found = watch.claims.claim(("q",), 5)

        # Then it is there
        assert bodies(found) == ["a"]
        assert len(server.hashes["unacked"]) == 1

    def test_nothing_counts_as_empty_then(self, watch, server, clock):
        watch.claims.claim(("q",), 1)
        server.meanwhile.append(lambda: watch.connection.cut())

        watch.wait()

        assert not watch.lookout.watches(["q"])

    def test_server_that_is_silent_counts_as_lost(self, watch, server, clock):
        server.meanwhile.append(server.waiting.clear)

        assert watch.wait()

        assert clock.now == 1007
        assert not watch.wait()
        assert len(watch.claims._unsure) == 1

    def test_server_that_is_silent_between_short_waits(self, watch, server, clock):
        watch.wait(0.1)
        server.waiting.clear()

        while "waits" in repr(watch.lookout):
            assert watch.wait(0.4)

        assert clock.now == pytest.approx(1007)

    def test_server_that_is_away(self, watch, server, clock):
        server.is_gone = True

        assert watch.wait()

        assert not watch.wait()

    def test_connection_that_was_lost_long_ago(self, watch, server, clock):
        watch.wait()
        server.lose_all()
        clock.now += 5
        server.meanwhile.append(lambda: watch.put("a"))

        watch.wait()

        assert bodies(watch.found) == ["a"]

    def test_while_it_is_sent(self, watch, server, clock):
        watch.put("a")
        watch.wait()
        watch.connection.cut()

        assert watch.wait()

        assert not watch.wait()

    def test_while_it_is_received(self, watch, server, clock):
        def receive(claims):
            raise ServerLost("cut")

        watch.put("a")

        assert watch.wait(receive=receive)

        assert bodies(watch.claims.claim(("q",), 5)) == ["a"]


class test_interruption:
    def interrupt(self):
        raise KeyboardInterrupt

    def test_leaves_nothing_under_way(self, watch, server, clock):
        server.meanwhile.append(self.interrupt)

        with pytest.raises(KeyboardInterrupt):
            watch.wait()

        assert watch.is_idle
        server.meanwhile.append(lambda: watch.put("a"))
        assert watch.wait()
        assert bodies(watch.found) == ["a"]

    def test_what_was_claimed_is_given_back(self, watch, server, clock):
        def put_and_interrupt():
            watch.put("a")
            raise KeyboardInterrupt

        server.meanwhile.append(put_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            watch.wait()
        assert len(server.hashes["unacked"]) == 1

        assert bodies(watch.claims.claim(("q",), 5)) == ["a"]

    def test_of_a_short_wait_means_a_look(self, watch, server, clock):
        watch.begin()
        server.meanwhile.append(self.interrupt)

        with pytest.raises(KeyboardInterrupt):
            watch.wait(0.1)

        assert not watch.lookout.watches(["q"])
        assert not watch.claims._unsure


class test_waking:
    def test_ends_the_wait(self, watch, server, clock):
        server.meanwhile.append(lambda: in_thread(watch.lookout.wake))

        assert watch.wait()

        assert clock.now == 1000
        assert watch.is_idle
        assert watch.lookout.watches(["q"])

    def test_before_the_wait_it_is_none(self, watch, server, clock):
        watch.waiter.wake()

        assert watch.wait()

        assert not server.calls
        server.meanwhile.append(lambda: watch.put("a"))
        watch.wait()
        assert bodies(watch.found) == ["a"]

    def test_just_before_the_server_waits(self, watch, server, clock):
        def wake_first(call):
            server.lists[WAKE].append(b"1")
            return server.do_BLPOP(call, watch.connection)

        server.answers["BLPOP"].append(wake_first)

        watch.wait()

        assert clock.now == 1000

    def test_who_does_not_wait_is_not_woken(self, watch, server, clock):
        watch.lookout.wake()
        assert not server.calls
        watch.wait()

        watch.lookout.wake()

        assert not server.named("RPUSH")

    def test_server_that_is_away(self, watch, server, clock):
        woken = []

        def wake():
            server.is_gone = True
            woken.append(in_thread(watch.lookout.wake))
            server.is_gone = False

        server.meanwhile.append(wake)

        assert watch.wait()

        assert woken == [None]  # and nothing was raised there


class test_other_threads:
    def test_one_waits_at_a_time(self, watch, server, clock):
        found = []
        server.meanwhile.append(lambda: found.append(in_thread(watch.wait)))

        assert watch.wait()

        assert found == [False]
        assert len(server.named("BLPOP")) == 1

    def test_they_trust_in_the_one_that_waits(self, watch, server, clock):
        watch.begin()
        found = []
        server.meanwhile.append(
            lambda: found.append(in_thread(lambda: watch.lookout.watches(["q"])))
        )

        watch.wait()

        assert found == [True]


class test_end:
    def test_ends_the_wait_of_another_thread(self, watch, server):
        thread = threading.Thread(target=watch.wait)
        thread.start()
        until_waiting(server)

        watch.lookout.end()

        assert watch.is_idle
        thread.join(10)
        assert not thread.is_alive()
        assert not watch.wait()
        assert not watch.claims._unsure

    def test_what_it_has_claimed_is_in_hand_by_then(self, watch, server):
        def push(call):
            fill(server, "q", "a")
            return server.do_RPUSH(call)

        thread = threading.Thread(target=watch.wait)
        thread.start()
        until_waiting(server)
        server.answers["RPUSH"].append(push)

        watch.lookout.end()

        assert bodies(watch.found) == ["a"]
        thread.join(10)

    def test_in_the_middle_of_a_wait_of_this_thread(self, watch, server, clock):
        # Given a signal handler that ends what it has interrupted
        def end():
            watch.put("a")
            watch.lookout.end()

        server.meanwhile.append(end)

        # When it waits
        assert watch.wait()

        # Then nothing is under way, and what was claimed can be given back
        assert watch.is_idle
        assert not watch.wait()
        watch.claims.give_back_unsure()
        assert not server.hashes["unacked"]
        assert len(server.lists["q"]) == 1

    def test_thread_that_does_not_end_is_not_waited_for(
        self, watch, server, monkeypatch
    ):
        monkeypatch.setattr("kombu.transport.redis.lookout._PATIENCE", 0.0)
        watch.lookout._lock.acquire()

        watch.lookout.end()

        assert not watch.wait()


class test_stop:
    def test_closes_the_connection(self, watch, server, clock, redis):
        watch.wait()
        used = redis.quota.used

        watch.lookout.stop()

        assert watch.connection is None
        assert redis.quota.used == used - 1
        assert not watch.wait()

    def test_bell_that_has_rung_for_us_is_not_forgotten(self, watch, server, clock):
        watch.begin()
        watch.put("a")

        watch.lookout.stop()

        assert not watch.claims.are_empty(["q"])


class test_old_peers:
    def test_message_without_a_bell_means_that_there_are_some(
        self, watch, server, clock
    ):
        server.meanwhile.append(lambda: fill(server, "q", "a"))

        watch.wait()

        assert bodies(watch.found) == ["a"]
        assert not watch.lookout.watches(["q"])
        watch.wait()
        assert server.named("BLPOP")[-1].arguments[-1] == b"0.1"

    def test_message_with_one_means_nothing(self, watch, server, clock):
        watch.put("a")

        watch.wait()

        assert watch.lookout.watches(["q"])

    def test_message_that_has_become_due_means_nothing(self, watch, server, clock):
        # Given a message that rests, and is due when the wait ends
        head = b"1;1700000000000000;1700000001000;0;"
        server.answers["claim"].append([head])
        watch.claims.claim(("q",), 1)
        watch.claims.has_found = True
        server.meanwhile.append(lambda: fill(server, "q", "a"))

        # When it is found without a bell
        watch.wait(1.0)

        # Then it does not look like one of an old peer
        assert bodies(watch.found) == ["a"]
        assert watch.lookout.watches(["q"])

    def test_haste_means_looks(self, watch, server, clock):
        watch.wait()

        watch.lookout.hurry()

        assert not watch.lookout.watches(["q"])
        clock.now += 30
        assert watch.lookout.watches(["q"])


def test_need_not_be_armed(watch, server):
    watch.lookout.arm(("q",))

    assert not server.calls


class test_acknowledgements:
    @pytest.fixture
    def taken(self, watch, server):
        """A message that was claimed, and is done with; there is a connection."""
        server.meanwhile.append(lambda: watch.put("z"))
        watch.wait()
        watch.found.clear()
        watch.connection.sent.clear()
        server.hashes["unacked"].clear()
        fill(server, "q", "a")
        (claim,) = watch.claims.claim(("q",), 1)
        watch.claims.settle([claim])
        server.calls.clear()
        return claim

    def test_go_in_front_of_the_wait(self, watch, server, clock, taken):
        server.meanwhile.append(lambda: watch.put("b"))

        watch.wait()

        assert server.names() == ["HDEL", "ZREM", "BLPOP", "put", "claim"]
        assert bodies(watch.found) == ["b"]
        assert taken.token not in server.hashes["unacked"]
        verbs = [words[0] for words in watch.connection.sent]
        assert verbs == [b"HDEL", b"ZREM", b"BLPOP", b"EVALSHA"]

    def test_do_not_end_a_short_wait(self, watch, server, clock, taken):
        watch.wait(0.1)

        assert clock.now == pytest.approx(1000.1)
        assert server.waiting

    def test_do_not_wait_for_a_connection(self, watch, server, clock):
        fill(server, "q", "a")
        watch.claims.settle(watch.claims.claim(("q",), 1))
        server.calls.clear()

        watch.wait(0.1)

        assert server.names() == ["HDEL", "ZREM", "BLPOP"]
        verbs = [words[0] for words in watch.connection.sent]
        assert verbs == [b"BLPOP"]

    def test_go_by_another_way_while_a_wait_goes_on(self, watch, server, clock):
        watch.begin()
        fill(server, "r", "a")
        watch.claims.settle(watch.claims.claim(("r",), 1))
        server.calls.clear()

        watch.wait(0.1)

        assert server.names() == ["HDEL", "ZREM"]
        assert not server.hashes["unacked"]
        assert server.waiting

    def test_are_sent_again_if_the_connection_is_lost(
        self, watch, server, clock, taken
    ):
        def vanish(call):
            return exceptions.ConnectionError("cut")

        server.answers["HDEL"].append(vanish)
        watch.wait()
        server.calls.clear()

        watch.redis.flush()

        assert server.names() == ["HDEL", "ZREM"]
