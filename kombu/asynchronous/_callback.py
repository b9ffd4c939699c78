"""A callback that the event loop calls in its next round."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Callback", "ReadyQueue")


class Callback:
    """What :meth:`Hub.call_soon <kombu.asynchronous.Hub.call_soon>` returns.

    It can be cancelled, and it can be waited for like a :class:`vine.promise`:
    the promise behind :meth:`then` is only made when somebody asks for it.

    Arguments:
        fun: The function to call.
        args: Positional arguments for it.

    Attributes:
        cancelled: True once cancelled; calling then does nothing.
    """

    __slots__ = ("__weakref__", "_outcome", "args", "cancelled", "fun")

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...] = ()) -> None:
        self.fun = fun
        self.args = args
        self.cancelled = False
        self._outcome: Any = None

    def __repr__(self) -> str:
        state = " cancelled" if self.cancelled else ""
        return f"<{type(self).__name__}: {self.fun!r}{state}>"

    def __call__(self, *args: Any) -> Any:
        if self.cancelled:
            return None
        if self._outcome is None:
            return self.fun(*self.args, *args)
        return self._call_and_tell(args)

    def _call_and_tell(self, args: tuple[Any, ...]) -> Any:
        try:
            result = self.fun(*self.args, *args)
        except Exception as exc:
            self._outcome.throw(exc)  # raises unless somebody handles it
            return None
        self._outcome(result)
        return result

    def cancel(self) -> None:
        """Do not call the function, nor what waits for it."""
        self.cancelled = True
        if self._outcome is not None:
            self._outcome.cancel()

    def then(
        self,
        callback: Any,
        on_error: Callable[[BaseException], Any] | None = None,
    ) -> Any:
        """Call *callback* with the function's result, once there is one.

        Arguments:
            callback: A function or thenable.
            on_error: Called instead with the error, if the function raises.

        Returns:
            A thenable that stands for *callback*.
        """
        return self._promised().then(callback, on_error=on_error)

    def throw(self, exc: BaseException | None = None, *args: Any, **kwargs: Any) -> Any:
        """Fail with *exc*, for what waits by :meth:`then`."""
        return self._promised().throw(exc, *args, **kwargs)

    def _promised(self) -> Any:
        if self._outcome is None:
            from vine import promise

            self._outcome = promise()
        return self._outcome


class ReadyQueue(deque[Any]):
    """Callbacks in the order in which they came, with the methods of a set."""

    add = deque.append

    def discard(self, callback: Any) -> None:
        """Remove *callback* if it is there."""
        if callback in self:
            self.remove(callback)
