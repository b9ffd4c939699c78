"""Pools: limits, waiting for one's turn, resizing, closing, forking."""

from __future__ import annotations

import os
import threading
from collections import deque
from queue import Empty

import pytest

from kombu.exceptions import LimitExceeded
from kombu.resource import Resource
from kombu.utils import waiting


class Thing:
    def __init__(self, number):
        self.number = number
        self.was_closed = 0

    def close(self):
        self.was_closed += 1

    def __repr__(self):
        return f"<Thing {self.number}>"


class Things(Resource):
    """A pool that notes what happens to its resources."""

    def __init__(self, *args, **kwargs):
        self.made = []
        self.collected = []
        self.released = []
        super().__init__(*args, **kwargs)

    def new(self):
        self.made.append(Thing(len(self.made)))
        return self.made[-1]

    def release_resource(self, resource):
        self.released.append(resource)

    def collect_resource(self, resource):
        self.collected.append(resource)

    @property
    def closed(self):
        return [thing.number for thing in self.made if thing.was_closed]


class Queueing:
    """Threads that acquire in a known order, and what they got."""

    def __init__(self, pool):
        self.pool = pool
        self.got = deque()
        self.errors = deque()
        self.threads = []

    def join_in(self, name, **options):
        """Start a thread that acquires, and return when it waits."""
        waiting_before = len(self.pool._waiters)

        def acquire():
            try:
                self.got.append((name, self.pool.acquire(block=True, **options)))
            except Exception as exc:
                self.errors.append((name, exc))

        thread = threading.Thread(target=acquire, daemon=True)
        self.threads.append(thread)
        thread.start()
        while thread.is_alive() and len(self.pool._waiters) == waiting_before:
            os.sched_yield() if hasattr(os, "sched_yield") else None

    def until(self, count):
        """Wait until *count* threads are done."""
        while len(self.got) + len(self.errors) < count:
            os.sched_yield() if hasattr(os, "sched_yield") else None

    def join(self):
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


class test_acquire:
    def test_limit(self):
        pool = Things(2)
        one, other = pool.acquire(), pool.acquire()
        with pytest.raises(LimitExceeded) as caught:
            pool.acquire()
        assert caught.value.args == (2,)
        one.release()
        assert pool.acquire() is one
        assert other in pool._dirty
        assert len(pool.made) == 2

    def test_the_last_one_used_goes_first(self):
        pool = Things(3)
        things = [pool.acquire() for _ in range(3)]
        for thing in things:
            thing.release()
        assert [pool.acquire() for _ in range(3)] == things[::-1]

    @pytest.mark.parametrize("limit", [None, 0])
    def test_no_limit(self, limit):
        pool = Things(limit)
        one, other = pool.acquire(), pool.acquire()
        one.release()
        assert (one.was_closed, other.was_closed) == (1, 0)
        assert pool.acquire() not in (one, other)
        assert repr(pool) == "<Things: 0 in use, 0 idle, limit none>"

    def test_preload(self):
        pool = Things(3, preload=2)
        assert len(pool.made) == 2
        assert repr(pool) == "<Things: 0 in use, 2 idle, limit 3>"
        assert len(Things(1, preload=5).made) == 1

    def test_kind_of_error_is_the_pools(self):
        class Full(LimitExceeded):
            pass

        pool = Things(1)
        pool.LimitExceeded = Full
        pool.acquire()
        with pytest.raises(Full):
            pool.acquire()

    def test_prepare_may_replace(self):
        class Replacing(Things):
            def prepare(self, resource):
                return self.new() if resource.was_closed else resource

        pool = Replacing(1)
        broken = pool.acquire()
        broken.release()
        broken.close()
        better = pool.acquire()
        assert better is not broken
        better.release()
        assert pool.acquire() is better

    @pytest.mark.parametrize("step", ["new", "prepare"])
    def test_errors_give_the_place_back(self, step):
        class Failing(Things):
            fails = True

            def new(self):
                if self.fails and step == "new":
                    raise OSError("down")
                return super().new()

            def prepare(self, resource):
                if self.fails and step == "prepare":
                    raise OSError("down")
                return resource

        pool = Failing(1)
        for _ in range(3):
            with pytest.raises(OSError, match="down"):
                pool.acquire()
        assert all(thing.was_closed for thing in pool.made)
        pool.fails = False
        assert not pool.acquire().was_closed

    def test_new_must_be_defined(self):
        with pytest.raises(NotImplementedError):
            Resource(1).acquire()


