"""The part of a connection that reads.

One thread at a time reads from the socket, whatever it waits for: a message, the
answer to a method, a confirmation.  It deals with all that has come, for everyone, and
then the others look whether theirs was among it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.errors import BrokenFrame, ConnectionLost
from kombu.transport._amqp.parser import Confirmed, Delivered, Parser
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from kombu.transport._amqp.deliveries import Deliveries
    from kombu.transport._amqp.parser import Event, OtherFrame
    from kombu.transport._amqp.wire import Wire

__all__ = ("Reading",)

#: Methods that come by themselves: connection.blocked and unblocked, channel.close,
#: basic.cancel and return.
_UNASKED = frozenset(
    {
        b"\0\x0a\0\x3c",
        b"\0\x0a\0\x3d",
        b"\0\x14\0\x28",
        b"\0\x3c\0\x1e",
        b"\0\x3c\0\x32",
    }
)

_HEARTBEAT = 8

#: A look at the socket costs a system call: not with every message.
_SECONDS_BETWEEN_LOOKS = 0.01

#: Receives that take in what a broker says before it hangs up.
_LAST_WORDS = 100

#: There is no need to read any more.
_DONE = object()


class Reading:
    """Waits, reads, and deals with what has come.

    Attributes:
        deliveries: Messages that nobody has drained yet.
    """

    channels: dict[int, Any] | None
    deliveries: Deliveries
    on_inbound_frame: Any
    _begin: Callable[[], Wire]
    _fail: Callable[[BaseException], None]
    _raise_if_lost: Callable[[], None]
    _note_blocked: Callable[[OtherFrame], None]
    announce_deliveries: Callable[[], None]
    _handshake_complete: bool
    _wire: Wire | None
    _parser: Parser
    #: What was received, and not dealt with yet.
    _inbox: deque[Event]
    #: Guards who reads; and what is notified whenever something was read.
    _lock: threading.Lock
    _condition: threading.Condition
    #: How many wait for another one to read.
    _waiting: int
    #: The thread that reads.
    _reader: int | None
    #: How often something was read: whoever waits looks again if it has changed.
    _generation: int
    #: How often something came that nobody had asked for.
    _events: int
    _looked_at: float

    # -- waiting ---------------------------------------------------------------------

    def wait_until(
        self, is_done: Callable[[], bool], deadline: float | None = None
    ) -> None:
        """Read, or let another thread read, until *is_done*.

        Arguments:
            is_done: Called whenever something has come; must be quick.
            deadline: Moment at which to give up; None for never.

        Raises:
            TimeoutError: It was not done until then.
            ConnectionLost: The connection is lost.
        """
        me = threading.get_ident()
        # The lock itself: a condition takes it by calls of Python.
        lock = self._lock
        while True:
            with lock:
                # Not before: another thread might read what we wait for meanwhile.
                if is_done():
                    return
                was = self._wait_for_turn(me, is_done, deadline)
                if was is _DONE:
                    return
                self._reader = me
            try:
                self._read(deadline)
            finally:
                with lock:
                    self._reader = was
                    if self._waiting:
                        self._condition.notify_all()

    def _wait_for_turn(
        self, me: int, is_done: Callable[[], bool], deadline: float | None
    ) -> Any:
        """Wait, with the lock held, until nobody else reads.

        Returns:
            Who has read before, if that is us; or that there is no need to read.
        """
        while True:
            self._raise_if_lost()
            reader = self._reader
            if reader is None or reader == me:
                return reader
            left = None if deadline is None else deadline - waiting.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            self._waiting += 1
            try:
                waiting.wait_on(self._condition, left)
            finally:
                self._waiting -= 1
            if is_done():
                return _DONE

    @property
    def is_time_to_look(self) -> bool:
        """Whether nothing was read for a moment."""
        return waiting.monotonic() - self._looked_at > _SECONDS_BETWEEN_LOOKS

    def look(self) -> None:
        """Deal with what has come, without waiting, if that was not done just now."""
        if self.is_time_to_look and self._reader is None:
            self._looked_at = waiting.monotonic()
            with suppress(TimeoutError):
                self.wait_until(lambda: False, self._looked_at)
            self.announce_deliveries()

    # -- reading ---------------------------------------------------------------------

    def _read(self, deadline: float | None) -> None:
        """Receive something, and deal with it all."""
        try:
            if not self._inbox:
                self._receive(deadline)
            while self._inbox:
                self._take(self._inbox.popleft())
        except TimeoutError:
            raise
        except (OSError, BrokenFrame, ConnectionLost) as exc:
            self._fail(exc)
            self._raise_if_lost()
        finally:
            self._generation += 1

    def _receive(self, deadline: float | None) -> None:
        wire = self._wire or self._begin()
        try:
            data = wire.receive(self._parser.wanted, deadline)
        except TimeoutError:
            self._looked_at = waiting.monotonic()
            raise
        self._looked_at = wire.received_at
        self._inbox.extend(self._parser.receive(data))

    def _absorb(self) -> None:
        """Take in what has come while we can not send, unless somebody reads.

        It is dealt with later: whoever sends holds the lock.
        """
        with self._lock:
            if self._reader is not None:
                return
            self._reader = threading.get_ident()
        try:
            with suppress(TimeoutError):
                self._receive(0.0)
            for event in self._inbox:
                if not isinstance(event, (Delivered, Confirmed)):
                    self._note_blocked(event)
        finally:
            with self._lock:
                self._reader = None
                if self._waiting:
                    self._condition.notify_all()

    def _absorb_last_words(self) -> None:
        """Read what the broker said before it hung up: most likely why."""
        with suppress(Exception):
            for _ in range(_LAST_WORDS):
                self.wait_until(lambda: False, 0.0)

    # -- dealing with it ---------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, Delivered):
            channel = self._channel_of(event)
            if channel is not None:
                tag = channel.number(event.delivery_tag)
                self.deliveries.put((channel, event, tag))
        elif isinstance(event, Confirmed):
            channel = self._channel_of(event)
            if channel is not None:
                channel.on_confirmed(event)
            self._events += 1
        else:
            self._note_blocked(event)
            if event.payload[:4] in _UNASKED or not self._handshake_complete:
                self._events += 1
            # On a channel that is gone, what was under way is of no use to anybody.
            is_known = not event.channel or self._channel_of(event) is not None
            if is_known and event.kind != _HEARTBEAT:
                self.on_inbound_frame((event.kind, event.channel, event.payload))

    def _channel_of(self, event: Event) -> Any:
        return self.channels.get(event.channel) if self.channels else None
