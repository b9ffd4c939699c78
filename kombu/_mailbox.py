"""The mailbox: sends commands to nodes, and collects their replies."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import defaultdict, deque
from contextlib import contextmanager
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Any

from kombu._node import Node
from kombu.clocks import LamportClock
from kombu.common import maybe_declare
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from kombu.log import get_logger
from kombu.messaging import Consumer, Producer
from kombu.utils.deadline import Deadline
from kombu.utils.functional import maybe_evaluate
from kombu.utils.objects import cached_property
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("REPLY_QUEUE_EXPIRES", "Mailbox")

#: Seconds without use after which a reply queue is deleted.
REPLY_QUEUE_EXPIRES = 10.0

logger = get_logger("kombu.pidbox")


class InvalidArgument(KombuError, ValueError):
    """An argument that a mailbox can not make sense of."""


class Mailbox:
    """Sends commands to the nodes of a namespace.

    Arguments:
        namespace: Name that mailbox and nodes share.
        type: Type of the exchange: ``direct`` to one node, ``fanout`` to all.
        connection: The connection.
        clock: Logical clock of the process.
        accept: Content types that nodes and replies may have.
        serializer: Name of the serializer.
        producer_pool: Pool of producers to use.
        queue_ttl: Seconds that a command may wait in a node's queue.
        queue_expires: Seconds without use after which a node's queue is
            deleted.
        queue_durable: Whether a node's queue survives a restart of the broker.
        queue_exclusive: Whether it belongs to one connection.
        reply_queue_ttl: Seconds that a reply may wait.
        reply_queue_expires: Seconds without use after which the reply queue is
            deleted.
    """

    __module__ = "kombu.pidbox"

    node_cls: type[Node] = Node
    exchange_fmt = "%s.pidbox"
    reply_exchange_fmt = "reply.%s.pidbox"

    namespace: str | None = None
    connection: Any = None
    type = "direct"
    exchange: Any = None
    reply_exchange: Any = None
    accept = ["json"]
    serializer: str | None = None

    def __init__(
        self,
        namespace: str,
        type: str = "direct",
        connection: Any = None,
        clock: Any = None,
        accept: list[str] | None = None,
        serializer: str | None = None,
        producer_pool: Any = None,
        queue_ttl: float | None = None,
        queue_expires: float | None = None,
        queue_durable: bool = False,
        queue_exclusive: bool = True,
        reply_queue_ttl: float | None = None,
        reply_queue_expires: float | None = REPLY_QUEUE_EXPIRES,
    ) -> None:
        if queue_durable and queue_exclusive:
            raise InvalidArgument(
                "queue_durable and queue_exclusive can not both be true: an "
                "exclusive queue goes away with its connection"
            )
        self.namespace = namespace
        self.connection = connection
        self.type = type
        self.clock = LamportClock() if clock is None else clock
        self.exchange = self._get_exchange(namespace, type)
        self.reply_exchange = self._get_reply_exchange(namespace)
        self.unclaimed: defaultdict[str, deque[Any]] = defaultdict(deque)
        self.accept = self.accept if accept is None else accept
        self.serializer = self.serializer if serializer is None else serializer
        self.queue_ttl = queue_ttl
        self.queue_expires = queue_expires
        self.queue_durable = queue_durable
        self.queue_exclusive = queue_exclusive
        self.reply_queue_ttl = reply_queue_ttl
        self.reply_queue_expires = reply_queue_expires
        self._producer_pool = producer_pool
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.namespace} ({self.type})>"

    def __call__(self, connection: Any) -> Mailbox:
        """Return a copy that uses *connection*."""
        bound = copy(self)
        bound.connection = connection
        bound._local = threading.local()
        return bound

    def Node(
        self,
        hostname: str | None = None,
        state: Any = None,
        channel: Any = None,
        handlers: dict[str, Callable[..., Any]] | None = None,
    ) -> Node:
        """Return a node of this mailbox.

        Arguments:
            hostname: Its name; that of the host if not given.
            state: Passed to the handlers.
            channel: Channel to consume on.
            handlers: Handlers by command.
        """
        return self.node_cls(
            hostname or socket.gethostname(), state, channel, handlers, mailbox=self
        )

    # -- sending -----------------------------------------------------------------

    def call(
        self,
        destination: list[str],
        command: str,
        kwargs: dict[str, Any] | None = None,
        timeout: float | None = None,
        callback: Callable[[Any], Any] | None = None,
        channel: Any = None,
    ) -> list[Any] | None:
        """Send a command to the nodes *destination*, and return their replies."""
        return self._broadcast(
            command,
            kwargs,
            destination,
            reply=True,
            timeout=timeout,
            callback=callback,
            channel=channel,
        )

    def cast(
        self,
        destination: list[str],
        command: str,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Send a command to the nodes *destination*."""
        self._broadcast(command, kwargs, destination, reply=False)

    def abcast(self, command: str, kwargs: dict[str, Any] | None = None) -> None:
        """Send a command to all nodes."""
        self._broadcast(command, kwargs, reply=False)

    def multi_call(
        self,
        command: str,
        kwargs: dict[str, Any] | None = None,
        timeout: float | None = 1,
        limit: int | None = None,
        callback: Callable[[Any], Any] | None = None,
        channel: Any = None,
    ) -> list[Any] | None:
        """Send a command to all nodes, and return their replies.

        Arguments:
            command: The command.
            kwargs: Its arguments.
            timeout: Seconds to wait for replies.
            limit: Most replies to wait for.
            callback: Called with each reply.
            channel: Channel to use.
        """
        return self._broadcast(
            command,
            kwargs,
            reply=True,
            timeout=timeout,
            limit=limit,
            callback=callback,
            channel=channel,
        )

    def _broadcast(
        self,
        command: str,
        arguments: dict[str, Any] | None = None,
        destination: list[str] | tuple[str, ...] | None = None,
        reply: bool = False,
        timeout: float | None = 1,
        limit: int | None = None,
        callback: Callable[[Any], Any] | None = None,
        channel: Any = None,
        serializer: str | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ) -> list[Any] | None:
        if destination is not None and not isinstance(destination, (list, tuple)):
            raise InvalidArgument(
                "destination must be a list/tuple not "
                f"{destination.__class__}: pass [{destination!r}]"
            )
        if (pattern is None) != (matcher is None):
            raise InvalidArgument("pattern and matcher must be given together")
        # No more replies are waited for than there are nodes asked.
        if limit is None and destination:
            limit = len(destination) or None
        channel = channel or self.connection.default_channel
        reply_ticket = uuid() if reply else None
        if reply:
            maybe_declare(self.reply_queue(channel))
        self._publish(
            command,
            arguments or {},
            destination=destination,
            reply_ticket=reply_ticket,
            channel=channel,
            timeout=timeout,
            serializer=serializer,
            pattern=pattern,
            matcher=matcher,
        )
        if reply_ticket is None:
            return None
        return self._collect(
            reply_ticket,
            limit=limit,
            timeout=timeout,
            callback=callback,
            channel=channel,
        )

    def _publish(
        self,
        type: str,
        arguments: dict[str, Any],
        destination: Any = None,
        reply_ticket: str | None = None,
        channel: Any = None,
        timeout: float | None = None,
        serializer: str | None = None,
        producer: Any = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ) -> None:
        message: dict[str, Any] = {
            "method": type,
            "arguments": arguments,
            "destination": destination,
            "pattern": pattern,
            "matcher": matcher,
        }
        if reply_ticket:
            message["ticket"] = reply_ticket
            message["reply_to"] = {
                "exchange": self.reply_exchange.name,
                "routing_key": self.oid,
            }
        with self.producer_or_acquire(producer, channel) as producer:
            producer.publish(
                message,
                exchange=self.exchange.name,
                declare=[self.exchange],
                headers={
                    "clock": self.clock.forward(),
                    "expires": time.time() + timeout if timeout else 0,
                },
                serializer=serializer or self.serializer,
                retry=True,
            )

    def _publish_reply(
        self,
        reply: Any,
        exchange: str,
        routing_key: str,
        ticket: str | None,
        channel: Any = None,
        producer: Any = None,
        **opts: Any,
    ) -> None:
        to = Exchange(exchange, type="direct", delivery_mode="transient", durable=False)
        with self.producer_or_acquire(producer, channel) as producer:
            try:
                producer.publish(
                    reply,
                    exchange=to,
                    routing_key=routing_key,
                    declare=[to],
                    headers={"ticket": ticket, "clock": self.clock.forward()},
                    retry=True,
                    **opts,
                )
            except KombuError as exc:
                if not _is_nobody_waiting(exc):
                    raise
                # The caller has gone, and its queue with it.
                logger.debug("Nobody waits for the reply to %s: %r", ticket, exc)

    # -- receiving ---------------------------------------------------------------

    def _collect(
        self,
        ticket: str,
        limit: int | None = None,
        timeout: float | None = 1,
        callback: Callable[[Any], Any] | None = None,
        channel: Any = None,
        accept: list[str] | None = None,
    ) -> list[Any]:
        if accept is None:
            accept = self.accept
        channel = channel or self.connection.default_channel
        queue = self.reply_queue
        consumer = Consumer(channel, [queue], accept=accept, no_ack=True)
        responses: list[Any] = []
        unclaimed = self.unclaimed
        if ticket in unclaimed:
            # Came while the replies to another command were collected.
            responses.extend(unclaimed.pop(ticket))

        def on_message(body: Any, message: Any) -> None:
            headers = message.headers
            self.clock.adjust(headers.get("clock") or 0)
            expires = headers.get("expires")
            if expires and time.time() > expires:
                return
            its_ticket = headers.get("ticket", ticket)
            if its_ticket == ticket:
                if callback is not None:
                    callback(body)
                responses.append(body)
            else:
                unclaimed[its_ticket].append(body)

        consumer.register_callback(on_message)
        deadline = Deadline(timeout)
        try:
            with consumer:
                client = channel.connection.client
                for _ in count():
                    if limit and len(responses) >= limit:
                        break
                    if deadline.has_expired:
                        break
                    try:
                        client.drain_events(timeout=deadline.remaining())
                    except TimeoutError:
                        break
            return responses
        finally:
            channel.after_reply_message_received(queue.name)

    # -- exchanges, queues and producers -------------------------------------------

    def _get_exchange(self, namespace: str, type: str) -> Exchange:
        return Exchange(
            self.exchange_fmt % namespace,
            type=type,
            durable=False,
            delivery_mode="transient",
        )

    def _get_reply_exchange(self, namespace: str) -> Exchange:
        return Exchange(
            self.reply_exchange_fmt % namespace,
            type="direct",
            durable=False,
            delivery_mode="transient",
        )

    def get_queue(self, hostname: str | None) -> Queue:
        """Return the queue of the node *hostname*."""
        return Queue(
            f"{hostname}.{self.namespace}.pidbox",
            exchange=self.exchange,
            durable=self.queue_durable,
            exclusive=self.queue_exclusive,
            auto_delete=not self.queue_durable,
            expires=self.queue_expires,
            message_ttl=self.queue_ttl,
        )

    def get_reply_queue(self) -> Queue:
        """Return a queue for replies to this mailbox in this thread."""
        oid = self.oid
        return Queue(
            f"{oid}.{self.reply_exchange.name}",
            exchange=self.reply_exchange,
            routing_key=oid,
            durable=self.queue_durable,
            exclusive=self.queue_exclusive,
            auto_delete=not self.queue_durable,
            expires=self.reply_queue_expires,
            message_ttl=self.reply_queue_ttl,
        )

    @property
    def reply_queue(self) -> Queue:
        """The queue for replies in this thread."""
        return self.get_reply_queue()

    @property
    def oid(self) -> str:
        """Identifier of this mailbox in this thread.

        Made up rather than derived from what the mailbox and the thread are:
        their numbers are given again to others when they are gone, and the
        queue that is named after them may still be there.
        """
        known: tuple[int, str] | None = getattr(self._local, "oid", None)
        if known is None or known[0] != os.getpid():
            known = self._local.oid = (os.getpid(), uuid())
        return known[1]

    @cached_property
    def producer_pool(self) -> Any:
        """The pool of producers, if there is one."""
        return maybe_evaluate(self._producer_pool)

    @contextmanager
    def producer_or_acquire(
        self, producer: Any = None, channel: Any = None
    ) -> Iterator[Any]:
        """Return a context with *producer*, one of the pool, or on *channel*."""
        if producer is not None:
            yield producer
        elif self.producer_pool is not None:
            with self.producer_pool.acquire() as producer:
                yield producer
        else:
            yield Producer(channel or self.connection, auto_declare=False)


def _is_nobody_waiting(error: BaseException) -> bool:
    from kombu.exceptions import InconsistencyError, NotFound

    return isinstance(error, (InconsistencyError, NotFound))
