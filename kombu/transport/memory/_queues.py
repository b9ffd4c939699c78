"""The queues of a broker in memory."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("MemoryQueue", "RankedEnvelopes")


class RankedEnvelopes:
    """A queue with ranks, in the place of a deque: what ranks higher comes first."""

    __slots__ = ("_by_rank", "_ranks")

    def __init__(self, envelopes: Iterable[Any] = ()) -> None:
        self._by_rank: dict[int, deque[Any]] = {}
        # Highest first; a tuple that is replaced, not changed.
        self._ranks: tuple[int, ...] = ()
        for envelope in envelopes:
            self.append(envelope)

    def _of(self, rank: int) -> deque[Any]:
        found = self._by_rank.get(rank)
        if found is None:
            found = self._by_rank.setdefault(rank, deque())
            self._ranks = tuple(sorted(self._by_rank, reverse=True))
        return found

    def append(self, envelope: Any, rank: int = 0) -> None:
        """Add *envelope* behind those of its rank."""
        self._of(rank).append(envelope)

    def appendleft(self, envelope: Any, rank: int = 0) -> None:
        """Add *envelope* before those of its rank."""
        self._of(rank).appendleft(envelope)

    def popleft(self) -> Any:
        """Take the first one.

        Raises:
            IndexError: There is none.
        """
        for rank in self._ranks:
            with suppress(IndexError):
                return self._by_rank[rank].popleft()
        raise IndexError("there is no envelope")

    def __len__(self) -> int:
        return sum(map(len, tuple(self._by_rank.values())))

    def __iter__(self) -> Iterator[Any]:
        return (one for rank in self._ranks for one in tuple(self._by_rank[rank]))

    def __getitem__(self, place: int) -> Any:
        return list(self)[place]


class MemoryQueue:
    """The envelopes of one queue, and who waits for them.

    Attributes:
        envelopes: Those that are ready.
        resting: Those that are not due yet: a heap of moment, number, envelope.
        waiters: Transports to wake.
    """

    __slots__ = ("envelopes", "name", "resting", "waiters")

    def __init__(self, name: str) -> None:
        self.name = name
        self.envelopes: Any = deque()
        self.resting: list[tuple[float, int, Any]] = []
        # A tuple that is replaced, not changed: publishers read it unlocked.
        self.waiters: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}, {len(self.envelopes)} messages>"

    def rank(self) -> None:
        """Tell messages apart by rank from now on."""
        if isinstance(self.envelopes, deque):
            self.envelopes = RankedEnvelopes(self.envelopes)

    def wake(self) -> None:
        """Tell those who wait that there may be an envelope."""
        for waiter in self.waiters:
            waiter.wake()

    def was_deleted(self) -> None:
        """Tell those who wait that there will be none."""
        for waiter in self.waiters:
            waiter._queue_was_deleted(self.name)
