"""A dictionary whose keys say themselves what makes them equal."""

from __future__ import annotations

from typing import Any

__all__ = ("EqualityDict", "HashedSeq", "eqhash")


class HashedSeq(list[Any]):
    """A list that is made once, never changed, and knows its hash.

    Args:
        *seq: The elements.
    """

    __slots__ = "hashvalue"

    def __init__(self, *seq: Any) -> None:
        super().__init__(seq)
        self.hashvalue = hash(seq)

    def __hash__(self) -> int:  # type: ignore[override]
        return self.hashvalue


def eqhash(o: Any) -> Any:
    """Return what stands for *o* as a key: its ``__eqhash__()`` or its hash."""
    try:
        identify = o.__eqhash__
    except AttributeError:
        return hash(o)
    return identify()


class EqualityDict(dict[Any, Any]):
    """A dictionary in which ``__eqhash__`` of a key decides what is equal.

    Everything that takes a key knows of it; iterating gives the hashes.
    """

    def __getitem__(self, key: Any) -> Any:
        stand_in = eqhash(key)
        if super().__contains__(stand_in):
            return super().__getitem__(stand_in)
        return self.__missing__(key)

    def __missing__(self, key: Any) -> Any:
        raise KeyError(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(eqhash(key), value)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(eqhash(key))

    def __contains__(self, key: Any) -> bool:
        return super().__contains__(eqhash(key))

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of *key*, or *default* if it is not there."""
        return super().get(eqhash(key), default)

    def pop(self, key: Any, *default: Any) -> Any:
        """Remove *key* and return its value, or *default* if it is not there."""
        return super().pop(eqhash(key), *default)
