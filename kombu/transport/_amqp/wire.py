"""The socket of a connection: bytes out in one piece, bytes in, and waiting for it.

The socket does not block: Python then makes one system call to send or receive, and
whoever has to wait does so in :func:`wait_for_socket`, which gevent and eventlet
replace.  One thread sends at a time, under the lock; what it has begun it finishes, or
the connection is lost, since half a message can not be taken back.
"""

from __future__ import annotations

import select
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.errors import ConnectionLost
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport._amqp.acknowledging import Ack, GatheredAcks
    from kombu.utils._spin import Spin


__all__ = ("Wire", "patience_of_tcp", "wait_for_socket")

#: Up to this size parts are joined: a copy costs less than a second system call.
_JOINED = 32 * 1024

#: What one call receives at most, unless a frame needs more.
_RECEIVED = 64 * 1024
_RECEIVED_AT_MOST = 1024 * 1024


def wait_for_socket(
    sock: Any, timeout: float | None, *, reading: bool = False, writing: bool = False
) -> bool:
    """Wait until *sock* can be read or written, at most *timeout* seconds.

    Returns:
        Whether it can.

    Raises:
        ConnectionLost: It was closed meanwhile.
    """
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            events = select.POLLIN * reading | select.POLLOUT * writing
            poll.register(sock, events)
            return bool(poll.poll(None if timeout is None else max(0, timeout) * 1000))
        wanted = [sock]
        return any(select.select(wanted * reading, wanted * writing, [], timeout))
    except (OSError, ValueError) as exc:
        raise ConnectionLost(f"the connection was closed: {exc}") from exc


def patience_of_tcp(blocked_timeout: float | None) -> dict[int, int]:
    """Return settings of a socket to a broker that may take nothing for a while.

    The library would have the system give up after one second in which the broker
    reads nothing, as it does while it is short of memory.

    Arguments:
        blocked_timeout: Seconds that publishing waits for it; None for ever.
    """
    import socket

    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # not everywhere
    if option is None:
        return {}
    # 0: as long as the system does by itself, about a quarter of an hour.
    seconds = 0 if blocked_timeout is None else max(30.0, blocked_timeout + 10.0)
    return {option: int(seconds * 1000)}


