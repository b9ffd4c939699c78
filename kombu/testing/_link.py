"""One connection through a fault proxy: two sockets, and two pipes between."""

from __future__ import annotations

import socket
import struct
from collections import deque
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kombu.testing._faults import Faults

__all__ = ("Link", "Pipe")

#: Bytes that are read at once.
_CHUNK = 65536

#: Bytes that a pipe holds at most before it reads no more.
_CAPACITY = 4 * _CHUNK

#: Parts of a second's bytes in which a throttled pipe sends.
_PORTIONS = 50


class Pipe:
    """The bytes on their way from one socket to the other.

    Attributes:
        is_blocked: Whether the target takes no more at present.
        has_lost: Whether bytes were swallowed.
        is_finished: Whether all has been passed on, and the end too.
    """

    def __init__(
        self, source: socket.socket, target: socket.socket, faults: Faults
    ) -> None:
        self.source = source
        self.target = target
        self.faults = faults
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._may_send_at = 0.0
        self._has_ended = False
        self.is_blocked = False
        self.has_lost = False
        self.is_finished = False

    @property
    def can_read(self) -> bool:
        """Whether there is room for more."""
        return not self._has_ended and self._size < _CAPACITY

    def read(self, now: float) -> None:
        """Take what the source has."""
        if not self.can_read:
            return
        try:
            data = self.source.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self._has_ended = True
        elif not self.faults.is_black_hole:
            self._chunks.append((now + self.faults.seconds_late, data))
            self._size += len(data)
        self.has_lost |= self.faults.is_black_hole

    def write(self, now: float) -> bool:
        """Pass on what is due; return False if the connection is to be closed."""
        faults = self.faults
        if faults.is_black_hole:
            self.has_lost |= bool(self._chunks)
            self._chunks.clear()
            self._size = 0
            return True
        while self._chunks and self.next_moment() <= now:
            if faults.bytes_left == 0:
                faults.bytes_left = None
                return False
            if not self._send(now):
                return True
        if self._has_ended and not self._chunks and not self.is_finished:
            self.is_finished = True
            with suppress(OSError):
                self.target.shutdown(socket.SHUT_WR)
        return True

    def _send(self, now: float) -> bool:
        """Send a portion of the first chunk; return whether there may be more."""
        faults = self.faults
        due, data = self._chunks[0]
        portion = data[: self._allowance()]
        try:
            sent = self.target.send(portion)
        except (BlockingIOError, InterruptedError):
            sent = 0
        self.is_blocked = sent < len(portion)
        self._chunks.popleft()
        if sent < len(data):
            self._chunks.appendleft((due, data[sent:]))
        self._size -= sent
        faults.bytes += sent
        if faults.bytes_left is not None:
            faults.bytes_left -= sent
        if faults.bytes_per_second is not None:
            began = max(self._may_send_at, now)
            self._may_send_at = began + sent / faults.bytes_per_second
        return not self.is_blocked

    def _allowance(self) -> int:
        """Return how many bytes may be sent at once."""
        allowed = _CHUNK
        if self.faults.bytes_per_second is not None:
            allowed = max(int(self.faults.bytes_per_second / _PORTIONS), 1)
        if self.faults.bytes_left is not None:
            allowed = min(allowed, self.faults.bytes_left)
        return allowed

    def next_moment(self) -> float:
        """Return when the first of what there is may be sent; there must be some."""
        due = self._chunks[0][0]
        if self.faults.bytes_per_second is None:
            return due
        return max(due, self._may_send_at)

    @property
    def wants_time(self) -> bool:
        """Whether there is something to be sent when its moment comes."""
        return bool(self._chunks) and not self.is_blocked


class Link:
    """A client, and the connection to the broker that was made for it.

    Attributes:
        is_connected: Whether the broker has accepted.
    """

    def __init__(
        self,
        client: socket.socket,
        broker: socket.socket,
        to_broker: Faults,
        to_client: Faults,
    ) -> None:
        self.client = client
        self.broker = broker
        self.is_connected = False
        self.upward = Pipe(client, broker, to_broker)
        self.downward = Pipe(broker, client, to_client)
        self._pipes = (self.upward, self.downward)

    def ready(self, ready: socket.socket, events: int, now: float) -> None:
        """Note that one of the sockets can be read, or written to.

        Raises:
            OSError: The connection is lost.
        """
        if ready is self.broker and not self.is_connected:
            error = self.broker.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "the broker can not be reached")
            self.is_connected = True
        for pipe in self._pipes:
            if ready is pipe.source and events & EVENT_READ:
                pipe.read(now)
            if ready is pipe.target and events & EVENT_WRITE:
                pipe.is_blocked = False

    def pump(self, now: float) -> bool:
        """Pass on what is due; return False once the connection is over.

        Raises:
            OSError: The connection is lost.
        """
        is_open = self.downward.write(now)
        if self.is_connected:
            is_open = self.upward.write(now) and is_open
        return is_open and not all(pipe.is_finished for pipe in self._pipes)

    def interests(self) -> tuple[tuple[socket.socket, int], ...]:
        """Return what is waited for, by socket."""
        up, down = self.upward, self.downward
        if not self.is_connected:
            return ((self.client, 0), (self.broker, EVENT_WRITE))
        return (
            (self.client, EVENT_READ * up.can_read | EVENT_WRITE * down.is_blocked),
            (self.broker, EVENT_READ * down.can_read | EVENT_WRITE * up.is_blocked),
        )

    def next_moment(self) -> float | None:
        """Return when something is to be done next, if nothing happens before."""
        moments = [p.next_moment() for p in self._pipes if p.wants_time]
        return min(moments, default=None) if self.is_connected else None

    @property
    def has_lost(self) -> bool:
        """Whether bytes were swallowed."""
        return any(pipe.has_lost for pipe in self._pipes)

    def close(self) -> None:
        """End both connections in order."""
        self.client.close()
        self.broker.close()

    def reset(self) -> None:
        """End both connections by a reset."""
        for sock in (self.client, self.broker):
            # To linger for no time at all is to send RST rather than FIN.
            with suppress(OSError):
                sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        self.close()
