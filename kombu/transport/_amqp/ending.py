"""The part of a connection that sees whether it lives, and ends it.

If the connection is lost, everyone is told who uses it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from amqp import exceptions as amqp_errors

from kombu.exceptions import OperationalError
from kombu.transport._amqp.errors import ConnectionLost, HeartbeatMissed
from kombu.transport._amqp.frames import HEARTBEAT
from kombu.utils import waiting

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from kombu.transport._amqp.acknowledging import GatheredAcks
    from kombu.transport._amqp.deliveries import Deliveries
    from kombu.transport._amqp.options import Options
    from kombu.transport._amqp.outbox import Outbox
    from kombu.transport._amqp.wire import Wire

__all__ = ("Ending",)

#: Seconds that a broker may take to answer that it has closed something.
_POLITENESS = 10.0


class Ending:
    """Heartbeats, and the end: closing, losing and dropping the connection."""

    channels: dict[int, Any] | None
    acks: GatheredAcks
    deliveries: Deliveries
    options: Options
    outbox: Outbox
    heartbeat: Any
    channel: Any
    send_method: Any
    read_timeout: float | None
    _absorb: Callable[[], None]
    _condition: threading.Condition
    _error: BaseException | None
    _loop_calls: Callable[[], None] | None
    _pid: int
    _transport: Any
    _wire: Wire | None

    @property
    def connected(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self._error is None and self._wire is not None

    # -- heartbeats --------------------------------------------------------------------

    def send_heartbeat(self) -> None:
        """Tell the broker that we live, unless it just gets, or takes, something."""
        self._raise_if_lost()
        wire = self._wire
        if wire is not None:
            wire.send_if_free(HEARTBEAT)

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
        try:
            if now - wire.sent_at >= interval / max(rate, 1):
                self.send_heartbeat()
            if now - wire.received_at > 2 * interval:
                # What came while nobody read counts too.
                self._absorb()
        except (OSError, ConnectionLost) as exc:
            self._fail(exc)
        if now - wire.received_at > 2 * interval:
            self._fail(HeartbeatMissed("the broker is silent: heartbeats missed"))
        self._raise_if_lost()

    # -- losing ------------------------------------------------------------------------

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
            # An event loop is woken by that. Were the descriptor closed behind its
            # back, it would hear nothing, and might watch who gets the number next.
            if self._loop_calls is None:
                wire.drop()
        self.deliveries.clear()
        self.acks.end()
        for channel in channels:
            channel.on_connection_lost(error)
        with self._condition:
            self._condition.notify_all()

    def _own_channels(self) -> list[Any]:
        channels = tuple((self.channels or {}).values())
        return [channel for channel in channels if channel is not self]

    # -- closing -----------------------------------------------------------------------

    @contextmanager
    def politely(self, what: str) -> Iterator[None]:
        """Wait but so long for the broker to answer *what*, a farewell.

        If it does not, it is away, or reads nothing: the connection is dropped.
        """
        before = self.read_timeout
        longest = min(_POLITENESS, self.options.patience_at_close)
        self.read_timeout = longest if before is None else min(before, longest)
        try:
            yield
        except TimeoutError:
            self._fail(ConnectionLost(f"the broker did not answer {what}"))
        finally:
            self.read_timeout = before

    def close(self, *args: Any, **kwargs: Any) -> None:
        """Close the connection, once what was published is confirmed."""
        if self._error is None and self._wire is not None:
            with suppress(OSError, amqp_errors.AMQPError, OperationalError):
                with self.politely("connection.close"):
                    self._flush()
                    super().close(*args, **kwargs)  # type: ignore[misc]
        self.collect()

    def flush_published(self) -> None:
        """Wait for what was published, as on closing; what fails is but logged."""
        if self._error is None and self._wire is not None:
            with suppress(OSError, amqp_errors.AMQPError, OperationalError):
                self._flush()

    def _flush(self) -> None:
        """Wait for what was published, on all channels together."""
        if self.outbox and self.options.confirms:
            self.channel().publish_what_was_lost()
        deadline = waiting.monotonic() + self.options.patience_at_close
        for channel in self._own_channels():
            channel.flush_before_close(deadline)

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
        self.acks.end()
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
