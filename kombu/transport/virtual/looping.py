"""Delivery of a virtual transport's messages from an event loop.

Messages are delivered in small portions, so that the loop can attend to
other things between them.
"""

from __future__ import annotations

from queue import Empty
from typing import Any

from kombu.transport.virtual.storage import EmptyInCallback

__all__ = ("LoopConsumer",)

#: Messages delivered before the loop gets its turn again.
PORTION = 16

#: Seconds between looks into a store that can not wake us, if none are set.
DEFAULT_INTERVAL = 1.0


class LoopConsumer:
    """Delivers the messages of a transport whenever its store may have some.

    Arguments:
        transport: The transport.
        loop: The event loop.
    """

    def __init__(self, transport: Any, loop: Any) -> None:
        self._transport = transport
        self._loop = loop
        self._is_scheduled = False
        self._is_stopped = False
        self._timer: Any = None
        # Ends the wait when something happens in the store by itself.
        self._due_timer: Any = None

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{type(self).__name__}: {state}>"

    def start(self) -> None:
        """Begin; look into the store now and then if it can not wake us."""
        transport = self._transport
        interval = transport.polling_interval
        if interval is None and not transport.is_woken_by_store:
            interval = DEFAULT_INTERVAL
        if interval is not None:
            self._timer = self._loop.call_repeatedly(interval, self.wake)
        self.wake()

    def stop(self) -> None:
        """Deliver nothing more."""
        self._is_stopped = True
        for timer in (self._timer, self._due_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._due_timer = None

    def wake(self) -> None:
        """Have the loop look for messages; may be called from any thread."""
        if not self._is_scheduled and not self._is_stopped:
            self._is_scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        # Cleared first: a wake-up from now on means another look.
        self._is_scheduled = False
        if self._is_stopped:
            return
        transport = self._transport
        try:
            for _ in range(PORTION):
                transport._drain_any(0)
        except Empty:
            self._wait_for(transport._idle())
            return
        except EmptyInCallback as exc:
            self.wake()
            raise exc.error from None
        except BaseException:
            # The loop deals with the error; what waits must still be seen to.
            self.wake()
            raise
        self.wake()

    def _wait_for(self, seconds: float | None) -> None:
        """Look again in *seconds*, unless something comes before."""
        if self._due_timer is not None:
            self._due_timer.cancel()
            self._due_timer = None
        if seconds is not None and not self._is_stopped:
            self._due_timer = self._loop.call_later(seconds, self.wake)
