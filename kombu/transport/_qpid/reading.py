"""Sending and reading on a connection: the socket under the engine, and who waits.

The socket does not block: whoever has to wait does so in ``wait_for_socket``, which
gevent and eventlet replace, and without the lock.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import proton

from kombu.transport._amqp.errors import ConnectionLost
from kombu.transport._amqp.wire import wait_for_socket
from kombu.transport._qpid.engine import condition_of, remote_condition
from kombu.transport._qpid.errors import connection_error
from kombu.utils import waiting
from kombu.utils._forking import process

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._qpid.engine import Engine
    from kombu.transport._qpid.links import Link
    from kombu.transport._qpid.options import Options

__all__ = ("Reading",)

_RECEIVED = 256 * 1024

#: A look at the socket costs a system call: not with every operation.
_SECONDS_BETWEEN_LOOKS = 0.01


class Reading:
    """The part of a connection that sends and reads."""

    engine: Any
    sock: Any
    lock: threading.RLock
    options: Options
    links: dict[str, Link]
    channels: dict[int, Any]
    announce_deliveries: Callable[[], None]
    _condition: threading.Condition
    _engine: Engine | None
    _error: BaseException | None
    _pid: int
    _fail: Callable[[BaseException], None]
    _raise_if_lost: Callable[[], None]

    def _begin_reading(self) -> None:
        self._would_block: tuple[type[BaseException], ...] = (BlockingIOError,)
        self._reader: int | None = None
        #: How often something came that nobody had asked for.
        self._events = 0
        self._looked_at = 0.0
        self._has_input_ended = False

    def look(self) -> None:
        """Deal with what has come, without waiting, if that was not done just now."""
        now = waiting.monotonic()
        if now - self._looked_at > _SECONDS_BETWEEN_LOOKS and self._reader is None:
            with suppress(TimeoutError):
                self.wait_until(lambda: False, now)
            self.announce_deliveries()

    # -- sending -----------------------------------------------------------------------

    def flush(self, timeout: float | None = None) -> None:
        """Send what the engine has to say; any thread may.

        Arguments:
            timeout: Seconds that may pass while the broker takes nothing.

        Raises:
            ConnectionLost: The connection is lost.
            TimeoutError: The broker took nothing for too long.
        """
        self._check()
        with self.lock:
            if self._pump_out():
                return
        longest = self.options.blocked_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        while True:
            left = 0.5
            if deadline is not None:
                left = min(left, deadline - waiting.monotonic())
                if left <= 0:
                    raise TimeoutError(
                        f"the broker took nothing for {longest:g} s (blocked_timeout)"
                    )
            # Whoever reads does not know that there is something to write.
            with self.lock:
                self._raise_if_lost()
                self._wait_for_socket(left, True)
            self.look()
            with self.lock:
                self._raise_if_lost()
                if self._pump_out():
                    return

    def _check(self) -> None:
        self._raise_if_lost()
        if self._pid != process.pid:
            raise ConnectionLost("the connection is that of the parent process")

    def _pump_out(self) -> bool:
        """Send, without waiting; return whether that was all.  The lock is held."""
        engine = self._engine
        if engine is None:
            return True
        try:
            while data := engine.output():
                try:
                    count = self.sock.send(data)
                except self._would_block:
                    return False
                engine.sent(count)
        except OSError as exc:
            self._fail(exc)
            self._raise_if_lost()
        return True

    # -- reading -----------------------------------------------------------------------

    def wait_until(
        self, is_done: Callable[[], bool], deadline: float | None = None
    ) -> None:
        """Read, or let another thread read, until *is_done*.

        Arguments:
            is_done: Called, under the lock, whenever something has come.
            deadline: Moment at which to give up; None for never.

        Raises:
            TimeoutError: It was not done until then.
            ConnectionLost: The connection is lost.
        """
        has_read = False
        with self._condition:
            while not is_done():
                self._check()
                left = None if deadline is None else deadline - waiting.monotonic()
                is_late = left is not None and left <= 0
                if is_late and (has_read or self._reader is not None):
                    raise TimeoutError("timed out")
                if self._reader is not None:
                    waiting.wait_on(self._condition, left)
                    continue
                self._reader = threading.get_ident()
                try:
                    self._read(deadline)
                finally:
                    self._reader = None
                    self._condition.notify_all()
                has_read = True

    def _read(self, deadline: float | None) -> None:
        """Wait for something, and deal with it all.  The lock is held but meanwhile."""
        now = self._looked_at = waiting.monotonic()
        if self._take_in() or self._error is not None:
            self._pump_out()
            return
        due = self.engine.tick(now)
        has_more = not self._pump_out()
        if self._error is not None:
            return
        moments = [moment for moment in (deadline, due) if moment is not None]
        longest = max(0.0, min(moments) - now) if moments else None
        self._wait_for_socket(longest, has_more)
        if self._error is None:
            self._take_in()
            self.engine.tick(waiting.monotonic())
            self._pump_out()
            self._handle_events()

    def _wait_for_socket(self, longest: float | None, has_more: bool) -> None:
        """Wait, without the lock, until something can be read, or written."""
        sock = self.sock
        self.lock.release()
        try:
            wait_for_socket(sock, longest, reading=True, writing=has_more)
        except ConnectionLost as exc:
            # Another thread has closed it: most likely it knows better why.
            self._fail(exc)
        finally:
            self.lock.acquire()

    def _take_in(self) -> bool:
        """Receive what is there, and deal with it; return whether there was something."""
        has_come = False
        try:
            while not self._has_input_ended:
                try:
                    data = self.sock.recv(_RECEIVED)
                except self._would_block:
                    break
                has_come = True
                if data:
                    self.engine.receive(data)
                else:
                    self._has_input_ended = True
                    self.engine.end_of_input()
                self._handle_events()
                if len(data) < _RECEIVED and not hasattr(self.sock, "pending"):
                    break
        except (OSError, proton.ProtonException) as exc:
            self._fail(exc)
        else:
            self._handle_events()
        return has_come

    def _handle_events(self) -> None:
        engine = self._engine
        if engine is None:
            return
        for event in engine.events():
            handler = _HANDLERS.get(event.type)
            if handler is not None:
                handler(self, event)
            if self._engine is None:
                return
        if self._has_input_ended and self._error is None:
            self._fail(connection_error(engine.failure()))

    def _on_link(self, event: proton.Event) -> None:
        link = self.links.get(event.link.name)
        if link is None:
            return
        if event.type == proton.Event.LINK_REMOTE_OPEN:
            link.on_open()
        elif event.type == proton.Event.LINK_FLOW:
            link.on_flow()
        else:
            del self.links[link.endpoint.name]
            self._events += 1
            link.on_close()

    def _on_delivery(self, event: proton.Event) -> None:
        delivery = event.delivery
        link = self.links.get(delivery.link.name)
        if link is not None:
            link.on_delivery(delivery)

    def _on_session_close(self, event: proton.Event) -> None:
        session = event.session
        for channel in tuple(self.channels.values()):
            if channel.session == session:
                self._events += 1
                channel.on_session_ended(remote_condition(session) or condition_of())
                return
        if event.session.state & proton.Endpoint.LOCAL_ACTIVE:
            session.close()

    def _on_lost(self, event: proton.Event) -> None:
        engine = self.engine
        if event.type == proton.Event.CONNECTION_REMOTE_CLOSE:
            engine.connection.close()
            with suppress(OSError):
                while data := engine.output():
                    engine.sent(self.sock.send(data))
        self._fail(connection_error(engine.failure()))


_HANDLERS: dict[Any, Callable[[Any, Any], None]] = {
    proton.Event.LINK_REMOTE_OPEN: Reading._on_link,
    proton.Event.LINK_REMOTE_CLOSE: Reading._on_link,
    proton.Event.LINK_REMOTE_DETACH: Reading._on_link,
    proton.Event.LINK_FLOW: Reading._on_link,
    proton.Event.DELIVERY: Reading._on_delivery,
    proton.Event.SESSION_REMOTE_CLOSE: Reading._on_session_close,
    proton.Event.CONNECTION_REMOTE_CLOSE: Reading._on_lost,
    proton.Event.TRANSPORT_ERROR: Reading._on_lost,
}
