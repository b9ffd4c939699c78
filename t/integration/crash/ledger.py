"""What was published, delivered, acknowledged and refused, by the logs of the workers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Ledger:
    """The account of one run.

    Arguments:
        logs: Files that the workers wrote.
        stored: Numbers that are still in the queue, each as often as it is there.
        dead: Numbers in the dead-letter queue, likewise.
    """

    def __init__(
        self, logs: Iterable[Path], stored: Iterable[int], dead: Iterable[int]
    ) -> None:
        self.moments: dict[str, dict[int, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for path in logs:
            for line in path.read_text().splitlines():
                moment, what, number = line.split()
                self.moments[what][int(number)].append(int(moment))
        self.stored = list(stored)
        self.dead = list(dead)

    def numbers(self, what: str) -> set[int]:
        """Return the numbers of which *what* was noted."""
        return set(self.moments[what])

    def __str__(self) -> str:
        counts = {
            what: len(self.numbers(what))
            for what in ("published", "delivered", "acked", "refused")
        }
        if self.retried:
            counts["published with retries"] = len(self.retried)
        counts |= {"stored": len(self.stored), "dead": len(self.dead)}
        counts["delivered again"] = sum(
            len(moments) - 1 for moments in self.moments["delivered"].values()
        )
        return ", ".join(f"{what} {count}" for what, count in counts.items())

    @property
    def retried(self) -> set[int]:
        """Published more than once, perhaps: the answer to the first try was lost.

        A broker that is told twice has two messages, each with a life of its own.
        """
        return self.numbers("retrying")

    @property
    def lost(self) -> set[int]:
        """Published, and neither settled nor stored.

        What a worker was about to acknowledge when it was killed may be settled.
        """
        settled = self.numbers("acking") | set(self.dead)
        return self.numbers("published") - settled - set(self.stored)

    @property
    def in_two_places(self) -> set[int]:
        """In the store more than once, or still there though it is settled."""
        places = Counter([*self.stored, *self.dead, *self.numbers("acked")])
        found = {number for number, count in places.items() if count > 1}
        return found - self.retried

    @property
    def again_after_settled(self) -> set[int]:
        """Delivered again though it was settled before."""
        settled = {**self.moments["acked"], **self.moments["refused"]}
        return {
            number
            for number, moments in settled.items()
            if max(self.moments["delivered"][number]) > min(moments)
        } - self.retried

    def check(self, lost_acks: int = 0) -> None:
        """Raise AssertionError unless nothing is lost, doubled or raised from death.

        Arguments:
            lost_acks: How many acknowledgements may be lost, which were on their way
                when the server was killed, and then who had sent them.
        """
        assert not self.lost, f"lost: {sorted(self.lost)} ({self})"
        assert not self.in_two_places, f"in two places: {self.in_two_places} ({self})"
        again = self.again_after_settled
        assert len(again) <= lost_acks, (
            f"delivered after they were settled: {sorted(again)} ({self})"
        )
