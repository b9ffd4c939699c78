"""Queues with the interface of :class:`queue.Queue`."""

from __future__ import annotations

from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any

from kombu import entity, messaging
from kombu.connection import maybe_channel
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu.message import Message

__all__ = ("SimpleBuffer", "SimpleQueue")


class SimpleBase:
    """A producer and a consumer on one queue.

    Arguments:
        channel: Channel, or a connection.
        producer: The producer.
        consumer: The consumer.
        no_ack: Messages count as acknowledged once they are got.
    """

    #: Raised if there is no message.
    Empty = Empty

    _consuming = False

    def __init__(
        self, channel: Any, producer: Any, consumer: Any, no_ack: bool = False
    ) -> None:
        self.channel = maybe_channel(channel)
        self.producer = producer
        self.consumer = consumer
        self.no_ack = no_ack
        self.queue = self.consumer.queues[0]
        self.buffer: deque[Message] = deque()
        self.consumer.on_message = self._receive

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.queue.name}>"

    def __enter__(self) -> SimpleBase:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.qsize()

    def __bool__(self) -> bool:
        return True

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        """Take the next message.

        Arguments:
            block: Wait for it.
            timeout: Seconds to wait; without limit if not given.

        Raises:
            queue.Empty: There is none.
        """
        if not block:
            return self.get_nowait()
        if not self._consuming:
            self._consume()
        buffer = self.buffer
        if not buffer:
            ends = None if timeout is None else waiting.monotonic() + timeout
            client = self.channel.connection.client
            try:
                client.drain_events(timeout=timeout)
                while not buffer:
                    # The event was another one's.
                    left = None if ends is None else ends - waiting.monotonic()
                    if left is not None and left <= 0:
                        raise self.Empty()
                    client.drain_events(timeout=left)
            except TimeoutError:
                raise self.Empty() from None
        return buffer.popleft()

    def get_nowait(self) -> Message:
        """Take the next message, without waiting.

        Raises:
            queue.Empty: There is none.
        """
        # What came by the consumer was there first.
        if self.buffer:
            return self.buffer.popleft()
        message = self.queue.get(no_ack=self.no_ack, accept=self.consumer.accept)
        if message is None:
            raise self.Empty()
        return message  # type: ignore[no-any-return]

    def put(
        self,
        message: Any,
        serializer: str | None = None,
        headers: dict[str, Any] | None = None,
        compression: str | None = None,
        routing_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Publish a message to the queue.

        Arguments:
            message: The body.
            serializer: Name of the serializer.
            headers: Application headers.
            compression: Name of the compression.
            routing_key: Routing key; the queue's if not given.
            **kwargs: Further arguments of :meth:`kombu.Producer.publish`.
        """
        self.producer.publish(
            message,
            serializer=serializer,
            routing_key=routing_key,
            headers=headers,
            compression=compression,
            **kwargs,
        )

    def clear(self) -> int:
        """Remove all messages, and return how many there were."""
        return self.consumer.purge()  # type: ignore[no-any-return]

    def qsize(self) -> int:
        """Return how many messages wait."""
        _, size, _ = self.queue.queue_declare(passive=True)
        return size  # type: ignore[no-any-return]

    def close(self) -> None:
        """Stop consuming; messages that were not got go back into the queue."""
        while self.buffer:
            message = self.buffer.pop()
            # Where the channel is gone, it has put them back itself.
            if not self.no_ack and self.channel.connection is not None:
                message.requeue()
        self.consumer.cancel()
        self._consuming = False

    def _receive(self, message: Message) -> None:
        self.buffer.append(message)

    def _consume(self) -> None:
        if not self._consuming:
            self.consumer.consume(no_ack=self.no_ack)
            self._consuming = True


class SimpleQueue(SimpleBase):
    """A durable queue with the interface of :class:`queue.Queue`.

    Arguments:
        channel: Channel, or a connection.
        name: Name of the queue, its exchange and its routing key; or a
            :class:`~kombu.Queue`.
        no_ack: Messages count as acknowledged once they are got.
        queue_opts: Arguments of the :class:`~kombu.Queue`.
        queue_args: Its ``queue_arguments``.
        exchange_opts: Arguments of the :class:`~kombu.Exchange`.
        serializer: Name of the serializer.
        compression: Name of the compression.
        accept: Content types, or names of serializers, to accept.
    """

    no_ack = False
    queue_opts: dict[str, Any] = {}
    queue_args: dict[str, Any] = {}
    exchange_opts: dict[str, Any] = {"type": "direct"}

    def __init__(
        self,
        channel: Any,
        name: Any,
        no_ack: bool | None = None,
        queue_opts: dict[str, Any] | None = None,
        queue_args: dict[str, Any] | None = None,
        exchange_opts: dict[str, Any] | None = None,
        serializer: str | None = None,
        compression: str | None = None,
        accept: Iterable[str] | None = None,
    ) -> None:
        if no_ack is None:
            no_ack = self.no_ack
        if isinstance(name, entity.Queue):
            queue = name
            exchange, routing_key = queue.exchange, queue.routing_key
        else:
            exchange = entity.Exchange(
                name, **{**self.exchange_opts, **(exchange_opts or {})}
            )
            routing_key = name
            queue = entity.Queue(
                name,
                exchange,
                name,
                queue_arguments={**self.queue_args, **(queue_args or {})},
                **{**self.queue_opts, **(queue_opts or {})},
            )
        super().__init__(
            channel,
            producer=messaging.Producer(
                channel,
                exchange,
                serializer=serializer,
                routing_key=routing_key,
                compression=compression,
            ),
            consumer=messaging.Consumer(channel, queue, accept=accept),
            no_ack=no_ack,
        )


class SimpleBuffer(SimpleQueue):
    """A queue for messages that need not survive: transient, not acknowledged.

    Arguments: as for :class:`SimpleQueue`.
    """

    no_ack = True
    queue_opts = {"durable": False, "auto_delete": True, "exclusive": True}
    exchange_opts = {
        "durable": False,
        "delivery_mode": "transient",
        "auto_delete": True,
    }
