"""The connection of :mod:`amqp`, read and written by code of our own.

Who reads
---------
One thread at a time reads from the socket, whatever it waits for: a message, the
answer to a method, a confirmation.  It deals with all that has come, for everyone, and
then the others look whether theirs was among it.  Messages for consumers are only
put aside by it; they are delivered by whoever calls :meth:`Connection.drain_events`,
so that a callback never runs in the middle of another operation, or in the thread of
somebody who only publishes.

Who is told of an error
-----------------------
If a channel is closed by the broker, the thread that waits for an answer on it; else
whoever uses the channel next, or drains events.  If the connection is lost, everyone.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager, suppress
from struct import unpack_from
from typing import TYPE_CHECKING, Any

from amqp import Connection as AMQPConnection
from amqp import exceptions as amqp_errors

from kombu.exceptions import OperationalError
from kombu.log import get_logger
from kombu.transport._amqp.answering import Answering
from kombu.transport._amqp.channel import Channel as OurChannel
from kombu.transport._amqp.confirms import outbox_of
from kombu.transport._amqp.errors import (
    BrokenFrame,
    ConnectionBlocked,
    ConnectionLost,
    HeartbeatMissed,
)
from kombu.transport._amqp.frames import HEARTBEAT
from kombu.transport._amqp.options import Options
from kombu.transport._amqp.parser import Confirmed, Delivered, Parser
from kombu.transport._amqp.wire import (
    PlainTransport,
    TLSTransport,
    Wire,
    patience_of_tcp,
)
from kombu.utils import waiting
from kombu.utils._forking import process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kombu.transport._amqp.keeper import HeartbeatKeeper
    from kombu.transport._amqp.parser import Event, OtherFrame
    from kombu.transport._amqp.tls import TLS

__all__ = ("Connection",)

logger = get_logger(__name__)

_BLOCKED, _UNBLOCKED = b"\0\x0a\0\x3c", b"\0\x0a\0\x3d"

#: Methods that come by themselves: connection.blocked and unblocked, channel.close,
#: basic.cancel and return; and those of the handshake.
_UNASKED = frozenset(
    {_BLOCKED, _UNBLOCKED, b"\0\x14\0\x28", b"\0\x3c\0\x1e", b"\0\x3c\0\x32"}
)

#: A look at the socket costs a system call: not with every message.
_SECONDS_BETWEEN_LOOKS = 0.01


class _Call(threading.local):
    """The method that the calling thread waits for an answer to."""

    channel: Any = None
    seen = -1


class Connection(Answering, AMQPConnection):  # type: ignore[misc]
    """A connection to a broker that speaks AMQP 0-9-1.

    Arguments:
        *args: Those of :class:`amqp.Connection`.
        tls: How to speak TLS, if at all.
        options: Options of our own.
        client: The :class:`kombu.Connection` that it serves.
        **kwargs: Those of :class:`amqp.Connection`.

    Attributes:
        blocked_reason: Why the broker takes no messages; None if it does.
    """

    Channel = OurChannel

    def __init__(
        self,
        *args: Any,
        tls: TLS | None = None,
        options: Options | None = None,
        client: Any = None,
        **kwargs: Any,
    ) -> None:
        self._tls = tls
        #: The library builds the frames of methods in one buffer.
        self.method_lock = threading.RLock()
        self._wire: Wire | None = None
        self._parser = Parser()
        self._inbox: deque[Event] = deque()
        self._deliveries: deque[tuple[Any, Delivered]] = deque()
        self._condition = threading.Condition(threading.Lock())
        self._reader: int | None = None
        self._call = _Call()
        #: How often something was read: whoever waits looks again if it has changed.
        self._generation = 0
        #: How often something came that nobody had asked for.
        self._events = 0
        self._error: BaseException | None = None
        self._looked_at = 0.0
        self._pid = os.getpid()
        #: By number; what has number 0 is the connection.
        self.channels: dict[int, Any] | None = {}
        self._loop_calls: Callable[[], None] | None = None
        self.client = client
        #: The thread that keeps heartbeats, if there is one.
        self.keeper: HeartbeatKeeper | None = None
        self.options = options or Options()
        self.blocked_reason: str | None = None
        super().__init__(*args, ssl=tls is not None, **kwargs)

    # -- connecting ----------------------------------------------------------------

    def Transport(
        self,
        host: str,
        connect_timeout: float | None,
        ssl: Any = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: dict[int, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return what connects the socket."""
        # Not the timeouts: our waits keep them, the socket does not block.
        kwargs["socket_settings"] = {
            **patience_of_tcp(self.options.blocked_timeout),
            **(socket_settings or {}),
        }
        transport: Any
        if self._tls is None:
            transport = PlainTransport(host, connect_timeout, **kwargs)
        else:
            transport = TLSTransport(host, connect_timeout, {}, **kwargs)
            transport.tls = self._tls
        transport.connection = self
        return transport

    def connect(self, callback: Any = None) -> Any:
        """Connect, log in, and open the virtual host.

        Raises:
            OSError: The host can not be reached, or its certificate is not valid.
            AccessRefused: The login is refused.
        """
        if self.connected:
            return callback() if callback else None
        try:
            return super().connect(callback)
        except BaseException:
            self.abandon()
            raise

    @property
    def transport(self) -> Any:
        """What :mod:`amqp` connects and writes by."""
        return self._transport

    @transport.setter
    def transport(self, transport: Any) -> None:
        self._transport = transport

    def _begin(self) -> Wire:
        """Take over the socket, which is connected."""
        transport = self._transport
        wire = self._wire = Wire(transport.sock, self._absorb)
        return wire

    def _on_tune(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._on_tune(*args, **kwargs)
        self._parser.frame_max = self.frame_max or 0
        return result

    @property
    def connected(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self._error is None and self._wire is not None

    @property
    def is_blocked(self) -> bool:
        """Whether the broker takes no messages at the moment."""
        return self.blocked_reason is not None

    @property
    def has_channel_prefetch(self) -> bool:
        """Whether one prefetch limit may be set for all consumers of a channel."""
        return self._release_of_rabbitmq < (4,)

    @property
    def has_consumer_prefetch(self) -> bool:
        """Whether a prefetch limit is for each consumer, against the specification."""
        return self._release_of_rabbitmq >= (3, 3)

    @property
    def has_confirms(self) -> bool:
        """Whether the broker confirms what is published."""
        return bool(self.server_capabilities.get("publisher_confirms"))

    @property
    def _release_of_rabbitmq(self) -> tuple[int, ...]:
        properties = self.server_properties or {}
        if properties.get("product") != "RabbitMQ":
            return ()
        parts = str(properties.get("version", "")).split(".")
        return tuple(int(part) for part in parts[:2] if part.isdecimal())

    # -- sending -------------------------------------------------------------------

    def send(
        self,
        parts: Sequence[Any],
        timeout: float | None = None,
        before: Callable[[], Callable[[], None] | None] | None = None,
    ) -> None:
        """Send *parts* as one piece; any thread may.

        Arguments:
            parts: Bytes of whole frames.
            timeout: Seconds that may pass while the broker takes nothing.
            before: Called in the order of sending; returns what undoes it.

        Raises:
            ConnectionLost: The connection is lost.
            TimeoutError: The broker took nothing for too long.
        """
        self._raise_if_lost()
        if self._pid != process.pid:
            raise ConnectionLost("the connection is that of the parent process")
        wire = self._wire or self._begin()

        def limit() -> float | None:
            if timeout is not None:
                return timeout
            return (
                self.options.blocked_timeout if self.is_blocked else self.write_timeout
            )

        try:
            wire.send(parts, limit, before)
        except TimeoutError as exc:
            if self.is_blocked:
                raise self._blocked_error() from exc
            raise
        except OSError as exc:
            self._absorb_last_words()
            self._fail(exc)
            self._raise_if_lost()
        except (ConnectionLost, BrokenFrame) as exc:
            self._fail(exc)
            raise

    @property
    def is_time_to_look(self) -> bool:
        """Whether it was not long ago that something was read."""
        return waiting.monotonic() - self._looked_at > _SECONDS_BETWEEN_LOOKS

    def look(self) -> None:
        """Deal with what has come, without waiting, if that was not done just now."""
        if self.is_time_to_look and self._reader is None:
            self._looked_at = waiting.monotonic()
            with suppress(TimeoutError):
                self.wait_until(lambda: False, self._looked_at)
            self.announce_deliveries()

    def check_room(self, timeout: float | None) -> None:
        """Wait while the broker takes no messages.

        Raises:
            ConnectionBlocked: It takes none for longer than *timeout*, or
                ``blocked_timeout``, seconds.
        """
        self.look()
        if not self.is_blocked:
            return
        longest = self.options.blocked_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        try:
            self.wait_until(lambda: not self.is_blocked, deadline)
        except TimeoutError as exc:
            raise self._blocked_error() from exc

    def _blocked_error(self) -> ConnectionBlocked:
        return ConnectionBlocked(
            f"the broker takes no messages ({self.blocked_reason}): free its memory or "
            "disk, or raise blocked_timeout"
        )

    # -- reading ---------------------------------------------------------------------

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
        while True:
            with self._condition:
                while True:
                    if is_done():
                        return
                    self._raise_if_lost()
                    if self._reader is None or self._reader == me:
                        was, self._reader = self._reader, me
                        break
                    left = None if deadline is None else deadline - waiting.monotonic()
                    if left is not None and left <= 0:
                        raise TimeoutError("timed out")
                    waiting.wait_on(self._condition, left)
            try:
                self._read(deadline)
            finally:
                with self._condition:
                    self._reader = was
                    self._condition.notify_all()

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
        self._looked_at = waiting.monotonic()
        self._inbox.extend(
            self._parser.receive(wire.receive(self._parser.wanted, deadline))
        )

    def _absorb(self) -> None:
        """Take in what has come while we can not send, unless somebody reads.

        It is dealt with later: whoever sends holds the lock.
        """
        with self._condition:
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
            with self._condition:
                self._reader = None
                self._condition.notify_all()

    def _absorb_last_words(self) -> None:
        """Read what the broker said before it hung up: most likely why."""
        with suppress(Exception):
            for _ in range(100):
                self.wait_until(lambda: False, 0.0)

    def _take(self, event: Event) -> None:
        if isinstance(event, Delivered):
            channel = self._channel_of(event)
            if channel is not None:
                self._deliveries.append((channel, event))
        elif isinstance(event, Confirmed):
            channel = self._channel_of(event)
            if channel is not None:
                channel.on_confirmed(event)
            self._events += 1
        else:
            self._note_blocked(event)
            if event.payload[:4] in _UNASKED or not self._handshake_complete:
                self._events += 1
            if event.kind != 8:  # a heartbeat
                self.on_inbound_frame((event.kind, event.channel, event.payload))

    def _channel_of(self, event: Delivered | Confirmed) -> Any:
        return self.channels.get(event.channel) if self.channels else None

    def _note_blocked(self, frame: OtherFrame) -> None:
        if frame.kind == 1 and not frame.channel:
            if frame.payload[:4] == _BLOCKED:
                self.blocked_reason = _short_text(frame.payload, 4)
            elif frame.payload[:4] == _UNBLOCKED:
                self.blocked_reason = None

    # -- delivering ------------------------------------------------------------------

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for an event, and deliver it.

        Arguments:
            timeout: Seconds to wait; None for ever.

        Raises:
            TimeoutError: Nothing came (as ``socket.timeout``).
        """
        call = self._call
        if call.channel is not None:
            self._wait_for_answer(timeout)
            return
        if not self._deliveries:
            deadline = None if timeout is None else waiting.monotonic() + timeout
            events = self._events
            self.wait_until(
                lambda: bool(self._deliveries) or self._events != events, deadline
            )
        try:
            channel, event = self._deliveries.popleft()
        except IndexError:
            self._raise_of_channels()
        else:
            channel.deliver(event)

    @property
    def has_deliveries(self) -> bool:
        """Whether messages have come that were not delivered yet."""
        return bool(self._deliveries)

    def forget_deliveries(self, channel: Any) -> None:
        """Drop what came for *channel*, which is closed."""
        if self._deliveries:
            self._deliveries = deque(
                pair for pair in self._deliveries if pair[0] is not channel
            )

    def take_deliveries(self, channel: Any, consumer_tag: str) -> list[Delivered]:
        """Return, and forget, what was put aside for a consumer."""
        taken: list[Delivered] = []
        kept: deque[tuple[Any, Delivered]] = deque()
        while self._deliveries:
            owner, event = self._deliveries.popleft()
            if owner is channel and event.consumer_tag == consumer_tag:
                taken.append(event)
            else:
                kept.append((owner, event))
        self._deliveries.extendleft(reversed(kept))
        return taken

    def _raise_of_channels(self) -> None:
        """Raise why a channel was closed, if nobody knows yet."""
        for channel in tuple(self.channels.values() if self.channels else ()):
            if channel is not self:
                channel.raise_if_lost()

    # -- methods that have an answer -----------------------------------------------

    @contextmanager
    def calling(self, channel: Any) -> Iterator[None]:
        """Let the thread wait for an answer on *channel*, by ``drain_events``."""
        call = self._call
        outer = call.channel, call.seen
        call.channel, call.seen = channel, self._generation
        try:
            yield
        finally:
            call.channel, call.seen = outer

    def _connection_in_use(self) -> Connection:
        return self

    def _wait_for_answer(self, timeout: float | None) -> None:
        call = self._call
        longest = self.read_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        self.wait_until(lambda: self._generation != call.seen, deadline)
        call.seen = self._generation
        self.announce_deliveries()
        if call.channel is not self:
            call.channel.raise_if_lost()

    def blocking_read(self, timeout: float | None = None) -> bool:
        """Deal with what comes; kept for those who call it."""
        self.drain_events(timeout)
        return True

    # -- heartbeats --------------------------------------------------------------------

    def send_heartbeat(self) -> None:
        """Tell the broker that we live."""
        self.send([HEARTBEAT])

    def heartbeat_tick(self, rate: int = 2) -> None:
        """Send a heartbeat if one is due, and see whether the broker lives.

        Arguments:
            rate: Parts of the interval in which something has to be sent.

        Raises:
            HeartbeatMissed: Nothing came for two intervals.
        """
        interval, wire = self.heartbeat, self._wire
        if not interval or wire is None:
            return
        self._raise_if_lost()
        now = waiting.monotonic()
        if now - wire.sent_at >= interval / max(rate, 1):
            self.send_heartbeat()
        if now - wire.received_at > 2 * interval:
            # What came while nobody read counts too.
            self._absorb()
            if now - wire.received_at > 2 * interval:
                self._fail(HeartbeatMissed("the broker is silent: heartbeats missed"))
                self._raise_if_lost()

    # -- losing and closing --------------------------------------------------------------

    def _on_close(
        self, reply_code: int, reply_text: str, class_id: int, method_id: int
    ) -> None:
        error = amqp_errors.error_for_code(
            reply_code,
            reply_text,
            (class_id, method_id),
            amqp_errors.ConnectionError,
        )
        with suppress(OSError, amqp_errors.AMQPError, TimeoutError):
            self.send_method((10, 51))  # close-ok
        self._fail(error)

    def _raise_if_lost(self) -> None:
        error = self._error
        if error is None:
            return
        if isinstance(error, amqp_errors.AMQPError):
            raise error.with_traceback(None)
        if isinstance(error, OSError):
            raise ConnectionLost(f"the connection was lost: {error}") from error
        raise error

    def _fail(self, error: BaseException) -> None:
        """Note that the connection is lost; let everyone know."""
        with self._condition:
            if self._error is not None:
                return
            self._error = error
        wire, channels = self._wire, self._own_channels()
        if wire is not None and self._pid == os.getpid():
            wire.shut()
            wire.drop()
        self._deliveries.clear()
        for channel in channels:
            channel.on_connection_lost(error)
        with self._condition:
            self._condition.notify_all()

    def _own_channels(self) -> list[OurChannel]:
        channels = self.channels or {}
        return [channel for channel in channels.values() if channel is not self]

    def close(self, *args: Any, **kwargs: Any) -> None:
        """Close the connection, once what was published is confirmed."""
        if self._error is None and self._wire is not None:
            with suppress(OSError, amqp_errors.AMQPError, OperationalError):
                self._empty_outbox()
                for channel in self._own_channels():
                    channel.flush_before_close()
                super().close(*args, **kwargs)
        self.collect()
        if self._outbox:
            logger.warning(
                "%d messages were not confirmed before the connection was lost: they "
                "are published again if there is another one",
                len(self._outbox),
            )

    @property
    def _outbox(self) -> Any:
        return outbox_of(self.client) if self.client is not None else ()

    def _empty_outbox(self) -> None:
        """Publish again what was lost with the connection before."""
        if self._outbox and self.options.confirms:
            self.channel().publish_what_was_lost()

    def is_usable(self) -> bool:
        """Return whether it can be used; has the broker closed it, that is seen."""
        if self.connected and self.is_time_to_look:
            with suppress(OSError, amqp_errors.AMQPError):
                self.look()
        return self.connected

    def give_up(self) -> None:
        """Drop the connection without a word; what is not confirmed is kept."""
        if self._pid == os.getpid():
            self.collect()
        else:
            self.abandon()

    def collect(self) -> None:
        """Forget the socket and the channels."""
        if self._error is None:
            self._fail(ConnectionLost("the connection was closed"))
        self.abandon()

    def abandon(self) -> None:
        """Drop the connection without a word: another process may use it."""
        if self._error is None:
            self._error = ConnectionLost("the connection was given up")
        wire = self._wire
        if wire is not None:
            wire.drop()
        elif self._transport is not None and self._transport.sock is not None:
            self._transport.sock.close()
        if self._transport is not None:
            self._transport.connection = None
        for channel in self._own_channels():
            channel.collect()
        self._transport = self.channels = None
        self._wire = None
        self._loop_calls = None

    # -- event loop ------------------------------------------------------------------

    def announce_deliveries(self) -> None:
        """Tell the event loop of messages that the socket does not show any more."""
        if self._deliveries and self._loop_calls is not None:
            self._loop_calls()

    def call_for_deliveries(self, function: Callable[[], None] | None) -> None:
        """Have *function* called when messages were put aside by somebody who waits."""
        self._loop_calls = function


def _short_text(data: bytes, at: int) -> str:
    (size,) = unpack_from(">B", data, at)
    return data[at + 1 : at + 1 + size].decode(errors="replace")
