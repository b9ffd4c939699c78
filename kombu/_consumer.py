"""The consumer: receives messages from queues."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from kombu._connection import maybe_channel
from kombu._queue import Queue
from kombu.exceptions import ContentDisallowed, KombuError
from kombu.log import get_logger
from kombu.message import Message
from kombu.serialization import prepare_accept_content
from kombu.utils.functional import maybe_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ("Consumer",)

logger = get_logger("kombu.messaging")


class NoCallbacks(KombuError, NotImplementedError):
    """A consumer got a message, and has nobody to give it to."""


class Consumer:
    """Receives messages from queues.

    Arguments:
        channel: Channel, or a connection (whose default channel it uses).
        queues: A queue, or several.
        no_ack: Messages count as acknowledged once delivered; the queue's
            setting if not given.
        auto_declare: Declare the queues at once.
        callbacks: Called in turn with ``(decoded body, message)``.
        on_decode_error: Called with ``(message, error)`` for messages that
            can not be decoded, instead of raising the error.
        on_message: Called with ``(message)``, not decoded, instead of the
            callbacks.
        accept: Content types, or names of serializers, to accept.
        prefetch_count: Messages that may be unacknowledged at a time.
        tag_prefix: Begin of the consumer tags.
    """

    __module__ = "kombu.messaging"

    ContentDisallowed = ContentDisallowed

    channel: Any = None
    no_ack: bool | None = None
    auto_declare = True
    callbacks: list[Callable[[Any, Message], Any]] | None = None
    on_message: Callable[[Message], Any] | None = None
    on_decode_error: Callable[[Message, BaseException], Any] | None = None
    accept: set[str] | None = None
    prefetch_count: int | None = None

    _tags = count(1)

    def __init__(
        self,
        channel: Any,
        queues: Queue | Sequence[Queue] | None = None,
        no_ack: bool | None = None,
        auto_declare: bool | None = None,
        callbacks: list[Callable[[Any, Message], Any]] | None = None,
        on_decode_error: Callable[[Message, BaseException], Any] | None = None,
        on_message: Callable[[Message], Any] | None = None,
        accept: Iterable[str] | None = None,
        prefetch_count: int | None = None,
        tag_prefix: str | None = None,
    ) -> None:
        self.channel = channel
        self._queues: dict[str, Queue] = {
            queue.name: queue for queue in maybe_list(queues) or ()
        }
        self.no_ack = self.no_ack if no_ack is None else no_ack
        self.callbacks = list(self.callbacks or []) if callbacks is None else callbacks
        self.on_message = on_message or self.on_message
        self.tag_prefix = tag_prefix
        self._active_tags: dict[str, str] = {}
        #: How it consumes from each queue, to go on like that after a reconnect.
        self._no_acks: dict[str, bool | None] = {}
        if auto_declare is not None:
            self.auto_declare = auto_declare
        if on_decode_error is not None:
            self.on_decode_error = on_decode_error
        self.accept = prepare_accept_content(accept)
        self.prefetch_count = prefetch_count
        if self.channel:
            self.revive(self.channel)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.queues}>"

    def __enter__(self) -> Consumer:
        self.consume()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: Any, exc_tb: Any
    ) -> None:
        if self.channel is None or self.channel.connection is None:
            return
        lost = self.connection.connection_errors if exc_type else ()
        if exc_type is not None and issubclass(exc_type, lost):
            # There is nobody left to tell.
            return
        try:
            self.cancel()
        except Exception:
            # What made us leave the block matters more than this.
            logger.debug("Cannot cancel %r", self, exc_info=True)

    # -- queues ------------------------------------------------------------------

    @property
    def queues(self) -> list[Queue]:
        """The queues that it consumes from, or will."""
        return list(self._queues.values())

    def revive(self, channel: Any) -> None:
        """Use *channel*, or a connection's, from now on: after a reconnect.

        It goes on with the queues that it consumed from.
        """
        active = tuple(self._active_tags)
        self._active_tags.clear()
        channel = self.channel = maybe_channel(channel)
        for name, queue in tuple(self._queues.items()):
            self._queues.pop(name)
            bound = self._queues[queue.name] = queue(channel)
            bound.revive(channel)
        if self.auto_declare:
            self.declare()
        if self.prefetch_count is not None:
            self.qos(prefetch_count=self.prefetch_count)
        self._consume_from([q for q in self._queues.values() if q.name in active])

    def declare(self) -> None:
        """Declare the queues, with their exchanges and bindings.

        Happens by itself, unless ``auto_declare`` is off.
        """
        for name, queue in tuple(self._queues.items()):
            queue.declare()
            if queue.name != name:
                # Named by the broker.
                self._queues[queue.name] = self._queues.pop(name)

    def add_queue(self, queue: Queue) -> Queue:
        """Add a queue; call :meth:`consume` to begin with it."""
        queue = queue(self.channel)
        if self.auto_declare:
            queue.declare()
        self._queues[queue.name] = queue
        return queue

    def consuming_from(self, queue: Queue | str) -> bool:
        """Return whether it consumes from *queue*."""
        return _name_of(queue) in self._active_tags

    # -- consuming ---------------------------------------------------------------

    def register_callback(self, callback: Callable[[Any, Message], Any]) -> None:
        """Have *callback* called too with ``(decoded body, message)``."""
        if self.callbacks is None:
            self.callbacks = []
        self.callbacks.append(callback)

    def consume(self, no_ack: bool | None = None) -> None:
        """Begin to consume from those queues that it does not consume from yet.

        Arguments:
            no_ack: Messages count as acknowledged once delivered; the
                consumer's, or queue's, setting if not given.
        """
        no_ack = self.no_ack if no_ack is None else no_ack
        queues = [q for q in self._queues.values() if q.name not in self._active_tags]
        for queue in queues:
            self._no_acks[queue.name] = no_ack
        self._consume_from(queues)

    def _consume_from(self, queues: list[Queue]) -> None:
        # The answer to the last one stands for all.
        for place, queue in enumerate(queues, 1):
            nowait = place < len(queues)
            self._basic_consume(queue, self._no_acks[queue.name], nowait)

    def _basic_consume(self, queue: Queue, no_ack: bool | None, nowait: bool) -> None:
        tag = f"{self.tag_prefix or ''}{next(self._tags)}"
        self._active_tags[queue.name] = tag
        try:
            queue.consume(
                tag,
                self._receive_callback,
                no_ack=no_ack,
                nowait=nowait,
                on_cancel=self._on_cancel,
            )
        except BaseException:
            self._active_tags.pop(queue.name, None)
            raise

    def _on_cancel(self, consumer_tag: str) -> None:
        """Note that the broker cancelled a consumer: its queue is gone."""
        for name, tag in tuple(self._active_tags.items()):
            if tag == consumer_tag:
                del self._active_tags[name]

    def cancel(self) -> None:
        """Stop consuming.

        Messages delivered before are not affected; :meth:`consume` goes on.
        """
        tags = tuple(self._active_tags.values())
        self._active_tags.clear()
        for tag in tags:
            self.channel.basic_cancel(tag)

    close = cancel

    def cancel_by_queue(self, queue: Queue | str) -> None:
        """Stop consuming from *queue*, and remove it."""
        name = _name_of(queue)
        tag = self._active_tags.pop(name, None)
        self._queues.pop(name, None)
        self._no_acks.pop(name, None)
        if tag is not None:
            self.channel.basic_cancel(tag)

    def purge(self) -> int:
        """Remove all messages from the queues, and return how many there were."""
        return sum(queue.purge() for queue in self._queues.values())

    def flow(self, active: bool) -> None:
        """Suspend, or resume, delivery (AMQP's ``channel.flow``).

        Arguments:
            active: False to suspend.
        """
        self.channel.flow(active)

    def qos(
        self,
        prefetch_size: int = 0,
        prefetch_count: int = 0,
        apply_global: bool = False,
    ) -> Any:
        """Limit the messages that may be unacknowledged.

        Arguments:
            prefetch_size: Their bytes, where the broker can; 0 for no limit.
            prefetch_count: Their number; 0 for no limit.
            apply_global: For all consumers of the channel together.
        """
        return self.channel.basic_qos(prefetch_size, prefetch_count, apply_global)

    def recover(self, requeue: bool = False) -> Any:
        """Have all unacknowledged messages of the channel delivered again.

        Arguments:
            requeue: To any consumer, rather than the one that had them.
        """
        return self.channel.basic_recover(requeue=requeue)

    def receive(self, body: Any, message: Message) -> None:
        """Give a decoded message to the callbacks.

        Raises:
            NotImplementedError: There are none.
        """
        callbacks = self.callbacks
        if not callbacks:
            raise NoCallbacks("Consumer does not have any callbacks")
        for callback in callbacks:
            callback(body, message)

    def _receive_callback(self, message: Any) -> Any:
        on_message, decoded = self.on_message, None
        try:
            if not isinstance(message, Message):
                to_python = getattr(self.channel, "message_to_python", None)
                if to_python is not None:
                    message = to_python(message)
            if self.accept is not None:
                message.accept = self.accept
            if message.errors:
                message._reraise_error()
            if on_message is None:
                decoded = message.decode()
        except Exception as exc:
            if self.on_decode_error is None:
                raise
            return self.on_decode_error(message, exc)
        if on_message is not None:
            return on_message(message)
        return self.receive(decoded, message)

    @property
    def connection(self) -> Any:
        """The connection, or None if there is none any more."""
        return getattr(getattr(self.channel, "connection", None), "client", None)


def _name_of(queue: Queue | str) -> str:
    return queue.name if isinstance(queue, Queue) else queue
