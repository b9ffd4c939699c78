"""A dictionary of bounded size, and a memory of results built on it."""

from __future__ import annotations

import threading
from collections import OrderedDict, UserDict
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("LRUCache", "memoize")

#: Stands between positional and keyword arguments in the keys of memoize.
KEYWORD_MARK = object()


class LRUCache(UserDict[Any, Any]):
    """A dictionary that forgets what was not read for longest.

    Every method may be called from any thread.  Iteration, and the views that
    :meth:`keys`, :meth:`values` and :meth:`items` give, show the content at
    the time of the call, from least to most recently read.

    Args:
        limit: Number of keys to keep; no limit if None or 0.
    """

    __module__ = "kombu.utils.functional"  # as pickles name it

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.mutex = threading.RLock()
        self.data: OrderedDict[Any, Any] = OrderedDict()

    def __getitem__(self, key: Any) -> Any:
        with self.mutex:
            value = self.data[key]
            self.data.move_to_end(key)
            return value

    def __setitem__(self, key: Any, value: Any) -> None:
        with self.mutex:
            self.data[key] = value
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        if self.limit:
            while len(self.data) > self.limit:
                self.data.popitem(last=False)

    def __delitem__(self, key: Any) -> None:
        with self.mutex:
            del self.data[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add many keys, as :meth:`dict.update` does."""
        with self.mutex:
            self.data.update(*args, **kwargs)
            self._forget_oldest()

    def pop(self, key: Any, *default: Any) -> Any:
        """Remove *key* and return its value, or *default* if it is not there."""
        with self.mutex:
            return self.data.pop(key, *default)

    def popitem(self, last: bool = True) -> tuple[Any, Any]:
        """Remove a key and return it with its value.

        Args:
            last: True for the most recently read one, False for the least.

        Raises:
            KeyError: If there is none.
        """
        with self.mutex:
            return self.data.popitem(last)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of *key*, or *default* if it is not there."""
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return the value of *key*, after setting it if it was not there."""
        with self.mutex:
            try:
                return self[key]
            except KeyError:
                self[key] = default
                return default

    def clear(self) -> None:
        """Forget everything."""
        with self.mutex:
            self.data.clear()

    def incr(self, key: Any, delta: int = 1) -> int:
        """Add *delta* to the number at *key* and return the sum.

        The number is kept as text, as memcached does.

        Raises:
            KeyError: If there is no such key.
        """
        with self.mutex:
            number = int(self.data[key]) + delta
            self[key] = str(number)
            return number

    def _snapshot(self) -> dict[Any, Any]:
        with self.mutex:
            return dict(self.data)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._snapshot())

    def keys(self) -> Any:
        """Return the keys, from least to most recently read."""
        return self._snapshot().keys()

    def values(self) -> Any:
        """Return the values, from least to most recently read."""
        return self._snapshot().values()

    def items(self) -> Any:
        """Return the pairs, from least to most recently read."""
        return self._snapshot().items()

    iterkeys = keys
    itervalues = values
    iteritems = items

    def __copy__(self) -> LRUCache:
        other = type(self)(self.limit)
        other.data.update(self._snapshot())
        return other

    copy = __copy__

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self), data=OrderedDict(self._snapshot()))
        state.pop("mutex")  # locks can not be pickled
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.mutex = threading.RLock()

    def __repr__(self) -> str:
        return repr(OrderedDict(self._snapshot()))


def memoize(
    maxsize: int | None = None,
    keyfun: Callable[..., Any] | None = None,
    Cache: Callable[..., Any] = LRUCache,
) -> Callable[[Callable[..., Any]], Any]:
    """Make a decorator that remembers the results of a function.

    The function gets the attributes ``hits`` and ``misses`` (numbers),
    ``clear()`` and ``original_func``.

    Args:
        maxsize: Number of results to remember; no limit if None.
        keyfun: Makes the key from ``(args, kwargs)``; if None, all arguments
            together are the key.
        Cache: Makes the mapping that holds the results: ``Cache(limit=...)``.
    """

    def decorate(fun: Callable[..., Any]) -> Any:
        cache = Cache(limit=maxsize)
        mutex = threading.Lock()

        @wraps(fun)
        def remember(*args: Any, **kwargs: Any) -> Any:
            key = keyfun(args, kwargs) if keyfun else _key_of(args, kwargs)
            try:
                with mutex:
                    value = cache[key]
                    memory.hits += 1
                    return value
            except KeyError:
                pass  # the function runs outside, so that its errors stand alone
            value = fun(*args, **kwargs)
            with mutex:
                memory.misses += 1
                cache[key] = value
            return value

        def clear() -> None:
            """Forget all results and reset the counters."""
            with mutex:
                cache.clear()
                memory.hits = memory.misses = 0

        memory = cast("Any", remember)
        memory.hits = memory.misses = 0
        memory.clear = clear
        memory.original_func = fun
        return memory

    return decorate


def _key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    if kwargs:
        return (*args, KEYWORD_MARK, *sorted(kwargs.items()))
    return args
