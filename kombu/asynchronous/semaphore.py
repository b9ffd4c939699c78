"""Limits how many things run at once, without ever blocking a thread."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ("DummyLock", "LaxBoundedSemaphore")


class LaxBoundedSemaphore:
    """Asynchronous bounded semaphore.

    Who asks for it gives a callback, which is called at once if the semaphore
    is free, or else when somebody releases it, first come first served.
    *Lax*: releasing it too often does no harm.

    Arguments:
        value: How many may have it at once.

    Attributes:
        initial_value: That number, as changed by growing and shrinking.
        value: How many more may have it now.

    Example::

        >>> semaphore = LaxBoundedSemaphore(2)
        >>> semaphore.acquire(print, "first")
        first
        True
        >>> semaphore.acquire(print, "second")
        second
        True
        >>> semaphore.acquire(print, "third")
        False
        >>> semaphore.release()
        third
    """

    def __init__(self, value: int) -> None:
        self.initial_value = self.value = value
        self._waiting: deque[Any] = deque()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x} value:{self.value} "
            f"waiting:{len(self._waiting)}>"
        )

    def acquire(
        self,
        callback: Callable[..., Any],
        *partial_args: Any,
        **partial_kwargs: Any,
    ) -> bool:
        """Call *callback* with the arguments given, now or when it is free.

        Returns:
            True if the callback was called at once.
        """
        if self.value <= 0:
            self._waiting.append((callback, partial_args, partial_kwargs))
            return False
        self.value = max(self.value - 1, 0)
        callback(*partial_args, **partial_kwargs)
        return True

    def release(self) -> None:
        """Give it to whoever waits longest; if nobody does it is free again."""
        try:
            waiter, args, kwargs = self._waiting.popleft()
        except IndexError:
            self.value = min(self.value + 1, self.initial_value)
        else:
            waiter(*args, **kwargs)

    def grow(self, n: int = 1) -> None:
        """Let *n* more have it at once."""
        for _ in range(n):
            self.initial_value += 1
            self.value += 1
            if self._waiting:
                self.value -= 1
                waiter, args, kwargs = self._waiting.popleft()
                waiter(*args, **kwargs)

    def shrink(self, n: int = 1) -> None:
        """Let *n* fewer have it at once; those who have it keep it."""
        self.initial_value = max(self.initial_value - n, 0)
        self.value = max(self.value - n, 0)

    def clear(self) -> None:
        """Forget those who wait, and make it free."""
        self._waiting.clear()
        self.value = self.initial_value


class DummyLock:
    """Stands where a lock is asked for and none is needed."""

    def __enter__(self) -> DummyLock:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        pass
