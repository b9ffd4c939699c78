from __future__ import annotations

import gc
import heapq
import threading
import time
import weakref
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.asynchronous import timer as timer_module
from kombu.asynchronous.timer import Entry, Timer, scheduled, to_timestamp
from kombu.utils import waiting


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(waiting, "monotonic", clock)
    return clock


def noop(*args, **kwargs):
    return None


def due(timer):
    """Return the arguments of all that is due."""
    found, it = [], iter(timer)
    while (entry := next(it)[1]) is not None:
        found.append(entry.args[0])
    return found


class test_Entry:
    def test_call(self):
        assert Entry(lambda *a, **k: (a, k), (1, 2), {"x": 3})() == ((1, 2), {"x": 3})

    def test_call_without_arguments(self):
        entry = Entry(lambda *a, **k: (a, k))
        assert entry() == ((), {})
        assert entry.args == ()
        assert entry.kwargs == {}
        entry.kwargs["x"] = 1
        assert entry() == ((), {"x": 1})
        entry.kwargs = {"y": 2}
        assert entry() == ((), {"y": 2})

    def test_cancel(self):
        entry = Entry(noop)
        assert not entry.canceled
        assert not entry.cancelled
        entry.cancel()
        entry.cancel()
        assert entry.canceled
        assert entry.cancelled

    def test_cancelled_can_be_set(self):
        entry = Entry(noop)
        entry.cancelled = True
        assert entry.canceled
        entry.cancelled = False
        assert not entry.canceled

    def test_tref_is_a_weak_reference(self):
        entry = Entry(noop)
        tref = entry.tref
        tref.cancel()
        assert entry.canceled
        assert tref.fun is noop
        del entry
        gc.collect()
        with pytest.raises(ReferenceError):
            tref.fun

    def test_can_be_referenced_weakly(self):
        entry = Entry(noop)
        assert weakref.ref(entry)() is entry

    def test_has_no_dict(self):
        with pytest.raises(AttributeError):
            Entry(noop).foo = 1

    def test_compares_by_age(self):
        older, newer = Entry(noop), Entry(noop)
        assert older < newer
        assert older <= newer
        assert newer > older
        assert newer >= older
        assert older <= older
        assert older >= older
        assert not older < older
        assert older == older
        assert older != newer
        assert len({older, newer, older}) == 2

    def test_compares_with_anything(self):
        entry, other = Entry(noop), object()
        assert (entry < other) is (id(entry) < id(other))
        assert (entry > other) is (id(entry) > id(other))

    def test_repr(self):
        entry = Entry(noop, (1,), {"x": 2})
        assert repr(entry) == "<TimerEntry: noop(*(1,), **{'x': 2})>"
        entry.cancel()
        assert repr(entry).endswith(" cancelled>")

    def test_repr_of_callables_without_a_name(self):
        import functools

        assert "functools.partial" in repr(Entry(functools.partial(noop, 1)))


class test_to_timestamp:
    def test_other_values_are_returned(self):
        marker = object()
        for value in (1, 1.5, None, marker):
            assert to_timestamp(value) is value

    @pytest.mark.parametrize("hours", [-11, 0, 3])
    def test_aware(self, hours):
        zone = timezone(timedelta(hours=hours))
        later = datetime.now(zone) + timedelta(seconds=100)
        assert to_timestamp(later, time=lambda: 50) == pytest.approx(150, abs=5)

    def test_naive_is_utc(self):
        later = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=100)
        assert to_timestamp(later, time=lambda: 50) == pytest.approx(150, abs=5)

    def test_naive_in_a_given_zone(self):
        zone = timezone(timedelta(hours=5))
        later = datetime.now(zone).replace(tzinfo=None) + timedelta(seconds=100)
        stamp = to_timestamp(later, default_timezone=zone, time=lambda: 50)
        assert stamp == pytest.approx(150, abs=5)

    def test_never_negative(self):
        assert to_timestamp(datetime(1980, 1, 1), time=lambda: 50) == 0

    def test_monotonic_clock_is_the_default(self, clock):
        later = datetime.now(timezone.utc) + timedelta(seconds=100)
        assert to_timestamp(later) == pytest.approx(1100, abs=5)

    def test_epoch(self):
        assert timer_module.EPOCH.timestamp() == 0


