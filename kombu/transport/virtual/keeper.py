"""The thread that keeps a connection's leases, also while a callback runs.

It holds no reference to the transport: one that was dropped without being
closed is collected, its leases run out, and its thread ends.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from kombu.log import get_logger
from kombu.utils.waiting import Waiter

__all__ = ("Keeper",)

logger = get_logger(__name__)

#: Seconds that closing waits for a thread that renews or sweeps.
PATIENCE = 5.0


class Keeper:
    """Calls ``transport._keep()`` again and again.

    Arguments:
        transport: The transport.
        interval: Seconds between two calls.
    """

    def __init__(self, transport: Any, interval: float) -> None:
        self._transport = weakref.ref(transport)
        self._interval = interval
        self._waiter = Waiter()
        self._is_stopped = False
        self._thread = threading.Thread(
            target=self._run, name="kombu-keeper", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{type(self).__name__}: {state}, every {self._interval:g} s>"

    def stop(self) -> None:
        """End the thread, after what it is about to do."""
        self._is_stopped = True
        self._waiter.wake()
        if self._thread is not threading.current_thread():
            # A call to a store that is away may take long.
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        while True:
            self._waiter.wait(self._interval)
            transport = self._transport()
            if self._is_stopped or transport is None:
                return
            try:
                transport._keep()
            except Exception:
                # The store may be away; the next time may be better.
                logger.warning("Could not renew the leases", exc_info=True)
            del transport
