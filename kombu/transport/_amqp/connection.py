"""The connection of :mod:`amqp`, read and written by code of our own.

It connects and sends here; :mod:`reading`, :mod:`delivering`, :mod:`blocking`,
:mod:`ending` and :mod:`answering` are the rest of it.

Who is told of an error
-----------------------
If a channel is closed by the broker, the thread that waits for an answer on it; else
whoever uses the channel next, or drains events.  If the connection is lost, everyone.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from amqp import Connection as AMQPConnection
from amqp import exceptions as amqp_errors

from kombu.transport._amqp.acknowledging import GatheredAcks
from kombu.transport._amqp.answering import Answering
from kombu.transport._amqp.blocking import Blocking
from kombu.transport._amqp.channel import Channel as OurChannel
from kombu.transport._amqp.deliveries import Deliveries
from kombu.transport._amqp.delivering import Call, Delivering
from kombu.transport._amqp.ending import Ending
from kombu.transport._amqp.errors import BrokenFrame, ConnectionLost
from kombu.transport._amqp.frames import ack_frame
from kombu.transport._amqp.native import release_of_rabbitmq
from kombu.transport._amqp.options import Options
from kombu.transport._amqp.outbox import outbox_of
from kombu.transport._amqp.parser import Parser
from kombu.transport._amqp.reading import Reading
from kombu.transport._amqp.sockets import PlainTransport, TLSTransport
from kombu.transport._amqp.wire import Wire, patience_of_tcp
from kombu.utils._forking import process
from kombu.utils._spin import Spin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport._amqp.keeper import HeartbeatKeeper
    from kombu.transport._amqp.parser import Event
    from kombu.transport._amqp.settled import SettledTags
    from kombu.transport._tls import TLS

__all__ = ("Connection",)


class Connection(
    Reading,
    Delivering,
    Blocking,
    Ending,
    Answering,
    AMQPConnection,  # type: ignore[misc]
):
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
        #: Called before the method that is being sent; set while the lock is held.
        self.guard: Callable[[], None] | None = None
        self._numbers_lock = threading.Lock()
        self._wire: Wire | None = None
        self._parser = Parser()
        self._inbox: deque[Event] = deque()
        self.deliveries = Deliveries()
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._waiting = 0
        self._reader: int | None = None
        self._call = Call()
        self._generation = self._events = 0
        self._error: BaseException | None = None
        self._looked_at = 0.0
        self._pid = os.getpid()
        #: By number; what has number 0 is the connection.
        self.channels: dict[int, Any] | None = {}
        self._loop_calls: Callable[[], None] | None = None
        self.client = client
        #: What was lost with a connection before.
        self.outbox = outbox_of(client)
        #: The thread that keeps heartbeats, if there is one.
        self.keeper: HeartbeatKeeper | None = None
        self.options = options or Options()
        self.acks = GatheredAcks(self.send, self.options.gathered_acks)
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
        spin = Spin(self.options.busy_wait)
        wire = self._wire = Wire(
            transport.sock, self._absorb, self._patience, spin, self.acks
        )
        return wire

    def _on_tune(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._on_tune(*args, **kwargs)
        self._parser.frame_max = self.frame_max or 0
        return result

    def is_usable(self) -> bool:
        """Return whether it can be used; has the broker closed it, that is seen."""
        if self.connected and self.is_time_to_look:
            with suppress(OSError, amqp_errors.AMQPError):
                self.look()
        return self.connected

    @property
    def has_channel_prefetch(self) -> bool:
        """Whether one prefetch limit may be set for all consumers of a channel."""
        return release_of_rabbitmq(self.server_properties) < (4,)

    @property
    def has_confirms(self) -> bool:
        """Whether the broker confirms what is published."""
        return bool(self.server_capabilities.get("publisher_confirms"))

    def _get_free_channel_id(self) -> Any:
        # Two threads that open channels must not get the same number.
        with self._numbers_lock:
            return super()._get_free_channel_id()

    def _connection_in_use(self) -> Connection:
        return self

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
        try:
            wire.send(parts, timeout, before)
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

    def acknowledge(
        self, channel: Any, settled: SettledTags, tag: int, multiple: bool
    ) -> None:
        """Acknowledge a message of *channel*, or all up to it; now, or soon.

        Arguments:
            channel: The channel.
            settled: What was settled on it since it was opened.
            tag: The tag, as the broker has it.
            multiple: Whether to acknowledge all up to it.

        Raises:
            ConnectionLost: The connection is lost.
            ChannelError: The broker has closed the channel.
        """
        acks = self.acks
        if not multiple and acks.is_early(len(self.deliveries)):
            self._raise_if_lost()
            channel.check_open()
            acks.put(channel, settled, tag)
            return
        frame = ack_frame(channel.channel_id, tag, multiple)
        self.send((frame,), None, channel.check_open)
        acks.note(settled, tag, multiple)

    def _patience(self) -> float | None:
        """Return the seconds that the broker may take nothing; None for any."""
        return self.options.blocked_timeout if self.is_blocked else self.write_timeout
