from __future__ import annotations

import errno
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone

import pytest
from vine import promise

from kombu.asynchronous import (
    ERR,
    READ,
    WRITE,
    Hub,
    get_event_loop,
    set_event_loop,
)
from kombu.asynchronous import hub as hub_module
from kombu.asynchronous._callback import Callback, ReadyQueue
from kombu.asynchronous._waker import Waker
from kombu.asynchronous.hub import Stop, _dummy_context, _raise_stop_error
from kombu.asynchronous.timer import Timer
from kombu.utils import eventio, waiting


class FakePoller:
    """Reports what a test tells it to, and notes what it is asked."""

    def __init__(self, events=()):
        self.events = events
        self.registered = {}
        self.timeouts = []
        self.is_closed = False

    def register(self, fd, flags):
        self.registered[fd] = flags

    def unregister(self, fd):
        del self.registered[fd]

    def poll(self, timeout):
        self.timeouts.append(timeout)
        if isinstance(self.events, BaseException):
            raise self.events
        return self.events

    def close(self):
        self.is_closed = True


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(hub_module, "MAX_IDLE_INTERVAL", 0.001)
    hub = Hub()
    yield hub
    hub.on_close.clear()
    hub._ready.clear()
    hub.close()


@pytest.fixture
def calls():
    return []


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def ready(pair):
    """A descriptor that is readable and writable."""
    pair[1].send(b"x")
    return pair[0].fileno()


def tick(hub, times=1):
    """Run rounds of the loop without waiting for anything."""
    for _ in range(times):
        hub.call_soon(int)  # keeps the loop from sleeping
        next(hub.loop)


def fake(hub, *events):
    hub.poller = FakePoller(list(events))
    return hub.poller


class test_event_loop:
    def test_set_and_get(self, hub):
        previous = get_event_loop()
        try:
            assert set_event_loop(hub) is hub
            assert get_event_loop() is hub
            assert set_event_loop(None) is None
            assert get_event_loop() is None
        finally:
            set_event_loop(previous)


class test_Hub:
    def test_defaults(self, hub):
        assert isinstance(hub.timer, Timer)
        assert hub.readers == {}
        assert hub.writers == {}
        assert hub.consolidate == set()
        assert hub.consolidate_callback is None
        assert hub.on_tick == set()
        assert hub.on_close == set()
        assert hub.propagate_errors == ()
        assert (hub.READ, hub.WRITE, hub.ERR) == (READ, WRITE, ERR)
        assert Hub.on_close is None

    def test_timer_may_be_given(self):
        timer = Timer(max_interval=7)  # false, since it is empty
        assert Hub(timer).timer is timer
        assert Hub(timer=timer).timer is timer

    def test_repr(self, hub, ready):
        hub.add_reader(ready, int)
        assert repr(hub).endswith("R:1 W:0>")

    def test_poller_is_made_when_there_is_none(self, hub):
        hub.close()
        assert hub._poller is None
        assert hub.poller is hub.poller
        assert hub._poller is not None

    def test_dummy_context(self):
        with _dummy_context(1, x=2) as value:
            assert value is None


