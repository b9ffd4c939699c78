"""Interrupts an event loop that waits for its file descriptors."""

from __future__ import annotations

import contextlib
import socket

__all__ = ("Waker",)


class Waker:
    """A pair of connected sockets: what is written to one wakes the other.

    Sockets rather than a pipe, since Windows can wait for nothing else.  Both
    ends are non-blocking, so that waking never stalls a thread or a signal
    handler: when the buffer is full, the loop is bound to wake up anyhow.
    """

    __slots__ = ("_receiver", "_sender", "fd")

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        #: What the loop has to watch for reading.
        self.fd = self._receiver.fileno()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: fd={self.fd}>"

    def wake(self) -> None:
        """End the current wait of the loop, or else the next one."""
        with contextlib.suppress(OSError):  # full, or closed meanwhile
            self._sender.send(b"\0")

    def drain(self) -> None:
        """Take note: what was written is read, so that the loop can sleep."""
        with contextlib.suppress(OSError):
            while len(self._receiver.recv(4096)) == 4096:
                pass

    def close(self) -> None:
        """Give the descriptors back."""
        self._receiver.close()
        self._sender.close()
