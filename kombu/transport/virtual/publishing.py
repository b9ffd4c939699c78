"""Publishing on a virtual channel: the envelope, and where it is put."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from kombu.exceptions import UnroutableError
from kombu.transport.virtual.codecs import Base64
from kombu.transport.virtual.exchange import (
    DirectExchange,
    FanoutExchange,
    HeadersExchange,
    TopicExchange,
)
from kombu.transport.virtual.policing import PolicingChannel
from kombu.utils.identity import unique_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kombu.transport.virtual.exchange import ExchangeType

__all__ = ("PublishingChannel", "UndeliverableWarning")

UNDELIVERABLE = """\
Message could not be delivered: No queues bound to exchange {exchange!r} \
using binding key {routing_key!r}.
"""


#: Flag of code that takes ``**kwargs`` (see the module inspect).
_CO_VARKEYWORDS = 0x08


class UndeliverableWarning(UserWarning):
    """A message matches no queue, and was put into the dead-letter queue."""


@cache
def takes_options(function: Any) -> bool:
    """Return whether a storage hook declares ``**kwargs``."""
    code = getattr(function, "__code__", None)
    if code is not None:
        # Asked of the code itself: inspect takes long to import.
        return bool(code.co_flags & _CO_VARKEYWORDS)
    import inspect

    kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


class PublishingChannel(PolicingChannel):
    """The part of a virtual channel that publishes."""

    #: Codecs for bodies in the envelope, by name.
    codecs: Any = {"base64": Base64()}

    #: Codec to use; none to write bodies as they are.
    body_encoding: str | None = "base64"

    default_priority = 0
    min_priority = 0
    max_priority = 9

    #: Callbacks by event; ``basic_return`` gets messages that are returned.
    events: Any

    #: Whether nothing but the routing table says where messages go: neither
    #: hooks of the transport, nor exchange types of the application.
    _uses_routing_table: bool

    #: Whether the storage hook takes no options.
    _puts_without_options: bool

    #: Whether priorities have no effect: asking for one is to be said.
    _lacks_priority = False

    #: Looks a message up in the routing table.
    _routes: Callable[[str, str, Mapping[str, Any]], tuple[str, ...]]

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return an envelope for *body*."""
        properties = {} if properties is None else properties
        properties.setdefault("delivery_info", {})
        properties.setdefault("priority", priority or self.default_priority)
        if priority and self._lacks_priority:
            self._ask("priority")
        return {
            "body": body,
            "content-encoding": content_encoding,
            "content-type": content_type,
            "headers": {} if headers is None else headers,
            "properties": properties,
        }

    def _inplace_augment_message(
        self, message: dict[str, Any], exchange: str, routing_key: str
    ) -> None:
        encoding = self.body_encoding
        if encoding:
            message["body"], encoding = self.encode_body(message["body"], encoding)
        properties = message["properties"]
        properties["body_encoding"] = encoding
        properties["delivery_tag"] = self._next_delivery_tag()
        info = properties["delivery_info"]
        info["exchange"] = exchange
        info["routing_key"] = routing_key

    _next_delivery_tag = staticmethod(unique_id)

    def encode_body(self, body: Any, encoding: str | None = None) -> tuple[Any, Any]:
        """Return *body* as the codec *encoding* writes it, and its name."""
        codec = self.codecs.get(encoding) if encoding else None
        if codec is None:
            return body, encoding
        return codec.encode(body), encoding

    def decode_body(self, body: Any, encoding: str | None = None) -> Any:
        """Undo :meth:`encode_body`."""
        codec = self.codecs.get(encoding) if encoding else None
        return body if codec is None else codec.decode(body)

    def _get_message_priority(
        self, message: Mapping[str, Any], reverse: bool = False
    ) -> int:
        """Return the priority of *message*, between the bounds of the channel.

        Arguments:
            message: An envelope.
            reverse: Count from the highest down.
        """
        try:
            priority = int(message["properties"]["priority"])
        except (TypeError, ValueError, KeyError):
            priority = self.default_priority
        priority = max(min(priority, self.max_priority), self.min_priority)
        return self.max_priority - priority if reverse else priority

    # -- publishing ----------------------------------------------------------

    def basic_publish(
        self,
        message: dict[str, Any],
        exchange: str,
        routing_key: str,
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Publish the envelope *message*.

        Arguments:
            message: What :meth:`prepare_message` returned.
            exchange: Name of the exchange; the empty one puts the message
                into the queue named by *routing_key*.
            routing_key: Routing key.
            mandatory: Return the message if it reaches no queue.
            immediate: Has no effect but in storage hooks that look at it.
            timeout: As *immediate*.
            confirm_timeout: As *immediate*.
            **kwargs: Further options for the storage hook.

        Raises:
            UnroutableError: It is mandatory, reaches no queue, and nobody
                listens for returned messages.
            PublishRefused: A queue is full, and refuses more.
            InvalidMoment: Its delay or expiration is no number.
        """
        self._inplace_augment_message(message, exchange, routing_key)
        others = (immediate, timeout, confirm_timeout, kwargs)
        self._publish(message, exchange, routing_key, mandatory, others)

    def _publish(
        self,
        message: dict[str, Any],
        exchange: str,
        routing_key: str,
        mandatory: bool,
        others: tuple[bool, float | None, float | None, dict[str, Any]],
    ) -> None:
        """Put *message*, which is complete, where it is to go."""
        if self._shares_topology:
            self._refresh_lightly()
        queues: Iterable[str] | None = ()
        if exchange and self._uses_routing_table:
            # The usual way: nothing but a look into the table.
            try:
                queues = self._routes(exchange, routing_key, message["headers"])
            except KeyError:
                queues = ()  # not declared, or not any more: looked into below
        if not queues:
            queues = self._destinations(message, exchange, routing_key, mandatory)
            if queues is not None and not queues:
                if mandatory:
                    self._return(message, exchange, routing_key)
                return
        properties = message["properties"]
        is_plain = not (
            self._policies
            # What asks for a moment (see the module of that name).
            or "expiration" in properties
            or "deliver_at" in properties
            or "x-delay" in message["headers"]
        )
        if queues is not None and is_plain and self._puts_without_options:
            self._put_into(queues, message)
            return
        immediate, timeout, confirm_timeout, more = others
        options = {
            "mandatory": mandatory,
            "immediate": immediate,
            "timeout": timeout,
            "confirm_timeout": confirm_timeout,
            **more,
        }
        if queues is None:
            message = self._with_moments(message, None, self._store_time())
            self.typeof(exchange).deliver(message, exchange, routing_key, **options)
        elif is_plain:
            for queue in queues:
                self._put(queue, message, **options)
        else:
            if self._puts_without_options:
                options = {}
            self._put_by_policy(queues, message, options)

    def _destinations(
        self, message: Any, exchange: str, routing_key: str, mandatory: bool
    ) -> Iterable[str] | None:
        """Return the queues that *message* reaches.

        None if the exchange's type has a way of its own to deliver.
        """
        if not exchange:
            if mandatory and not self._exists(routing_key):
                return ()
            return (routing_key,)
        headers = message["headers"]
        if not self._uses_routing_table and self._delivers_by_itself(exchange):
            return None
        queues = self._route(exchange, routing_key, headers)
        if not queues and self._redeclare(exchange):
            queues = self._route(exchange, routing_key, headers)
        return queues or self._undelivered(exchange, routing_key)

    def _exists(self, queue: str) -> bool:
        return queue in self.state.queues or self._has_queue(queue)

    def _put_into(self, queues: Iterable[str], message: Any) -> None:
        """Put one message into several queues."""
        for queue in queues:
            self._put(queue, message)

    # -- routing -------------------------------------------------------------

    def _delivers_by_itself(self, exchange: str) -> bool:
        """Return whether the exchange's type has a way of its own to deliver."""
        kind = type(self.typeof(exchange))
        if kind is FanoutExchange:
            return self.supports_fanout and self._overrides("_put_fanout")
        return kind.deliver not in _STANDARD_DELIVERIES

    @classmethod
    def _overrides(cls, hook: str) -> bool:
        """Return whether the transport supplies *hook* itself."""
        return getattr(cls, hook) is not getattr(PublishingChannel, hook)

    def _route(
        self, exchange: str, routing_key: str, headers: Mapping[str, Any]
    ) -> Iterable[str]:
        """Return the queues that a message with these *headers* reaches."""
        try:
            if not self._looks_up_by_itself(exchange):
                return self._routes(exchange, routing_key, headers)
            kind = self.typeof(exchange)
            if type(kind) is HeadersExchange:
                table = self.get_table(exchange)
                return kind.lookup(table, exchange, routing_key, None, headers)
        except KeyError:
            return ()
        return self._lookup(exchange, routing_key)

    def _looks_up_by_itself(self, exchange: str) -> bool:
        """Return whether bindings are found by hooks, not in the routing table."""
        return (
            self._overrides("_lookup")
            or self._overrides("get_table")
            or type(self.typeof(exchange)).lookup not in _STANDARD_LOOKUPS
        )

    def _lookup(
        self, exchange: str, routing_key: str, default: str | None = None
    ) -> Iterable[str]:
        """Return the queues that a message reaches.

        Arguments:
            exchange: Name of the exchange.
            routing_key: Routing key.
            default: Queue for messages that match nothing; the option
                ``deadletter_queue`` if not given.
        """
        if default is None:
            default = self.deadletter_queue
        if not exchange:
            return [routing_key or default or ""]
        try:
            found = self.typeof(exchange).lookup(
                self.get_table(exchange), exchange, routing_key, default
            )
        except KeyError:
            found = ()
        return found or self._undelivered(exchange, routing_key, default)

    def _undelivered(
        self, exchange: str, routing_key: str, default: str | None = None
    ) -> list[str]:
        """Return the queue for messages that match nothing, if there is one."""
        default = default or self.deadletter_queue
        if default is None:
            return []
        warnings.warn(
            UndeliverableWarning(
                UNDELIVERABLE.format(exchange=exchange, routing_key=routing_key)
            ),
            stacklevel=4,
        )
        self._new_queue(default)
        return [default]

    def _redeclare(self, exchange: str) -> bool:
        """Declare again what was declared by this connection, and is gone.

        A store may have been flushed since.

        Returns:
            Whether anything was declared.
        """
        declared = getattr(self.connection.client, "declared_entities", None)
        known = getattr(declared, "queues_bound_to", _no_queues)(exchange)
        if not known:
            return False
        bound = self._bound_queues(exchange)
        missing = [
            (queue, key) for queue, key in known if (queue.name, key) not in bound
        ]
        for queue, routing_key in missing:
            # The store may have lost what the state still has.
            self.state.binding_delete(queue.name, exchange, routing_key)
        for queue, _ in missing:
            queue.declare(channel=self)
        return bool(missing)

    def _bound_queues(self, exchange: str) -> set[tuple[str, str]]:
        """Return the queues bound to *exchange*, with their routing keys."""
        try:
            return {(queue, key) for key, _, queue in self.get_table(exchange)}
        except KeyError:
            return set()

    def _return(self, message: Any, exchange: str, routing_key: str) -> None:
        """Give *message* back to whom it concerns: it is mandatory."""
        callbacks = self.events["basic_return"]
        if not callbacks:
            raise UnroutableError(exchange, routing_key)
        error = UnroutableError(exchange, routing_key)
        returned = self.message_to_python(message)
        for callback in tuple(callbacks):
            callback(error, exchange, routing_key, returned)

    message_to_python: Callable[[Any], Any]


def uses_routing_table(channel: PublishingChannel) -> bool:
    """Return whether neither *channel* nor its exchange types route by hooks."""
    hooks = ["_lookup", "get_table", "_route"]
    if channel.supports_fanout:
        hooks.append("_put_fanout")
    return not any(map(channel._overrides, hooks)) and all(
        type(kind).deliver in _STANDARD_DELIVERIES
        and type(kind).lookup in _STANDARD_LOOKUPS
        for kind in channel.exchange_types.values()
    )


def _no_queues(exchange: str) -> tuple[Any, ...]:
    return ()


_STANDARD_TYPES: tuple[type[ExchangeType], ...] = (
    DirectExchange,
    TopicExchange,
    FanoutExchange,
    HeadersExchange,
)
_STANDARD_DELIVERIES = frozenset(kind.deliver for kind in _STANDARD_TYPES)
_STANDARD_LOOKUPS = frozenset(kind.lookup for kind in _STANDARD_TYPES)
