from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from redis import exceptions

from kombu.transport.redis import listener as module
from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.listener import Listener
from kombu.transport.virtual import watcher as watchers
from t.unit.transport.redis.server import FakeConnection


class Heard:
    """What was delivered."""

    def __init__(self):
        self.found = []
        self._changed = threading.Condition()

    def __call__(self, name, data):
        with self._changed:
            self.found.append((name, data))
            self._changed.notify_all()

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.found) >= count, 10)
        return self.found


class Transport:
    def wake(self):
        pass


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def listening(redis, heard, monkeypatch):
    monkeypatch.setattr(watchers, "PAUSE", 0.001)
    transport = Transport()

    @contextmanager
    def listening(wide="", silence=100.0):
        redis.quota.take()
        listener = Listener(transport, redis, "wake.me", wide, silence, heard)
        try:
            yield listener
        finally:
            listener.stop()
            assert not listener._thread.is_alive()

    return listening


def until_subscribed(server, name):
    """Return when somebody listens to *name*."""
    for _ in range(10_000_000):
        if any(name in one.subscriptions for one in tuple(server.connections)):
            return
    raise AssertionError("nobody listens")


class test_listening:
    def test_channels_and_patterns(self, listening, server, heard):
        with listening() as listener:
            listener.listen_to({"e", "f/*"})
            server.publish("e", b"1")
            server.publish("f/x", b"2")

            assert heard.wait(2) == [("e", b"1"), ("f/*", b"2")]

    def test_more_and_less(self, listening, server, heard):
        with listening() as listener:
            listener.listen_to({"a"})
            listener.listen_to({"b"})
            listener.listen_to({"b"})
            listener.listen_to({"b", "c"}, waits=False)
            listener.listen_to({"b", "c"})
            server.publish("a", b"1")
            server.publish("c", b"2")

            assert heard.wait(1) == [("c", b"2")]

    def test_refused_channel_is_told_to_who_asked(self, listening, server):
        with listening() as listener:
            listener.listen_to({"a"})
            error = exceptions.NoPermissionError("no permissions")
            server.answers["SUBSCRIBE"].append(error)

            with pytest.raises(ServerRefused, match="subscribe to 'b'"):
                listener.listen_to({"a", "b"})

            listener.listen_to({"a", "c"})

    def test_server_that_can_not_now_is_asked_again(self, listening, server):
        with listening() as listener:
            listener.listen_to({"a"})
            server.answers["SUBSCRIBE"].append(exceptions.ReadOnlyError("a replica"))

            with pytest.raises(ServerLost):
                listener.listen_to({"a", "b"})

            listener.listen_to({"a"})

    def test_subscription_that_is_never_confirmed(self, listening, server, monkeypatch):
        monkeypatch.setattr(module, "_PATIENCE", 0.01)
        with listening() as listener:
            server.is_gone = True
            server.lose_all()

            with pytest.raises(ServerLost):
                listener.listen_to({"b"})
            server.is_gone = False

    def test_goes_on_after_a_loss(self, listening, server, heard):
        with listening() as listener:
            listener.listen_to({"a"})
            first = [one for one in server.connections if one.subscriptions]
            first[0].cut()
            until_subscribed(server, "a")
            server.publish("a", b"1")

            assert heard.wait(1) == [("a", b"1")]

    def test_quota_is_given_back(self, listening, redis):
        with listening():
            assert redis.quota.used == 1
        assert redis.quota.used == 0


class test_wide_pattern:
    def refuse(self, call):
        """Allow the one pattern that the user has, and no part of it."""
        return exceptions.NoPermissionError(f"no {call.keys[0]}")

    def test_patterns_are_sorted_out_here(self, listening, server, heard):
        with listening("app:*") as listener:
            server.answers["PSUBSCRIBE"].append(self.refuse)
            listener.listen_to({"app:e/*", "app:x"})
            server.publish("app:e/k", b"1")
            server.publish("app:other", b"2")
            server.publish("app:x", b"3")

            found = heard.wait(2)
            assert ("app:e/*", b"1") in found
            assert ("app:x", b"3") in found
            assert not any(data == b"2" for _, data in found)

    def test_a_second_one_needs_no_more(self, listening, server, heard):
        with listening("app:*") as listener:
            server.answers["PSUBSCRIBE"].append(self.refuse)
            listener.listen_to({"app:e/*"})
            server.answers["PSUBSCRIBE"].append(self.refuse)
            listener.listen_to({"app:e/*", "app:f/*"})

            wide = [
                call for call in server.named("PSUBSCRIBE") if call.keys == ["app:*"]
            ]
            assert len(wide) == 1
            listener.listen_to({"app:f/*"})

    def test_who_is_not_allowed_that_either(self, listening, server):
        with listening("app:*") as listener:
            server.always["PSUBSCRIBE"] = self.refuse

            with pytest.raises(ServerRefused):
                listener.listen_to({"app:e/*"})


class test_silence:
    def test_server_is_asked_and_answers(self, listening, server, heard):
        asked = threading.Event()

        def answer(call):
            asked.set()
            return [b"pong", b""]

        server.always["PING"] = answer
        with listening(silence=0.01) as listener:
            listener.listen_to({"a"})
            assert asked.wait(10)
            server.publish("a", b"1")
            assert heard.wait(1)

    def test_server_that_does_not_answer_is_left(self, listening, server, monkeypatch):
        came_back = threading.Event()
        monkeypatch.setattr(module, "_PATIENCE", 0.01)
        original = server.do_SUBSCRIBE

        def subscribe(call, connection):
            if server.names().count("SUBSCRIBE") > 1:
                came_back.set()
            return original(call, connection)

        server.do_SUBSCRIBE = subscribe
        monkeypatch.setattr(FakeConnection, "answer", lambda self, reply: None)
        with listening(silence=0.01):
            assert came_back.wait(10)
