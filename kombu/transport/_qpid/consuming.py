"""Consuming on a channel: credit, deliveries, and what becomes of them.

A consumer is a link.  Messages of a cancelled consumer that the application still has
can be settled as before: the link stays, without credit, until the last of them is.
"""

from __future__ import annotations

import sys
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import proton
from amqp import exceptions as amqp_errors

from kombu.message import Message
from kombu.transport._qpid.getting import SECONDS_ON_THE_WAY, Getting
from kombu.transport._qpid.links import Incoming
from kombu.transport._qpid.messages import decode
from kombu.transport._qpid.publishing import put_symbols
from kombu.transport._qpid.settling import Settling
from kombu.utils import waiting
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

__all__ = ("Consuming",)


class Consumer:
    """What is known of one consumer."""

    __slots__ = (
        "callback",
        "is_cancelled",
        "link",
        "no_ack",
        "on_cancel",
        "queue",
        "tag",
    )

    def __init__(self, tag: str, queue: str, no_ack: bool) -> None:
        self.tag = tag
        self.queue = queue
        self.no_ack = no_ack
        self.callback: Callable[[Any], Any] | None = None
        self.on_cancel: Callable[[str], Any] | None = None
        self.link: Incoming | None = None
        self.is_cancelled = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.tag} of {self.queue}>"


