"""The interface of Carrot, the library that came before, for old programs."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from kombu import messaging
from kombu.entity import Exchange, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu.message import Message

__all__ = ("Consumer", "ConsumerSet", "Publisher", "entry_to_queue")

#: Definition of a queue from its flat settings.
entry_to_queue = Queue.from_dict


def _iterconsume(
    connection: Any, consumer: Any, no_ack: bool = False, limit: int | None = None
) -> Iterator[Any]:
    consumer.consume(no_ack=no_ack)
    for iteration in count(0):
        if limit is not None and iteration >= limit:
            break
        yield connection.drain_events()


class Publisher(messaging.Producer):
    """Carrot's name for a producer.

    Arguments:
        connection: The connection, whose default channel is used.
        exchange: Name of the exchange.
        routing_key: Routing key.
        exchange_type: Type of the exchange.
        durable: Whether the exchange survives a restart of the broker.
        auto_delete: Whether it is deleted with its last binding.
        channel: Channel to use.
        **kwargs: Further arguments of :class:`kombu.Producer`.
    """

    __module__ = "kombu.compat"

    exchange: Any = ""
    exchange_type = "direct"
    routing_key = ""
    durable = True
    auto_delete = False
    _closed = False

    def __init__(
        self,
        connection: Any,
        exchange: Any = None,
        routing_key: str | None = None,
        exchange_type: str | None = None,
        durable: bool | None = None,
        auto_delete: bool | None = None,
        channel: Any = None,
        **kwargs: Any,
    ) -> None:
        connection = channel or connection
        self.exchange = exchange or self.exchange
        self.exchange_type = exchange_type or self.exchange_type
        self.routing_key = routing_key or self.routing_key
        if auto_delete is not None:
            self.auto_delete = auto_delete
        if durable is not None:
            self.durable = durable
        if not isinstance(self.exchange, Exchange):
            self.exchange = Exchange(
                name=self.exchange,
                type=self.exchange_type,
                routing_key=self.routing_key,
                auto_delete=self.auto_delete,
                durable=self.durable,
            )
        super().__init__(connection, self.exchange, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Publish a message."""
        return self.publish(*args, **kwargs)

    def close(self) -> None:
        """Close the publisher; the channel, which is not its own, stays open."""
        self._closed = True

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def backend(self) -> Any:
        """The channel."""
        return self.channel


