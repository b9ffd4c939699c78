"""A prefetch count that many threads may change, and one applies."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("PREFETCH_COUNT_MAX", "QoS")

#: Largest count that AMQP 0-9-1 can express (16 bits).
PREFETCH_COUNT_MAX = 0xFFFF

logger = get_logger("kombu.common")


class QoS:
    """Counts how many messages may be unacknowledged.

    The count is changed from any thread, and takes effect when the thread
    that owns the channel calls :meth:`update`.

    Arguments:
        callback: Called with ``prefetch_count=`` to apply it, as
            :meth:`kombu.Consumer.qos`.
        initial_value: Count to begin with; 0 for no limit, which stays so.
        max_prefetch: The count does not grow beyond it.
    """

    __module__ = "kombu.common"

    #: What was applied last.
    prev: int | None = None

    def __init__(
        self,
        callback: Callable[..., Any],
        initial_value: int,
        max_prefetch: int | None = None,
    ) -> None:
        self.callback = callback
        self._lock = threading.RLock()
        self.value = initial_value or 0
        self.max_prefetch = max_prefetch

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.value}, applied {self.prev}>"

    def increment_eventually(self, n: int = 1) -> int:
        """Allow *n* more, with the next :meth:`update`; return the new count."""
        with self._lock:
            if self.value:
                self.value += max(n, 0)
                if self.max_prefetch is not None:
                    self.value = min(self.value, self.max_prefetch)
            return self.value

    def decrement_eventually(self, n: int = 1) -> int:
        """Allow *n* less, but at least one, with the next :meth:`update`."""
        with self._lock:
            if self.value:
                self.value = max(self.value - n, 1)
            return self.value

    def set(self, pcount: int) -> int:
        """Apply the count *pcount*, unless it was applied last."""
        if pcount != self.prev:
            applied = pcount
            if pcount > PREFETCH_COUNT_MAX:
                logger.warning(
                    "QoS: prefetch count %d is above %d: no limit applied",
                    pcount,
                    PREFETCH_COUNT_MAX,
                )
                applied = 0
            logger.debug("basic.qos: prefetch_count->%s", applied)
            self.callback(prefetch_count=applied)
            self.prev = pcount
        return pcount

    def update(self) -> int:
        """Apply the count as it is now."""
        with self._lock:
            return self.set(self.value)
