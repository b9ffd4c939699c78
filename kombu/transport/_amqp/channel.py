"""A channel: publishes, consumes, acknowledges and declares.

A channel that the broker has closed, because of something that was wrong, opens again
when it is used next; consumers and unacknowledged messages are gone with the old one.
So delivery tags go on counting: those from before are known to be stale.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from amqp import Channel as AMQPChannel
from amqp import exceptions as amqp_errors

from kombu import exceptions
from kombu.log import get_logger
from kombu.transport._amqp.answering import Answering
from kombu.transport._amqp.batch import Batch
from kombu.transport._amqp.confirms import (
    Confirmation,
    Confirmations,
    Publication,
    outbox_of,
    timeout_error,
)
from kombu.transport._amqp.declaring import Declaring
from kombu.transport._amqp.errors import BrokenFrame, ConnectionLost, StaleDelivery
from kombu.transport._amqp.frames import (
    PublishFrames,
    ack_frame,
    confirm_select_frame,
    nack_frame,
    reject_frame,
)
from kombu.transport._amqp.message import (
    DecodedProperties,
    Outgoing,
    delivered_message,
)
from kombu.transport._amqp.message import Message as ReceivedMessage
from kombu.transport._amqp.properties import encode_properties
from kombu.transport.base import StdChannel
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.parser import Confirmed, Delivered

__all__ = ("Channel",)

logger = get_logger(__name__)

_PERSISTENT = 2

#: Properties that every message of a producer has.
_USUAL = frozenset(
    {
        "content_type",
        "content_encoding",
        "application_headers",
        "delivery_mode",
        "priority",
    }
)

#: Errors that the broker closes a channel with, as ours.
_ERRORS = {
    404: "NotFound",
    405: "ResourceLocked",
    406: "PreconditionFailed",
}


class Channel(Declaring, Answering, AMQPChannel, StdChannel):  # type: ignore[misc]
    """A channel.

    Arguments:
        connection: The connection.
        channel_id: Its number, if not the next that is free.
        auto_decode: Has no effect.
        on_open: Called once it is open.
    """

    Message = ReceivedMessage

    def __init__(
        self,
        connection: Any,
        channel_id: int | None = None,
        auto_decode: bool = True,
        on_open: Any = None,
    ) -> None:
        self._lost: BaseException | None = None
        self._is_to_reopen = False
        self._rpc_lock = threading.RLock()
        self._publish_lock = threading.Lock()
        self._confirmations: Confirmations | None = None
        self._decoded = DecodedProperties()
        #: Delivery tags up to this are of before the channel was closed; and the
        #: last that was seen.
        self._base = self._last_tag = 0
        super().__init__(connection, channel_id, auto_decode, on_open)
        self._frames = PublishFrames(self.channel_id, connection.frame_max)
        self._encoded: dict[tuple[Any, ...], bytes] = {}

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__}: {self.channel_id} {state}>"

    # -- life ----------------------------------------------------------------------

    def _connection_in_use(self) -> Any:
        connection = self.connection
        if connection is None:
            raise self._lost or ConnectionLost("the channel is closed")
        return connection

    def raise_if_lost(self) -> None:
        """Raise why the broker has closed the channel, if nobody knows yet."""
        error = self._lost
        if error is not None and self.connection is not None:
            self._lost = None
            raise error.with_traceback(None)

    def make_usable(self) -> Any:
        """Open the channel again if the broker has closed it.

        Returns:
            The connection.

        Raises:
            ChannelError: It was closed, and nobody knows yet.
        """
        connection = self._connection_in_use()
        if self._lost is not None:
            self.raise_if_lost()
        if self._is_to_reopen:
            with self._rpc_lock:
                if self._is_to_reopen:
                    self._is_to_reopen = False
                    self.open()
        return connection

    def _on_close(
        self, reply_code: int, reply_text: str, class_id: int, method_id: int
    ) -> None:
        error = _error_of(reply_code, reply_text, (class_id, method_id))
        self.is_open = False
        self._is_to_reopen = True
        self._base = self._last_tag
        self.callbacks.clear()
        self.cancel_callbacks.clear()
        self.no_ack_consumers = set()
        confirmations, self._confirmations = self._confirmations, None
        for confirmation in confirmations.give_up() if confirmations else ():
            confirmation.settle(error)
        connection = self.connection
        connection.forget_deliveries(self)
        self._lost = error
        self.send_method((20, 41))

    def on_connection_lost(self, error: BaseException) -> None:
        """Note that the connection is lost: what is not confirmed may be lost too."""
        connection = self.connection
        self._lost = ConnectionLost(f"the connection was lost: {error}")
        self.is_open = False
        confirmations, self._confirmations = self._confirmations, None
        left = confirmations.give_up() if confirmations else []
        lost = ConnectionLost(f"not confirmed, the connection was lost: {error}")
        for confirmation in left:
            if confirmation.is_watched:
                confirmation.settle(lost)
        again = [c for c in left if not c.is_done]
        if again and connection is not None and connection.client is not None:
            outbox_of(connection.client).put(again)

    def collect(self) -> None:
        """Forget the connection."""
        with suppress(AttributeError):  # of a connection that is gone
            super().collect()
        self.connection = None

    def close(self, *args: Any, **kwargs: Any) -> None:
        """Close the channel, once what was published on it is confirmed."""
        connection = self.connection
        if connection is None or not connection.connected:
            self.collect()
            return
        self.flush_before_close()
        if self._is_to_reopen or self._lost is not None:
            self._lost = None
            self.collect()
            return
        with self._rpc_lock:
            super().close(*args, **kwargs)
        connection.forget_deliveries(self)

    # -- publishing ------------------------------------------------------------------

    @property
    def supports_batch_publish(self) -> bool:
        """Whether it sends many messages as one, and then waits for all."""
        connection = self.connection
        return connection is not None and bool(connection.options.confirms)

    @property
    def _options(self) -> Any:
        return self._connection_in_use().options

    def create_publish_batch(self, max_size: int = 1000) -> Batch:
        """Return a batch of up to *max_size* messages."""
        return Batch(self, max_size)

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        _Message: Any = Outgoing,
    ) -> Any:
        """Return a message to be published."""
        return _Message(
            body,
            priority=priority,
            content_type=content_type,
            content_encoding=content_encoding,
            application_headers=headers,
            **(properties or {}),
        )

    def message_to_python(self, raw_message: Any) -> ReceivedMessage:
        """Return the message that :mod:`amqp` received as *raw_message*."""
        if isinstance(raw_message, ReceivedMessage):
            return raw_message
        return self.Message(raw_message, channel=self)

    def basic_publish(
        self,
        msg: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
        argsig: str = "",
    ) -> Confirmation | None:
        """Publish a message.

        Arguments:
            msg: The message, made by :meth:`prepare_message`.
            exchange: Name of the exchange.
            routing_key: Routing key.
            mandatory: Have it returned if it reaches no queue.
            immediate: Not offered by RabbitMQ, which closes the connection.
            timeout: Seconds that the broker may take nothing.
            confirm_timeout: Seconds to wait for the confirmation; by default this
                does not wait for it, unless ``confirm_publish`` is on.
            argsig: Has no effect.

        Returns:
            The confirmation, for persistent messages; None where there is none.

        Raises:
            ConnectionBlocked: The broker takes no messages.
            Unconfirmed: Messages before were not confirmed; this one is not sent.
            MessageNacked: The broker did not take it.
            ConfirmTimeout: It did not confirm in time.
        """
        connection = self.make_usable()
        options = connection.options
        waits = options.confirm_each or confirm_timeout is not None
        is_raising = mandatory and not self.events["basic_return"]
        if options.confirms and (
            waits or is_raising or msg.properties.get("delivery_mode") == _PERSISTENT
        ):
            self.select_confirms()
        publication = Publication(msg, exchange or "", routing_key or "", mandatory)
        confirmations = self._confirmations
        if confirmations is not None:
            confirmations.raise_failures()
            self._publish_again(connection)
        if connection.is_blocked or connection.is_time_to_look:
            connection.check_room(timeout)
        confirmation = self._publish(connection, publication, immediate, timeout)
        if confirmation is None:
            return None
        if waits or is_raising:
            confirmation.wait(confirm_timeout)
        elif len(confirmations or ()) >= options.confirm_window:
            self._make_room(options.confirm_window)
        return confirmation

    def basic_publish_confirm(self, *args: Any, **kwargs: Any) -> Any:
        """Publish a message, and wait until the broker has it."""
        self.select_confirms()
        confirmation = Channel.basic_publish(self, *args, **kwargs)
        if confirmation is not None:
            confirmation.wait(kwargs.get("confirm_timeout"))
        return confirmation

    def select_confirms(self) -> None:
        """Have the broker confirm what is published from now on."""
        if self._confirmations is None:
            with self._publish_lock:
                if self._confirmations is None:
                    # The answer need not be waited for: the order is enough.
                    frame = confirm_select_frame(self.channel_id)
                    self._connection_in_use().send((frame,), None, self._count)

    def _count(self) -> Callable[[], None]:
        """Begin to count what is published: when the broker does."""
        self._confirmations = Confirmations()

        def undo() -> None:
            self._confirmations = None

        return undo

    def _publish(
        self,
        connection: Any,
        publication: Publication,
        immediate: bool = False,
        timeout: float | None = None,
        confirmation: Confirmation | None = None,
    ) -> Confirmation | None:
        """Send a message; return its confirmation, if there will be one."""
        parts = self.frames_of(publication, immediate)
        if not connection.options.confirms:
            connection.send(parts, timeout)
            return None
        added = confirmation or Confirmation(publication, self)
        is_added = self._send_counted(connection, parts, timeout, [added])
        return added if is_added else None

    def _send_counted(
        self,
        connection: Any,
        parts: list[Any],
        timeout: float | None,
        added: list[Confirmation],
    ) -> bool:
        """Send messages, and note them if the broker counts."""
        counted: Confirmations | None = None

        def count() -> Callable[[], None] | None:
            nonlocal counted
            counted = self._confirmations
            if counted is None:
                return None
            for confirmation in added:
                confirmation.channel = self
                counted.add(confirmation)
            return undo

        def undo() -> None:
            for _ in added:
                counted.take_back()  # type: ignore[union-attr]

        try:
            connection.send(parts, timeout, count)
        except BaseException as exc:
            # Who called us knows, and may publish it again.
            for confirmation in added:
                confirmation.settle(exc)
            raise
        return counted is not None

    def publish_many(
        self, publications: list[tuple[Publication, bool]]
    ) -> list[Confirmation]:
        """Send messages as one piece; return their confirmations."""
        connection = self.make_usable()
        self.select_confirms()
        self._publish_again(connection)
        connection.check_room(None)
        parts: list[Any] = []
        for publication, immediate in publications:
            parts += self.frames_of(publication, immediate)
        made = [Confirmation(publication, self) for publication, _ in publications]
        for confirmation in made:
            confirmation.is_watched = True
        self._send_counted(connection, parts, None, made)
        return made

    def frames_of(self, publication: Publication, immediate: bool = False) -> list[Any]:
        """Return the frames of a message, encoded."""
        message, exchange, routing_key, mandatory = publication
        body = message.body
        if isinstance(body, str):
            body = body.encode(message.properties.get("content_encoding") or "utf-8")
        properties = self._properties_of(message.properties)
        return self._frames.make(
            exchange, routing_key, properties, body, bool(mandatory), bool(immediate)
        )

    def _properties_of(self, properties: dict[str, Any]) -> bytes:
        """Return encoded *properties*: those without headers and ids repeat."""
        headers = properties.get("application_headers")
        if headers or properties.keys() != _USUAL:
            return encode_properties(properties)
        key = (
            headers is None,
            properties["content_type"],
            properties["content_encoding"],
            properties["delivery_mode"],
            properties["priority"],
        )
        try:
            encoded = self._encoded.get(key)
        except TypeError:  # of what can not be sent
            return encode_properties(properties)
        if encoded is None:
            encoded = encode_properties(properties)
            if len(self._encoded) >= 256:
                self._encoded.clear()
            self._encoded[key] = encoded
        return encoded

    def _publish_again(self, connection: Any) -> None:
        """Publish what was lost with the connection before."""
        if connection.client is None:
            return
        for confirmation in outbox_of(connection.client).take():
            if not confirmation.is_done:
                self._publish(
                    connection, confirmation.publication, confirmation=confirmation
                )

    def publish_what_was_lost(self) -> None:
        """Publish what was lost with the connection before, if there is something."""
        self.select_confirms()
        self._publish_again(self._connection_in_use())

    # -- confirms --------------------------------------------------------------------

    def on_confirmed(self, event: Confirmed) -> None:
        """Settle what the broker confirms."""
        confirmations = self._confirmations
        if confirmations is not None:
            confirmations.settle(event.delivery_tag, event.multiple, event.nacked)
        kind = "basic_nack" if event.nacked else "basic_ack"
        for listener in tuple(self.events.get(kind, ())):
            listener(event.delivery_tag, event.multiple)

    def wait_for_confirms(
        self,
        timeout: float | None = None,
        is_done: Callable[[], bool] | None = None,
        confirmation: Confirmation | None = None,
    ) -> None:
        """Wait until all that was published is confirmed.

        Arguments:
            timeout: Seconds to wait; without limit if not given.
            is_done: What to wait for instead.
            confirmation: The one that is waited for, if it is one.

        Raises:
            ConfirmTimeout: It was not in time.
            Unconfirmed: Some were refused, or returned.
        """
        connection = self._connection_in_use()
        deadline = None if timeout is None else waiting.monotonic() + timeout
        try:
            connection.wait_until(is_done or self._is_all_confirmed, deadline)
        except TimeoutError as exc:
            publication = confirmation.publication if confirmation else None
            raise timeout_error(publication, timeout) from exc
        finally:
            connection.announce_deliveries()
        if is_done is None and self._confirmations is not None:
            self._confirmations.raise_failures()

    def _is_all_confirmed(self) -> bool:
        return not self._confirmations

    def _make_room(self, window: int) -> None:
        self.wait_for_confirms(
            self._options.confirm_timeout,
            lambda: len(self._confirmations or ()) <= window // 2,
        )

    def flush_before_close(self) -> None:
        """Wait for what is outstanding; what fails is but logged."""
        if not self._confirmations:
            return
        try:
            self.wait_for_confirms(self._options.close_timeout)
        except (exceptions.OperationalError, amqp_errors.AMQPError, OSError) as exc:
            logger.error("Closing a channel: %s", exc)

    def _on_basic_return(
        self,
        reply_code: int,
        reply_text: str,
        exchange: str,
        routing_key: str,
        message: Any,
    ) -> None:
        if self.events["basic_return"]:
            error = amqp_errors.error_for_code(
                reply_code, reply_text, (50, 60), amqp_errors.ChannelError
            )
            for listener in tuple(self.events["basic_return"]):
                listener(error, exchange, routing_key, message)
            return
        unroutable = exceptions.UnroutableError(exchange, routing_key)
        confirmations = self._confirmations
        if confirmations is None or not confirmations.note_return(
            exchange, routing_key, unroutable
        ):
            logger.warning("A message came back: %s", unroutable)

    # -- consuming -------------------------------------------------------------------

    def deliver(self, event: Delivered) -> None:
        """Give a message to its consumer."""
        tag = self._last_tag = event.delivery_tag + self._base
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
        if (
            consumer_tag not in (self.no_ack_consumers or ())
            and self.connection is not None
        ):
            self.basic_reject(tag, requeue=True)

    def basic_ack(
        self, delivery_tag: int, multiple: bool = False, argsig: str = ""
    ) -> None:
        """Acknowledge a message, or all up to it."""
        connection = self._connection_in_use()
        tag = self._wire_tag(delivery_tag)
        connection.send((ack_frame(self.channel_id, tag, multiple),))

    def basic_reject(
        self, delivery_tag: int, requeue: bool = False, argsig: str = ""
    ) -> None:
        """Refuse a message."""
        connection = self._connection_in_use()
        tag = self._wire_tag(delivery_tag)
        connection.send((reject_frame(self.channel_id, tag, bool(requeue)),))

    def basic_nack(
        self, delivery_tag: int, multiple: bool = False, requeue: bool = True
    ) -> None:
        """Refuse a message, or all up to it."""
        connection = self._connection_in_use()
        tag = self._wire_tag(delivery_tag)
        frame = nack_frame(self.channel_id, tag, bool(multiple), bool(requeue))
        connection.send((frame,))

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

    def basic_get(self, queue: str = "", no_ack: bool = False, argsig: str = "") -> Any:
        """Return the next message of *queue*, or None."""
        self.make_usable()
        with self._rpc_lock:
            message = super().basic_get(queue, no_ack)
        if message is None:
            return None
        tag = self._last_tag = message.delivery_info["delivery_tag"] + self._base
        message.delivery_info["delivery_tag"] = tag
        return message

    def basic_consume(self, queue: str = "", *args: Any, **kwargs: Any) -> Any:
        """Consume from *queue*."""
        self.make_usable()
        with self._rpc_lock:
            return super().basic_consume(queue, *args, **kwargs)

    def basic_cancel(
        self, consumer_tag: str, nowait: bool = False, **kwargs: Any
    ) -> Any:
        """Cancel a consumer."""
        if self._is_to_reopen:  # the broker did
            return None
        with self._rpc_lock:
            done = super().basic_cancel(consumer_tag, nowait, **kwargs)
        connection = self.connection
        if connection is not None:
            # Nobody may ever drain events again: it is given back now.
            for event in connection.take_deliveries(self, consumer_tag):
                self.deliver(event)
        return done

    def basic_qos(
        self, prefetch_size: int, prefetch_count: int, a_global: bool, argsig: str = ""
    ) -> Any:
        """Limit unacknowledged messages; for the whole channel if *a_global*.

        A broker that knows no limit for a whole channel has one for each consumer.
        """
        connection = self.make_usable()
        with self._rpc_lock:
            return super().basic_qos(
                prefetch_size,
                prefetch_count,
                bool(a_global) and connection.has_channel_prefetch,
            )

    def prepare_queue_arguments(
        self, arguments: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Turn options of a queue into arguments of RabbitMQ."""
        from kombu.transport.base import to_rabbitmq_queue_arguments

        arguments = to_rabbitmq_queue_arguments(arguments, **kwargs)
        if "x-delivery-limit" in arguments and "x-queue-type" not in arguments:
            # Only quorum queues have one: others refuse to be declared with it.
            arguments = {**arguments, "x-queue-type": "quorum"}
        return arguments


def _error_of(code: int, text: str, method: tuple[int, int]) -> BaseException:
    """Return the error that the broker closes a channel with."""
    kind = getattr(exceptions, _ERRORS.get(code, ""), None)
    if kind is not None:
        return kind(text, method, _name_of(method), code)  # type: ignore[no-any-return]
    return amqp_errors.error_for_code(  # type: ignore[no-any-return]
        code, text, method, amqp_errors.ChannelError
    )


def _name_of(method: tuple[int, int]) -> str:
    names: dict[tuple[int, int], str] = amqp_errors.METHOD_NAME_MAP
    return names.get(method, "")
