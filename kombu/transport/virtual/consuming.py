"""Consuming on a virtual channel: consumers, delivery and acknowledgement.

Consumers are kept by tag.  Several may share a queue; they are served in
turn, and cancelling one leaves the others.  A message that needs to be
acknowledged counts against the prefetch limit of the channel, whichever
consumer it went to.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from kombu.log import get_logger
from kombu.transport.virtual.attending import AttendingChannel, ConsumerRecord
from kombu.transport.virtual.claims import (
    EXPIRES_AT,
    Claim,
    delivery_count,
    expires_at,
    redelivered,
)
from kombu.transport.virtual.death import DELIVERY_LIMIT, EXPIRED, REJECTED
from kombu.transport.virtual.message import Message
from kombu.transport.virtual.qos import QoS
from kombu.transport.virtual.storage import Empty, EmptyInCallback
from kombu.utils.identity import unique_id
from kombu.utils.scheduling import FairCycle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("ConsumerRecord", "ConsumingChannel")

logger = get_logger(__name__)


class ConsumingChannel(AttendingChannel):
    """The part of a virtual channel that consumes."""

    #: Class of received messages.
    Message: Any = Message

    #: Class that holds what is delivered and not settled.
    QoS: Any = QoS

    #: Whether to put back what is unsettled when the channel closes.
    do_restore = True

    closed: bool

    #: Whether the transport has a way of its own to look into its store.
    _polls_by_hook: bool

    #: Whether what is put back is the next to be delivered.
    _restores_at_head: bool

    def __init__(self) -> None:
        self._consumers: set[str] = set()
        self._tag_to_queue: dict[str, str] = {}
        self._active_queues: list[str] = []
        self._records: dict[str, ConsumerRecord] = {}
        self._by_queue: dict[str, list[ConsumerRecord]] = {}
        self._cycle: Any = None
        self._qos: Any = None
        self._is_flowing = True
        # Place of the queue that was served last beyond the prefetch limit.
        self._unlimited_turn = -1
        # Consumers whose queue was deleted, to be told when next drained.
        self._lost_consumers: deque[ConsumerRecord] = deque()

    # -- consumers -----------------------------------------------------------

    def basic_consume(
        self,
        queue: str,
        no_ack: bool,
        callback: Callable[[Any], Any],
        consumer_tag: str,
        **kwargs: Any,
    ) -> str:
        """Start a consumer.

        Arguments:
            queue: Name of the queue.
            no_ack: Whether messages count as acknowledged once delivered.
            callback: Called with each :class:`Message`.
            consumer_tag: Name of the consumer on this channel; made up if
                empty.
            **kwargs: ``arguments``, ``on_cancel``, ``nowait``.

        Returns:
            The consumer tag.

        Raises:
            ResourceLocked: The queue is exclusive to another connection.
        """
        self._refresh()
        self._check_exclusive(queue, "Channel.basic_consume")
        self._hold_lease()
        tag = consumer_tag or f"ctag-{unique_id()}"
        if tag in self._records:
            self.basic_cancel(tag)
        record = ConsumerRecord(
            tag,
            queue,
            bool(no_ack),
            callback,
            kwargs.get("on_cancel"),
            kwargs.get("arguments"),
        )
        self._enter(record)
        self._records[tag] = record
        self._by_queue.setdefault(queue, []).append(record)
        self._tag_to_queue[tag] = queue
        self._consumers.add(tag)
        if queue not in self._active_queues:
            self._active_queues.append(queue)
        self._reset_cycle()
        self.connection._add_consumer(queue, self)
        declared = self.state.queues.get(queue)
        if declared is not None:
            declared.consumers.add((self, tag))
        return tag

    def basic_cancel(self, consumer_tag: str) -> None:
        """Stop the consumer *consumer_tag*, if there is one."""
        record = self._records.pop(consumer_tag, None)
        if record is None:
            self._consumers.discard(consumer_tag)
            return
        queue = record.queue
        self._consumers.discard(consumer_tag)
        self._tag_to_queue.pop(consumer_tag, None)
        rest = self._by_queue[queue]
        rest.remove(record)
        if not rest:
            del self._by_queue[queue]
            self._active_queues.remove(queue)
            self.connection._remove_consumer(queue, self)
        self._reset_cycle()
        self._leave(record)
        declared = self.state.queues.get(queue)
        if declared is not None:
            declared.consumers.discard((self, consumer_tag))
            self._delete_if_unused(queue, declared)

    def _delete_if_unused(self, queue: str, declared: Any) -> None:
        """Delete an ``auto_delete`` queue whose last consumer has gone.

        Only where the state is the broker's own: otherwise consumers in other
        processes are not known here.
        """
        if (
            declared.auto_delete
            and not declared.exclusive
            and not declared.consumers
            and (
                self.connection.knows_all_consumers
                or self.connection.topology is not None
            )
            and not self.connection.attendance.consumers(queue)
        ):
            self._delete_queue(queue)

    def _queue_was_deleted(self, queue: str) -> None:
        """Note that the consumers of *queue* are no more.

        They are told by the thread that drains this channel.
        """
        self._lost_consumers.extend(self._by_queue.get(queue, ()))
        if self.connection is not None:
            self.connection.wake()

    def _tell_lost_consumers(self) -> None:
        """Tell consumers that their queue was deleted.

        Raises:
            RecoverableConnectionError: It was because we were taken for dead: whoever
                connects anew declares all that was temporary.
        """
        connection = self.connection
        if connection is not None and connection._has_lapsed():
            queues = {lost.queue for lost in self._lost_consumers}
            self._lost_consumers.clear()
            connection._raise_lapsed(queues)
        while self._lost_consumers:
            record = self._lost_consumers.popleft()
            if self._records.get(record.tag) is record:
                self.basic_cancel(record.tag)
                if record.on_cancel is not None:
                    record.on_cancel(record.tag)

    # -- delivery ------------------------------------------------------------

    def drain_events(self, timeout: float | None = None, callback: Any = None) -> Any:
        """Deliver one message, of any queue that is consumed from.

        Arguments:
            timeout: Seconds that a wait in the store may take.
            callback: Called with the envelope and its queue, instead of the
                consumer's callback with the message.

        Raises:
            queue.Empty: There is none that may be delivered.
        """
        if self._lost_consumers:
            self._tell_lost_consumers()
        if not self._consumers or not self._is_flowing:
            raise Empty()
        if callback is None:
            callback = self._deliver_envelope
        if not (self._qos or self.qos).can_consume():
            return self._drain_unlimited(callback)
        if self._polls_by_hook:
            return self._poll_by_hook(callback, timeout)
        queues = self._active_queues
        if len(queues) == 1:
            queue = queues[0]
            return callback(self._get(queue), queue)
        return self.cycle.get(callback)

    def _drain_unlimited(self, callback: Any) -> Any:
        """Serve the consumers that do not acknowledge: no limit is theirs."""
        queues = tuple(self._active_queues)
        last = self._unlimited_turn
        for step in range(1, len(queues) + 1):
            place = self._unlimited_turn = (last + step) % len(queues)
            records = self._by_queue.get(queues[place], ())
            if any(record.no_ack for record in records):
                with suppress(Empty):
                    return self._get_and_deliver(queues[place], callback)
        raise Empty()

    def _poll_by_hook(self, callback: Any, timeout: float | None) -> Any:
        get_many = getattr(self, "_get_many", None)
        if get_many is not None:
            return get_many(self._active_queues, timeout=timeout)
        return self._poll(self.cycle, callback, timeout=timeout)

    def flow(self, active: bool = True) -> bool:
        """Suspend, or resume, delivery to the consumers of this channel.

        Arguments:
            active: False to suspend.
        """
        self._is_flowing = active
        self._may_deliver_again()
        return active

    def _next_consumer(self, queue: str) -> ConsumerRecord | None:
        """Return the consumer of *queue* whose turn it is."""
        records = self._by_queue.get(queue)
        if not records:
            return None
        if queue in self._selective:
            # Those who are not to be served come last, and so have no turn.
            preferred = self._preferred(queue, records)
            records = [*preferred, *(r for r in records if r not in preferred)]
        can_consume = self.qos.can_consume()
        for place, record in enumerate(records):
            if record.no_ack or can_consume:
                # To the end of the line; a new list, as others may read this.
                self._by_queue[queue] = [
                    *records[:place],
                    *records[place + 1 :],
                    record,
                ]
                return record
        return records[0]

    def _deliver_envelope(self, envelope: Any, queue: str) -> None:
        """Hand *envelope*, taken from *queue*, to the consumer whose turn it is."""
        records = self._by_queue.get(queue)
        if records is not None and len(records) == 1:
            consumer: ConsumerRecord | None = records[0]
        else:
            consumer = self._next_consumer(queue)
        if consumer is None:
            # Cancelled while the envelope was on its way.
            logger.debug("No consumer left for %r: putting a message back", queue)
            self._put_back(queue, envelope)
            return
        message = self.Message(envelope, channel=self)
        message.source_queue = queue
        if EXPIRES_AT in message.properties and self._has_expired(envelope):
            self._bury(Claim(queue, envelope), EXPIRED)
            return
        if not consumer.no_ack:
            self._hold(message)
        try:
            consumer.callback(message)
        except Empty as exc:
            raise EmptyInCallback(exc) from exc

    def _hold(self, message: Any) -> None:
        qos = self._qos or self.qos
        tag = message.delivery_tag
        try:
            is_unfit = tag in qos._delivered
        except TypeError:
            is_unfit = True
        if is_unfit:
            # A copy of a message that reached several queues; or a tag that
            # is no tag, in an envelope that no peer of ours has made.
            tag = message.delivery_tag = unique_id()
        qos.append(message, tag)

    def message_to_python(self, raw_message: Any) -> Any:
        """Return *raw_message*, an envelope or a message, as a message."""
        if not isinstance(raw_message, self.Message):
            return self.Message(raw_message, channel=self)
        return raw_message

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """Take the next message of *queue*, without waiting.

        Returns:
            The message, or :const:`None` if there is none.

        Raises:
            ResourceLocked: The queue is exclusive to another connection.
        """
        self._check_exclusive(queue, "Channel.basic_get")
        try:
            envelope = self._get(queue)
            while self._has_expired(envelope):
                self._bury(Claim(queue, envelope), EXPIRED)
                envelope = self._get(queue)
        except Empty:
            return None
        message = self.Message(envelope, channel=self)
        message.source_queue = queue
        if not no_ack:
            self._hold(message)
        return message

    def _has_expired(self, envelope: Any) -> bool:
        moment = expires_at(envelope)
        return moment is not None and self._store_time() >= moment

    # -- settling ------------------------------------------------------------

    @property
    def qos(self) -> Any:
        """What is delivered and not settled, and the prefetch limit."""
        qos = self._qos
        if qos is None:
            qos = self._qos = self.QoS(self)
        return qos

    def basic_qos(
        self,
        prefetch_size: int = 0,
        prefetch_count: int = 0,
        apply_global: bool = False,
    ) -> None:
        """Set how many messages may be unsettled on this channel.

        Arguments:
            prefetch_size: Has no effect.
            prefetch_count: The number; 0 for no limit.
            apply_global: Has no effect: the limit is the channel's.
        """
        self.qos.flush()
        self.qos.prefetch_count = prefetch_count
        self._may_deliver_again()

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:
        """Acknowledge a message.

        Arguments:
            delivery_tag: Its tag.
            multiple: Also acknowledge all that were delivered before.

        Raises:
            RecoverableConnectionError: The channel was closed.
        """
        if self.closed:
            self._raise_too_late(delivery_tag)
        qos = self._qos or self.qos
        if multiple:
            for tag in qos.tags_up_to(delivery_tag):
                qos.ack(tag)
        else:
            qos.ack(delivery_tag)
        if qos.prefetch_count:
            self._may_deliver_again()

    def basic_reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Refuse a message: discard it, or put it back into its queue.

        Raises:
            RecoverableConnectionError: The channel was closed.
        """
        if self.closed:
            self._raise_too_late(delivery_tag)
        self.qos.reject(delivery_tag, requeue=requeue)
        self._may_deliver_again()

    def _raise_too_late(self, delivery_tag: Any) -> NoReturn:
        """Tell who settles a message that it was put back meanwhile."""
        from kombu.exceptions import RecoverableConnectionError

        raise RecoverableConnectionError(
            f"message {delivery_tag!r} can not be settled: its channel was closed, "
            "and it will be delivered again"
        )

    def basic_recover(self, requeue: bool = False) -> None:
        """Put all unsettled messages of the channel back into their queues.

        Arguments:
            requeue: As in AMQP; without it, too, any consumer of the queue
                may get a message, not just the one that had it.
        """
        self.qos.restore_unacked()
        self._may_deliver_again()

    def _may_deliver_again(self) -> None:
        """Wake who waits for messages: the limit may allow some now."""
        if self.connection is not None:
            self.connection.wake()

    def _discard_message(self, message: Any) -> None:
        """Dead-letter or drop a *message* that was rejected."""
        queue = getattr(message, "source_queue", None)
        if queue in self.state.policies:
            self._bury(Claim(queue, _envelope_of(message)), REJECTED)

    def _restore(self, message: Any) -> None:
        """Put an unsettled *message* back into the queue that it came from."""
        envelope = _envelope_of(message)
        queue = message.source_queue
        if queue is None:
            info = message.delivery_info
            for name in self._lookup(info["exchange"], info["routing_key"]):  # type: ignore[attr-defined]
                self._put_back(name, redelivered(envelope))
            return
        policy = self.state.policies.get(queue)
        if policy is None or policy.delivery_limit is None:
            self._put_back(queue, redelivered(envelope))
            return
        count = delivery_count(envelope) + 1
        if count > policy.delivery_limit:
            self._bury(Claim(queue, envelope), DELIVERY_LIMIT)
        else:
            self._put_back(queue, redelivered(envelope, count))

    def _bury(self, claim: Claim, reason: str) -> None:
        raise NotImplementedError

    def _restore_at_beginning(self, message: Any) -> None:
        """Put *message* back where it is the next to be delivered."""
        self._restore(message)

    # -- queues in turn ------------------------------------------------------

    @property
    def cycle(self) -> Any:
        """The queues that are consumed from, tried in turn."""
        if self._cycle is None:
            self._reset_cycle()
        return self._cycle

    def _reset_cycle(self) -> None:
        self._cycle = FairCycle(self._get_and_deliver, self._active_queues, Empty)


@cache
def polls_by_hook(kind: type[ConsumingChannel]) -> bool:
    """Return whether channels of *kind* look into their store by a hook."""
    return (
        hasattr(kind, "_get_many")
        or kind._poll is not ConsumingChannel._poll
        or kind.cycle is not ConsumingChannel.cycle
        or kind._get_and_deliver is not ConsumingChannel._get_and_deliver
        or kind._reset_cycle is not ConsumingChannel._reset_cycle
    )


@cache
def restores_at_head(kind: type[ConsumingChannel]) -> bool:
    """Return whether channels of *kind* put messages back at the head of a queue."""
    return kind._restore_at_beginning is not ConsumingChannel._restore_at_beginning or (
        kind._put_back is not ConsumingChannel._put_back
        and kind._restore is ConsumingChannel._restore
    )


def _envelope_of(message: Any) -> Any:
    """Return the envelope of *message*, whose class may be the transport's own."""
    try:
        return message.envelope
    except AttributeError:
        return message.serializable()
