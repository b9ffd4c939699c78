"""The part of a connection that delivers, and waits for answers.

Messages for consumers are put aside by whoever reads, and delivered by whoever calls
:meth:`Delivering.drain_events`, so that a callback never runs in the middle of another
operation, or in the thread of somebody who only publishes.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu.transport._amqp.acknowledging import GatheredAcks
    from kombu.transport._amqp.deliveries import Deliveries

__all__ = ("Call", "Delivering")


class Call(threading.local):
    """The method that the calling thread waits for an answer to."""

    channel: Any = None
    seen = -1


class Delivering:
    """Delivers messages, and events of other kinds."""

    channels: dict[int, Any] | None
    acks: GatheredAcks
    deliveries: Deliveries
    send: Callable[..., None]
    read_timeout: float | None
    wait_until: Callable[[Callable[[], bool], float | None], None]
    _call: Call
    _events: int
    _generation: int
    _loop_calls: Callable[[], None] | None

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
        delivery = self.deliveries.take()
        if delivery is None:
            if self.acks.waiting:
                self.send(())
            deadline = None if timeout is None else waiting.monotonic() + timeout
            events = self._events
            self.wait_until(
                lambda: bool(self.deliveries) or self._events != events, deadline
            )
            delivery = self.deliveries.take()
        if delivery is None:
            self._raise_of_channels()
        else:
            channel, event, tag = delivery
            channel.deliver(event, tag)

    @property
    def has_deliveries(self) -> bool:
        """Whether messages have come that were not delivered yet."""
        return bool(self.deliveries)

    def forget_deliveries(self, channel: Any) -> None:
        """Drop what came for *channel*, which is closed."""
        self.deliveries.forget(channel)

    def _raise_of_channels(self) -> None:
        """Raise why a channel was closed, if nobody knows yet."""
        for channel in tuple(self.channels.values() if self.channels else ()):
            if channel is not self:
                channel.raise_if_lost()

    # -- methods that have an answer -------------------------------------------------

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

    def _wait_for_answer(self, timeout: float | None) -> None:
        call = self._call
        longest = self.read_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        self.wait_until(lambda: self._generation != call.seen, deadline)
        call.seen = self._generation
        self.announce_deliveries()

    def blocking_read(self, timeout: float | None = None) -> bool:
        """Deal with what comes; kept for those who call it."""
        self.drain_events(timeout)
        return True

    # -- event loop ------------------------------------------------------------------

    def announce_deliveries(self) -> None:
        """Tell the event loop of messages that the socket does not show any more."""
        if self._loop_calls is not None and self.deliveries:
            self._loop_calls()

    def call_for_deliveries(self, function: Callable[[], None] | None) -> None:
        """Have *function* called when messages were put aside by somebody who waits."""
        self._loop_calls = function
