"""Compositions that applications need often: broadcast, replies, event loops.

A door over one noun a file, with the small functions beside it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any

from kombu import serialization
from kombu._broadcast import Broadcast
from kombu._declaring import declaration_cached, maybe_declare
from kombu._prefetch import PREFETCH_COUNT_MAX, QoS
from kombu.exceptions import TimeoutError
from kombu.log import get_logger
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from kombu.connection import Connection
    from kombu.entity import Exchange, Queue
    from kombu.message import Message
    from kombu.messaging import Consumer, Producer

__all__ = (
    "PREFETCH_COUNT_MAX",
    "Broadcast",
    "QoS",
    "collect_replies",
    "declaration_cached",
    "drain_consumer",
    "eventloop",
    "generate_oid",
    "get_node_id",
    "ignore_errors",
    "insured",
    "itermessages",
    "maybe_declare",
    "oid_from",
    "revive_connection",
    "send_reply",
    "uuid",
)

logger = get_logger(__name__)


# -- identities ------------------------------------------------------------------


@cache
def _node_id_of(pid: int) -> int:
    import uuid as standard

    return standard.uuid4().int


def get_node_id() -> int:
    """Return a number that no other process has."""
    return _node_id_of(os.getpid())


def generate_oid(
    node_id: Any, process_id: Any, thread_id: Any, instance: object
) -> str:
    """Return an identifier of *instance*, made from where it lives."""
    import uuid as standard

    text = f"{node_id:x}-{process_id:x}-{thread_id:x}-{id(instance):x}"
    try:
        return str(standard.uuid3(standard.NAMESPACE_OID, text))
    except ValueError:
        # There is no MD5 where FIPS applies.
        return str(standard.uuid5(standard.NAMESPACE_OID, text))


def oid_from(instance: object, threads: bool = True) -> str:
    """Return an identifier of *instance* in this process.

    Arguments:
        instance: Any object.
        threads: Make it differ by thread.
    """
    thread_id = threading.get_ident() if threads else 0
    return generate_oid(get_node_id(), os.getpid(), thread_id, instance)


# -- receiving -------------------------------------------------------------------


def eventloop(
    conn: Connection,
    limit: int | None = None,
    timeout: float | None = None,
    ignore_timeouts: bool = False,
) -> Iterator[Any]:
    """Deliver events again and again, one for each step of the iterator.

    Arguments:
        conn: The connection.
        limit: Most events; without limit if not given.
        timeout: Seconds to wait for each.
        ignore_timeouts: Go on when there was none.

    Raises:
        socket.timeout: There was no event in time.
    """
    for _ in range(limit) if limit else count():
        try:
            yield conn.drain_events(timeout=timeout)
        except TimeoutError:
            if timeout and not ignore_timeouts:
                raise


def drain_consumer(
    consumer: Consumer,
    limit: int | None = 1,
    timeout: float | None = None,
    callbacks: list[Callable[..., Any]] | None = None,
) -> Iterator[tuple[Any, Message]]:
    """Return an iterator over ``(body, message)`` that *consumer* gets.

    Arguments:
        consumer: The consumer; its callbacks are replaced.
        limit: Most messages.
        timeout: Seconds to wait for each; then the iterator goes on, and ends
            with the limit.
        callbacks: Called with each ``(body, message)`` too.
    """
    received: deque[tuple[Any, Message]] = deque()

    def on_message(body: Any, message: Message) -> None:
        received.append((body, message))

    consumer.callbacks = [on_message, *(callbacks or [])]
    with consumer:
        client = consumer.channel.connection.client
        for _ in eventloop(client, limit=limit, timeout=timeout, ignore_timeouts=True):
            if received:
                yield received.popleft()


def itermessages(
    conn: Connection,
    channel: Any,
    queue: Queue,
    limit: int | None = 1,
    timeout: float | None = None,
    callbacks: list[Callable[..., Any]] | None = None,
    **kwargs: Any,
) -> Iterator[tuple[Any, Message]]:
    """Return an iterator over ``(body, message)`` from *queue*.

    Arguments:
        conn: The connection.
        channel: Channel to consume on.
        queue: The queue.
        limit: Most messages.
        timeout: Seconds to wait for each.
        callbacks: Called with each ``(body, message)`` too.
        **kwargs: Arguments of the :class:`~kombu.Consumer`.
    """
    return drain_consumer(
        conn.Consumer(queues=[queue], channel=channel, **kwargs),
        limit=limit,
        timeout=timeout,
        callbacks=callbacks,
    )


# -- requests and replies ----------------------------------------------------------


def send_reply(
    exchange: Exchange | str,
    req: Message,
    msg: Any,
    producer: Producer | None = None,
    retry: bool = False,
    retry_policy: dict[str, Any] | None = None,
    **props: Any,
) -> Any:
    """Answer a request, in the serialization that it came in.

    Arguments:
        exchange: Exchange to publish the reply to.
        req: The request; it has ``reply_to`` and ``correlation_id``.
        msg: The reply.
        producer: Producer to use.
        retry: Try again if the broker is lost.
        retry_policy: Arguments of :meth:`kombu.Connection.ensure`.
        **props: Further arguments of :meth:`kombu.Producer.publish`.
    """
    if producer is None:
        from kombu.exceptions import NotBoundError

        raise NotBoundError("send_reply needs a producer: pass producer=")
    options = {
        "routing_key": req.properties["reply_to"],
        "correlation_id": req.properties.get("correlation_id"),
        "serializer": serialization.registry.type_to_name[req.content_type or ""],
        "content_encoding": req.content_encoding,
        **props,
    }
    return producer.publish(
        msg, exchange=exchange, retry=retry, retry_policy=retry_policy, **options
    )


def collect_replies(
    conn: Connection, channel: Any, queue: Queue, *args: Any, **kwargs: Any
) -> Iterator[Any]:
    """Return an iterator over the bodies of replies that arrive in *queue*.

    Arguments:
        conn: The connection.
        channel: Channel to consume on.
        queue: The reply queue.
        *args: Arguments of :func:`itermessages`.
        **kwargs: As *args*.
    """
    no_ack = kwargs.setdefault("no_ack", True)
    has_received = False
    try:
        for body, message in itermessages(conn, channel, queue, *args, **kwargs):
            if not no_ack:
                message.ack()
            has_received = True
            yield body
    finally:
        if has_received:
            channel.after_reply_message_received(queue.name)


# -- errors ------------------------------------------------------------------------


@contextmanager
def _ignoring_errors(conn: Connection) -> Iterator[None]:
    try:
        yield
    except conn.connection_errors + conn.channel_errors:
        logger.debug("Ignored an error of the broker", exc_info=True)


def ignore_errors(
    conn: Connection,
    fun: Callable[..., Any] | None = None,
    *args: Any,
    **kwargs: Any,
) -> AbstractContextManager[None] | Any:
    """Call *fun*, and do not mind errors of connection and channel.

    Arguments:
        conn: The connection.
        fun: The function; if not given, a context manager is returned.
        *args: Arguments of *fun*.
        **kwargs: As *args*.
    """
    if fun is None:
        return _ignoring_errors(conn)
    with _ignoring_errors(conn):
        return fun(*args, **kwargs)


def revive_connection(
    connection: Connection,
    channel: Any,
    on_revive: Callable[[Any], Any] | None = None,
) -> None:
    """Tell *on_revive* of the new *channel*."""
    if on_revive is not None:
        on_revive(channel)


_CONNECT_LIMITS = ("max_retries", "interval_start", "interval_step", "interval_max")


def _log_lost_connection(exc: BaseException, interval: float) -> None:
    logger.error("Connection error: %r. Retry in %ss", exc, interval)


def insured(
    pool: Any,
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    errback: Callable[[BaseException, float], Any] | None = None,
    on_revive: Callable[[Any], Any] | None = None,
    **opts: Any,
) -> Any:
    """Call *fun* with a connection of *pool*, again if the broker is lost.

    Arguments:
        pool: Pool of connections.
        fun: Called with the arguments given, ``channel=`` and
            ``connection=``.
        args: Arguments of *fun*.
        kwargs: Keyword arguments of *fun*.
        errback: Called with ``(error, seconds to wait)`` for each failure.
        on_revive: Called with the new channel.
        **opts: Arguments of :meth:`kombu.Connection.ensure`.

    Returns:
        What *fun* returns.
    """
    errback = errback or _log_lost_connection
    with pool.acquire(block=True) as connection:
        # The limits of the call are those of connecting, too.
        limits = {name: opts[name] for name in _CONNECT_LIMITS if name in opts}
        connection.ensure_connection(errback=errback, **limits)
        call = connection.autoretry(
            fun,
            connection.default_channel,
            errback=errback,
            on_revive=partial(revive_connection, connection, on_revive=on_revive),
            **opts,
        )
        result, _ = call(*args, **{**kwargs, "connection": connection})
        return result