class test_add:
    def test_reader(self, hub, ready, calls):
        hub.add_reader(ready, calls.append, "r")
        assert hub.readers == {ready: (calls.append, ("r",))}
        assert hub.writers == {}
        tick(hub)
        assert calls == ["r"]

    def test_writer(self, hub, ready, calls):
        hub.add_writer(ready, calls.append, "w")
        assert hub.writers == {ready: (calls.append, ("w",))}
        tick(hub)
        assert calls == ["w"]

    def test_both(self, hub, ready, calls):
        hub.add_writer(ready, calls.append, "w")
        hub.add_reader(ready, calls.append, "r")
        tick(hub)
        assert calls == ["r", "w"]

    def test_flags_given_to_the_poller(self, hub):
        poller = fake(hub)
        hub.add_reader(4, int)
        hub.add_writer(5, int)
        hub.add(6, int, READ)
        hub.add(7, None, WRITE | ERR, consolidate=True)
        assert poller.registered == {4: READ | ERR, 5: WRITE, 6: READ, 7: WRITE | ERR}
        hub.add_writer(4, int)
        hub.add_reader(5, int)
        assert poller.registered[4] == poller.registered[5] == READ | ERR | WRITE

    def test_reading_wins(self, hub, ready, calls):
        hub.add(ready, calls.append, READ | WRITE, ("x",))
        assert set(hub.readers) == {ready}
        assert hub.writers == {}

    def test_errors_only(self, hub):
        fake(hub, (4, ERR))
        hub.add(4, int, ERR)
        assert set(hub.writers) == {4}

    def test_objects(self, hub, pair):
        left, right = pair
        hub.add_reader(left, int)
        hub.add_writer(right, int)
        assert set(hub.readers) == {left.fileno()}
        assert set(hub.writers) == {right.fileno()}
        hub.remove_reader(left)
        hub.remove_writer(right)
        assert not hub.readers
        assert not hub.writers

    def test_again_replaces(self, hub, ready, calls):
        hub.add_reader(ready, calls.append, "old")
        hub.add_reader(ready, calls.append, "new")
        tick(hub)
        assert calls == ["new"]

    def test_closed_descriptor(self, hub):
        with pytest.raises(OSError) as info:
            hub.add_reader(9999, int)
        assert info.value.errno == errno.EBADF
        assert hub.readers == {}

    def test_failure_forgets_what_was_there(self, hub, pair):
        fd = pair[0].fileno()
        hub.add_reader(fd, int)
        pair[0].close()
        with pytest.raises(OSError):
            hub.add_writer(fd, int)
        assert hub.readers == {}
        assert hub.writers == {}

    @pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="epoll refuses files"
    )
    def test_regular_file(self, hub, tmp_path):
        with (tmp_path / "file").open("w") as file, pytest.raises(PermissionError):
            hub.add(file, int, READ)
        assert hub.readers == {}

    def test_nonsense(self, hub):
        with pytest.raises((TypeError, AttributeError)):
            hub.add("nonsense", int, READ)


class test_remove:
    def test_all(self, hub, ready, calls):
        hub.add_reader(ready, calls.append, "r")
        hub.add_writer(ready, calls.append, "w")
        hub.remove(ready)
        tick(hub)
        assert calls == []
        assert hub.readers == hub.writers == {}

    def test_reader(self, hub, ready, calls):
        hub.add_reader(ready, calls.append, "r")
        hub.add_writer(ready, calls.append, "w")
        hub.remove_reader(ready)
        tick(hub)
        assert calls == ["w"]

    def test_writer(self, hub, ready, calls):
        hub.add_reader(ready, calls.append, "r")
        hub.add_writer(ready, calls.append, "w")
        hub.remove_writer(ready)
        tick(hub)
        assert calls == ["r"]

    def test_last(self, hub):
        poller = fake(hub)
        hub.add_reader(4, int)
        hub.remove_reader(4)
        hub.add_writer(5, int)
        hub.remove_writer(5)
        assert poller.registered == {}

    def test_consolidated(self, hub):
        poller = fake(hub)
        hub.add(4, None, WRITE | ERR, consolidate=True)
        hub.add_reader(4, int)
        hub.remove_reader(4)
        assert poller.registered == {4: WRITE | ERR}
        hub.remove_writer(4)
        assert hub.consolidate == set()
        assert poller.registered == {}

    def test_unknown(self, hub):
        poller = fake(hub)
        hub.remove(4)
        hub.remove_reader(4)
        hub.remove_writer(4)
        assert poller.registered == {}

    def test_what_is_left_was_closed(self, hub, pair):
        fd = pair[0].fileno()
        hub.add_reader(fd, int)
        hub.add_writer(fd, int)
        pair[0].close()
        hub.remove_reader(fd)
        assert hub.readers == hub.writers == {}