class test_Timer:
    def test_defaults(self):
        timer = Timer()
        assert timer.max_interval == 2.0
        assert timer.on_error is None
        assert len(timer) == 0
        assert not timer
        assert timer.schedule is timer
        assert timer.queue == []
        assert repr(timer) == "<Timer: 0 scheduled>"

    def test_arguments(self):
        timer = Timer(max_interval="5", on_error=noop, anything=1)
        assert timer.max_interval == 5.0
        assert timer.on_error is noop
        assert Timer(max_interval=0).max_interval == 2.0

    def test_call_at(self, clock):
        timer = Timer()
        entry = timer.call_at(1005, noop, (1,), {"x": 2}, priority=3)
        assert timer.queue == [scheduled(1005, 3, entry)]
        assert (entry.fun, entry.args, entry.kwargs) == (noop, (1,), {"x": 2})

    def test_call_at_a_datetime(self, clock):
        timer = Timer()
        timer.call_at(datetime.now(timezone.utc) + timedelta(seconds=9), noop)
        assert timer.queue[0].eta == pytest.approx(1009, abs=5)

    def test_call_at_none_is_now(self, clock):
        timer = Timer()
        timer.call_at(None, noop)
        assert timer.queue[0].eta == 1000.0

    def test_call_at_nonsense(self):
        timer = Timer()
        with pytest.raises(TypeError, match="eta must be"):
            timer.call_at("soon", noop)
        assert len(timer) == 0

    def test_call_after(self, clock):
        timer = Timer()
        entry = timer.call_after(2.5, noop, ("x",), priority=1)
        assert timer.queue == [(1002.5, 1, entry)]

    def test_subclass_enters_in_its_own_way(self, clock):
        """So do Celery's, whose entries are green threads in a set."""

        class GreenTimer(Timer):
            def __init__(self):
                super().__init__()
                self._queue = set()

            def _enter(self, eta, priority, entry):
                self._queue.add((eta, priority, entry.fun))
                return eta

        timer = GreenTimer()

        assert timer.call_after(5, noop, priority=3) == clock.now + 5
        assert timer.enter_at(Entry(noop)) == clock.now
        assert timer._queue == {(clock.now + 5, 3, noop), (clock.now, 0, noop)}

    def test_enter_at_and_after_with_another_clock(self):
        timer = Timer()
        first, second = Entry(noop), Entry(noop)
        assert timer.enter_at(first, time=lambda: 100) is first
        assert timer.enter_after(5, second, 2, time=lambda: 100) is second
        assert timer.queue == [(100, 0, first), (105, 2, second)]

    def test_subclasses_may_have_entries_of_their_own(self):
        class MyEntry(Entry):
            pass

        class MyTimer(Timer):
            Entry = MyEntry

        assert isinstance(MyTimer().call_after(1, noop), MyEntry)

    def test_hooks_for_subclasses(self, clock):
        class MyTimer(Timer):
            calls = []

            def enter_after(self, *args, **kwargs):
                self.calls.append("enter_after")
                return super().enter_after(*args, **kwargs)

            def enter_at(self, *args, **kwargs):
                self.calls.append("enter_at")
                return super().enter_at(*args, **kwargs)

        MyTimer().call_after(1, noop)
        assert MyTimer.calls == ["enter_after", "enter_at"]

    def test_queue_is_a_sorted_copy(self):
        timer = Timer()
        for eta in (5, 1, 3):
            timer.call_at(eta, noop)
        queue = timer.queue
        assert [item.eta for item in queue] == [1, 3, 5]
        assert all(type(item) is scheduled for item in queue)
        queue.clear()
        assert len(timer) == 3

    def test_clear(self):
        timer = Timer()
        entry = timer.call_after(-1, noop, ("x",))
        timer.clear()
        assert len(timer) == 0
        assert next(iter(timer)) == (None, None)
        assert not entry.canceled

    def test_cancel(self):
        timer = Timer()
        entry = timer.call_after(-1, noop, ("x",))
        timer.cancel(entry)
        assert entry.canceled
        assert due(timer) == []
        assert len(timer) == 0

    def test_context(self):
        stopped = []

        class MyTimer(Timer):
            def stop(self):
                stopped.append(self)
                super().stop()

        with MyTimer() as timer:
            assert stopped == []
        assert stopped == [timer]

    def test_apply_entry(self):
        calls = []
        Timer().apply_entry(Entry(calls.append, (1,)))
        assert calls == [1]

    def test_apply_entry_logs_errors(self, caplog):
        Timer().apply_entry(lambda: 1 / 0)
        assert "Error in timer: ZeroDivisionError" in caplog.text

    def test_apply_entry_gives_errors_to_on_error(self, caplog):
        errors = []
        Timer(on_error=errors.append).apply_entry(lambda: 1 / 0)
        assert isinstance(errors[0], ZeroDivisionError)
        assert not caplog.text

    def test_on_error_of_a_class(self):
        class MyTimer(Timer):
            def on_error(self, exc):
                self.error = exc

        timer = MyTimer()
        assert timer.handle_error(KeyError("x"))
        assert isinstance(timer.error, KeyError)
        assert not Timer().handle_error(KeyError("x"))

    def test_apply_entry_lets_exits_through(self):
        def leave():
            raise SystemExit

        with pytest.raises(SystemExit):
            Timer().apply_entry(leave)


