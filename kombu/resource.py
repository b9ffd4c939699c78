"""Pools of things that are costly to make, and can be used by one at a time."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from kombu.exceptions import LimitExceeded
from kombu.utils import waiting
from kombu.utils.compat import register_after_fork
from kombu.utils.deadline import Deadline
from kombu.utils.idle import IdleQueue

__all__ = ("Resource",)


class Resource:
    """A pool.  Subclasses say how a resource is made, by :meth:`new`.

    Arguments:
        limit: Most resources in use at a time; none, or 0, for no limit and
            no keeping either: each is made when asked for, and closed when
            released.
        preload: How many to make at once.
        close_after_fork: Whether a forked child drops what its parent had.
    """

    LimitExceeded: type[LimitExceeded] = LimitExceeded

    close_after_fork = False

    #: Seconds that a blocking :meth:`acquire` waits if no time is given.
    max_wait: float | None = 60.0

    def __init__(
        self,
        limit: int | None = None,
        preload: int | None = None,
        close_after_fork: bool | None = None,
    ) -> None:
        self._limit = limit
        self.preload = preload or 0
        self._closed = False
        if close_after_fork is not None:
            self.close_after_fork = close_after_fork
        self._reset()
        if self.close_after_fork:
            register_after_fork(self, Resource._after_fork)
        self.setup()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        # The last one used is the first to be used again: it is the warmest.
        self._idle: deque[Any] = deque()
        self._dirty: set[Any] = set()
        # Those who wait for a resource, in the order they came.
        self._waiters: deque[waiting.Waiter] = deque()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self._dirty)} in use, "
            f"{len(self._idle)} idle, limit {self._limit or 'none'}>"
        )

    # -- what subclasses define ----------------------------------------------

    def new(self) -> Any:
        """Make a resource."""
        raise NotImplementedError("subclass responsibility")

    def setup(self) -> None:
        """Fill the pool, when it is made or reset."""
        for _ in range(min(self.preload, self._limit or 0)):
            self._idle.append(self.new())

    def prepare(self, resource: Any) -> Any:
        """Return *resource*, made fit for use, as it is given out."""
        return resource

    def close_resource(self, resource: Any) -> None:
        """Close *resource*."""
        resource.close()

    def release_resource(self, resource: Any) -> None:
        """Is called with a *resource* that comes back."""

    def collect_resource(self, resource: Any) -> None:
        """Drop *resource* without a word to its other side."""

    # -- using ---------------------------------------------------------------

    def acquire(self, block: bool = False, timeout: float | None = None) -> Any:
        """Take a resource; call its ``release()`` to give it back.

        Arguments:
            block: Wait if all are in use.
            timeout: Seconds to wait; :attr:`max_wait` if not given.

        Raises:
            LimitExceeded: All are in use (and stayed so).
            RuntimeError: The pool is closed.
        """
        if self._closed:
            raise RuntimeError("Acquire on closed pool")
        if self._pid != os.getpid():
            self._after_fork()
        if self._limit:
            resource = self._take(block, timeout)
        else:
            resource = self.prepare(self.new())

        def release() -> None:
            """Give the resource back to its pool."""
            self.release(resource)

        resource.release = release
        return resource

    def _take(self, block: bool, timeout: float | None) -> Any:
        deadline = None
        had_turn = False
        while True:
            waiter = None
            with self._lock:
                if self._closed:  # while we waited
                    raise RuntimeError("Acquire on closed pool")
                if self._has_room():
                    resource = self._idle.pop() if self._idle else None
                    # Holds the place while the resource is made.
                    place: Any = object() if resource is None else resource
                    self._dirty.add(place)
                    break
                if block:
                    if deadline is None:
                        deadline = Deadline(
                            self.max_wait if timeout is None else timeout
                        )
                    if not deadline.has_expired:
                        waiter = waiting.Waiter()
                        # Who was overtaken in his turn is the next one again.
                        (
                            self._waiters.appendleft
                            if had_turn
                            else self._waiters.append
                        )(waiter)
            if waiter is None or deadline is None:
                raise self.LimitExceeded(self.limit)
            had_turn = self._wait_for_turn(waiter, deadline)
        return self._make_ready(resource, place)

    def _has_room(self) -> bool:
        """Return whether one more may be in use; call it with the lock held."""
        return not self._limit or len(self._dirty) < self._limit

    def _wait_for_turn(self, waiter: waiting.Waiter, deadline: Deadline) -> bool:
        was_woken = False
        try:
            was_woken = waiter.wait(deadline.remaining())
            return was_woken
        finally:
            if not was_woken:
                with self._lock:
                    with suppress(ValueError):
                        self._waiters.remove(waiter)
                        was_woken = True
                    # Woken at the very end: the turn is the next one's.
                    if not was_woken:
                        self._wake_next()

    def _make_ready(self, resource: Any, place: Any) -> Any:
        is_new = resource is None
        try:
            if is_new:
                resource = self.new()
            prepared = self.prepare(resource)
        except BaseException:
            with self._lock:
                self._dirty.discard(place)
                self._wake_next()
            if resource is not None:
                with suppress(Exception):
                    self.close_resource(resource)
            raise
        if prepared is not place:
            with self._lock:
                self._dirty.discard(place)
                self._dirty.add(prepared)
        return prepared

    @property
    def _resource(self) -> IdleQueue:
        """What is idle, as subclasses that were written for kombu 5 see it."""
        return IdleQueue(self)

    def _add_when_empty(self) -> None:
        """Make an idle one, where there is room; subclasses of those days call it."""
        with self._lock:
            if not self._has_room():
                raise self.LimitExceeded(self.limit)
        self._resource.put_nowait(self.new())

    def _wake_next(self) -> None:
        """Wake who has waited longest; call it with the lock held."""
        if self._waiters and self._has_room():
            self._waiters.popleft().wake()

    def _wake_those_with_room(self) -> None:
        """Wake as many as there is room for, in their order."""
        with self._lock:
            count = len(self._waiters)
            if self._limit and not self._closed:
                count = min(count, max(self._limit - len(self._dirty), 0))
            for _ in range(count):
                self._waiters.popleft().wake()

    def release(self, resource: Any) -> None:
        """Take *resource* back."""
        if not self._limit:
            self._dirty.discard(resource)  # of a time when there was a limit
            self.close_resource(resource)
            return
        with self._lock:
            was_ours = resource in self._dirty
            held = len(self._dirty) + len(self._idle)
            keeps = was_ours and not self._closed and held <= self._limit
            if was_ours and not keeps:
                self._dirty.discard(resource)
                self._wake_next()
        if keeps:
            self._take_back(resource)
        elif was_ours:
            self.close_resource(resource)

    def _take_back(self, resource: Any) -> None:
        is_fit = False
        try:
            # Its place stays taken: nobody is to make another one meanwhile.
            self.release_resource(resource)
            is_fit = True
        finally:
            with self._lock:
                if resource in self._dirty:
                    self._dirty.discard(resource)
                    if is_fit:
                        self._idle.append(resource)
                self._wake_next()

    def replace(self, resource: Any) -> None:
        """Close *resource*, which is broken; another can be made for it."""
        with self._lock:
            self._dirty.discard(resource)
            self._wake_next()
        self.close_resource(resource)

    # -- the whole pool ------------------------------------------------------

    @property
    def limit(self) -> int | None:
        """Most resources in use at a time."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        self.resize(limit)

    def force_close_all(self, close_pool: bool = True) -> None:
        """Close all resources, those in use too.

        Arguments:
            close_pool: Give out no more.
        """
        if self._closed:
            return
        self._closed = close_pool
        with self._lock:
            resources = [*self._dirty, *self._idle]
            self._dirty.clear()
            self._idle.clear()
        self._wake_those_with_room()
        for resource in resources:
            with suppress(AttributeError):  # a place, where one is being made
                self._close_quietly(resource)

    def _close_quietly(self, resource: Any) -> None:
        try:
            self.close_resource(resource)
        except AttributeError:
            raise
        except Exception:
            from kombu.log import get_logger

            get_logger(__name__).debug("Error while closing a pool", exc_info=True)

    def resize(
        self,
        limit: int | None,
        force: bool = False,
        ignore_errors: bool = False,
        reset: bool = False,
    ) -> None:
        """Change the limit.

        Arguments:
            limit: The new one.
            force: Shrink though resources are in use; they are closed.
            ignore_errors: Shrink though resources are in use; they are
                closed when released.
            reset: Close everything, and begin anew.

        Raises:
            RuntimeError: Resources are in use, and neither of the former is
                asked for.
        """
        previous = self._limit or 0
        new = limit or 0
        if self._dirty and 0 < new < previous and not ignore_errors:
            if not force:
                raise RuntimeError(
                    f"Can't shrink pool when in use: was={previous} now={new}"
                )
            reset = True
        self._limit = limit
        if reset:
            self.force_close_all(close_pool=False)
            self.setup()
        if new < previous:
            self._shrink_down(collect=new > 0)
        self._wake_those_with_room()

    def _shrink_down(self, collect: bool = True) -> None:
        while len(self._idle) > (self._limit or 0):
            try:
                resource = self._idle.popleft()
            except IndexError:
                return
            if collect:
                self.collect_resource(resource)
            else:
                with suppress(Exception):
                    self.close_resource(resource)

    def _after_fork(self) -> None:
        """Drop what the parent has, in a forked child; it makes its own on demand."""
        inherited = [*self._dirty, *self._idle]
        self._reset()
        for resource in inherited:
            with suppress(Exception):
                self.collect_resource(resource)