class test_call_soon:
    def test_order(self, hub, calls):
        for number in range(20):
            hub.call_soon(calls.append, number)
        next(hub.loop)
        assert calls == list(range(20))
        tick(hub)
        assert len(calls) == 20

    def test_same_function_twice(self, hub, calls):
        hub.call_soon(calls.append, 1)
        hub.call_soon(calls.append, 1)
        tick(hub)
        assert calls == [1, 1]

    def test_from_a_callback_is_for_the_next_round(self, hub, calls):
        hub.call_soon(lambda: hub.call_soon(calls.append, 1))
        next(hub.loop)
        assert calls == []
        tick(hub)
        assert calls == [1]

    def test_returns_a_callback(self, hub, calls):
        callback = hub.call_soon(calls.append, 1)
        assert isinstance(callback, Callback)
        assert (callback.fun, callback.args) == (calls.append, (1,))
        callback()
        assert calls == [1]

    def test_cancel(self, hub, calls):
        hub.call_soon(calls.append, 1).cancel()
        tick(hub)
        assert calls == []

    def test_callable_objects(self, hub, calls):
        class Note:
            def __call__(self, *args):
                calls.append(args)

        hub.call_soon(Note(), 1, 2)
        tick(hub)
        assert calls == [(1, 2)]

    def test_mocks_are_no_thenables(self, hub):
        from unittest.mock import Mock

        mock = Mock()
        assert hub.call_soon(mock, 1) is not mock
        tick(hub)
        mock.assert_called_once_with(1)

    def test_thenable(self, hub, calls):
        p = promise(calls.append, ("x",))
        assert hub.call_soon(p, "ignored") is p
        assert hub.call_soon(p) is p
        tick(hub)
        assert calls == ["x"]

    def test_then(self, hub, calls):
        hub.call_soon(lambda: 42).then(calls.append)
        tick(hub)
        assert calls == [42]

    def test_does_not_wait_with_something_ready(self, hub, ready):
        poller = fake(hub)
        hub.add_reader(ready, int)
        hub.call_soon(lambda: hub.call_soon(int))
        next(hub.loop)
        next(hub.loop)
        assert poller.timeouts == [0, 1]

    def test_wakes_a_loop_that_sleeps(self, hub, pair, calls):
        hub.add_reader(pair[0].fileno(), int)
        asleep = threading.Event()
        hub.on_tick.add(asleep.set)
        hub.timer.max_interval = 60
        hub.call_later(60, int)  # so long it would sleep
        hub.fire_timers = lambda **kwargs: 60

        def other():
            asleep.wait(5)
            hub.call_soon(calls.append, threading.current_thread())
            hub.call_soon(hub.stop)

        thread = threading.Thread(target=other)
        thread.start()
        hub.run_forever()
        thread.join()
        assert calls == [thread]
        assert set(hub.readers) == {pair[0].fileno()}

    def test_wakes_once(self, hub, calls, monkeypatch):
        monkeypatch.setattr(Waker, "wake", lambda self: calls.append(1))
        tick(hub)
        hub._is_sleeping = True
        hub.call_soon(int)
        hub.call_soon(int)
        assert calls == [1]

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX")
    def test_from_a_signal_handler(self, hub, pair, calls):
        hub.add_reader(pair[0].fileno(), int)
        hub.fire_timers = lambda **kwargs: 60
        hub.call_later(60, int)
        previous = signal.signal(signal.SIGALRM, lambda *args: hub.stop())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            hub.run_forever()
        finally:
            signal.signal(signal.SIGALRM, previous)

    def test_vine_is_not_imported_for_it(self):
        code = (
            "import sys; from kombu.asynchronous import Hub\n"
            "hub = Hub(); done = []\n"
            "hub.call_soon(done.append, 1); hub.call_later(0, done.append, 2)\n"
            "next(hub.loop); assert done == [1, 2]\n"
            "assert not {'vine', 'amqp', 'asyncio'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class test_Callback:
    def test_more_arguments(self, calls):
        Callback(lambda *args: calls.append(args), (1,))(2)
        assert calls == [(1, 2)]

    def test_cancelled(self, calls):
        callback = Callback(calls.append, (1,))
        callback.then(calls.append)
        callback.cancel()
        assert callback() is None
        assert callback.cancelled
        assert calls == []
        assert repr(callback).endswith("cancelled>")

    def test_then(self, calls):
        callback = Callback(lambda: 3)
        callback.then(calls.append)
        callback.then(promise(calls.append))
        assert callback() == 3
        assert calls == [3, 3]

    def test_error_goes_to_who_waits(self, calls):
        error = KeyError("x")

        def fail():
            raise error

        callback = Callback(fail)
        callback.then(calls.append, on_error=calls.append)
        with pytest.raises(KeyError):
            callback()
        assert calls == [error]

    def test_throw(self, calls):
        callback = Callback(int)
        callback.then(calls.append, on_error=calls.append)
        error = KeyError("x")
        with pytest.raises(KeyError):
            callback.throw(error)
        assert calls == [error]

    def test_is_a_thenable(self):
        from vine import Thenable

        assert isinstance(Callback(int), Thenable)

    def test_repr(self):
        assert "int" in repr(Callback(int))


class test_ReadyQueue:
    def test_has_the_methods_of_a_set(self):
        ready = ReadyQueue()
        ready.add(1)
        ready.add(2)
        ready.discard(1)
        ready.discard(3)
        assert list(ready) == [2]


class test_errors:
    def fail(self, error):
        def fail(*args):
            raise error

        return fail

    def test_callback_is_logged(self, hub, calls, caplog):
        hub.call_soon(self.fail(KeyError("oops")))
        hub.call_soon(calls.append, 1)
        tick(hub)
        assert calls == [1]
        assert "raised exception: KeyError('oops')" in caplog.text
        assert caplog.records[0].exc_info

    def test_hook(self, calls):
        class MyHub(Hub):
            def on_callback_error(self, callback, exc):
                calls.append((callback, exc))

        hub, error = MyHub(), KeyError("x")
        callback = hub.call_soon(self.fail(error))
        tick(hub)
        assert calls == [(callback, error)]
        hub.close()

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError(),
            AssertionError(),
            OSError(errno.ENOMEM, "no memory"),
            KeyError("listed"),
            SystemExit(),
            KeyboardInterrupt(),
            Stop(),
        ],
        ids=repr,
    )
    def test_some_leave_the_loop(self, hub, calls, error):
        hub.propagate_errors = (KeyError,)
        hub.call_soon(self.fail(error))
        hub.call_soon(calls.append, "soon")
        with pytest.raises(type(error)):
            next(hub.loop)
        hub.call_later(-2, self.fail(error))
        hub.call_later(-1, calls.append, "timer")
        with pytest.raises(type(error)):
            next(hub.loop)
        # nothing is lost
        tick(hub)
        assert calls == ["soon", "timer"]

    def test_timer_is_logged(self, hub, calls, caplog):
        hub.call_later(-2, self.fail(KeyError("oops")))
        hub.call_later(-1, calls.append, 1)
        hub.call_later(-1, self.fail(OSError(errno.EBADF, "bad")))
        tick(hub)
        assert calls == [1]
        assert "Error in timer: KeyError('oops')" in caplog.text
        assert "Error in timer: OSError(9, 'bad')" in caplog.text

    def test_reader_leaves_the_loop(self, hub, ready, calls):
        hub.add_reader(ready, self.fail(ValueError("x")))
        with pytest.raises(ValueError, match="x"):
            next(hub.loop)
        # the loop can be run again, and reports it again
        with pytest.raises(ValueError, match="x"):
            next(hub.loop)

    def test_nothing_to_do_is_no_error(self, hub, ready):
        hub.add_reader(ready, self.fail(queue.Empty()))
        hub.add_writer(ready, self.fail(queue.Empty()))
        tick(hub)
        assert ready in hub.readers

    def test_on_tick_leaves_the_loop(self, hub):
        hub.on_tick.add(self.fail(ValueError("x")))
        with pytest.raises(ValueError, match="x"):
            next(hub.loop)


