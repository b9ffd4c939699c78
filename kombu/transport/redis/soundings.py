"""What claims, and waits, have told of queues: which are empty, whose bells have rung."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu.transport.redis.clock import ServerClock
    from kombu.transport.redis.order import Order

__all__ = ("Soundings",)

#: Seconds that a bell rings at least that has begun to ring after now.
_RINGING = 50.0

#: Most queues to know something of: they may be made for one use each.
_MOST = 1000


class Soundings:
    """What is known of the queues that one connection claims from.

    Arguments:
        clock: The server's clock.
    """

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        #: Whether the last claim has found messages.
        self.has_found = False
        # When the next message is due that rests in queues.
        self._dues: dict[tuple[str, ...], float | None] = {}
        #: Whether messages rest in queues that were looked into.
        self.are_some_resting = False
        # When queues were left empty, whose bells nobody has heard since.
        self._emptied: dict[str, float] = {}
        # Queues whose bells we may have taken the element of.
        self._rung: set[str] = set()
        # How often that was; what was asked before one of them knows nothing of it.
        self._bells_heard = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._emptied)} empty>"

    def note(self, order: Order, found: bool, due: bytes, left: bytes) -> None:
        """Note what the answer to a claim tells.

        Arguments:
            order: The claim.
            found: Whether there were messages.
            due: When the next one is, in milliseconds; empty if none rests.
            left: 1 if messages are left, 0 if not, empty if that is not known.
        """
        queues = order.queues
        self.has_found = found
        self._note_due(queues, float(due) / 1000 if due else None)
        if order.bells_heard != self._bells_heard:
            left = b""  # another thread has heard one meanwhile
        if left == b"0":
            self._note_empty(queues)
        else:
            self._may_not_be_empty(queues)
        if left:
            self._rung.difference_update(queues)
        elif order.has_rung:
            self._rung.update(queues)  # it was not looked

    # -- what is empty -----------------------------------------------------------

    def are_empty(self, queues: Iterable[str]) -> bool:
        """Return whether *queues* were left empty, so that what has come since has rung.

        Only for as long as a bell rings.
        """
        since = waiting.monotonic() - _RINGING
        emptied = self._emptied
        return all(emptied.get(queue, since) > since for queue in queues)

    def forget_what_is_empty(self) -> None:
        """Have all queues be looked into, whatever is known of them."""
        self._emptied.clear()

    def _note_empty(self, queues: Iterable[str]) -> None:
        emptied = self._emptied
        if len(emptied) > _MOST:
            emptied.clear()
        now = waiting.monotonic()
        for queue in queues:
            emptied[queue] = now

    def _may_not_be_empty(self, queues: Iterable[str]) -> None:
        """Note that there may be messages in *queues*, whose bells may not ring."""
        for queue in queues:
            self._emptied.pop(queue, None)

    # -- whose bells have rung -----------------------------------------------------

    def have_rung(self, queues: Iterable[str]) -> None:
        """Note that the element of a bell of one of *queues* was taken.

        The next claim rings again if messages are left.
        """
        self._may_not_be_empty(queues)
        self._rung.update(queues)
        self._bells_heard += 1

    def _take_rung(self, queues: Iterable[str] | None) -> set[str]:
        """Return those of *queues* whose bells have rung for us; of all if not given."""
        taken = set(self._rung) if queues is None else self._rung.intersection(queues)
        self._rung -= taken
        return taken

    # -- what is due -----------------------------------------------------------------

    def _note_due(self, queues: tuple[str, ...], due: float | None) -> None:
        if queues not in self._dues and len(self._dues) > 100:
            self._dues.clear()
        self._dues[queues] = due
        self.are_some_resting = due is not None or any(
            one is not None for one in tuple(self._dues.values())
        )

    @property
    def next_due(self) -> float | None:
        """When the next message is due that rests in queues that were looked into."""
        if not self.are_some_resting:
            return None
        # One that is long past is that of a queue of which nothing may be claimed.
        past = self._clock.now() - 1.0
        dues = tuple(self._dues.values())
        return min(
            (due for due in dues if due is not None and due > past), default=None
        )

    def is_something_due(self) -> bool:
        """Return whether a message that has rested is due by now."""
        due = self.next_due
        return due is not None and due <= self._clock.now()

    def were_looked_into(self, queues: Iterable[str]) -> set[str]:
        """Return those of *queues* that :attr:`next_due` takes into account."""
        looked = {name for group in tuple(self._dues) for name in group}
        return looked.intersection(queues)
