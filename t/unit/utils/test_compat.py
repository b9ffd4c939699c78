from __future__ import annotations

import gc
import io
import logging
import os
import sys
import types
from contextlib import contextmanager

import pytest

import kombu.utils
from kombu.utils import _forking, compat
from kombu.utils.compat import (
    coro,
    detect_environment,
    entrypoints,
    fileno,
    get_gevent_concurrent_error,
    maybe_fileno,
    nested,
    plugins,
    register_after_fork,
)


class WithFileno:
    def __init__(self, result):
        self.result = result

    def fileno(self):
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


class Entry:
    def __init__(self, name, plugin):
        self.name = name
        self.plugin = plugin

    def load(self):
        if isinstance(self.plugin, Exception):
            raise self.plugin
        return self.plugin


@pytest.fixture
def entry_points(monkeypatch):
    import importlib.metadata

    installed = {}
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: installed.get(group, [])
    )
    return installed


@pytest.fixture
def environment(monkeypatch):
    """Forget the environment found before, and hide what may be loaded."""
    monkeypatch.setattr(compat, "_environment", None)
    for name in ("eventlet", "eventlet.patcher", "gevent", "gevent.socket"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return monkeypatch


def test_coro_starts_the_generator():
    @coro
    def echo():
        received = yield
        while True:
            received = yield received * 2

    started = echo()

    assert started.send(1) == 2
    assert started.send(3) == 6


class test_detect_environment:
    def test_default(self, environment):
        assert detect_environment() == "default"
        assert compat._environment == "default"

    def test_is_kept(self, environment):
        environment.setattr(compat, "_environment", "gevent")

        assert detect_environment() == "gevent"

    @pytest.mark.parametrize(
        ("is_patched", "expected"), [(True, "eventlet"), (False, "default")]
    )
    def test_eventlet(self, environment, is_patched, expected):
        patcher = types.ModuleType("eventlet.patcher")
        patcher.is_monkey_patched = lambda module: is_patched
        environment.setitem(sys.modules, "eventlet", types.ModuleType("eventlet"))
        environment.setitem(sys.modules, "eventlet.patcher", patcher)

        assert detect_environment() == expected

    @pytest.mark.parametrize(
        ("is_patched", "expected"), [(True, "gevent"), (False, "default")]
    )
    def test_gevent(self, environment, is_patched, expected):
        import socket

        gevent = types.ModuleType("gevent")
        gevent.socket = types.ModuleType("gevent.socket")
        gevent.socket.socket = socket.socket if is_patched else object()
        environment.setitem(sys.modules, "gevent", gevent)

        assert detect_environment() == expected

    @pytest.mark.parametrize("name", ["eventlet", "gevent"])
    def test_something_else_of_that_name(self, environment, name):
        environment.setitem(sys.modules, name, types.ModuleType(name))

        assert detect_environment() == "default"

    def test_error_of_gevent(self, environment):
        assert get_gevent_concurrent_error() is None

        class ConcurrentObjectUseError(Exception):
            pass

        exceptions = types.ModuleType("gevent.exceptions")
        exceptions.ConcurrentObjectUseError = ConcurrentObjectUseError
        environment.setattr(compat, "_environment", "gevent")
        environment.setitem(sys.modules, "gevent", types.ModuleType("gevent"))
        environment.setitem(sys.modules, "gevent.exceptions", exceptions)

        assert get_gevent_concurrent_error() is ConcurrentObjectUseError


def test_entrypoints_are_loaded_one_by_one(entry_points):
    first, second = Entry("one", 1), Entry("two", ImportError("broken"))
    entry_points["some.group"] = [first, second]

    found = entrypoints("some.group")

    assert next(found) == (first, 1)
    with pytest.raises(ImportError):
        next(found)
    assert list(entrypoints("other.group")) == []


def test_plugins_leaves_out_broken_ones(entry_points, caplog):
    entry_points["some.group"] = [Entry("broken", ImportError("no")), Entry("two", 2)]

    with caplog.at_level(logging.WARNING, "kombu.utils.compat"):
        assert list(plugins("some.group")) == [("two", 2)]

    assert "can not be loaded" in caplog.text


class test_fileno:
    def test_numbers_and_files(self):
        assert fileno(5) == 5
        assert fileno(WithFileno(7)) == 7
        assert maybe_fileno(WithFileno(7)) == 7

    @pytest.mark.parametrize(
        ("thing", "error"),
        [
            (None, ValueError),
            (object(), AttributeError),
            (WithFileno(ValueError("closed")), ValueError),
            (io.StringIO(), io.UnsupportedOperation),
        ],
    )
    def test_without_descriptor(self, thing, error):
        with pytest.raises(error):
            fileno(thing)
        assert maybe_fileno(thing) is None

    def test_other_errors_go_through(self):
        with pytest.raises(KeyError):
            maybe_fileno(WithFileno(KeyError("x")))


class test_nested:
    @contextmanager
    def manager(self, name, log, suppress=False):
        log.append(f"in {name}")
        try:
            yield name
        except ZeroDivisionError:
            log.append(f"error in {name}")
            if not suppress:
                raise
        finally:
            log.append(f"out {name}")

    def test_enters_in_order_and_leaves_in_reverse(self):
        log = []

        with nested(self.manager(1, log), self.manager(2, log)) as names:
            assert names == [1, 2]

        assert log == ["in 1", "in 2", "out 2", "out 1"]

    def test_an_error_passes_through_all(self):
        log = []

        with pytest.raises(ZeroDivisionError):
            with nested(self.manager(1, log), self.manager(2, log)):
                raise ZeroDivisionError

        assert log[2:] == ["error in 2", "out 2", "error in 1", "out 1"]

    def test_an_error_may_be_suppressed(self):
        log = []

        with nested(self.manager(1, log, suppress=True), self.manager(2, log)):
            raise ZeroDivisionError

        assert log[-2:] == ["error in 1", "out 1"]


class Thing:
    def __init__(self, name):
        self.name = name


class test_register_after_fork:
    def test_is_in_the_package_too(self):
        assert kombu.utils.register_after_fork is register_after_fork

    def test_calls_in_order_of_registration(self):
        calls = []
        one, two = Thing("one"), Thing("two")
        register_after_fork(one, lambda thing: calls.append(thing.name))
        register_after_fork(two, lambda thing: calls.append(thing.name))
        register_after_fork(one, lambda thing: calls.append("again"))

        _forking._run_after_fork()

        assert calls == ["one", "two", "again"]

    def test_does_not_keep_the_object(self):
        calls = []
        thing = Thing("gone")
        register_after_fork(thing, calls.append)
        key = max(_forking._callbacks)

        del thing
        gc.collect()
        _forking._run_after_fork()

        assert calls == []
        assert key not in _forking._callbacks

    def test_an_object_that_is_just_going(self):
        thing = Thing("going")
        register_after_fork(thing, lambda thing: None)
        key = max(_forking._callbacks)
        _, func = _forking._callbacks[key]

        _forking._callbacks[key] = (lambda: None, func)

        _forking._run_after_fork()
        del _forking._callbacks[key]

    def test_an_error_keeps_no_other_from_running(self, caplog):
        calls = []
        bad, good = Thing("bad"), Thing("good")
        register_after_fork(bad, lambda thing: 1 / 0)
        register_after_fork(good, calls.append)

        with caplog.at_level(logging.ERROR):
            _forking._run_after_fork()

        assert calls == [good]
        assert "ZeroDivisionError" in caplog.text

    def test_needs_a_weak_reference(self):
        with pytest.raises(TypeError):
            register_after_fork(3, print)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_runs_in_a_real_child(self):
        reading, writing = os.pipe()
        thing = Thing("forked")
        register_after_fork(thing, lambda thing: os.write(writing, thing.name.encode()))

        child = os.fork()
        if child == 0:
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)

        with os.fdopen(reading) as pipe:
            assert pipe.read() == "forked"