class test_waiting:
    def test_release_wakes_in_the_order_they_came(self):
        pool = Things(1)
        thing = pool.acquire()
        queue = Queueing(pool)
        for name in "abc":
            queue.join_in(name)
        for count in (1, 2, 3):
            pool.release(thing)
            queue.until(count)
        queue.join()
        assert list(queue.got) == [("a", thing), ("b", thing), ("c", thing)]

    def test_who_is_overtaken_is_the_next_one(self):
        pool = Things(1)
        thing = pool.acquire()
        queue = Queueing(pool)
        queue.join_in("a")
        queue.join_in("b")
        with pool._lock:  # woken, but somebody takes it first
            waiter = pool._waiters.popleft()
        waiter.wake()
        while len(pool._waiters) < 2:
            os.sched_yield() if hasattr(os, "sched_yield") else None
        pool.release(thing)
        queue.until(1)
        pool.release(thing)
        queue.join()
        assert [name for name, _ in queue.got] == ["a", "b"]

    def test_timeout(self, clock):
        pool = Things(1)
        pool.acquire()
        with pytest.raises(LimitExceeded):
            pool.acquire(block=True, timeout=3)
        assert clock.now == 1003.0
        assert not pool._waiters

    def test_nobody_waits_for_ever(self, clock):
        pool = Things(1)
        pool.acquire()
        with pytest.raises(LimitExceeded):
            pool.acquire(block=True)
        assert clock.now == 1000.0 + Resource.max_wait

    def test_no_time_to_wait(self, clock):
        pool = Things(1)
        pool.acquire()
        with pytest.raises(LimitExceeded):
            pool.acquire(block=True, timeout=0)
        assert clock.now == 1000.0

    def test_a_turn_that_comes_too_late_is_the_next_ones(self, monkeypatch):
        pool = Things(1)
        thing = pool.acquire()
        real = waiting.Waiter.wait

        def wait(waiter, timeout=None):
            # The time runs out, and at that very moment it is released.
            if timeout == 0.5:
                monkeypatch.setattr(waiting.Waiter, "wait", real)
                pool.release(thing)
                return False
            return real(waiter, timeout)

        queue = Queueing(pool)
        monkeypatch.setattr(waiting.Waiter, "wait", wait)
        monkeypatch.setattr(waiting, "monotonic", lambda: 0.0)
        assert pool.acquire(block=True, timeout=0.5) is thing
        queue.join_in("next")
        pool.release(thing)
        queue.join()
        assert list(queue.got) == [("next", thing)]

    @pytest.mark.parametrize("reason", ["replace", "error"])
    def test_a_broken_one_makes_room(self, reason):
        pool = Things(1)
        thing = pool.acquire()
        queue = Queueing(pool)
        queue.join_in("a")
        if reason == "replace":
            pool.replace(thing)
        else:

            def fail(resource):
                raise OSError("gone")

            pool.release_resource = fail
            with pytest.raises(OSError, match="gone"):
                pool.release(thing)
        queue.join()
        assert list(queue.got) == [("a", pool.made[1])]

    def test_an_error_of_one_is_the_chance_of_the_next(self):
        pool = Things(1)
        queue = Queueing(pool)

        def fail():
            queue.join_in("a")
            raise OSError("down")

        pool.new, new = fail, pool.new
        with pytest.raises(OSError, match="down"):
            try:
                pool.acquire()
            finally:
                pool.new = new
        queue.join()
        assert len(queue.got) == 1

    def test_closing_ends_the_wait(self):
        pool = Things(1)
        pool.acquire()
        queue = Queueing(pool)
        queue.join_in("a")
        queue.join_in("b")
        pool.force_close_all()
        queue.join()
        assert [(name, type(error)) for name, error in queue.errors] in (
            [("a", RuntimeError), ("b", RuntimeError)],
            [("b", RuntimeError), ("a", RuntimeError)],
        )
        assert len(pool.made) == 1

    @pytest.mark.parametrize("limit", [3, None])
    def test_growing_ends_the_wait(self, limit):
        pool = Things(1)
        pool.acquire()
        queue = Queueing(pool)
        queue.join_in("a")
        queue.join_in("b")
        pool.resize(limit)
        queue.join()
        assert len(queue.got) == 2
        for _, thing in queue.got:
            thing.release()


