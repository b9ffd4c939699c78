"""The thread that sends what was gathered and not sent yet: acknowledgements.

Without it they would wait for the next message, or the end of a long callback.
"""

from __future__ import annotations

from typing import Any

from kombu.log import get_logger
from kombu.utils._repeating import Repeater

__all__ = ("Flusher",)

logger = get_logger(__name__)

#: Seconds that an acknowledgement may wait for others.
PATIENCE = 0.02

#: Seconds between two looks whether the transport is still there.
_REST = 30.0


class Flusher(Repeater):
    """Calls ``transport._flush()`` some time after it was asked to.

    Arguments:
        transport: The transport.
        patience: Seconds that an acknowledgement may wait for others.
    """

    def __init__(self, transport: Any, patience: float = PATIENCE) -> None:
        self._is_due = False
        self._patience = patience
        super().__init__(transport, _REST, "kombu-flusher")

    def soon(self) -> None:
        """Have it done before long; costs little if that was asked for already."""
        if not self._is_due:
            self._is_due = True
            self._waiter.wake()

    def look_after(self, transport: Any) -> bool:
        """Wait for more, and send all."""
        if self._is_due:
            self._waiter.wait(self._patience)  # or until it is stopped
            self._is_due = False
            try:
                transport._flush()
            except Exception:
                # They are sent with the next ones; or the messages come again.
                logger.warning("Could not send acknowledgements", exc_info=True)
        return True