class test_iteration:
    def test_empty(self):
        it = iter(Timer())
        assert next(it) == (None, None)
        assert next(it) == (None, None)

    def test_what_to_do(self, clock):
        timer = Timer(max_interval=10)
        entry = timer.call_at(1003, noop)
        it = iter(timer)
        assert next(it) == (3.0, None)
        clock.now = 1002.5
        assert next(it) == (0.5, None)
        clock.now = 1003.0
        assert next(it) == (None, entry)
        assert next(it) == (None, None)

    def test_sleep_is_bounded(self, clock):
        timer = Timer(max_interval=2)
        timer.call_at(2000, noop)
        assert next(iter(timer)) == (2.0, None)

    def test_given_functions_are_used(self):
        timer = Timer()
        timer.call_at(90, noop, ("x",))
        popped = []

        def pop(queue):
            popped.append(queue[0])
            return heapq.heappop(queue)

        it = timer.__iter__(min=max, nowfun=lambda: 80, pop=pop)
        assert next(it) == (10, None)
        it = timer.__iter__(nowfun=lambda: 90, pop=pop)
        assert next(it)[1].args == ("x",)
        assert len(popped) == 1

    def test_order(self, clock):
        timer = Timer()
        timer.call_at(999, noop, ("later",))
        timer.call_at(998, noop, ("earlier",))
        timer.call_at(998, noop, ("urgent",), priority=-1)
        timer.call_at(998, noop, ("earlier, but younger",))
        timer.call_at(1001, noop, ("not due",))
        assert due(timer) == ["urgent", "earlier", "earlier, but younger", "later"]

    def test_cancelled_are_passed_over(self, clock):
        timer = Timer()
        timer.call_at(990, noop, ("x",)).cancel()
        timer.call_at(991, noop, ("y",))
        future = timer.call_at(1005, noop, ("z",))
        future.canceled = True  # as some programs do
        assert due(timer) == ["y"]
        assert next(iter(timer)) == (None, None)

    def test_entering_an_entry_again(self, clock):
        timer = Timer()
        entry = timer.call_at(990, noop, ("x",))
        assert due(timer) == ["x"]
        timer.enter_at(entry, 991)
        assert due(timer) == ["x"]
        entry.cancel()
        assert timer._cancelled_count == 0  # it is not in the heap

    def test_plain_items_pushed_by_others(self, clock):
        timer = Timer()
        timer.call_at(990.0, noop, ("ours",))
        heapq.heappush(timer._queue, scheduled(990.0, 0, Entry(noop, ("theirs",))))
        heapq.heappush(timer._queue, scheduled(990.0, 0, Entry(noop, ("more",))))
        assert len(timer.queue) == 3
        assert sorted(due(timer)) == ["more", "ours", "theirs"]

    def test_something_more_urgent_comes_in_between(self, clock):
        timer = Timer()
        timer.call_at(995, noop, ("first",))

        def now():
            if len(timer) == 1:
                timer.call_at(990, noop, ("urgent",))
            return 1000

        it = timer.__iter__(nowfun=now)
        assert next(it)[1].args == ("urgent",)

    def test_cleared_in_between(self, clock):
        timer = Timer()
        timer.call_at(995, noop, ("first",))

        def now():
            timer.clear()
            return 1000

        assert next(timer.__iter__(nowfun=now)) == (None, None)

    def test_setting_the_clock_changes_nothing(self, monkeypatch):
        timer = Timer()
        timer.call_after(-1, noop, ("x",))
        timer.call_after(1000, noop, ("y",))
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert due(timer) == ["x"]