class Wire:
    """Sends and receives on a connected socket.

    Arguments:
        sock: The socket; it does not block any more.
        while_full: Called, while the broker takes nothing more, to look at what it
            has to say.
        limit: Returns the seconds that may pass meanwhile, unless the sender says;
            None for any.
    """

    def __init__(
        self,
        sock: Any,
        while_full: Callable[[], None],
        limit: Callable[[], float | None],
        spin: Spin,
        acks: GatheredAcks,
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._while_full = while_full
        self._limit = limit
        self._acks = acks
        self._lock = threading.Lock()
        self._would_block: tuple[type[BaseException], ...] = (BlockingIOError,)
        # One side of TLS can not be used by two threads at once.
        self._guard: threading.Lock | None = None
        if hasattr(sock, "pending"):
            import ssl

            self._would_block += (ssl.SSLWantReadError, ssl.SSLWantWriteError)
            self._guard = threading.Lock()
        #: Waits for the socket to be read: made once, for whoever reads.
        self._poll: Any = None
        self._spin = spin
        #: Moments of the last bytes out and in.
        self.sent_at = self.received_at = waiting.monotonic()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: descriptor {self.sock.fileno()}>"

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return hasattr(self.sock, "pending")

    # -- sending -------------------------------------------------------------------

    def send(
        self,
        parts: Sequence[Any],
        timeout: float | None = None,
        before: Callable[[], Callable[[], None] | None] | None = None,
    ) -> None:
        """Send *parts* as one piece, behind the acknowledgements that were gathered.

        Arguments:
            parts: Bytes, or views of bytes; there may be none.
            timeout: Seconds that may pass while the broker takes nothing.
            before: Called when the lock is held: what has to be in the order of
                sending; what it returns is called if nothing was sent after all.

        Raises:
            TimeoutError: The broker did not take it; if some of it was sent, the
                error is a :exc:`ConnectionLost`.
        """
        with self._lock:
            undo = before() if before is not None else None
            acks: Sequence[Ack] = ()
            if self._acks.waiting:
                acks = self._acks.take()
                parts = (self._acks.frames_of(acks), *parts)
            try:
                if len(parts) == 1 or sum(map(len, parts)) <= _JOINED:
                    self._send_piece(b"".join(parts), timeout, 0)
                else:
                    self._send_views(parts, timeout)
            except TimeoutError:
                self._acks.put_back(acks)
                if undo is not None:
                    undo()
                raise
            except BaseException:
                # Also an interrupt: nobody can go on after half a message.
                self.shut()
                raise

    def send_if_free(self, piece: bytes) -> bool:
        """Send a short *piece*, unless that would have to wait.

        Returns:
            Whether it was sent.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if not wait_for_socket(self.sock, 0, writing=True):
                return False
            self._send_piece(piece, None, 0)
        finally:
            self._lock.release()
        return True

    def _send_views(self, parts: Sequence[Any], timeout: float | None) -> None:
        """Send what is too much to be copied for nothing."""
        small: list[Any] = []
        done = size = 0
        for part in parts:
            if size + len(part) > _JOINED and small:
                done += self._send_piece(b"".join(small), timeout, done)
                small, size = [], 0
            if len(part) > _JOINED:
                done += self._send_piece(part, timeout, done)
            else:
                small.append(part)
                size += len(part)
        if small:
            self._send_piece(b"".join(small), timeout, done)

    def _send_piece(self, piece: Any, timeout: float | None, done: int) -> int:
        """Send all of *piece*; *done* is what was sent of the same message."""
        size = len(piece)
        sent = self._send_some(piece)
        if sent != size:
            view = memoryview(piece)
            began = waiting.monotonic()
            while sent != size:
                self._wait_for_room(began, timeout, done + sent)
                more = self._send_some(view[sent:])
                if more:
                    sent += more
                    began = waiting.monotonic()
        self.sent_at = waiting.monotonic()
        return size

    def _send_some(self, piece: Any) -> int:
        try:
            if self._guard is None:
                return int(self.sock.send(piece))
            with self._guard:
                return int(self.sock.send(piece))
        except self._would_block:
            return 0

    def _wait_for_room(self, began: float, timeout: float | None, sent: int) -> None:
        self._while_full()
        longest = self._limit() if timeout is None else timeout
        # The limit may change by what the broker says: look at it again soon.
        pause = 0.5
        if longest is not None:
            left = began + longest - waiting.monotonic()
            # What TLS has begun to send can not be replaced by something else.
            if left <= 0 and (sent or self.is_encrypted):
                raise ConnectionLost(
                    f"the broker took nothing for {longest:g} s in the middle of a "
                    "message (write_timeout, blocked_timeout)"
                )
            if left <= 0:
                raise TimeoutError(
                    f"the broker took nothing for {longest:g} s "
                    "(write_timeout, blocked_timeout)"
                )
            pause = min(pause, left)
        wait_for_socket(self.sock, pause, reading=self.is_encrypted, writing=True)

    # -- receiving -----------------------------------------------------------------

    def receive(self, wanted: int, deadline: float | None) -> bytes:
        """Return what has come; wait for it until *deadline*.

        Arguments:
            wanted: Bytes that would complete a frame: a hint.
            deadline: Moment at which to give up; None for never.

        Raises:
            TimeoutError: Nothing came.
            ConnectionLost: The broker has closed the connection.
        """
        size = min(max(_RECEIVED, wanted + _RECEIVED // 4), _RECEIVED_AT_MOST)
        if self.sent_at > self.received_at:
            # The answer to what was just sent has hardly come yet.
            left = None if deadline is None else deadline - waiting.monotonic()
            if left is None or left > 0:
                self._wait_to_read(left)
        while True:
            data = self._receive_some(size)
            if data is None:
                left = None if deadline is None else deadline - waiting.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError("timed out")
                self._wait_to_read(left)
                continue
            if not data:
                raise ConnectionLost("the broker has closed the connection")
            self.received_at = waiting.monotonic()
            return data

    def _receive_some(self, size: int) -> bytes | None:
        """Return what has come, nothing at the end, or None if nothing has come."""
        try:
            if self._guard is None:
                return self.sock.recv(size)  # type: ignore[no-any-return]
            with self._guard:
                return self.sock.recv(size)  # type: ignore[no-any-return]
        except self._would_block:
            return None

    def _wait_to_read(self, timeout: float | None) -> None:
        poll = self._poll
        if poll is None:
            if not hasattr(select, "poll"):
                wait_for_socket(self.sock, timeout, reading=True)
                return
            poll = select.poll()
            try:
                poll.register(self.sock, select.POLLIN)
            except ValueError as exc:
                raise ConnectionLost(f"the connection was closed: {exc}") from exc
            self._poll = poll
        if not self._spin.until(self._has_come, timeout):
            poll.poll(None if timeout is None else timeout * 1000)

    def _has_come(self) -> bool:
        """Return whether there is something to read, or the end."""
        poll = self._poll
        return poll is None or bool(poll.poll(0))

    # -- the end -------------------------------------------------------------------

    def shut(self) -> None:
        """Make those who wait for the socket notice that it is over."""
        import socket

        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close the descriptor, without a word: another process may use the socket."""
        self._poll = None
        with suppress(OSError):
            self.sock.close()