class test_release:
    def test_what_is_not_ours(self):
        pool = Things(1)
        pool.release(Thing(9))
        assert pool.released == []
        assert len(pool._idle) == 0

    def test_twice(self):
        pool = Things(2)
        thing = pool.acquire()
        thing.release()
        thing.release()
        assert list(pool._idle) == [thing]

    def test_after_closing(self):
        pool = Things(1)
        thing = pool.acquire()
        pool.force_close_all()
        thing.release()
        assert thing.was_closed == 1
        assert len(pool._idle) == 0

    def test_replace(self):
        pool = Things(1)
        thing = pool.acquire()
        pool.replace(thing)
        assert thing.was_closed == 1
        assert pool.acquire() is not thing


class test_queue_of_idle_ones:
    """Subclasses that were written for kombu 5 use it."""

    def test_empty(self):
        queue = Things(1)._resource
        assert queue.empty()
        assert not queue.full()
        assert repr(queue) == "<IdleQueue: 0>"
        with pytest.raises(Empty):
            queue.get_nowait()
        with pytest.raises(Empty):
            queue.get(block=False)

    def test_last_in_first_out(self):
        pool = Things(3, preload=3)
        queue = pool._resource
        first, second, third = queue.queue
        assert queue.qsize() == 3
        assert [queue.get_nowait(), queue.get(block=False)] == [third, second]
        queue.put(third)
        assert list(queue.queue) == list(pool._idle) == [first, third]
        assert pool.acquire() is third

    def test_emptying_it_leaves_the_places(self):
        pool = Things(1, preload=1)
        pool._resource.get_nowait()
        assert pool.acquire() is pool.made[1]

    def test_blocking_makes_one_and_gives_it_its_place(self):
        pool = Things(1)
        thing = pool._resource.get()
        assert pool._dirty == {thing}
        with pytest.raises(LimitExceeded):
            pool.acquire()
        pool._resource.put_nowait(thing)
        assert not pool._dirty
        assert pool.acquire() is thing

    def test_blocking_ends(self, clock):
        pool = Things(1)
        pool.acquire()
        with pytest.raises(Empty):
            pool._resource.get(timeout=3)
        assert clock.now == 1003.0

    def test_what_is_put_is_for_who_waits(self):
        pool = Things(1)
        thing = pool.acquire()
        queue = Queueing(pool)
        queue.join_in("a")
        pool._resource.put_nowait(thing)
        queue.join()
        assert list(queue.got) == [("a", thing)]

    def test_a_subclass_of_those_days(self):
        class Old(Things):
            def acquire(self, block=False, timeout=None):
                while True:
                    try:
                        thing = self._resource.get(block=block, timeout=timeout)
                    except Empty:
                        self._add_when_empty()
                    else:
                        thing = self.prepare(thing)
                        self._dirty.add(thing)
                        return thing

            def release(self, resource):
                self._dirty.discard(resource)
                self._resource.put_nowait(resource)
                self.release_resource(resource)

        pool = Old(2)
        one, other = pool.acquire(), pool.acquire(block=True)
        with pytest.raises(LimitExceeded):
            pool.acquire()
        pool.release(one)
        assert pool.acquire(block=True) is one
        assert pool.made == [one, other]


class test_force_close_all:
    def test_everything_is_closed(self):
        pool = Things(3)
        in_use, idle = pool.acquire(), pool.acquire()
        idle.release()
        pool.force_close_all()
        assert pool.closed == [0, 1]
        with pytest.raises(RuntimeError, match="Acquire on closed pool"):
            pool.acquire()
        pool.force_close_all()
        assert in_use.was_closed == 1

    def test_go_on_afterwards(self):
        pool = Things(1)
        thing = pool.acquire()
        pool.force_close_all(close_pool=False)
        assert thing.was_closed == 1
        assert pool.acquire() is not thing

    def test_errors_do_not_stop_it(self, caplog):
        caplog.set_level("DEBUG")
        pool = Things(3)
        things = [pool.acquire() for _ in range(3)]

        def fail():
            raise OSError("gone")

        things[1].close = fail
        pool.force_close_all()
        assert things[0].was_closed == things[2].was_closed == 1
        assert "Error while closing" in caplog.text

    def test_one_that_is_being_made(self):
        class Slow(Things):
            def new(self):
                self.force_close_all()
                return super().new()

        pool = Slow(1)
        thing = pool.acquire()
        thing.release()
        assert thing.was_closed == 1


