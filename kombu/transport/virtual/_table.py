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

    Looks like a list to those who read it, but a row is found by hash.
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[Row, None] = dict.fromkeys(map(_as_row, rows))

    def append(self, row: Row) -> None:
        """Add *row*, unless it is there."""
        self._rows[_as_row(row)] = None

    def remove(self, row: Row) -> None:
        """Remove *row*, if it is there."""
        self._rows.pop(_as_row(row), None)

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def __iter__(self) -> Iterator[Row]:
        # A copy: others may bind meanwhile.
        return iter(tuple(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return tuple(self._rows)[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, tuple, BindingTable)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self._rows))


def _as_row(row: Any) -> Row:
    return tuple(row)