class Consuming(Getting, Settling):
    """The part of a channel that consumes."""

    connection: Any
    session: Any
    dialect: Any
    make_usable: Callable[[], Any]
    wait_for: Callable[..., None]
    open_link: Callable[..., None]
    drop_link: Callable[..., None]
    _connection_in_use: Callable[[], Any]
    _rpc_lock: threading.RLock

    Message = Message

    def _begin_consuming(self) -> None:
        self._begin_settling()
        self._begin_getting()
        #: Consumers by tag; the links know theirs.
        self._consumers: dict[str, Consumer] = {}
        self._by_link: dict[Incoming, Consumer] = {}
        self._cancelled: deque[Consumer] = deque()
        self._prefetch = 0
        self.no_ack_consumers: set[str] | None = set()

    # -- limits ------------------------------------------------------------------------

    def basic_qos(
        self,
        prefetch_size: int = 0,
        prefetch_count: int = 0,
        a_global: bool = False,
        **kwargs: Any,
    ) -> None:
        """Limit unacknowledged messages of each consumer.

        Arguments:
            prefetch_size: Has no effect: AMQP 1.0 counts messages.
            prefetch_count: Most messages of a consumer; 0 for no limit.
            a_global: Apply it to the consumers that there are, too; AMQP 1.0 has no
                limit for several consumers together.
            **kwargs: Have no effect.
        """
        connection = self.make_usable()
        self._prefetch = prefetch_count
        if not a_global:
            return
        with connection.lock:
            for consumer in self._consumers.values():
                if consumer.link is not None and not consumer.no_ack:
                    self._limit(consumer.link)
                    consumer.link.grant()
        connection.flush()

    def _limit(self, link: Incoming) -> None:
        link.is_limited = self._prefetch > 0
        link.window = self._prefetch or self._connection_in_use().options.credit_window

    def flow(self, active: bool = True, **kwargs: Any) -> None:
        """Have the broker stop sending messages, or go on.

        Arguments:
            active: Whether it goes on.
            **kwargs: Have no effect.
        """
        self.make_usable()
        for consumer in tuple(self._consumers.values()):
            if active:
                self._resume(consumer)
            else:
                self._pause(consumer)

    def _pause(self, consumer: Consumer) -> None:
        """Have nothing more come for *consumer*; give back what it has not seen."""
        connection = self._connection_in_use()
        link = consumer.link
        if link is None:
            return
        if link.is_usable and connection.dialect.can_drain:
            with connection.lock:
                link.pause()
            connection.flush()
            self.wait_for(lambda: link.is_quiet, f"stopping {consumer.tag!r}")
        elif link.is_usable:
            # While it is there, what is given back would come again; what comes when
            # it is gone would be in nobody's hands.
            with connection.lock:
                link.is_paused = True
            self._wait_until_quiet(link)
            with connection.lock:
                self.drop_link(link)
            connection.flush()
            self.wait_for(lambda: link.is_ended, f"stopping {consumer.tag!r}")
        with connection.lock:
            link.is_paused = True
            for tag in connection.take_deliveries(self, link):
                self.put_back(tag)
            if link.is_closed:
                self._by_link.pop(link, None)
                consumer.link = None
        connection.flush()

    def _wait_until_quiet(self, link: Incoming) -> None:
        """Wait until nothing more comes by *link*, which gets no more credit."""
        connection = self._connection_in_use()
        with suppress(TimeoutError):
            while link.granted > 0 and link.is_usable:
                seen = link.granted
                connection.wait_until(
                    partial(link.has_changed, seen),
                    waiting.monotonic() + SECONDS_ON_THE_WAY,
                )

    def _resume(self, consumer: Consumer) -> None:
        connection = self._connection_in_use()
        if consumer.link is None:
            self._start(consumer)
            return
        with connection.lock:
            consumer.link.resume()
        connection.flush()

    # -- consumers ---------------------------------------------------------------------

    def basic_consume(
        self,
        queue: str,
        no_ack: bool = False,
        callback: Callable[[Any], Any] | None = None,
        consumer_tag: str | None = None,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
        on_cancel: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> str:
        """Consume from *queue*.

        Arguments:
            queue: Name of the queue.
            no_ack: Have messages settled as they are sent.
            callback: Called with each message.
            consumer_tag: Name of the consumer; made up if empty.
            exclusive: Be the only consumer, where the broker can.
            arguments: What the broker may be told of a consumer.
            on_cancel: Called with the tag if the broker ends it.
            **kwargs: Have no effect.

        Returns:
            The name of the consumer.

        Raises:
            NotFound: There is no such queue.
        """
        self.make_usable()
        self._ask_of_consumer(arguments or {})
        consumer = Consumer(consumer_tag or f"ctag-{uuid()}", queue, no_ack)
        consumer.callback, consumer.on_cancel = callback, on_cancel
        if no_ack and self.no_ack_consumers is not None:
            self.no_ack_consumers.add(consumer.tag)
        self._start(consumer)
        return consumer.tag

    def _start(self, consumer: Consumer) -> None:
        with self._rpc_lock:
            link = self._receiver(consumer.queue, consumer.no_ack, self._on_message)
            if not consumer.no_ack:
                self._limit(link)
            consumer.link = link
            link.on_lost = self._on_receiver_lost
            self._by_link[link] = consumer
            self._consumers[consumer.tag] = consumer
            try:
                self.open_link(link)
            except BaseException:
                self._forget_consumer(consumer)
                raise
        connection = self._connection_in_use()
        with connection.lock:
            link.grant()
        connection.flush()

    def _ask_of_consumer(self, arguments: dict[str, Any]) -> None:
        if "x-priority" in arguments:
            self._connection_in_use().transport.ask("consumer_priority")

    def _receiver(
        self,
        queue: str,
        no_ack: bool,
        on_message: Callable[[Incoming, Any, bytes, bool], None],
    ) -> Incoming:
        """Return a link from *queue* that is not open yet."""
        connection = self.make_usable()
        dialect = connection.dialect
        with connection.lock:
            endpoint = self.session.receiver(connection.new_link_name())
            endpoint.source.address = dialect.source(queue)
            put_symbols(endpoint.source.capabilities, dialect.capabilities)
            endpoint.target.address = endpoint.name
            if no_ack:
                endpoint.snd_settle_mode = proton.Link.SND_SETTLED
            else:
                endpoint.snd_settle_mode = proton.Link.SND_UNSETTLED
                endpoint.rcv_settle_mode = proton.Link.RCV_FIRST
            window = connection.options.credit_window
            what = f"consuming from queue {queue!r}"
            link = Incoming(endpoint, what, window, False, on_message)
            link.queue = queue
            return link

    def basic_cancel(self, consumer_tag: str, **kwargs: Any) -> str | None:
        """Cancel a consumer; what it has not seen goes back to its queue."""
        consumer = self._consumers.get(consumer_tag)
        connection = self._connection_in_use()
        if consumer is None:
            return None
        consumer.is_cancelled = True
        with self._rpc_lock:
            link = consumer.link
            self._pause(consumer)
            with connection.lock:
                self._forget_consumer(consumer)
                if link is None or not link.is_usable or link.unsettled:
                    return consumer_tag
                self.drop_link(link)
            connection.flush()
            ending = link
            self.wait_for(lambda: ending.is_ended, f"cancelling {consumer_tag!r}")
        return consumer_tag

    def _forget_consumer(self, consumer: Consumer) -> None:
        self._consumers.pop(consumer.tag, None)
        if consumer.link is not None:
            self._by_link.pop(consumer.link, None)
        if self.no_ack_consumers is not None:
            self.no_ack_consumers.discard(consumer.tag)

    def _on_receiver_lost(self, link: Incoming) -> None:
        """Note that the broker has ended a link.  The lock is held."""
        consumer = self._by_link.get(link)
        if consumer is None:
            return
        self.connection.take_deliveries(self, link)
        self.drop_unsettled(link)
        self._forget_consumer(consumer)
        if not consumer.is_cancelled:
            self._cancelled.append(consumer)

    def tell_of_cancelled(self) -> None:
        """Call who wants to know of consumers that the broker has ended."""
        while self._cancelled:
            consumer = self._cancelled.popleft()
            if consumer.on_cancel is not None:
                consumer.on_cancel(consumer.tag)
            else:
                raise amqp_errors.ConsumerCancelled(consumer.tag, (60, 30))

    def lose_consumers(self) -> None:
        """Forget all consumers: the session is over.  The lock is held."""
        self._consumers.clear()
        self._by_link.clear()
        self.lose_getters()
        self.lose_unsettled()
        self.no_ack_consumers = set()
        if self.connection is not None:
            self.connection.take_deliveries(self)

    def give_back_what_was_not_seen(self) -> None:
        """Give back what no callback has seen.  The lock is held."""
        for tag in self.connection.take_deliveries(self):
            self.put_back(tag)

    # -- deliveries --------------------------------------------------------------------

    def _on_message(
        self, link: Incoming, delivery: Any, data: bytes, is_settled: bool
    ) -> None:
        """Put a message aside.  The lock is held."""
        tag = self.note_delivery(link, delivery, is_settled)
        consumer = self._by_link.get(link)
        if consumer is None:
            self.put_back(tag)
            return
        self.connection.put_aside(self, link, tag, data)
        if not link.is_limited and not consumer.is_cancelled:
            link.grant()

    def deliver(self, link: Incoming, tag: int, data: bytes) -> None:
        """Give a message to its consumer."""
        consumer = self._by_link.get(link)
        connection = self._connection_in_use()
        if consumer is None or consumer.callback is None:
            with connection.lock:
                self.put_back(tag)
            connection.flush()
            return
        if consumer.no_ack:
            self.accept_if_unsettled(tag)
        message = self._message(tag, data, consumer.tag, consumer.queue)
        consumer.callback(message)

    def _message(self, tag: int, data: bytes, consumer_tag: str, queue: str) -> Any:
        info: dict[str, Any] = {"consumer_tag": consumer_tag, "delivery_tag": tag}
        try:
            received = decode(data, self.dialect)
        except ValueError:
            # One message that can't be read must not end the consumer.
            message = Message(data, tag, delivery_info=info, channel=self)
            message.errors = [sys.exc_info()]
            return message
        info["redelivered"] = received.redelivered
        info["exchange"] = received.exchange
        info["routing_key"] = (
            queue if received.routing_key is None else received.routing_key
        )
        headers = received.headers
        if received.deliveries:
            headers.setdefault("x-delivery-count", received.deliveries)
        return Message(
            received.body,
            tag,
            received.properties.get("content_type"),
            received.properties.get("content_encoding"),
            info,
            received.properties,
            headers,
            channel=self,
        )

    def message_to_python(self, raw_message: Any) -> Any:
        """Return *raw_message*: it is one already."""
        return raw_message

    def is_left_over(self, link: Incoming) -> bool:
        """Whether nobody uses *link* any more but to settle."""
        return link not in self._by_link and not self.is_getter(link)
