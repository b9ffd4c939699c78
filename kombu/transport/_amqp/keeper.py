"""The thread that keeps a connection's heartbeats, also while a callback runs."""

from __future__ import annotations

from typing import Any

from kombu.log import get_logger
from kombu.utils._repeating import Repeater

__all__ = ("HeartbeatKeeper",)

logger = get_logger(__name__)

#: Looks per interval: a heartbeat is to be out well before it is missed.
_LOOKS = 4


class HeartbeatKeeper(Repeater):
    """Calls ``connection.heartbeat_tick()`` again and again.

    Arguments:
        connection: A connection, which has agreed on heartbeats.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, connection.heartbeat / _LOOKS, "kombu-heartbeats")

    def look_after(self, connection: Any) -> bool:
        """Send a heartbeat if one is due; end with the connection."""
        if not connection.connected:
            return False
        try:
            connection.heartbeat_tick()
        except Exception:
            # Whoever uses the connection gets the error.
            logger.debug("Heartbeats end", exc_info=True)
            return False
        return True
