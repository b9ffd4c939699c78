"""The part of a channel that consumes, and settles what was received."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.errors import BrokenFrame, StaleDelivery
from kombu.transport._amqp.frames import nack_frame, reject_frame
from kombu.transport._amqp.message import DecodedProperties, delivered_message
from kombu.transport._amqp.message import Message as ReceivedMessage

if TYPE_CHECKING:
    from kombu.transport._amqp.parser import Delivered
    from kombu.transport._amqp.settled import SettledTags

__all__ = ("Consuming",)


class Consuming:
    """Receives, acknowledges and refuses.

    The broker numbers what it delivers, from one again when the channel was closed;
    we go on counting: the tag of a message is its number and :attr:`_base`.
    """

    connection: Any
    channel_id: Any
    callbacks: Any
    no_ack_consumers: Any
    make_usable: Any
    check_open: Any
    raise_if_lost: Any
    _connection_in_use: Any
    _rpc_lock: Any
    _is_to_reopen: bool
    _lost: BaseException | None
    _decoded: DecodedProperties
    settled: SettledTags
    _base: int
    _last_tag: int

    # -- receiving -------------------------------------------------------------------

    def number(self, tag: int) -> int:
        """Return what we call the delivery *tag*, which has just come."""
        tag += self._base
        if tag > self._last_tag:
            self._last_tag = tag
        return tag

    def deliver(self, event: Delivered, tag: int) -> None:
        """Give a message to its consumer."""
        callback = self.callbacks.get(event.consumer_tag)
        if callback is None:
            self._refuse(event.consumer_tag, tag)
            return
        try:
            properties = self._decoded.of(event.properties)
        except BrokenFrame:
            # One message that can't be read must not end the consumer.
            message = delivered_message(self, event, tag, {})
            message.errors = [sys.exc_info()]
            callback(message)
        else:
            callback(delivered_message(self, event, tag, properties))

    def _refuse(self, consumer_tag: str, tag: int) -> None:
        """Give back what came for a consumer that was cancelled meanwhile."""
        is_owed = consumer_tag not in (self.no_ack_consumers or ())
        if is_owed and self.connection is not None and tag > self._base:
            self.basic_reject(tag, requeue=True)

    def message_to_python(self, raw_message: Any) -> ReceivedMessage:
        """Return the message that :mod:`amqp` received as *raw_message*."""
        if isinstance(raw_message, ReceivedMessage):
            return raw_message
        return self.Message(raw_message, channel=self)  # type: ignore[attr-defined, no-any-return]

    def basic_get(self, queue: str = "", no_ack: bool = False, argsig: str = "") -> Any:
        """Return the next message of *queue*, or None."""
        with self._rpc_lock:
            self.make_usable()
            base = self._base
            message = super().basic_get(queue, no_ack)  # type: ignore[misc]
        if message is None:
            return None
        tag = message.delivery_info["delivery_tag"]
        # If the channel was closed meanwhile, it is stale already.
        tag = self.number(tag) if base == self._base else min(tag + base, self._base)
        message.delivery_info["delivery_tag"] = tag
        return message

    # -- settling --------------------------------------------------------------------

    def basic_ack(
        self, delivery_tag: int, multiple: bool = False, argsig: str = ""
    ) -> None:
        """Acknowledge a message, or all up to it."""
        connection = self._connection_in_use()
        settled = self.settled
        tag = self._wire_tag(delivery_tag)
        connection.acknowledge(self, settled, tag, bool(multiple))

    def basic_reject(
        self, delivery_tag: int, requeue: bool = False, argsig: str = ""
    ) -> None:
        """Refuse a message."""
        connection = self._connection_in_use()
        settled = self.settled
        tag = self._wire_tag(delivery_tag)
        frame = reject_frame(self.channel_id, tag, bool(requeue))
        connection.send((frame,), None, self.check_open)
        connection.acks.note(settled, tag, False)

    def basic_nack(
        self, delivery_tag: int, multiple: bool = False, requeue: bool = True
    ) -> None:
        """Refuse a message, or all up to it."""
        connection = self._connection_in_use()
        settled = self.settled
        tag = self._wire_tag(delivery_tag)
        frame = nack_frame(self.channel_id, tag, bool(multiple), bool(requeue))
        connection.send((frame,), None, self.check_open)
        connection.acks.note(settled, tag, bool(multiple))

    def _wire_tag(self, delivery_tag: int) -> int:
        """Return what the broker calls a delivery."""
        if self._lost is not None:
            self.raise_if_lost()
        if not self._base or not delivery_tag:
            return delivery_tag
        tag = delivery_tag - self._base
        if tag <= 0:
            raise StaleDelivery(
                f"delivery {delivery_tag} is of before the channel was closed: "
                "the message comes again"
            )
        return tag

    # -- consumers -------------------------------------------------------------------

    def basic_consume(self, queue: str = "", *args: Any, **kwargs: Any) -> Any:
        """Consume from *queue*."""
        with self._rpc_lock:
            self.make_usable()
            return super().basic_consume(queue, *args, **kwargs)  # type: ignore[misc]

    def basic_cancel(
        self, consumer_tag: str, nowait: bool = False, **kwargs: Any
    ) -> Any:
        """Cancel a consumer."""
        if self._is_to_reopen:  # the broker did
            return None
        with self._rpc_lock:
            done = super().basic_cancel(consumer_tag, nowait, **kwargs)  # type: ignore[misc]
        connection = self.connection
        if connection is not None:
            # Nobody may ever drain events again: it is given back now.
            for _, event, tag in connection.deliveries.take_of(self, consumer_tag):
                self.deliver(event, tag)
        return done

    def basic_qos(
        self, prefetch_size: int, prefetch_count: int, a_global: bool, argsig: str = ""
    ) -> Any:
        """Limit unacknowledged messages; for the whole channel if *a_global*.

        A broker that knows no limit for a whole channel has one for each consumer.
        """
        with self._rpc_lock:
            connection = self.make_usable()
            return super().basic_qos(  # type: ignore[misc]
                prefetch_size,
                prefetch_count,
                bool(a_global) and connection.has_channel_prefetch,
            )
