"""A thread that tells a transport when messages may have come into its store.

A watcher holds no reference to its transport: one that was dropped ends it.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ("PAUSE", "Watcher")

logger = get_logger(__name__)

#: Seconds until a watcher that has failed tries again.
PAUSE = 1.0

#: Seconds that closing waits for a watcher.
PATIENCE = 5.0


class Watcher:
    """A thread that wakes a transport.

    Arguments:
        transport: The transport.
        name: Name of the thread.
    """

    def __init__(self, transport: Any, name: str) -> None:
        self._transport = weakref.ref(transport)
        self._waiter = waiting.Waiter()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{type(self).__name__}: {state}>"

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._is_stopped = True
        self._interrupt()
        if self._thread is not threading.current_thread():
            # A call to a store that is away may take long.
            self._thread.join(PATIENCE)

    def _interrupt(self) -> None:
        self._waiter.wake()

    def _is_wanted(self) -> bool:
        return not self._is_stopped and self._transport() is not None

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._watch()
            except Exception as exc:
                if self._is_stopped:
                    return
                # Messages come later without it, and the database may be back soon.
                logger.info("%r lost sight of the store, trying again: %s", self, exc)
                self._lost_sight()
                self._waiter.wait(PAUSE)

    def _lost_sight(self) -> None:
        """Do what is to be done when watching has failed."""

    def _watch(self) -> None:
        """Wake the transport when there may be messages, until not wanted."""
        raise NotImplementedError

    def _wake(self, queues: Collection[str] | None = None) -> None:
        """Wake the transport, if it consumes from one of *queues*, or from any."""
        transport = self._transport()
        if transport is None:
            return
        if queues is None:
            transport.wake()
        else:
            transport.wake_consumers_of(queues)
