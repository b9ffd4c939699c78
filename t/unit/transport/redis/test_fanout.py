from __future__ import annotations

import json

import pytest

from kombu.transport.redis import fanout as module
from kombu.transport.redis.fanout import Fanout
from kombu.transport.redis.options import Settings
from kombu.utils import waiting
from t.unit.transport.redis.server import bodies, envelope


class Listener:
    """Notes what is listened to."""

    def __init__(self):
        self.names = set()
        self.is_stopped = False

    def listen_to(self, names, waits=True):
        self.names = set(names)

    def stop(self):
        self.is_stopped = True


class Ear:
    """A fanout, and what it uses."""

    def __init__(self, redis, compat=None, prefix="", **options):
        self.listeners = []
        self.woken = 0
        self.fanout = Fanout(
            redis, Settings.of(options, 0), prefix, compat, self._make, self._wake
        )

    def _make(self):
        self.listeners.append(Listener())
        return self.listeners[-1]

    def _wake(self):
        self.woken += 1

    @property
    def names(self):
        return self.listeners[-1].names


def text(body):
    return json.dumps(envelope(body)).encode()


@pytest.fixture
def ear(redis):
    return Ear(redis)


class test_names:
    @pytest.mark.parametrize(
        "key, expected",
        [
            ("", {"/0.e", "/0.e/*"}),
            ("#", {"/0.e", "/0.e/*"}),
            ("k", {"/0.e", "/0.e/k"}),
            ("a.*.#", {"/0.e", "/0.e/a.*.*"}),
        ],
    )
    def test_of_a_binding(self, ear, key, expected):
        assert ear.fanout.names("e", key) == expected

    def test_without_patterns(self, redis):
        ear = Ear(redis, fanout_patterns=False)

        assert ear.fanout.names("e", "k") == {"/0.e"}

    def test_prefixes(self, redis):
        ear = Ear(redis, "/{db}.", "app:")

        assert ear.fanout.names("e", "k") == {
            "app:/0.e",
            "app:/0.e/k",
            "app:/{db}.e",
            "app:/{db}.e/k",
        }


class test_publishing:
    @pytest.mark.parametrize(
        "options, key, channel",
        [
            ({}, "k", "/0.e/k"),
            ({}, "", "/0.e"),
            ({"fanout_patterns": False}, "k", "/0.e"),
            ({"fanout_prefix": False}, "k", "e/k"),
        ],
    )
    def test_channel(self, redis, server, options, key, channel):
        assert Ear(redis, **options).fanout.publish("e", key, b"x") == 0

        assert [call.keys for call in server.named("PUBLISH")] == [[channel]]

    def test_older_channel_too(self, redis, server):
        Ear(redis, "/{db}.").fanout.publish("e", "", b"x")

        assert [call.keys[0] for call in server.named("PUBLISH")] == [
            "/0.e",
            "/{db}.e",
        ]

    def test_listeners_are_counted(self, ear, server):
        server.always["PUBLISH"] = 3

        assert ear.fanout.publish("e", "", b"x") == 3


class test_listening:
    def test_each_queue_has_what_is_heard(self, ear):
        ear.fanout.listen("a", [("e", "k")])
        ear.fanout.listen("b", [("e", "k")])

        ear.fanout.heard("/0.e/k", text(1))

        assert ear.woken == 1
        assert bodies(ear.fanout.take(["a", "b"], 10)) == ["1", "1"]
        assert len(ear.listeners) == 1

    def test_what_comes_twice_is_heard_once(self, ear):
        ear.fanout.listen("a", [("e", "")])

        ear.fanout.heard("/0.e", text(1))
        ear.fanout.heard("/0.e/*", text(1))

        assert bodies(ear.fanout.take(["a"], 10)) == ["1"]

    def test_is_limited(self, ear):
        ear.fanout.listen("a", [("e", "k")])
        for number in range(3):
            ear.fanout.heard("/0.e/k", text(number))

        assert bodies(ear.fanout.take(["other", "a"], 2)) == ["0", "1"]
        assert ear.fanout.has_arrivals()

    def test_is_put_back_at_the_head(self, ear):
        ear.fanout.listen("a", [("e", "k")])
        for number in range(3):
            ear.fanout.heard("/0.e/k", text(number))
        found = ear.fanout.take(["a"], 2)

        ear.fanout.put_back(reversed(found))

        assert bodies(ear.fanout.take(["a"], 5)) == ["0", "1", "2"]

    def test_end_of_a_queue(self, ear):
        ear.fanout.listen("a", [("e", "k"), ("e", "x")])
        ear.fanout.listen("b", [("e", "k")])

        ear.fanout.end("a")

        assert ear.names == {"/0.e", "/0.e/k"}
        ear.fanout.heard("/0.e/k", text(1))
        assert not ear.fanout.take(["a"], 5)
        assert len(ear.fanout.take(["b"], 5)) == 1
        assert repr(ear.fanout) == "<Fanout: 2 subscriptions>"

    def test_end_of_what_never_listened(self, ear):
        ear.fanout.end("a")

        assert not ear.listeners

    def test_what_is_put_back_too_late_is_dropped(self, ear):
        ear.fanout.listen("a", [("e", "k")])
        ear.fanout.heard("/0.e/k", text(1))
        found = ear.fanout.take(["a"], 1)
        ear.fanout.end("a")

        ear.fanout.put_back(found)

        assert not ear.fanout.has_arrivals()

    def test_bells_are_listened_to_beside(self, ear):
        ear.fanout.listen("a", [("e", "k")])

        ear.fanout.listen_to_bells({"bell"})
        assert ear.names == {"/0.e", "/0.e/k", "bell"}
        ear.listeners[-1].names = set()
        ear.fanout.listen_to_bells({"bell"})

        assert not ear.names  # nothing has changed
        ear.fanout.heard("bell", b"1")
        assert ear.woken == 1

    def test_closing(self, ear):
        ear.fanout.listen("a", [("e", "k")])
        listener = ear.listeners[-1]

        ear.fanout.close()
        ear.fanout.close()

        assert listener.is_stopped
        ear.fanout.listen("a", [("e", "k")])
        assert len(ear.listeners) == 2


class test_overflow:
    def test_listener_waits_until_there_is_room(self, ear, monkeypatch):
        monkeypatch.setattr(module, "_MOST", 1)
        ear.fanout.listen("a", [("e", "k")])
        taken = []
        monkeypatch.setattr(
            waiting, "sleep", lambda _: taken.extend(ear.fanout.take(["a"], 1))
        )

        ear.fanout.heard("/0.e/k", text(1))
        ear.fanout.heard("/0.e/k", text(2))

        assert bodies(taken) == ["1"]

    def test_closing_ends_that_wait(self, ear, monkeypatch):
        monkeypatch.setattr(module, "_MOST", 0)
        ear.fanout.listen("a", [("e", "k")])
        monkeypatch.setattr(waiting, "sleep", lambda _: ear.fanout.close())

        ear.fanout.heard("/0.e/k", text(1))

        assert not ear.fanout.has_arrivals()
