from __future__ import annotations

import threading

import pytest
from redis import exceptions

from kombu.transport.redis.bell import Bell
from kombu.transport.redis.channel_bell import ChannelBell
from kombu.transport.redis.options import LONGEST_WAIT
from kombu.transport.redis.server import Request
from kombu.transport.virtual import watcher as watchers


class Transport:
    """Notes how often it was woken."""

    def __init__(self):
        self._woken = threading.Semaphore(0)

    def wake(self):
        self._woken.release()

    def wait(self):
        assert self._woken.acquire(timeout=10)

    def was_woken(self):
        return self._woken.acquire(blocking=False)


@pytest.fixture
def transport():
    return Transport()


@pytest.fixture
def bell(transport, redis, keys, claims, monkeypatch):
    monkeypatch.setattr(watchers, "PAUSE", 0.001)
    redis.quota.take()
    bell = Bell(transport, redis, keys, "me", claims)
    yield bell
    bell.stop()
    assert not bell._thread.is_alive()
    assert redis.quota.used == len(redis._lines._idle)


def until_waiting(server, count=1):
    """Return when as many waits have begun."""
    for _ in range(1_000_000):
        if len(server.named("BLPOP")) >= count and server.waiting:
            return
    raise AssertionError("nobody waits")


def ring(redis, queue):
    redis.run(Request("ring", part_of(f"_kombu.bell.{queue}"), part_of(), queue))


def part_of(*values):
    from kombu.transport.redis.resp import part

    return part(*values)


class test_bell:
    def test_wakes_when_it_rings(self, bell, transport, redis, server):
        bell.arm(("a", "b"))
        until_waiting(server)
        assert not transport.was_woken()

        ring(redis, "b")

        transport.wait()
        assert not bell.was_silent
        (call,) = server.named("BLPOP")
        assert call.keys + call.arguments == [
            "_kombu.bell.a",
            b"_kombu.bell.b",
            b"_kombu.wake.me",
            b"2.0",
        ]

    def test_bell_that_has_rung_before_is_heard(self, bell, transport, redis):
        ring(redis, "a")

        bell.arm(("a",))

        transport.wait()

    def test_wakes_once(self, bell, transport, redis, server):
        bell.arm(("a",))
        until_waiting(server)
        ring(redis, "a")
        transport.wait()

        ring(redis, "a")

        assert not transport.was_woken()
        assert server.lists["_kombu.bell.a"]

    def test_wakes_when_the_wait_is_over(self, bell, transport, server):
        bell.arm(("a",))
        until_waiting(server)

        server.end_wait()

        transport.wait()
        assert bell.was_silent

    def test_looks_more_often_while_there_are_old_peers(self, bell, server):
        bell.hurry()
        bell.arm(("a",))
        until_waiting(server)

        (call,) = server.named("BLPOP")
        assert float(call.arguments[-1]) < LONGEST_WAIT

    def test_other_queues_end_the_wait(self, bell, transport, redis, server):
        bell.arm(("a",))
        until_waiting(server)

        bell.arm(("b",))
        until_waiting(server, 2)

        assert not transport.was_woken()
        ring(redis, "b")
        transport.wait()

    def test_the_same_queues_do_not(self, bell, server):
        bell.arm(("a",))
        until_waiting(server)

        bell.arm(("a",))

        assert not server.named("RPUSH")

    def test_knows_what_it_watches(self, bell, server, redis, transport):
        assert not bell.watches(["a"])

        bell.arm(("a", "b"))
        until_waiting(server)

        assert bell.watches(["a"])
        assert not bell.watches(["c"])
        ring(redis, "a")
        transport.wait()
        assert not bell.watches(["a"])

    def test_what_has_rung_is_to_be_looked_into_before_it_is_watched_again(
        self, bell, server, redis, transport
    ):
        bell.arm(("a", "b"))
        until_waiting(server)
        ring(redis, "a")
        transport.wait()

        bell.arm(("a", "b"))

        assert not bell.watches(["a"])  # and so looks
        assert bell.watches(["a"])
        assert not bell.watches(["b"])
        assert bell.watches(["a", "b"])

    def test_transport_is_told_of_a_loss(self, bell, transport, server, redis):
        bell.arm(("a",))
        until_waiting(server)

        server.waiting[0][1].cut()
        server.waiting.clear()
        transport.wait()

        bell.arm(("a",))
        until_waiting(server, 2)
        ring(redis, "a")
        transport.wait()

    def test_transport_is_told_of_a_refusal(self, bell, transport, server):
        server.answers["BLPOP"].append(exceptions.ResponseError("WRONGTYPE"))

        bell.arm(("a",))

        transport.wait()


class test_channel_bell:
    def test_listens_to_the_bells_of_queues(self, keys):
        class Fanout:
            def listen_to_bells(self, names):
                self.names = names

        fanout = Fanout()
        bell = ChannelBell(fanout, keys)

        bell.arm(("a", "b"))
        bell.hurry()
        bell.stop()

        assert fanout.names == {"_kombu.bell.a", "_kombu.bell.b"}
        assert not bell.was_silent
        assert not bell.watches(["a"])
        assert "ChannelBell" in repr(bell)
