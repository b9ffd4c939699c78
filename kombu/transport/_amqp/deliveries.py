"""Messages that have come, and wait for somebody who drains events."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from kombu.transport._amqp.parser import Delivered

__all__ = ("Deliveries", "Delivery")


#: The channel that a message came by; the message; and its number among all that the
#: channel has ever received: it may have been closed, and opened again, before the
#: message is delivered.  A bare tuple, since one is made for each message.
Delivery = tuple[Any, Delivered, int]


class Deliveries:
    """Deliveries in the order they came.

    One thread puts them here; any may take them.
    """

    __slots__ = ("_lock", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Delivery] = deque()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._waiting)} waiting>"

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery) -> None:
        """Put *delivery* aside."""
        with self._lock:
            self._waiting.append(delivery)

    def take(self) -> Delivery | None:
        """Return the first, which is not here any more; None if there is none."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def take_of(self, channel: Any, consumer_tag: str) -> list[Delivery]:
        """Return those of one consumer, which are not here any more."""
        with self._lock:
            taken = [
                delivery
                for delivery in self._waiting
                if delivery[0] is channel and delivery[1].consumer_tag == consumer_tag
            ]
            if taken:
                gone = set(map(id, taken))
                self._waiting = deque(d for d in self._waiting if id(d) not in gone)
        return taken

    def forget(self, channel: Any) -> None:
        """Drop those of *channel*, which is closed."""
        if self._waiting:
            with self._lock:
                self._waiting = deque(d for d in self._waiting if d[0] is not channel)

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            self._waiting.clear()