class test_resize:
    def test_grow(self):
        pool = Things(1)
        pool.acquire()
        pool.limit = 2
        assert pool.limit == 2
        pool.acquire()
        with pytest.raises(LimitExceeded):
            pool.acquire()

    def test_shrink(self):
        pool = Things(3, preload=3)
        pool.resize(1)
        assert len(pool._idle) == 1
        assert pool.collected == pool.made[:2]

    def test_to_no_limit(self):
        pool = Things(2, preload=2)
        thing = pool.acquire()
        pool.resize(None)
        assert pool.made[0].was_closed == 1
        thing.release()
        assert thing.was_closed == 1
        assert repr(pool) == "<Things: 0 in use, 0 idle, limit none>"

    def test_closing_errors_do_not_matter(self):
        pool = Things(1, preload=1)

        def fail():
            raise OSError

        pool.made[0].close = fail
        pool.resize(0)
        assert len(pool._idle) == 0

    def test_refused_while_in_use(self):
        pool = Things(2)
        pool.acquire()
        with pytest.raises(RuntimeError, match="was=2 now=1"):
            pool.resize(1)
        assert pool.limit == 2

    def test_forced(self):
        pool = Things(2)
        things = [pool.acquire() for _ in range(2)]
        pool.resize(1, force=True)
        assert [thing.was_closed for thing in things] == [1, 1]
        pool.acquire()
        with pytest.raises(LimitExceeded):
            pool.acquire()

    def test_reset(self):
        pool = Things(2, preload=1)
        thing = pool.acquire()
        pool.resize(2, reset=True)
        assert thing.was_closed == 1
        assert len(pool.made) == 2

    def test_those_in_use_go_when_they_come_back(self):
        pool = Things(3)
        things = [pool.acquire() for _ in range(3)]
        pool.resize(1, ignore_errors=True)
        for thing in things[:2]:
            thing.release()
            with pytest.raises(LimitExceeded):
                pool.acquire()
        assert [thing.was_closed for thing in things] == [1, 1, 0]
        things[2].release()
        assert pool.acquire() is things[2]

    def test_a_pool_that_shrinks_keeps_nobody_waiting(self):
        pool = Things(2)
        things = [pool.acquire() for _ in range(2)]
        pool.resize(1, ignore_errors=True)
        queue = Queueing(pool)
        queue.join_in("a")
        things[0].release()
        assert not queue.got
        things[1].release()
        queue.join()
        assert list(queue.got) == [("a", things[1])]

    def test_one_that_was_taken_meanwhile(self):
        pool = Things(2, preload=2)

        class Emptied(deque):
            def popleft(self):
                raise IndexError

        pool._idle = Emptied(pool._idle)
        pool.resize(1)
        assert pool.collected == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
class test_fork:
    def in_child(self, check):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = 0 if check() else 2
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    @pytest.mark.parametrize("close_after_fork", [True, False])
    def test_a_child_makes_its_own(self, close_after_fork):
        pool = Things(2, close_after_fork=close_after_fork)
        in_use, idle = pool.acquire(), pool.acquire()
        idle.release()

        def check():
            mine = [pool.acquire(), pool.acquire()]
            return (
                not {in_use, idle} & set(mine)
                and set(pool.collected) == {in_use, idle}
                and pool.closed == []
            )

        assert self.in_child(check)
        assert pool.collected == []
        assert pool.acquire() is idle

    def test_a_lock_held_while_forking(self):
        pool = Things(1, close_after_fork=True)
        with pool._lock:
            assert self.in_child(lambda: pool.acquire() is pool.made[-1])

    def test_collecting_may_fail(self):
        pool = Things(1)
        pool.acquire()

        def fail(resource):
            raise OSError

        pool.collect_resource = fail
        assert self.in_child(lambda: pool.acquire() is pool.made[1])


def test_many_threads():
    pool = Things(3)
    most, in_use, lock = [0], [0], threading.Lock()

    def use():
        for _ in range(50):
            thing = pool.acquire(block=True)
            with lock:
                in_use[0] += 1
                most[0] = max(most[0], in_use[0])
            with lock:
                in_use[0] -= 1
            thing.release()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most[0] <= 3
    assert len(pool.made) <= 3
    assert not pool._waiters
    assert not pool._dirty