class test_call_repeatedly:
    def test_repeats(self, clock):
        timer = Timer()
        calls = []
        entry = timer.call_repeatedly(1.5, calls.append, ("x",), priority=4)
        assert timer.queue == [(1001.5, 4, entry)]
        for tick in range(1, 4):
            clock.now = 1000.0 + tick * 1.5
            assert next(iter(timer))[1] is entry
            entry()
            assert calls == ["x"] * tick
            assert timer.queue == [(clock.now + 1.5, 4, entry)]

    def test_missed_calls_are_not_made_up_for(self, clock):
        timer = Timer()
        calls = []
        entry = timer.call_repeatedly(1, lambda: calls.append(clock.now))
        clock.now = 1010.5
        next(iter(timer))[1]()
        assert calls == [1010.5]
        assert timer.queue == [(1011.5, 0, entry)]

    def test_interval_counts_from_start_to_start(self, clock):
        def slow():
            clock.now += 0.4

        timer = Timer()
        timer.call_repeatedly(1, slow)
        clock.now = 1001.0
        next(iter(timer))[1]()
        assert timer.queue[0].eta == 1002.0

    def test_called_too_early(self, clock):
        timer = Timer()
        calls = []
        entry = timer.call_repeatedly(1, calls.append, ("x",))
        entry()
        entry()
        assert calls == ["x"]

    def test_errors_do_not_end_it(self, clock):
        timer = Timer()
        entry = timer.call_repeatedly(1, lambda: 1 / 0)
        clock.now = 1001.0
        with pytest.raises(ZeroDivisionError):
            next(iter(timer))[1]()
        assert timer.queue == [(1002.0, 0, entry)]

    def test_cancel_within(self, clock):
        timer = Timer()
        entry = timer.call_repeatedly(1, lambda: entry.cancel())
        clock.now = 1001.0
        next(iter(timer))[1]()
        assert len(timer) == 0

    def test_no_interval(self, clock):
        timer = Timer()
        calls = []
        entry = timer.call_repeatedly(0, calls.append, ("x",))
        entry()
        entry()
        assert calls == ["x", "x"]

    def test_keeps_the_name(self):
        assert Timer().call_repeatedly(1, noop).fun.__name__ == "noop"
        assert "noop" in repr(Timer().call_repeatedly(1, noop))


class test_cancelled_entries:
    def test_do_not_pile_up(self, clock):
        timer = Timer()
        kept = timer.call_after(1, noop)
        for _ in range(10_000):
            timer.call_after(3600, noop).cancel()
        assert len(timer) < 200
        assert kept in [item.entry for item in timer.queue]

    def test_do_not_pile_up_while_iterated(self, clock):
        timer = Timer()
        entries = [timer.call_after(3600, noop) for _ in range(1000)]
        for entry in entries[:900]:
            entry.cancel()
        next(iter(timer))
        assert [item.entry for item in timer.queue] == entries[900:]

    def test_are_kept_while_they_are_few(self, clock):
        timer = Timer()
        entries = [timer.call_after(3600, noop) for _ in range(1000)]
        for entry in entries[:400]:
            entry.cancel()
        next(iter(timer))
        timer.call_after(3600, noop)
        assert len(timer) >= 600

    def test_only_the_iterating_thread_rebuilds(self, clock):
        timer = Timer()
        entries = [timer.call_after(3600, noop) for _ in range(200)]
        timer._consumer_thread = -1
        for entry in entries:
            entry.cancel()
        timer.call_after(3600, noop)
        assert len(timer) == 201
        next(iter(timer))
        assert len(timer) == 1

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 20),  # eta
                st.integers(-2, 2),  # priority
                st.booleans(),  # whether it is cancelled
            ),
            max_size=300,
        ),
        st.integers(0, 20),
    )
    def test_order_is_kept(self, plan, now):
        timer = Timer()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(timer_module, "MIN_CANCELLED_TO_COMPACT", 3)
            expected = []
            for number, (eta, priority, is_cancelled) in enumerate(plan):
                entry = timer.call_at(eta, noop, (number,), priority=priority)
                if is_cancelled:
                    entry.cancel()
                else:
                    expected.append((eta, priority, number))
            expected.sort()
            it = timer.__iter__(nowfun=lambda: now)
            found = []
            while (entry := next(it)[1]) is not None:
                found.append(entry.args[0])
        assert found == [number for eta, _, number in expected if eta <= now]
        left = [item.entry.args[0] for item in timer.queue if not item.entry.canceled]
        assert left == [number for eta, _, number in expected if eta > now]


def test_nothing_is_lost_between_threads(monkeypatch):
    monkeypatch.setattr(timer_module, "MIN_CANCELLED_TO_COMPACT", 3)
    timer = Timer()
    per_thread, fired = 2000, []

    def add(prefix):
        for number in range(per_thread):
            timer.call_after(-1, fired.append, ((prefix, number),))
            timer.call_after(3600, noop).cancel()

    threads = [threading.Thread(target=add, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    it = iter(timer)
    while any(thread.is_alive() for thread in threads):
        if (entry := next(it)[1]) is not None:
            entry()
    while (entry := next(it)[1]) is not None:
        entry()
    assert len(fired) == len(set(fired)) == 3 * per_thread
