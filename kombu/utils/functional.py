"""Small helpers for functions, lists and arguments.

This is the public door; lazy values, the LRU cache and the retry engine live
in modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from kombu.utils._lazy import (
    ChannelPromise,
    lazy,
    maybe_evaluate,
    maybe_promise,
    promise,
)
from kombu.utils._lru import KEYWORD_MARK, LRUCache, memoize
from kombu.utils._ranges import fxrange, fxrangemax
from kombu.utils.retry import retry_over_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = (
    "KEYWORD_MARK",
    "ChannelPromise",
    "LRUCache",
    "accepts_argument",
    "dictfilter",
    "fxrange",
    "fxrangemax",
    "is_list",
    "lazy",
    "maybe_evaluate",
    "maybe_list",
    "maybe_promise",
    "memoize",
    "promise",
    "reprcall",
    "reprkwargs",
    "retry_over_time",
    "shufflecycle",
)

T = TypeVar("T")


def is_list(
    obj: Any,
    scalars: tuple[type[Any], ...] | type[Any] | None = (Mapping, str),
    iters: tuple[type[Any], ...] | type[Any] = (Iterable,),
) -> bool:
    """Return whether *obj* is iterable, and no mapping or text.

    Args:
        obj: Anything.
        scalars: Iterable types that count as one thing; may be None.
        iters: Types that count as several things.
    """
    return isinstance(obj, iters) and not isinstance(obj, scalars or ())


def maybe_list(
    obj: Any, scalars: tuple[type[Any], ...] | type[Any] | None = (Mapping, str)
) -> Any:
    """Return *obj* if it is None or a list of some kind, else ``[obj]``."""
    return obj if obj is None or is_list(obj, scalars) else [obj]


def dictfilter(d: dict[str, Any] | None = None, **kw: Any) -> dict[str, Any]:
    """Return *d* and the keywords as a new dict, without what is None."""
    return {
        key: value for key, value in {**(d or {}), **kw}.items() if value is not None
    }


def shufflecycle(it: Sequence[T]) -> Iterator[T]:
    """Iterate for ever, each time over a random one of the elements of *it*.

    Raises:
        IndexError: If *it* is empty.
    """
    from random import choice

    choices = list(it)
    while True:
        yield choice(choices)


def reprkwargs(kwargs: Mapping[str, Any], sep: str = ", ", fmt: str = "{0}={1}") -> str:
    """Show keyword arguments as they are written in a call."""
    return sep.join(fmt.format(key, _safe_repr(value)) for key, value in kwargs.items())


def reprcall(
    name: str,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    sep: str = ", ",
) -> str:
    """Show a call as it is written."""
    shown = [_safe_repr(arg) for arg in args or ()]
    if kwargs:
        shown.append(reprkwargs(kwargs, sep))
    return f"{name}({sep.join(shown)})"


def _safe_repr(value: Any) -> str:
    from kombu.utils.encoding import safe_repr

    return safe_repr(value)


def accepts_argument(func: Callable[..., Any], argument_name: str) -> bool:
    """Return whether *func* has a parameter of that name.

    ``*args`` and ``**kwargs`` do not count.

    Raises:
        TypeError: If *func* is not callable, or has no signature.
    """
    code = func.__code__ if isinstance(func, FunctionType) else None
    if code is not None:
        named = code.co_argcount + code.co_kwonlyargcount
        return argument_name in code.co_varnames[:named]
    import inspect

    spec = inspect.getfullargspec(func)
    return argument_name in spec.args or argument_name in spec.kwonlyargs
