"""Delayed delivery on RabbitMQ, by a chain of queues that let messages wait.

A delay is written in binary, 28 digits as words of the routing key, before the key
itself.  There is a level for each digit, an exchange with a queue: where the digit is
1, the message waits in the queue for as many seconds as the digit is worth, and is then
dead-lettered to the level below; where it is 0, it goes there at once.  The last level
hands it to the delivery exchange, to which the destinations are bound by ``#.key``.

The names are those of kombu 5.7, which Celery uses too.  They may have a prefix.

Known limits: delays are whole seconds, up to 2**28 - 1; direct exchanges can not be
reached, since they do not know ``#``; what waits can not be taken back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = (
    "CELERY_DELAYED_DELIVERY_EXCHANGE",
    "MAX_LEVEL",
    "MAX_NUMBER_OF_BITS_TO_USE",
    "bind_queue_to_native_delayed_delivery_exchange",
    "calculate_routing_key",
    "declare_native_delayed_delivery_exchanges_and_queues",
    "level_name",
)

logger = get_logger(__name__)

#: Digits of a delay.
MAX_NUMBER_OF_BITS_TO_USE = 28
MAX_LEVEL = MAX_NUMBER_OF_BITS_TO_USE - 1
CELERY_DELAYED_DELIVERY_EXCHANGE = "celery_delayed_delivery"

_QUEUE_TYPES = ("classic", "quorum")

#: A delay that a routing key has already: of a message that is delayed again.
_delay = re.compile(rf"^(?:[01]\.){{{MAX_NUMBER_OF_BITS_TO_USE}}}")


def level_name(level: int, prefix: str | None = None) -> str:
    """Return the name of the exchange, and queue, of a level.

    Arguments:
        level: Number of the level: what waits there waits 2**level seconds.
        prefix: Prefix of the name, if any.

    Raises:
        ValueError: *level* is negative.
    """
    if level < 0:
        raise ValueError("level must be a non-negative number")
    return _prefixed(f"celery_delayed_{level}", prefix)


def _prefixed(name: str, prefix: str | None) -> str:
    return f"{prefix}_{name}" if prefix else name


def _words_before(level: int) -> str:
    """Return a pattern for the digits of the levels above *level*."""
    return "*." * (MAX_LEVEL - level)


def declare_native_delayed_delivery_exchanges_and_queues(
    connection: Any, queue_type: str, prefix: str | None = None
) -> None:
    """Declare all levels, and the delivery exchange.

    Arguments:
        connection: A connection to RabbitMQ.
        queue_type: ``classic`` or ``quorum``: of the queues in which messages wait.
        prefix: Prefix of all names, if any.

    Raises:
        ValueError: *queue_type* is neither.
    """
    if queue_type not in _QUEUE_TYPES:
        raise ValueError("queue_type must be either classic or quorum")
    delivery = _prefixed(CELERY_DELAYED_DELIVERY_EXCHANGE, prefix)
    names = [level_name(level, prefix) for level in range(MAX_LEVEL + 1)]
    with connection.channel() as channel:
        for name in (*reversed(names), delivery):
            channel.exchange_declare(
                exchange=name, type="topic", durable=True, auto_delete=False
            )
        for level in range(MAX_LEVEL, -1, -1):
            name = names[level]
            below = names[level - 1] if level else delivery
            _declare_level(channel, level, name, below, queue_type)
            channel.exchange_bind(
                destination=below,
                source=name,
                routing_key=f"{_words_before(level)}0.#",
            )


def _declare_level(
    channel: Any, level: int, name: str, below: str, queue_type: str
) -> None:
    """Declare the queue of a level, and bind it."""
    arguments: dict[str, Any] = {
        "x-queue-type": queue_type,
        "x-overflow": "reject-publish",
        "x-message-ttl": 2**level * 1000,
        "x-dead-letter-exchange": below,
    }
    if queue_type == "quorum":
        arguments["x-dead-letter-strategy"] = "at-least-once"
    channel.queue_declare(
        queue=name, durable=True, auto_delete=False, arguments=arguments
    )
    channel.queue_bind(
        queue=name, exchange=name, routing_key=f"{_words_before(level)}1.#"
    )


def bind_queue_to_native_delayed_delivery_exchange(
    connection: Any, queue: Any, prefix: str | None = None
) -> None:
    """Bind *queue* so that delayed messages reach it.

    A direct exchange can not be reached: that is but logged.

    Arguments:
        connection: A connection to RabbitMQ.
        queue: A :class:`kombu.Queue`, which is declared already.
        prefix: Prefix of all names, if any.
    """
    delivery = _prefixed(CELERY_DELAYED_DELIVERY_EXCHANGE, prefix)
    with connection.channel() as channel:
        for exchange, key in _destinations(queue):
            if exchange.type == "direct":
                logger.warning(
                    "Exchange %s is a direct exchange, which delayed messages can "
                    "not reach: a consumer has to keep them until they are due",
                    exchange.name,
                )
                continue
            pattern = key if key.startswith("#") else f"#.{key}"
            channel.exchange_bind(
                destination=exchange.name, source=delivery, routing_key=pattern
            )
            channel.queue_bind(
                queue=queue.name, exchange=exchange.name, routing_key=pattern
            )


def _destinations(queue: Any) -> Iterator[tuple[Any, str]]:
    """Return the exchanges that *queue* is bound to, each with the routing key."""
    if queue.bindings:
        for binding in queue.bindings:
            yield binding.exchange, binding.routing_key or ""
    else:
        yield queue.exchange, queue.routing_key or ""


def calculate_routing_key(countdown: int, routing_key: str) -> str:
    """Return the routing key by which a message comes *countdown* seconds later.

    It is to be published to the exchange ``level_name(27)``.

    Arguments:
        countdown: Seconds, from 1 to 2**28 - 1.
        routing_key: Routing key of the destination; a delay that it has already
            is replaced.

    Raises:
        ValueError: *countdown* is not positive, or there is no routing key.
    """
    if countdown < 1:
        raise ValueError("countdown must be a positive number")
    if not routing_key:
        raise ValueError("routing_key must be non-empty")
    digits = f"{countdown:0{MAX_NUMBER_OF_BITS_TO_USE}b}"
    return ".".join([*digits, _delay.sub("", routing_key)])
