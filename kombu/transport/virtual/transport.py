"""The transport of a virtual broker: its channels, and the wait for messages.

A wait ends when a message may have come: the store calls :meth:`Transport.wake`
if it can tell (:attr:`Transport.is_woken_by_store`), and is looked into every
``polling_interval`` seconds otherwise.  With an event loop the same two ways lead to
:class:`~kombu.transport.virtual.looping.LoopConsumer`.
"""

from __future__ import annotations

from typing import Any, NoReturn

from kombu.exceptions import ChannelLimitExceeded, TimeoutError
from kombu.log import get_logger
from kombu.transport import base
from kombu.transport._capabilities import virtual_abilities
from kombu.transport._options import COMMON_OPTIONS, warn_of_unknown
from kombu.transport.virtual.channel import Channel
from kombu.transport.virtual.consuming import polls_by_hook
from kombu.transport.virtual.leasing_transport import LeasingTransport
from kombu.transport.virtual.looping import LoopConsumer
from kombu.transport.virtual.management import Management
from kombu.transport.virtual.state import BrokerState
from kombu.transport.virtual.storage import Empty, EmptyInCallback
from kombu.utils import waiting
from kombu.utils.deadline import Deadline
from kombu.utils.scheduling import FairCycle

__all__ = ("Transport",)

logger = get_logger(__name__)

#: Seconds between looks into a store if none are asked for.  Hooks that wait
#: in the store by themselves hardly notice; a loop that spins would.
_SHORTEST_PAUSE = 0.001


