"""What is idle in a pool, as the queue that it was in kombu 5.

The pool itself uses a deque.  Published subclasses of pools put things back by
``_resource.put_nowait(thing)`` and take them by ``_resource.get(...)``: this is what they
find.  Nothing is kept here.
"""

from __future__ import annotations

from queue import Empty
from typing import TYPE_CHECKING, Any, Protocol

from kombu.exceptions import LimitExceeded

if TYPE_CHECKING:
    import threading
    from collections import deque

__all__ = ("IdleQueue",)


class Pool(Protocol):
    """What is asked of a pool: `kombu.resource.Resource` has it."""

    _lock: threading.Lock
    _idle: deque[Any]
    _dirty: set[Any]

    def _take(self, block: bool, timeout: float | None) -> Any: ...

    def _wake_next(self) -> None: ...


class IdleQueue:
    """The idle things of a pool, as a last-in, first-out queue.

    Arguments:
        pool: The pool.
    """

    __slots__ = ("_pool",)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.qsize()}>"

    @property
    def queue(self) -> deque[Any]:
        """The idle things; the last one is the next to be given out."""
        return self._pool._idle

    def qsize(self) -> int:
        """Return how many there are."""
        return len(self._pool._idle)

    def empty(self) -> bool:
        """Return whether there are none."""
        return not self._pool._idle

    def full(self) -> bool:
        """Return that there is room for more: the pool has a limit, this has none."""
        return False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take one.

        Arguments:
            block: If none is idle, make one where there is room, or else wait.
            timeout: Seconds to wait; the ``max_wait`` of the pool if not given.

        Raises:
            queue.Empty: There is none (and none came).
        """
        if not block:
            return self.get_nowait()
        try:
            # It has its place at once: what comes next in a subclass is to say
            # that it is in use.
            return self._pool._take(True, timeout)
        except LimitExceeded as exc:
            raise Empty from exc

    def get_nowait(self) -> Any:
        """Take one that is idle.

        Raises:
            queue.Empty: There is none.
        """
        with self._pool._lock:
            if self._pool._idle:
                return self._pool._idle.pop()
        raise Empty

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put one back; never waits."""
        self.put_nowait(item)

    def put_nowait(self, item: Any) -> None:
        """Put one back, for who waits longest."""
        pool = self._pool
        with pool._lock:
            pool._dirty.discard(item)
            pool._idle.append(item)
            pool._wake_next()
