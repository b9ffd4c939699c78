"""A proxy that counts round trips: however much is said at once, it counts as one."""

from __future__ import annotations

from selectors import EVENT_READ
from typing import TYPE_CHECKING, Any

from kombu.testing import FaultProxy

if TYPE_CHECKING:
    from kombu.testing._link import Link


class TurnCounter(FaultProxy):
    """Counts how often clients have said something after the broker had its say.

    Attributes:
        turns: How often.
    """

    def start(self) -> None:
        self.turns = 0
        # The links in which the broker had the last word, or nobody had any.
        self._answered: dict[Link, bool] = {}
        super().start()

    def _serve(self, link: Link, ready: Any, events: int) -> None:
        if events & EVENT_READ:
            is_client = ready is link.client
            if is_client and self._answered.get(link, True):
                self.turns += 1
            self._answered[link] = not is_client
        super()._serve(link, ready, events)
