"""The thread that keeps a connection's heartbeats, also while a callback runs.

It holds no reference to the connection: one that was dropped without being closed is
collected, and its thread ends.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from kombu.log import get_logger
from kombu.utils import waiting

__all__ = ("HeartbeatKeeper",)

logger = get_logger(__name__)

#: Looks per interval: a heartbeat is to be out well before it is missed.
_LOOKS = 4


class HeartbeatKeeper:
    """Calls ``connection.heartbeat_tick()`` again and again.

    Arguments:
        connection: A connection, which has agreed on heartbeats.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = weakref.ref(connection)
        self._interval = connection.heartbeat / _LOOKS
        self._waiter = waiting.Waiter()
        self._is_stopped = False
        self._thread = threading.Thread(
            target=self._run, name="kombu-heartbeats", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{type(self).__name__}: {state}, every {self._interval:g} s>"

    def stop(self) -> None:
        """End the thread soon; it is not waited for."""
        self._is_stopped = True
        self._waiter.wake()

    def _run(self) -> None:
        while not self._is_stopped:
            self._waiter.wait(self._interval)
            connection = self._connection()
            if self._is_stopped or connection is None or not connection.connected:
                return
            try:
                connection.heartbeat_tick()
            except Exception:
                # Whoever uses the connection gets the error.
                logger.debug("Heartbeats end", exc_info=True)
                return
            del connection
