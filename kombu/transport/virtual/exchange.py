"""Exchange types of virtual transports: how each one stores and finds bindings.

The fast path of a look-up is :mod:`~kombu.transport.virtual.routing`.  What is
here serves transports that keep the binding table in their store (they
override ``get_table``), and applications that add exchange types of their own
(to ``Channel.exchange_types``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from kombu.transport.virtual._headers import check_arguments, matches
from kombu.transport.virtual._topic import pattern_to_regex, topic_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kombu.transport.virtual._table import Row

__all__ = (
    "STANDARD_EXCHANGE_TYPES",
    "DirectExchange",
    "ExchangeType",
    "FanoutExchange",
    "HeadersExchange",
    "TopicExchange",
)


class ExchangeType:
    """Base of exchange types.

    Arguments:
        channel: The channel that routes by it.
    """

    type: ClassVar[str | None] = None

    def __init__(self, channel: Any) -> None:
        self.channel = channel

    def lookup(
        self,
        table: Iterable[Row],
        exchange: str,
        routing_key: str,
        default: str | None,
    ) -> Iterable[str]:
        """Return the queues that a message reaches.

        Arguments:
            table: The bindings of the exchange.
            exchange: Its name.
            routing_key: The message's routing key.
            default: Queue for messages that match nothing.
        """
        raise NotImplementedError("subclass responsibility")

    def deliver(
        self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any
    ) -> None:
        """Put *message* into the queues that it reaches."""
        channel = self.channel
        for queue in channel._lookup(exchange, routing_key):
            channel._put(queue, message, **kwargs)

    def prepare_bind(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> Row:
        """Return the row for the binding table.

        Returns:
            ``(routing_key, pattern, queue)``.
        """
        return routing_key, None, queue

    def equivalent(
        self,
        prev: Mapping[str, Any],
        exchange: str,
        type: str,
        durable: bool,
        auto_delete: bool,
        arguments: Mapping[str, Any] | None,
    ) -> bool:
        """Return whether a declaration says what the declared one *prev* does."""
        return (
            type == prev["type"]
            and durable == prev["durable"]
            and auto_delete == prev["auto_delete"]
            and (arguments or {}) == (prev["arguments"] or {})
        )


class DirectExchange(ExchangeType):
    """Routes by equality of the routing key."""

    type = "direct"

    def lookup(
        self,
        table: Iterable[Row],
        exchange: str,
        routing_key: str,
        default: str | None,
    ) -> Iterable[str]:
        return {queue for key, _, queue in table if key == routing_key}


class TopicExchange(ExchangeType):
    """Routes by patterns of words: ``*`` is one word, ``#`` zero or more."""

    type = "topic"

    #: Expression for each sign, as a word by itself.
    wildcards: ClassVar[dict[str, str]] = {"*": r"[^\.]+", "#": r".*?"}

    def lookup(
        self,
        table: Iterable[Row],
        exchange: str,
        routing_key: str,
        default: str | None,
    ) -> Iterable[str]:
        return {queue for key, _, queue in table if topic_matches(key, routing_key)}

    def prepare_bind(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> Row:
        return routing_key, self.key_to_pattern(routing_key), queue

    def key_to_pattern(self, rkey: str) -> str:
        """Return the regular expression for the topic pattern *rkey*."""
        return pattern_to_regex(rkey)


class FanoutExchange(ExchangeType):
    """Routes to all that is bound."""

    type = "fanout"

    def lookup(
        self,
        table: Iterable[Row],
        exchange: str,
        routing_key: str,
        default: str | None,
    ) -> Iterable[str]:
        return {queue for _, _, queue in table}

    def deliver(
        self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any
    ) -> None:
        if self.channel.supports_fanout:
            self.channel._put_fanout(exchange, message, routing_key, **kwargs)
        else:
            super().deliver(message, exchange, routing_key, **kwargs)


class HeadersExchange(ExchangeType):
    """Routes by header values; the arguments are kept as the row's pattern."""

    type = "headers"

    def lookup(
        self,
        table: Iterable[Row],
        exchange: str,
        routing_key: str,
        default: str | None,
        headers: Mapping[str, Any] | None = None,
    ) -> Iterable[str]:
        headers = headers or {}
        return {
            queue
            for _, pattern, queue in table
            if matches(json.loads(pattern) if pattern else None, headers)
        }

    def deliver(
        self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any
    ) -> None:
        channel = self.channel
        queues = self.lookup(
            channel.get_table(exchange),
            exchange,
            routing_key,
            channel.deadletter_queue,
            message.get("headers"),
        )
        for queue in queues:
            channel._put(queue, message, **kwargs)

    def prepare_bind(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> Row:
        check_arguments(arguments)
        return routing_key, json.dumps(arguments or {}, sort_keys=True), queue


#: Exchange types by name.
STANDARD_EXCHANGE_TYPES: dict[str, type[ExchangeType]] = {
    "direct": DirectExchange,
    "topic": TopicExchange,
    "fanout": FanoutExchange,
    "headers": HeadersExchange,
}
