"""The thread that sends what was gathered and not sent yet: acknowledgements.

Without it they would wait for the next message, or the end of a long callback.  It
lives for as long as there is something to send: the mere presence of a second thread
makes each system call of the first take longer.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from kombu.log import get_logger
from kombu.utils.waiting import Waiter

__all__ = ("Flusher",)

logger = get_logger(__name__)

#: Seconds that an acknowledgement may wait for others.
PATIENCE = 0.02


class Flusher:
    """Calls ``transport._flush()`` some time after it was asked to.

    It holds no reference to the transport: one that is dropped is collected.

    Arguments:
        transport: The transport.
        patience: Seconds that an acknowledgement may wait for others.
    """

    def __init__(self, transport: Any, patience: float = PATIENCE) -> None:
        self._transport = weakref.ref(transport)
        self._patience = patience
        self._is_due = False
        self._is_stopped = False
        self._waiter = Waiter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        if self._is_stopped:
            return f"<{type(self).__name__}: stopped>"
        return f"<{type(self).__name__}: within {self._patience:g} s>"

    def soon(self) -> None:
        """Have it done before long; costs little if that was asked for already."""
        if self._is_due:
            return
        with self._lock:
            self._is_due = True
            thread = self._thread
            # After a fork it is there, but dead.
            if self._is_stopped or (thread is not None and thread.is_alive()):
                return
            thread = threading.Thread(
                target=self._run, name="kombu-flusher", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # there are too many, or the interpreter ends
                pass
            else:
                self._thread = thread
                return
        self._flush()

    def stop(self, patience: float = 0.0) -> None:
        """End the thread, after what it is about to do.

        Arguments:
            patience: Seconds to wait for that.
        """
        with self._lock:
            self._is_stopped = True
            thread = self._thread
        self._waiter.wake()
        if patience and thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _run(self) -> None:
        """Send at regular times, until there was nothing to send."""
        while True:
            self._waiter.wait(self._patience)  # or until it is stopped
            with self._lock:
                if self._is_stopped or not self._is_due:
                    self._thread = None
                    return
            self._flush()

    def _flush(self) -> None:
        self._is_due = False
        transport = self._transport()
        if transport is None:
            return
        try:
            transport._flush()
        except Exception:
            # They are sent with the next ones; or the messages come again.
            logger.warning("Could not send acknowledgements", exc_info=True)
