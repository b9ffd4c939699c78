"""The rows of an exchange's binding table, quick to remove from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("BindingTable", "Row")

#: A binding as a store keeps it: routing key, pattern, queue.
Row = tuple[str, Any, str]


class BindingTable:
    """Rows ``(routing_key, pattern, queue)`` in the order they were added.

    Looks like a list to those who read it, but a row is found by hash.  Where
    an exchange type has made a pattern that can not be hashed, as a
    dictionary, that of its text is taken.
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[Any, Row] = {}
        for row in rows:
            self.append(row)

    def append(self, row: Row) -> None:
        """Add *row*, unless it is there."""
        self._rows[_key_of(row)] = tuple(row)

    def remove(self, row: Row) -> None:
        """Remove *row*, if it is there."""
        self._rows.pop(_key_of(row), None)

    def __contains__(self, row: object) -> bool:
        return isinstance(row, (list, tuple)) and _key_of(row) in self._rows

    def __iter__(self) -> Iterator[Row]:
        # A copy: others may bind meanwhile.
        return iter(tuple(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return tuple(self._rows.values())[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, tuple, BindingTable)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self._rows.values()))


def _key_of(row: Any) -> Any:
    key = tuple(row)
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key
