"""The producer: publishes messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu._batch import Batches
from kombu._connection import is_connection
from kombu._declared import DeclaredEntities
from kombu._declaring import maybe_declare
from kombu._exchange import PERSISTENT_DELIVERY_MODE, Exchange, maybe_delivery_mode
from kombu._queue import Queue
from kombu.compression import compress
from kombu.log import get_logger
from kombu.serialization import dumps
from kombu.utils.functional import ChannelPromise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

__all__ = ("Producer",)

logger = get_logger(__name__)


class Producer:
    """Publishes messages.

    Arguments:
        channel: Channel, or a connection (whose default channel it uses).
        exchange: Exchange to publish to by default, or its name.
        routing_key: Routing key to publish with by default.
        serializer: Name of the serializer; ``json`` if not given.
        auto_declare: Declare the default exchange, once.
        compression: Name of the compression; none if not given.
        on_return: Called with ``(exception, exchange, routing_key,
            message)`` for messages that are mandatory and reach no queue.
    """

    __module__ = "kombu.messaging"

    exchange: Any = None
    routing_key = ""
    serializer: str | None = None
    compression: str | None = None
    auto_declare = True
    on_return: Callable[..., Any] | None = None

    __connection__: Any = None

    #: The default exchange as it was declared, and on which channel, with what
    #: is declared there, and the generation of that.
    _declared_own: tuple[Any, Any, Any, int] = (None, None, None, 0)

    def __init__(
        self,
        channel: Any,
        exchange: Exchange | str | None = None,
        routing_key: str | None = None,
        serializer: str | None = None,
        auto_declare: bool | None = None,
        compression: str | None = None,
        on_return: Callable[..., Any] | None = None,
    ) -> None:
        self._channel = channel
        self.exchange = exchange
        self.routing_key = routing_key or self.routing_key
        self.serializer = serializer or self.serializer
        self.compression = compression or self.compression
        self.on_return = on_return or self.on_return
        if auto_declare is not None:
            self.auto_declare = auto_declare
        if self.exchange is None:
            self.exchange = Exchange("")
        elif isinstance(self.exchange, str):
            self.exchange = Exchange(self.exchange)
        self._batches = Batches()
        if self._channel:
            self.revive(self._channel)

    def __repr__(self) -> str:
        return f"<Producer: {self._channel}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.__reduce_args__()

    def __reduce_args__(self) -> tuple[Any, ...]:
        return (
            None,
            self.exchange,
            self.routing_key,
            self.serializer,
            self.auto_declare,
            self.compression,
        )

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *others: object) -> None:
        if exc_type is None:
            self.release()
            return
        try:
            self.release()
        except Exception:
            # What the block has failed with matters more.
            logger.exception("A producer could not be released in order")

    # -- channel and connection --------------------------------------------------

    def revive(self, channel: Any) -> None:
        """Use *channel*, or a connection's, from now on."""
        if is_connection(channel):
            connection = channel
            self.__connection__ = connection
            channel = ChannelPromise(lambda: connection.default_channel)
        self._channel = channel
        if not isinstance(channel, ChannelPromise):
            self._listen_for_returns(channel)
        self.exchange = self.exchange(channel)

    def _listen_for_returns(self, channel: Any) -> None:
        if self.on_return is not None:
            channel.events["basic_return"].add(self.on_return)

    @property
    def channel(self) -> Any:
        """The channel that it publishes on, opened if need be."""
        channel = self._channel
        if isinstance(channel, ChannelPromise):
            channel = self._channel = channel()
            self.exchange.revive(channel)
            self._listen_for_returns(channel)
        elif (
            self.__connection__ is not None
            and getattr(channel, "connection", channel) is None
        ):
            # It was the connection's, which has another one by now.
            self.revive(self.__connection__)
            return self.channel
        return channel

    @channel.setter
    def channel(self, channel: Any) -> None:
        self._channel = channel

    @property
    def connection(self) -> Any:
        """The connection, or None if there is none any more."""
        if self.__connection__ is not None:
            return self.__connection__
        transport = getattr(self.channel, "connection", None)
        return getattr(transport, "client", None)

    def wait_until_published(self, timeout: float | None = None) -> None:
        """Wait until the broker has what was published, where it says so.

        Arguments:
            timeout: Seconds to wait; what the transport has for closing, if not
                given.

        Raises:
            OperationalError: It did not take all, or did not say so in time; the
                text names the messages.
        """
        channel = self._channel
        if channel is None or isinstance(channel, ChannelPromise):
            return  # nothing was published
        wait = getattr(channel, "wait_until_published", None)
        if wait is not None:
            wait(timeout)

    def close(self) -> None:
        """Close the producer, once the broker has what was published.

        Its channel and connection stay as they are.

        Raises:
            OperationalError: The broker did not take all, or did not say so in time.
        """
        self.wait_until_published()

    release = close

    # -- declaring ---------------------------------------------------------------

    def declare(self) -> None:
        """Declare the default exchange, which happens by itself on publishing."""
        if self.exchange.name:
            self.exchange.declare()

    def maybe_declare(
        self, entity: Any, retry: bool = False, **retry_policy: Any
    ) -> bool:
        """Declare *entity* unless this connection has declared it.

        Arguments:
            entity: Exchange or queue.
            retry: Try again if the broker is lost.
            **retry_policy: Arguments of :meth:`kombu.Connection.ensure`.

        Returns:
            Whether it was declared now.
        """
        if not entity:
            return False
        return maybe_declare(entity, self.channel, retry, **retry_policy)

    # -- publishing --------------------------------------------------------------

    @property
    def supports_batch_publish(self) -> bool:
        """Whether the channel sends batches in one round trip."""
        return bool(getattr(self.channel, "supports_batch_publish", False))

    def batch(self, max_size: int = 1000) -> AbstractContextManager[None]:
        """Return a context in which messages are collected, and sent together.

        They are sent when there are *max_size* of them, and when the block is
        left; if it is left by an error, those not sent yet are dropped.

        Arguments:
            max_size: Most messages to collect.

        Raises:
            ValueError: *max_size* is no positive integer.
            BatchPublishError: Some could not be published.
        """
        return self._batches.open(max_size)

    def publish(
        self,
        body: Any,
        routing_key: str | None = None,
        delivery_mode: int | str | None = None,
        mandatory: bool = False,
        immediate: bool = False,
        priority: int = 0,
        content_type: str | None = None,
        content_encoding: str | None = None,
        serializer: str | None = None,
        headers: dict[str, Any] | None = None,
        compression: str | None = None,
        exchange: Exchange | str | None = None,
        retry: bool = False,
        retry_policy: dict[str, Any] | None = None,
        declare: Iterable[Any] | None = None,
        expiration: float | None = None,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
        **properties: Any,
    ) -> Any:
        """Publish a message.

        Arguments:
            body: What to send; the serializer encodes it, but bytes and text
                go as they are if none is named.
            routing_key: Routing key; the producer's if not given.
            delivery_mode: 2 or ``persistent``, 1 or ``transient``; the
                exchange's if not given.
            mandatory: Return the message if it reaches no queue.
            immediate: As in AMQP 0-9; brokers ignore or refuse it.
            priority: 0 to 9, or what the queue distinguishes.
            content_type: MIME type of a body that is encoded already.
            content_encoding: Character set of such a body.
            serializer: Name of the serializer; the producer's if not given.
            headers: Application headers.
            compression: Name of the compression; the producer's if not given.
            exchange: Exchange, or its name; the producer's if not given.
            retry: Try again if the broker is lost.
            retry_policy: Arguments of :meth:`kombu.Connection.ensure`.
            declare: Exchanges and queues to declare first, unless this
                connection has.
            expiration: Seconds after which the message is dropped.
            timeout: Seconds that the sending may take, where the transport
                can tell.
            confirm_timeout: Seconds to wait for the broker's confirmation,
                where it gives one.
            **properties: AMQP properties: ``reply_to``, ``correlation_id``,
                ``message_id``, ``timestamp``, ``type``, ``user_id``,
                ``app_id``, ...

        Raises:
            OperationalError: The broker is lost, and trying again did not
                help.
            EncodeError: The body can not be encoded.
            UnroutableError: It is mandatory, reaches no queue, and there is no
                ``on_return``.
        """
        to = self.exchange if exchange is None or exchange == "" else exchange
        if isinstance(to, Exchange):
            exchange_name = to.name
            delivery_mode = delivery_mode or to.delivery_mode
        else:
            exchange_name = to
        properties["delivery_mode"] = (
            maybe_delivery_mode(delivery_mode)
            if delivery_mode
            else PERSISTENT_DELIVERY_MODE
        )
        if routing_key is None:
            routing_key = self.routing_key
        if expiration is not None:
            properties["expiration"] = str(int(expiration * 1000))
        headers = {} if headers is None else dict(headers)
        if compression is None:
            compression = self.compression
        body, content_type, content_encoding = self._prepare(
            body, serializer, content_type, content_encoding, compression, headers
        )
        parts = (body, priority, content_type, content_encoding, headers, properties)
        options = {
            "exchange": exchange_name,
            "routing_key": routing_key,
            "mandatory": mandatory,
            "immediate": immediate,
            "timeout": timeout,
            "confirm_timeout": confirm_timeout,
        }
        if retry:
            send = self.connection.ensure(self, self._try, **(retry_policy or {}))
            return send(parts, tuple(declare or ()), options)
        return self._send(parts, declare, options)

    def _try(
        self, parts: tuple[Any, ...], declare: Iterable[Any], options: dict[str, Any]
    ) -> Any:
        """Send, so that it can be done again: the parts stay as they are."""
        *others, headers, properties = parts
        return self._send((*others, dict(headers), dict(properties)), declare, options)

    def _send(
        self,
        parts: tuple[Any, ...],
        declare: Iterable[Any] | None,
        options: dict[str, Any],
    ) -> Any:
        """Declare what is to be, and publish a message made of *parts*."""
        channel = self.channel
        if declare:
            self._declare_all(declare, channel)
        exchange = self.exchange
        if exchange.name and self.auto_declare:
            known = self._declared_own
            if (
                known[0] is not exchange
                or known[1] is not channel
                or known[2].generation != known[3]
            ):
                self._declare_own(exchange, channel)
        body, priority, content_type, content_encoding, headers, properties = parts
        if "reply_to" in properties:
            reply_to = properties["reply_to"]
            if isinstance(reply_to, Queue):
                # Its name may have come from the declaration just made.
                properties["reply_to"] = reply_to.name
        message = channel.prepare_message(
            body, priority, content_type, content_encoding, headers, properties
        )
        if self._batches.count and self._batches.is_open:
            return self._batches.publish(channel, message, **options)
        return channel.basic_publish(message, **options)

    def _declare_all(self, entities: Iterable[Any], channel: Any) -> None:
        """Declare *entities*, unless the connection has."""
        declared = _declared_on(channel)
        for entity in entities:
            if entity not in declared:
                maybe_declare(entity, channel)

    def _declare_own(self, exchange: Exchange, channel: Any) -> None:
        """Declare the default exchange, unless the connection has."""
        maybe_declare(exchange, channel)
        if exchange.can_cache_declaration:
            declared = _declared_on(channel)
            self._declared_own = (exchange, channel, declared, declared.generation)

    def _prepare(
        self,
        body: Any,
        serializer: str | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        compression: str | None = None,
        headers: dict[str, Any] | None = None,
    ) -> tuple[Any, str | None, str | None]:
        """Return the encoded body, its content type and its encoding."""
        if not content_type or serializer:
            content_type, content_encoding, body = dumps(
                body, serializer=serializer or self.serializer
            )
        elif isinstance(body, str):
            content_encoding = content_encoding or "utf-8"
            body = body.encode(content_encoding)
        elif not content_encoding:
            content_encoding = "binary"
        if compression:
            body, used = compress(body, compression)
            if headers is not None:
                headers["compression"] = used
        return body, content_type, content_encoding


def _declared_on(channel: Any) -> DeclaredEntities:
    """Return what is known to be declared on the connection of *channel*."""
    try:
        declared = channel.connection.client.declared_entities
    except AttributeError:
        declared = None
    return declared if isinstance(declared, DeclaredEntities) else DeclaredEntities()
