"""What a consumer that is to be killed does: consume, and say what it got.

The same in a process of its own and in a thread; see
:mod:`kombu.testing._killable`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.messaging import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.message import Message

__all__ = ("ConsumerTask", "Delivery", "consume")

#: Seconds that one wait for events takes before a look at anything else.
_SLICE = 0.05


class Delivery(NamedTuple):
    """What a consumer tells of a message.

    Attributes:
        body: The decoded body.
        is_redelivered: Whether it was marked so.
        deliveries: Its header ``x-delivery-count``; 0 if there is none.
        is_acknowledged: Whether it was acknowledged.
    """

    body: Any
    is_redelivered: bool
    deliveries: int
    is_acknowledged: bool


@dataclass(frozen=True)
class ConsumerTask:
    """What is consumed, and how; it can be written as JSON.

    Attributes:
        url: URL of the broker.
        queue: Name of the queue.
        transport: Name of the transport, if the URL does not tell.
        transport_options: Options of the connection.
        declaration: Arguments of ``queue_declare``; None to declare nothing.
        exchange: Exchange to bind the queue to; empty for none.
        routing_key: Key to bind it by.
        acknowledges: How many of the first messages it acknowledges; the
            others it keeps in hand.
        prefetch_count: Most messages in hand; 0 for no limit.
        consumer_arguments: Arguments of the consumer.
        seconds: How long its callback takes.
        is_late: Whether it acknowledges at the end of its callback, and then
            tells of the message once more.
    """

    url: str
    queue: str
    transport: Any = None
    transport_options: dict[str, Any] = field(default_factory=dict)
    declaration: dict[str, Any] | None = None
    exchange: str = ""
    routing_key: str = ""
    acknowledges: int = 0
    prefetch_count: int = 0
    consumer_arguments: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    is_late: bool = False

    def as_text(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> ConsumerTask:
        """Undo :meth:`as_text`."""
        return cls(**json.loads(text))


def consume(
    task: ConsumerTask,
    report: Callable[[Delivery | None], None],
    pause: Callable[[float], None],
) -> None:
    """Do *task* for ever, or until *pause* raises.

    Arguments:
        task: What to do.
        report: Called with None once it consumes, then with each message.
        pause: Called with the seconds that a callback takes, and with 0
            between two messages.
    """
    connection = Connection(
        task.url, transport=task.transport, transport_options=task.transport_options
    )
    channel: Any = connection.channel()
    _declare(task, channel)
    seen: list[Any] = []

    def on_message(message: Message) -> None:
        is_acknowledged = len(seen) < task.acknowledges
        seen.append(message)
        if is_acknowledged and not task.is_late:
            message.ack()
        report(_delivery(message, is_acknowledged and not task.is_late))
        pause(task.seconds)
        if is_acknowledged and task.is_late:
            message.ack()
            report(_delivery(message, True))

    queue = Queue(task.queue, consumer_arguments=dict(task.consumer_arguments))
    consumer = Consumer(
        channel,
        [queue],
        on_message=on_message,
        auto_declare=False,
        prefetch_count=task.prefetch_count or None,
    )
    consumer.consume()
    report(None)
    while True:
        with suppress(TimeoutError):
            connection.drain_events(timeout=_SLICE)
        pause(0)


def _declare(task: ConsumerTask, channel: Any) -> None:
    if task.declaration is None:
        return
    channel.queue_declare(queue=task.queue, **task.declaration)
    if task.exchange:
        channel.queue_bind(task.queue, task.exchange, task.routing_key)


def _delivery(message: Message, is_acknowledged: bool) -> Delivery:
    return Delivery(
        message.payload,
        bool(message.delivery_info.get("redelivered")),
        int(message.headers.get("x-delivery-count") or 0),
        is_acknowledged,
    )