class Transport(LeasingTransport):
    """Base of virtual transports.

    Arguments:
        client: The :class:`~kombu.Connection` that this serves.
    """

    Channel: Any = Channel
    Cycle: Any = FairCycle
    Management: Any = Management

    #: Seconds between looks into a store; none if it wakes us, or if the hooks
    #: of the channel wait in the store by themselves.
    polling_interval: float | None = 1.0

    #: Whether the store calls :meth:`wake` when there is a message.
    is_woken_by_store = False

    default_port: Any = None

    #: Most channels open at a time.
    channel_max = 65535

    #: Whether the state has the consumers of all processes.
    knows_all_consumers = False

    #: Whether :attr:`options` and the channel's are all that there are.
    knows_all_options = False

    #: Channels by the queue that they consume from.
    _callbacks: Any = None
    channels: Any = None
    implements = base.Transport.implements.extend(
        abilities=virtual_abilities, describes_itself=False
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.state = BrokerState()
        self.channels = []
        self._avail_channels: list[Any] = []
        self._callbacks = {}
        self._channel_ids: set[int] = set()
        self._last_channel_id = 0
        self._waiter = waiting.Waiter()
        self._loop_consumer: LoopConsumer | None = None
        self._is_closed = False
        self.cycle = self.Cycle(self._drain_channel, self.channels, Empty)
        self._find_shortcuts()
        options = client.transport_options or {}
        if options.get("polling_interval") is not None:
            self.polling_interval = options["polling_interval"]
        if options:
            self._check_options(options)

    def _find_shortcuts(self) -> None:
        """Find what a subclass leaves as it is, so that it need not be asked."""
        kind, channel_cls = type(self), self.Channel
        is_known = isinstance(channel_cls, type) and issubclass(channel_cls, Channel)
        self._delivers_directly = (
            kind._deliver is Transport._deliver
            and kind._drain_channel is Transport._drain_channel
            and self.Cycle is FairCycle
            and is_known
            and channel_cls.drain_events is Channel.drain_events
        )
        # Whether a look into the store may take as long as it is given.
        self._waits_in_store = not is_known or polls_by_hook(channel_cls)

    def _check_options(self, options: dict[str, Any]) -> None:
        channel_cls = self.Channel
        described = (*COMMON_OPTIONS, *channel_cls.options, *self.options)
        known = {option.name for option in described}
        warn_of_unknown(
            options,
            known.union(channel_cls.from_transport_options),
            self._name_for_users(),
            self.knows_all_options,
        )

    def _name_for_users(self) -> str:
        if self.driver_type != base.Transport.driver_type:
            return self.driver_type
        return f"{type(self).__module__}:{type(self).__name__}"

    @property
    def cycle(self) -> Any:
        """The channels, which take turns."""
        return self._cycle

    @cycle.setter
    def cycle(self, cycle: Any) -> None:
        self._cycle = cycle
        # Whoever has one of his own wants it to be asked.
        self._delivers_directly = False

    # -- connections and channels --------------------------------------------

    def establish_connection(self) -> Any:
        """Open the first channel, as a sign that the store can be used.

        Returns:
            The transport itself, which has ``drain_events``.
        """
        self._avail_channels.append(self.create_channel(self))
        self._is_closed = False
        return self

    def create_channel(self, connection: Any) -> Any:
        """Open a channel."""
        with self._lock:
            if self._avail_channels:
                return self._avail_channels.pop()
        try:
            channel = self.Channel(connection)
        except BaseException:
            # The store may be tried for days; it must not cost a number each.
            with self._lock:
                self._channel_ids = {open.channel_id for open in self.channels}
            raise
        with self._lock:
            self.channels.append(channel)
        return channel

    def _take_channel_id(self) -> int:
        with self._lock:
            for step in range(1, self.channel_max + 1):
                number = (self._last_channel_id + step - 1) % self.channel_max + 1
                if number not in self._channel_ids:
                    self._channel_ids.add(number)
                    self._last_channel_id = number
                    return number
        raise ChannelLimitExceeded(
            f"No free channel ids, current={len(self.channels)}, "
            f"channel_max={self.channel_max}: close channels that are done with"
        )

    def close_channel(self, channel: Any) -> None:
        """Forget *channel*, which is closed."""
        with self._lock:
            self._channel_ids.discard(channel.channel_id)
            if channel in self.channels:
                self.channels.remove(channel)
        channel.connection = None

    def close_connection(self, connection: Any) -> None:
        """Close all channels."""
        self._stop_loop()
        self.cycle.close()
        self._stop_keeping()
        try:
            for channels in (self._avail_channels, self.channels):
                while channels:
                    try:
                        channel = channels.pop()
                    except IndexError:
                        break
                    channel.close()
            self._delete_exclusive_queues()
            self._retire()
        finally:
            self._is_closed = True
            self.wake()

    def _delete_exclusive_queues(self) -> None:
        """Delete the queues that no other connection may use."""
        if not self._own_queues():
            return
        channel = self.Channel(self)
        # Another connection may have taken one over.
        channel._refresh()
        for name in self._own_queues():
            channel._delete_queue(name)
        channel.close()

    def _own_queues(self) -> list[str]:
        queues = tuple(self.state.queues.values())
        return [queue.name for queue in queues if queue.owner == self.owner]

    # -- delivery ------------------------------------------------------------

    def drain_events(
        self, connection: Any, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Deliver one message, waiting for it if need be.

        Arguments:
            connection: Has no effect.
            timeout: Seconds to wait; without limit if not given.
            **kwargs: Have no effect.

        Raises:
            socket.timeout: There was none in that time.
            RecoverableConnectionError: The connection was closed meanwhile.
        """
        deadline = Deadline(timeout) if self._waits_in_store else None
        channels = self.channels
        try:
            try:
                # Most of the time there is a message, and nothing to wait for;
                # and one channel, by which it comes.
                if self._delivers_directly and len(channels) == 1:
                    try:
                        channel = channels[0]
                    except IndexError:  # closed by another thread
                        raise Empty() from None
                    channel.drain_events(timeout)
                else:
                    self._drain_any(timeout)
            except Empty:
                self._wait_and_drain(deadline or Deadline(timeout))
        except EmptyInCallback as exc:
            raise exc.error from None

    def _wait_and_drain(self, deadline: Deadline) -> None:
        while not deadline.has_expired:
            self._wait(_earlier(deadline.remaining(), self._idle()))
            if self._is_closed:
                self._raise_closed()
            if self._waits_in_store and deadline.has_expired:
                # Some take 0 seconds for no limit at all.
                break
            try:
                self._drain_any(deadline.remaining())
            except Empty:
                continue
            self._pass_on()
            return
        raise TimeoutError("timed out")

    def _pass_on(self) -> None:
        """Wake another thread that waits, if one does: there may be more."""
        self._waiter.wake()

    def _raise_closed(self) -> NoReturn:
        from kombu.exceptions import RecoverableConnectionError

        raise RecoverableConnectionError(
            "the connection was closed while it was waited for messages"
        )

    def _drain_any(self, timeout: float | None) -> Any:
        """Deliver one message by any of the channels, which take turns."""
        # What takes envelopes, if not the channel that gets them.
        deliver = None if self._delivers_directly else self._deliver
        return self.cycle.get(deliver, timeout=timeout)

    def _wait(self, remaining: float | None) -> None:
        """Wait until a message may have come, at most *remaining* seconds."""
        interval = self.polling_interval
        if interval is None and not self.is_woken_by_store:
            interval = _SHORTEST_PAUSE
        if interval is None or (remaining is not None and remaining < interval):
            interval = remaining
        self._waiter.wait(interval)

    def wake(self) -> None:
        """End the wait for messages: there may be some."""
        self._waiter.wake()
        if self._loop_consumer is not None:
            self._loop_consumer.wake()

    def _drain_channel(
        self, channel: Any, callback: Any, timeout: float | None = None
    ) -> Any:
        return channel.drain_events(callback=callback, timeout=timeout)

    def _deliver(self, message: Any, queue: str) -> None:
        """Deliver the envelope *message*, which was taken from *queue*.

        For stores that push: they do not know which channel it is for.
        """
        if not queue:
            raise KeyError(
                f"Received message without destination queue: {type(message).__name__}"
            )
        callback = self._callbacks.get(queue)
        if callback is None:
            logger.warning(
                "Message for queue %r without consumers: putting it back", queue
            )
            self._reject_inbound_message(message, queue)
            return
        callback(message)

    def _reject_inbound_message(self, raw_message: Any, queue: str = "") -> None:
        """Put a message back that nobody consumes."""
        for channel in self.channels:
            message = channel.Message(raw_message, channel=channel)
            message.source_queue = queue or None
            if channel._leases:
                channel._restore(message)
                return
            channel.qos.append(message, message.delivery_tag)
            channel.basic_reject(message.delivery_tag, requeue=True)
            return

    def on_message_ready(self, channel: Any, message: Any, queue: str) -> None:
        """Deliver the envelope *message*, which *channel* got from *queue*.

        Raises:
            KeyError: Nobody consumes from *queue*.
        """
        callback = self._callbacks.get(queue)
        if not queue or callback is None:
            raise KeyError(
                f"Message for queue {queue!r} without consumers: "
                f"{type(message).__name__}"
            )
        callback(message)

    def _add_consumer(self, queue: str, channel: Any) -> None:
        """Note that *channel* consumes from *queue*."""
        with self._lock:
            callbacks = self._callbacks.get(queue)
            if callbacks is None:
                callbacks = self._callbacks[queue] = QueueCallback(queue)
            callbacks.add(channel)
        self.wake()

    def _queue_was_deleted(self, queue: str) -> None:
        """Tell the channels that consume from *queue* that it is no more."""
        callbacks = self._callbacks.get(queue)
        for channel in () if callbacks is None else callbacks.channels:
            channel._queue_was_deleted(queue)

    def _remove_consumer(self, queue: str, channel: Any) -> None:
        """Undo :meth:`_add_consumer`."""
        with self._lock:
            callbacks = self._callbacks.get(queue)
            if callbacks is not None and callbacks.discard(channel):
                del self._callbacks[queue]

    # -- event loop ------------------------------------------------------------

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have *loop* deliver messages as they come."""
        self._stop_loop()
        self._loop_consumer = LoopConsumer(self, loop)
        self._loop_consumer.start()

    def unregister_from_event_loop(self, connection: Any, loop: Any) -> None:
        """Have the loop no longer deliver messages."""
        self._stop_loop()

    def _stop_loop(self) -> None:
        consumer, self._loop_consumer = self._loop_consumer, None
        if consumer is not None:
            consumer.stop()

    def on_readable(self, connection: Any, loop: Any) -> None:
        """Deliver what is there, without waiting."""
        try:
            while True:
                self._drain_any(0)
        except Empty:
            return
        except EmptyInCallback as exc:
            raise exc.error from None

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Connection parameters to use where none are given."""
        return {"port": self.default_port, "hostname": "localhost"}


def _earlier(one: float | None, other: float | None) -> float | None:
    """Return the shorter of two waits, of which None is endless."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


class QueueCallback:
    """Hands an envelope to one of the channels that consume from a queue."""

    __slots__ = ("_channels", "_queue")

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._channels: tuple[Any, ...] = ()

    def __call__(self, envelope: Any) -> None:
        channels = self._channels
        willing = [channel for channel in channels if channel.qos.can_consume()]
        chosen = (willing or channels)[0]
        if len(channels) > 1:
            rest = (channel for channel in channels if channel is not chosen)
            self._channels = (*rest, chosen)
        chosen._deliver_envelope(envelope, self._queue)

    def add(self, channel: Any) -> None:
        """Add a channel, unless it is there."""
        if channel not in self._channels:
            self._channels = (*self._channels, channel)

    @property
    def channels(self) -> tuple[Any, ...]:
        """The channels that consume."""
        return self._channels

    def discard(self, channel: Any) -> bool:
        """Remove a channel; return whether none is left."""
        self._channels = tuple(c for c in self._channels if c is not channel)
        return not self._channels
