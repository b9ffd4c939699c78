from __future__ import annotations

import functools

import pytest

from kombu.asynchronous import ERR, READ, WRITE, Hub, debug


def callback(*args):
    pass


@pytest.fixture
def hub():
    hub = Hub()
    hub.readers[4] = (callback, (1, 2))
    hub.writers[5] = (callback, ())
    hub.writers[6] = None
    yield hub
    hub.readers.clear()
    hub.writers.clear()
    hub.close()


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        (READ, "R"),
        (WRITE, "W"),
        (ERR, "!"),
        (READ | WRITE, "RW"),
        (READ | WRITE | ERR, "RW!"),
        (0, ""),
        (8, "!"),
        (16, "!"),
    ],
)
def test_repr_flag(flag, text):
    assert debug.repr_flag(flag) == text


def test_repr_readers(hub):
    assert debug.repr_readers(hub) == ["(4)callback(1, 2)->R!"]


def test_repr_writers(hub):
    assert debug.repr_writers(hub) == ["(5)callback()->W", "(6)<missing>->W"]


def test_repr_active(hub):
    text = "(4)callback(1, 2)->R!, (5)callback()->W, (6)<missing>->W"
    assert debug.repr_active(hub) == text
    assert hub.repr_active() == text


def test_repr_events(hub):
    events = [(4, READ), (5, WRITE), (9, READ), (4, ERR)]
    text = "callback(1, 2)(4)->R, callback()(5)->W, (GONE)(9)->R, <missing>(4)->!"
    assert debug.repr_events(hub, events) == text
    assert hub.repr_events(events) == text
    assert hub.repr_events(None) == ""


def test_callables_without_a_name(hub):
    hub.readers[4] = (functools.partial(callback), ())
    assert "functools.partial" in hub.repr_active()


class test_callback_for:
    def test_found(self, hub):
        assert debug.callback_for(hub, 4, READ) == (callback, (1, 2))
        assert debug.callback_for(hub, 5, WRITE) == (callback, ())
        assert debug.callback_for(hub, 4, READ | WRITE) == (callback, (1, 2))
        assert debug.callback_for(hub, 5, READ | WRITE) == (callback, ())

    def test_missing(self, hub):
        with pytest.raises(KeyError):
            debug.callback_for(hub, 4, WRITE)
        assert debug.callback_for(hub, 4, WRITE, "default") == "default"

    def test_other_flags(self, hub):
        assert debug.callback_for(hub, 4, ERR) is None