class test_timers:
    def test_call_later(self, hub, calls):
        entry = hub.call_later(-1, calls.append, 1)
        assert entry.args == (1,)
        tick(hub)
        assert calls == [1]

    def test_call_at(self, hub, calls):
        hub.call_at(1.0, calls.append, 1)
        hub.call_at(datetime.now(timezone.utc) - timedelta(days=1), calls.append, 2)
        tick(hub)
        assert sorted(calls) == [1, 2]

    def test_call_repeatedly(self, hub, calls):
        entry = hub.call_repeatedly(0, calls.append, 1)
        tick(hub, 3)
        assert len(calls) >= 3
        entry.cancel()
        del calls[:]
        tick(hub)
        assert calls == []

    def test_wait_is_until_the_next_timer(self, hub, monkeypatch):
        monkeypatch.setattr(waiting, "monotonic", lambda: 1000.0)
        poller = fake(hub)
        hub.readers[4] = (int, ())
        hub.call_later(0.25, int)
        next(hub.loop)
        assert poller.timeouts == [0.25]

    def test_added_by_on_tick(self, hub, monkeypatch):
        monkeypatch.setattr(waiting, "monotonic", lambda: 1000.0)
        poller = fake(hub)
        hub.readers[4] = (int, ())
        hub.on_tick.add(lambda: hub.call_later(0.25, int))
        next(hub.loop)
        hub.on_tick = {lambda: hub.call_later(-1, int)}
        next(hub.loop)
        hub.on_tick = {hub.timer.clear}
        next(hub.loop)
        assert poller.timeouts == [0.25, 0, 0.25]

    @pytest.mark.parametrize("method", ["call_later", "call_at", "call_repeatedly"])
    def test_added_by_another_thread(self, hub, calls, method, monkeypatch):
        monkeypatch.setattr(Waker, "wake", lambda self: calls.append(1))
        tick(hub)
        hub._is_sleeping = True
        getattr(hub, method)(1, int)
        assert calls == [1]

    def test_descriptor_added_by_another_thread(self, hub, ready, calls, monkeypatch):
        monkeypatch.setattr(Waker, "wake", lambda self: calls.append(1))
        tick(hub)
        hub._is_sleeping = True
        hub.add_reader(ready, int)
        assert calls == [1]

    def test_scheduler_may_be_replaced(self, hub, calls):
        hub.timer._queue = [1]
        hub.scheduler = iter([(None, lambda: calls.append(1)), (3.5, None)])
        assert hub.fire_timers() == 3.5
        assert calls == [1]


