"""The thread that keeps a connection's leases, also while a callback runs."""

from __future__ import annotations

from typing import Any

from kombu.log import get_logger
from kombu.utils._repeating import Repeater

__all__ = ("Keeper",)

logger = get_logger(__name__)

#: Seconds that closing waits for a thread that renews or sweeps.
PATIENCE = 5.0


class Keeper(Repeater):
    """Calls ``transport._keep()`` again and again.

    Arguments:
        transport: The transport; if it is dropped without being closed, its leases run
            out.
        interval: Seconds between two calls.
    """

    def __init__(self, transport: Any, interval: float) -> None:
        super().__init__(transport, interval, "kombu-keeper")

    def stop(self, patience: float = PATIENCE) -> None:
        """End the thread, after what it is about to do.

        Arguments:
            patience: Seconds to wait: a call to a store that is away may take long.
        """
        super().stop(patience)

    def look_after(self, transport: Any) -> bool:
        """Renew, or sweep."""
        try:
            transport._keep()
        except Exception:
            # The store may be away; the next time may be better.
            logger.warning("Could not renew the leases", exc_info=True)
        return True