class Consumer(messaging.Consumer):
    """Carrot's consumer of one queue.

    Arguments:
        connection: The connection; a channel is opened on it.
        queue: Name of the queue.
        exchange: Name of the exchange.
        routing_key: Routing key.
        exchange_type: Type of the exchange.
        durable: Whether queue and exchange survive a restart of the broker.
        exclusive: Whether the queue belongs to this connection.
        auto_delete: Whether queue and exchange go when no longer used.
        **kwargs: Further arguments of :class:`kombu.Consumer`.
    """

    __module__ = "kombu.compat"

    queue = ""
    exchange = ""
    routing_key = ""
    exchange_type = "direct"
    durable = True
    exclusive = False
    auto_delete = False
    _closed = False

    def __init__(
        self,
        connection: Any,
        queue: str | None = None,
        exchange: str | None = None,
        routing_key: str | None = None,
        exchange_type: str | None = None,
        durable: bool | None = None,
        exclusive: bool | None = None,
        auto_delete: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.backend = connection.channel()
        if durable is not None:
            self.durable = durable
        if exclusive is not None:
            self.exclusive = exclusive
        if auto_delete is not None:
            self.auto_delete = auto_delete
        self.queue = queue or self.queue
        self.exchange = exchange or self.exchange
        self.exchange_type = exchange_type or self.exchange_type
        self.routing_key = routing_key or self.routing_key
        to = Exchange(
            self.exchange,
            type=self.exchange_type,
            auto_delete=self.auto_delete,
            durable=self.durable,
        )
        declared = Queue(
            self.queue,
            exchange=to,
            routing_key=self.routing_key,
            durable=self.durable,
            exclusive=self.exclusive,
            auto_delete=self.auto_delete,
        )
        super().__init__(self.backend, declared, **kwargs)

    def revive(self, channel: Any) -> None:
        """Use the new *channel*."""
        self.backend = channel
        super().revive(channel)

    def close(self) -> None:
        """Stop consuming, and close the channel."""
        self.cancel()
        self.backend.close()
        self._closed = True

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        return self.iterqueue(infinite=True)

    def fetch(
        self, no_ack: bool | None = None, enable_callbacks: bool = False
    ) -> Message | None:
        """Take the next message, without waiting.

        Arguments:
            no_ack: Consider it acknowledged.
            enable_callbacks: Also give it to the callbacks.
        """
        no_ack = self.no_ack if no_ack is None else no_ack
        message = self.queues[0].get(no_ack)
        if message is not None and enable_callbacks:
            self.receive(message.payload, message)
        return message

    def iterconsume(
        self, limit: int | None = None, no_ack: bool | None = None
    ) -> Iterator[Any]:
        """Consume, one event for each step of the iterator."""
        return _iterconsume(self.connection, self, no_ack or False, limit)

    def wait(self, limit: int | None = None) -> list[Any]:
        """Consume until *limit* events have come."""
        return list(self.iterconsume(limit))

    def process_next(self) -> Message | None:
        """Take the next message, and give it to the callbacks, without waiting."""
        return self.fetch(enable_callbacks=True)

    def discard_all(self, filterfunc: Callable[[Message], bool] | None = None) -> int:
        """Remove the messages that wait.

        Arguments:
            filterfunc: Called with each message: true for those to remove.

        Returns:
            How many were removed.
        """
        if filterfunc is None:
            return self.purge()
        kept = []
        discarded = 0
        while (message := self.fetch(no_ack=False)) is not None:
            if filterfunc(message):
                message.ack()
                discarded += 1
            else:
                kept.append(message)
        # Each goes to the head of the queue, so the last one goes first.
        for message in reversed(kept):
            message.requeue()
        return discarded

    def iterqueue(
        self, limit: int | None = None, infinite: bool = False
    ) -> Iterator[Any]:
        """Take the messages that there are.

        Arguments:
            limit: Most messages to take.
            infinite: Go on, with :const:`None` where there is none.
        """
        for items_since_start in count():
            if limit is not None and items_since_start >= limit:
                break
            item = self.fetch()
            if not infinite and item is None:
                break
            yield item


class ConsumerSet(messaging.Consumer):
    """Carrot's consumer of several queues.

    Arguments:
        connection: The connection.
        from_dict: Settings by name of the queue.
        consumers: Consumers whose queues to consume from too.
        channel: Channel to use.
        **kwargs: Further arguments of :class:`kombu.Consumer`.
    """

    __module__ = "kombu.compat"

    def __init__(
        self,
        connection: Any,
        from_dict: dict[str, dict[str, Any]] | None = None,
        consumers: list[Any] | None = None,
        channel: Any = None,
        **kwargs: Any,
    ) -> None:
        self._owns_channel = channel is None
        self.backend = channel or connection.channel()
        queues = [queue for consumer in consumers or () for queue in consumer.queues]
        queues += [
            Queue.from_dict(name, **options)
            for name, options in (from_dict or {}).items()
        ]
        super().__init__(self.backend, queues, **kwargs)

    def iterconsume(self, limit: int | None = None, no_ack: bool = False) -> Any:
        """Consume, one event for each step of the iterator."""
        return _iterconsume(self.connection, self, no_ack, limit)

    def discard_all(self) -> int:
        """Remove all messages, and return how many there were."""
        return self.purge()

    def add_consumer_from_dict(self, queue: str, **options: Any) -> Queue:
        """Add the queue *queue* by its settings."""
        return self.add_queue(Queue.from_dict(queue, **options))

    def add_consumer(self, consumer: Any) -> None:
        """Add the queues of *consumer*."""
        for queue in consumer.queues:
            self.add_queue(queue)

    def revive(self, channel: Any) -> None:
        """Use the new *channel*."""
        self.backend = channel
        super().revive(channel)

    def close(self) -> None:
        """Stop consuming, and close the channel if it was opened here."""
        self.cancel()
        if self._owns_channel:
            self.channel.close()