class test_fire_timers:
    def test_nothing_scheduled(self, hub):
        assert hub.fire_timers() == 1
        assert hub.fire_timers(min_delay=42, max_delay=32) == 32
        assert hub.fire_timers(min_delay=0.5) == 0.5

    def test_delay(self, hub, monkeypatch):
        monkeypatch.setattr(waiting, "monotonic", lambda: 1000.0)
        hub.timer.max_interval = 100
        hub.call_later(20, int)
        assert hub.fire_timers() == 10
        assert hub.fire_timers(max_delay=50) == 20

    def test_limit(self, hub, calls):
        for number in range(15):
            hub.call_later(-100 + number, calls.append, number)
        assert hub.fire_timers() == 0
        assert calls == list(range(10))
        assert hub.fire_timers(max_timers=3) == 0
        assert calls == list(range(13))
        assert hub.fire_timers() == 1
        assert calls == list(range(15))

    def test_propagate(self, hub):
        hub.call_later(-1, lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hub.fire_timers(propagate=(ZeroDivisionError,))


class test_loop:
    def test_order_within_a_round(self, hub, ready, calls):
        hub.add_reader(ready, calls.append, "reader")
        hub.on_tick.add(lambda: calls.append("tick"))
        hub.call_later(-1, calls.append, "timer")
        hub.call_soon(calls.append, "soon")
        next(hub.loop)
        assert calls == ["soon", "timer", "tick", "reader"]

    def test_on_tick_may_change_meanwhile(self, hub, calls):
        hub.on_tick.add(lambda: hub.on_tick.add(lambda: calls.append(1)))
        tick(hub)
        assert calls == []
        tick(hub)
        assert calls == [1]

    def test_on_tick_may_be_a_list(self, hub, calls):
        hub.on_tick = [lambda: calls.append(1)]
        tick(hub)
        assert calls == [1]

    def test_nothing_registered(self, hub):
        slept = []
        loop = hub.create_loop(sleep=slept.append)
        next(loop)
        assert slept == [hub_module.MAX_IDLE_INTERVAL]

    def test_nothing_registered_in_a_foreign_poller(self, hub, monkeypatch):
        slept = []
        monkeypatch.setattr(waiting, "sleep", slept.append)
        poller = fake(hub)
        next(hub.loop)
        assert slept == [hub_module.MAX_IDLE_INTERVAL]
        assert poller.timeouts == []

    def test_arguments_that_kombu_took(self, hub):
        loop = hub.create_loop(
            type(hub.loop), None, min, next, queue.Empty, READ=READ, ERR=ERR
        )
        hub.call_soon(int)
        next(loop)

    def test_poll_may_return_nothing(self, hub):
        poller = fake(hub)
        poller.events = None
        hub.add_reader(4, int)
        next(hub.loop)
        assert poller.timeouts == [1]

    def test_ends_when_the_poller_is_closed(self, hub):
        fake(hub).events = ValueError("closed")
        hub.add_reader(4, int)
        with pytest.raises(StopIteration):
            next(hub.create_loop())
        hub.run_once()
        assert hub._loop is None

    def test_errors_of_the_poller(self, hub):
        fake(hub).events = OSError(errno.EIO, "broken")
        hub.add_reader(4, int)
        with pytest.raises(OSError, match="broken"):
            next(hub.loop)

    def test_old_loop_goes_on_after_reset(self, hub, ready, calls):
        loop = hub.create_loop()
        hub.call_soon(int)
        next(loop)
        hub.reset()
        hub.add_reader(ready, calls.append, 1)
        hub.call_soon(int)
        next(loop)
        assert calls == [1]

    def test_old_loop_ends_after_close(self, hub):
        loop = hub.create_loop()
        hub.call_soon(int)
        next(loop)
        hub.close()
        with pytest.raises(StopIteration):
            next(loop)

    def test_run_forever(self, hub, calls):
        hub.call_soon(lambda: calls.append(hub._running))
        hub.call_later(0, hub.stop)
        hub.run_forever()
        assert calls == [True]
        assert not hub._running

    def test_run_forever_raises(self, hub):
        hub.on_tick.add(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hub.run_forever()
        assert not hub._running

    @pytest.mark.parametrize("how", ["soon", "timer", "tick", "reader"])
    def test_stop_may_come_from_anywhere(self, hub, ready, how):
        add = {
            "soon": hub.call_soon,
            "timer": lambda fun: hub.call_later(-1, fun),
            "tick": hub.on_tick.add,
            "reader": lambda fun: hub.add_reader(ready, fun),
        }[how]
        add(_raise_stop_error)
        hub.run_forever()

    def test_stopped_before(self, hub):
        hub.stop()
        hub.run_forever()

    def test_run_once(self, hub, calls):
        hub.call_soon(calls.append, 1)
        hub.run_once()
        assert calls == [1]


class test_dispatch:
    @pytest.mark.parametrize("event", [ERR, 8, 16])
    def test_errors_go_to_the_reader_or_else_the_writer(self, hub, calls, event):
        fake(hub, (4, event), (5, event))
        hub.add_reader(4, calls.append, "r4")
        hub.add_writer(4, calls.append, "w4")
        hub.add_writer(5, calls.append, "w5")
        next(hub.loop)
        assert calls == ["r4", "w5"]

    def test_errors_with_an_event(self, hub, calls):
        fake(hub, (4, READ | ERR), (5, WRITE | ERR))
        hub.add_reader(4, calls.append, "r4")
        hub.add_writer(5, calls.append, "w5")
        next(hub.loop)
        assert calls == ["r4", "w5"]

    def test_unknown_event(self, hub, calls, caplog):
        caplog.set_level(logging.INFO)
        fake(hub, (4, 128))
        hub.add_reader(4, calls.append, "r")
        next(hub.loop)
        assert calls == ["r"]
        assert "unknown event 128 for fd 4" in caplog.text

    @pytest.mark.parametrize("event", [READ, WRITE, ERR, 128])
    def test_unknown_descriptor(self, hub, calls, event):
        poller = fake(hub, (4, event))
        poller.registered[4] = READ
        hub.readers[5] = (calls.append, ("x",))
        next(hub.loop)
        assert 4 not in poller.registered
        assert calls == []

    def test_event_that_nobody_wants(self, hub, calls):
        poller = fake(hub, (4, WRITE), (5, READ))
        hub.add_reader(4, calls.append, "r")
        hub.add_writer(5, calls.append, "w")
        poller.registered[4] = poller.registered[5] = READ | WRITE
        next(hub.loop)
        assert calls == []
        assert poller.registered[4] == READ | ERR
        assert poller.registered[5] == WRITE

    def test_removed_in_the_same_batch(self, hub, calls):
        fake(hub, (4, READ), (5, READ), (6, READ))
        hub.add_reader(4, hub.remove, 5)
        hub.add_reader(5, calls.append, 5)
        hub.add_reader(6, calls.append, 6)
        next(hub.loop)
        assert calls == [6]

    def test_replaced_in_the_same_batch(self, hub, calls):
        def replace():
            hub.remove(5)
            hub.add_reader(5, calls.append, "another file")

        fake(hub, (4, READ), (5, READ))
        hub.add_reader(4, replace)
        hub.add_reader(5, calls.append, "old")
        next(hub.loop)
        assert calls == []
        hub.remove(4)
        next(hub.loop)
        assert calls == ["another file"]

    def test_writer_removed_by_the_reader(self, hub, calls):
        fake(hub, (4, READ | WRITE))
        hub.add_reader(4, hub.remove_writer, 4)
        hub.add_writer(4, calls.append, "w")
        next(hub.loop)
        assert calls == []

    def test_closed_without_being_removed(self, hub, pair, calls):
        left, right = pair
        hub.add_reader(left.fileno(), calls.append, "left")
        left.close()
        hub.add_reader(right.fileno(), calls.append, "right")
        tick(hub, 3)
        assert "right" in calls  # which sees the hang-up
        assert "left" not in calls


class test_generators:
    def test_is_resumed(self, hub, calls):
        def writer():
            for number in range(3):
                calls.append(number)
                yield

        fake(hub, (4, WRITE))
        hub.add_writer(4, writer())
        next(hub.loop)
        next(hub.loop)
        assert calls == [0, 1]
        assert 4 in hub.writers

    def test_reader(self, hub, calls):
        def reader():
            calls.append(1)
            yield

        fake(hub, (4, READ))
        hub.add_reader(4, reader())
        next(hub.loop)
        next(hub.loop)
        assert calls == [1]
        assert hub.readers == {}

    def test_is_removed_when_it_ends(self, hub):
        fake(hub, (4, WRITE))
        hub.add_reader(4, int)
        hub.add_writer(4, (number for number in ()))
        next(hub.loop)
        assert hub.writers == {}
        assert 4 in hub.readers

    def test_stays_if_another_took_its_place(self, hub, calls):
        def writer():
            hub.add_writer(4, calls.append, "next")
            return
            yield

        fake(hub, (4, WRITE))
        hub.add_writer(4, writer())
        next(hub.loop)
        next(hub.loop)
        assert calls == ["next"]

    @pytest.mark.parametrize(
        "error", [ValueError("x"), OSError(errno.EPIPE, "x")], ids=repr
    )
    def test_error(self, hub, error):
        def writer():
            raise error
            yield

        fake(hub, (4, WRITE))
        hub.add_writer(4, writer())
        with pytest.raises(type(error)):
            next(hub.loop)
        assert hub.writers == {}

    def test_closed_descriptor_is_no_error(self, hub):
        def writer():
            raise OSError(errno.EBADF, "closed")
            yield

        fake(hub, (4, WRITE))
        hub.add_writer(4, writer())
        next(hub.loop)
        assert hub.writers == {}


class test_consolidate:
    def add(self, hub, *fds):
        for fd in fds:
            hub.add(fd, None, WRITE | ERR, consolidate=True)

    def test_reported_together(self, hub, calls):
        fake(hub, (4, WRITE), (5, ERR), (6, READ))
        hub.consolidate_callback = calls.append
        self.add(hub, 4, 5)
        hub.add_reader(6, calls.append, "reader")
        assert hub.writers == {4: None, 5: None}
        assert hub.consolidate == {4, 5}
        next(hub.loop)
        assert calls == ["reader", [4, 5]]

    def test_own_writer_wins(self, hub, calls):
        fake(hub, (4, WRITE), (5, WRITE))
        hub.consolidate_callback = calls.append
        self.add(hub, 4, 5)
        hub.add_writer(4, calls.append, "own")
        next(hub.loop)
        assert calls == ["own", [5]]
        self.add(hub, 4)
        del calls[:]
        next(hub.loop)
        assert calls == [[4, 5]]

    def test_reader_is_called_besides(self, hub, calls):
        fake(hub, (4, READ | WRITE), (5, READ))
        hub.consolidate_callback = calls.append
        self.add(hub, 4, 5)
        hub.add_reader(4, calls.append, "r4")
        hub.add_reader(5, calls.append, "r5")
        next(hub.loop)
        assert calls == ["r4", "r5", [4]]

    def test_removed_in_the_same_batch(self, hub, calls):
        fake(hub, (4, WRITE), (5, WRITE), (6, READ))
        hub.consolidate_callback = calls.append
        self.add(hub, 4, 5)
        hub.add_reader(6, hub.remove, 4)
        next(hub.loop)
        assert calls == [[5]]
        fake(hub, (5, WRITE), (6, READ))
        hub.add_reader(6, hub.remove, 5)
        del calls[:]
        next(hub.loop)
        assert calls == []

    def test_without_a_callback(self, hub):
        fake(hub, (4, WRITE))
        self.add(hub, 4)
        with pytest.raises(TypeError, match="consolidate_callback"):
            next(hub.loop)

    def test_many_real_pipes(self, hub, calls):
        pipes = [os.pipe() for _ in range(20)]
        writers = [writer for _, writer in pipes]
        try:
            hub.consolidate_callback = calls.append
            hub.on_tick.add(lambda: self.add(hub, *writers))
            tick(hub, 2)
            assert [sorted(fds) for fds in calls] == [sorted(writers)] * 2
        finally:
            for fds in pipes:
                for fd in fds:
                    os.close(fd)


class test_close:
    def test_close(self, hub, ready, calls):
        poller = fake(hub)
        hub.add_reader(4, int)
        hub.add_writer(5, int)
        hub.add(6, None, WRITE, consolidate=True)
        hub.on_close.add(lambda hub: calls.append(hub))
        hub.call_soon(calls.append, "soon")
        timer = hub.call_later(10, int)
        hub.on_tick.add(int)
        hub.close("arguments", "are", "ignored")
        assert calls == [hub, "soon"]
        assert poller.registered == {}
        assert poller.is_closed
        assert hub.readers == hub.writers == {}
        assert hub.consolidate == set()
        assert [item.entry for item in hub.timer.queue] == [timer]
        assert hub.on_tick == {int}

    def test_twice(self, hub, calls):
        hub.on_close.add(calls.append)
        hub.close()
        hub.close()
        assert calls == [hub, hub]

    def test_errors_are_logged(self, hub, calls, caplog):
        def fail(hub):
            raise KeyError("oops")

        hub.on_close.add(fail)
        hub.call_soon(fail, 1)
        hub.call_soon(calls.append, 1)
        hub.close()
        assert calls == [1]
        assert caplog.text.count("KeyError('oops')") >= 2

    def test_errors_that_leave_the_loop(self, hub):
        hub.propagate_errors = (KeyError,)
        hub.call_soon({}.__getitem__, "x")
        with pytest.raises(KeyError):
            hub.close()

    def test_reset(self, hub, ready, calls):
        hub.add_reader(ready, int)
        old = hub.poller
        hub.reset()
        assert hub.poller is not old
        assert hub.readers == {}
        hub.add_reader(ready, calls.append, 1)
        tick(hub)
        assert calls == [1]

    def test_used_after_close(self, hub, ready, calls):
        tick(hub)
        hub.close()
        hub.add_reader(ready, calls.append, 1)
        tick(hub)
        assert calls == [1]

    def test_closed_descriptors(self, hub, pair):
        hub.add_reader(pair[0].fileno(), int)
        pair[0].close()
        hub.close()
        assert hub.readers == {}


class test_waker:
    def test_wake_and_drain(self, calls):
        waker = Waker()
        poller = eventio.poll()
        poller.register(waker.fd, READ)
        assert poller.poll(0) == []
        waker.wake()
        waker.wake()
        assert poller.poll(1) == [(waker.fd, READ)]
        waker.drain()
        assert poller.poll(0) == []
        waker.drain()
        assert str(waker.fd) in repr(waker)
        waker.close()
        waker.wake()
        poller.close()

    def test_a_full_buffer_does_not_block(self):
        waker = Waker()
        for _ in range(5000):
            waker.wake()
        waker.drain()
        waker.close()

    def test_is_drained_and_hidden(self, hub):
        tick(hub)
        hub._waker.wake()
        hub._waker.wake()
        tick(hub)
        assert hub.readers == {}
        assert hub.poller.poll(0) == []

    def test_is_made_anew_by_reset(self, hub):
        tick(hub)
        old = hub._waker
        hub.reset()
        tick(hub)
        assert hub._waker is not old

    def test_is_registered_with_another_poller(self, hub):
        tick(hub)
        poller = fake(hub)
        tick(hub)
        assert poller.registered == {hub._waker.fd: READ}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_child_does_not_wake_its_parent(self, hub):
        tick(hub)
        hub._is_sleeping = True
        child = os.fork()
        if not child:
            status = 1
            try:
                hub.call_soon(int)  # as if the parent slept
                next(hub.loop)
                done = []
                hub.call_soon(done.append, 1)
                hub._is_sleeping = True
                hub.call_soon(int)
                next(hub.loop)
                status = 0 if done == [1] and hub._waker_forks else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        hub._is_sleeping = False
        assert hub.poller.poll(0) == []

    def test_is_made_anew_after_a_fork(self, hub, monkeypatch):
        tick(hub)
        old = hub._waker
        monkeypatch.setattr(eventio.forks, "count", eventio.forks.count + 1)
        hub._is_sleeping = True
        hub.call_soon(int)
        tick(hub)
        assert hub._waker is not old
        assert old._receiver.fileno() == -1  # closed


def test_names_of_kombu():
    for name in ("Hub", "Stop", "get_event_loop", "set_event_loop", "Timer"):
        assert hasattr(hub_module, name)
