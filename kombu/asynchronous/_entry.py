"""One callback that a timer calls when its time has come."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kombu.asynchronous.timer import Timer

__all__ = ("Entry",)

_next_number = count(1).__next__


class Entry:
    """A callback with its arguments, as it stands in a :class:`Timer`.

    Entries compare by age, so that of two that are due at the same time, with
    the same priority, the older one is called first.

    Arguments:
        fun: The callback.
        args: Positional arguments for it.
        kwargs: Keyword arguments for it.

    Attributes:
        canceled: True once cancelled: the timer then drops the entry instead
            of calling it.  Calling the entry by hand still works.
    """

    __slots__ = (
        "__weakref__",
        "_kwargs",
        "_number",
        "_timer",
        "args",
        "canceled",
        "fun",
    )

    def __init__(
        self,
        fun: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.fun = fun
        self.args = args or ()
        self._kwargs = kwargs or None
        self.canceled = False
        self._number = _next_number()
        #: The timer whose heap holds this entry, to be told of cancellation.
        self._timer: Timer | None = None

    def __call__(self) -> Any:
        if self._kwargs:
            return self.fun(*self.args, **self._kwargs)
        return self.fun(*self.args)

    def cancel(self) -> None:
        """Make sure that the timer does not call this again."""
        if not self.canceled:
            self.canceled = True
            if self._timer is not None:
                self._timer._note_cancelled()

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Keyword arguments for the callback."""
        if self._kwargs is None:  # most entries have none: made when asked for
            self._kwargs = {}
        return self._kwargs

    @kwargs.setter
    def kwargs(self, value: Mapping[str, Any]) -> None:
        self._kwargs = value

    @property
    def cancelled(self) -> bool:
        """The same as :attr:`canceled`."""
        return self.canceled

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        if value:
            self.cancel()
        else:
            self.canceled = False

    @property
    def tref(self) -> Any:
        """A weak reference that can be used like the entry itself."""
        return proxy(self)

    def __repr__(self) -> str:
        name = getattr(self.fun, "__name__", None) or repr(self.fun)
        state = " cancelled" if self.canceled else ""
        return f"<TimerEntry: {name}(*{self.args!r}, **{self.kwargs!r}){state}>"

    # Only a tie of both time and priority comes to comparing entries.  What is
    # no entry has no age, and is ordered by identity as kombu always did.

    def __lt__(self, other: object) -> bool:
        if isinstance(other, Entry):
            return self._number < other._number
        return id(self) < id(other)

    def __gt__(self, other: object) -> bool:
        if isinstance(other, Entry):
            return self._number > other._number
        return id(self) > id(other)

    def __le__(self, other: object) -> bool:
        return self is other or self < other

    def __ge__(self, other: object) -> bool:
        return self is other or self > other
