"""Values that are computed when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("ChannelPromise", "lazy", "maybe_evaluate", "maybe_promise", "promise")

T = TypeVar("T")


class ChannelPromise(Generic[T]):
    """Stands for a channel that is opened at the first call, and kept.

    Args:
        contract: Opens the channel.
    """

    __module__ = "kombu.utils.functional"  # as pickles name it

    # The names are those of kombu: third-party pools look at them.
    __contract__: Callable[[], T]
    __value__: T

    def __init__(self, contract: Callable[[], T]) -> None:
        self.__contract__ = contract

    def __call__(self) -> T:
        try:
            return self.__value__
        except AttributeError:
            pass  # computed outside, so that its own errors are seen as such
        value = self.__value__ = self.__contract__()
        return value

    def __repr__(self) -> str:
        try:
            return repr(self.__value__)
        except AttributeError:
            return f"<promise: 0x{id(self.__contract__):x}>"


class lazy:
    """A value that is computed again each time it is asked for.

    Args:
        fun: Computes the value.
        *args: Its arguments.
        **kwargs: Its keyword arguments.
    """

    __module__ = "kombu.utils.functional"  # as pickles name it
    # Equality is that of a value which may change: there is no hash.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._fun = fun
        self._args = args
        self._kwargs = kwargs

    def __call__(self) -> Any:
        return self.evaluate()

    def evaluate(self) -> Any:
        """Compute the value."""
        return self._fun(*self._args, **self._kwargs)

    def __str__(self) -> str:
        return str(self())

    def __repr__(self) -> str:
        return repr(self())

    def __eq__(self, rhs: object) -> bool:
        return bool(self() == rhs)

    def __ne__(self, rhs: object) -> bool:
        return bool(self() != rhs)

    def __deepcopy__(self, memo: dict[int, Any]) -> lazy:
        memo[id(self)] = self
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"_args": self._args, "_kwargs": self._kwargs}
        return (type(self), (self._fun,), state)


def maybe_evaluate(value: Any) -> Any:
    """Return the value of a :class:`lazy`, anything else as it is."""
    return value.evaluate() if isinstance(value, lazy) else value


#: Older names of :class:`lazy` and :func:`maybe_evaluate`.
promise = lazy
maybe_promise = maybe_evaluate
