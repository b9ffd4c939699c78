"""The queue: where messages wait for consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu._binding import binding, name_of, pretty_bindings
from kombu._exchange import Exchange
from kombu.abstract import MaybeChannelBound
from kombu.exceptions import ContentDisallowed
from kombu.serialization import prepare_accept_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.message import Message

__all__ = ("Queue",)


class Queue(MaybeChannelBound):
    """A queue declaration.

    Arguments:
        name: Name; if empty, the broker makes one up when it is declared.
        exchange: Exchange that the queue is bound to, its name, or a list of
            :class:`binding`.
        routing_key: Key, or pattern, by which it is bound.
        channel: Channel to bind to, or a connection.
        bindings: Several bindings, instead of *exchange*.
        on_declared: Called with ``(name, message_count, consumer_count)``.
        durable: Survive a restart of the broker.
        exclusive: Only this connection may use the queue, and it is deleted
            with the connection; implies *auto_delete*.
        auto_delete: Delete the queue when its last consumer is gone.
        no_ack: Consume without acknowledgements unless told otherwise.
        alias: Kept for applications; not used here.
        expires: Seconds without use after which the broker deletes the queue.
        message_ttl: Seconds that a message may wait.
        max_length: Most messages that may wait.
        max_length_bytes: Most bytes of bodies that may wait.
        max_priority: Highest priority the queue distinguishes.
        queue_arguments: Further arguments of the declaration.
        binding_arguments: Arguments of the binding to *exchange*.
        consumer_arguments: Arguments of consumers, as ``{"x-priority": 5}``.
        no_declare: Never declare the queue, nor what it is bound to.
    """

    # Where applications, and pickles, know it from.
    __module__ = "kombu.entity"

    ContentDisallowed = ContentDisallowed

    name = ""
    exchange: Exchange | None = Exchange("")
    routing_key = ""
    durable = True
    exclusive = False
    auto_delete = False
    no_ack = False
    alias: str | None
    bindings: set[binding]
    no_declare: bool | None
    expires: float | None
    message_ttl: float | None
    max_length: int | None
    max_length_bytes: int | None
    max_priority: int | None
    queue_arguments: dict[str, Any] | None
    binding_arguments: dict[str, Any] | None
    consumer_arguments: dict[str, Any] | None

    attrs: tuple[tuple[str, Any], ...] = (
        ("name", None),
        ("exchange", None),
        ("routing_key", None),
        ("queue_arguments", None),
        ("binding_arguments", None),
        ("consumer_arguments", None),
        ("durable", bool),
        ("exclusive", bool),
        ("auto_delete", bool),
        ("no_ack", None),
        ("alias", None),
        ("bindings", list),
        ("no_declare", bool),
        ("expires", float),
        ("message_ttl", float),
        ("max_length", int),
        ("max_length_bytes", int),
        ("max_priority", int),
    )

    def __init__(
        self,
        name: str = "",
        exchange: Any = None,
        routing_key: str = "",
        channel: Any = None,
        bindings: Iterable[binding] | None = None,
        on_declared: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name or self.name
        self.routing_key = routing_key or self.routing_key
        self.on_declared = on_declared
        if isinstance(exchange, (list, tuple, set, frozenset)):
            bindings = [*exchange, *(bindings or ())]
            exchange = None
        self.bindings = set(bindings or ())
        if self.bindings:
            self.exchange = None
        elif isinstance(exchange, str):
            self.exchange = Exchange(exchange)
        elif exchange is not None:
            self.exchange = exchange
        # An exclusive queue can not outlive its connection.
        if self.exclusive:
            self.auto_delete = True
        self.maybe_bind(channel)

    def __hash__(self) -> int:
        return hash(f"Q|{self.name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Queue):
            return NotImplemented
        return self._identity() == other._identity()

    def _identity(self) -> tuple[Any, ...]:
        return (
            self.name,
            self.exchange,
            self.routing_key,
            self.queue_arguments,
            self.binding_arguments,
            self.consumer_arguments,
            self.durable,
            self.exclusive,
            self.auto_delete,
        )

    def declaration_key(self) -> tuple[Any, ...]:
        """Return what two declarations share that would do the same."""
        exchange, bindings = self.exchange, self.bindings
        return (
            "Q",
            self.name,
            self.routing_key,
            None if exchange is None else exchange.declaration_key(),
            tuple(sorted(map(_binding_text, bindings))) if bindings else None,
            repr(self.binding_arguments) if self.binding_arguments else None,
            repr(self.queue_arguments) if self.queue_arguments else None,
        )

    def __repr__(self) -> str:
        if self.bindings:
            return self._repr_entity(
                f"Queue {self.name} -> {pretty_bindings(self.bindings)}"
            )
        return self._repr_entity(
            f"Queue {self.name} -> {self.exchange!r} -> {self.routing_key}"
        )

    @property
    def can_cache_declaration(self) -> bool:
        """True unless the queue can vanish by itself, or has no name yet."""
        if not self.name or self.auto_delete or self.expires:
            return False
        return "x-expires" not in (self.queue_arguments or ())

    def bind(self, channel: Any) -> Queue:
        """Return a copy that is bound to *channel* (or to a connection's)."""
        bound = super().bind(channel)
        bound.bindings = set(self.bindings)
        return bound

    def when_bound(self) -> None:
        """Bind the exchange to the same channel."""
        if self.exchange is not None:
            self.exchange = self.exchange(self.channel)

    def as_dict(self, recurse: bool = False) -> dict[str, Any]:
        """Return the attributes as a dictionary (see :meth:`Object.as_dict`)."""
        out = super().as_dict(recurse)
        if not recurse:
            return out
        out["bindings"] = [item.as_dict(recurse=True) for item in self.bindings]
        return out

    # -- declaring ---------------------------------------------------------

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Create the queue, its exchange and its bindings, unless they exist.

        Arguments:
            nowait: Do not wait for answers.
            channel: Channel to use instead of the one bound to.

        Returns:
            The name, which the broker chose if there was none.

        Raises:
            NotBoundError: No channel is given and none is bound.
        """
        if not self.no_declare:
            if self.exchange is not None:
                self.exchange.declare(nowait=nowait, channel=channel)
            # A queue without a name learns it from the answer.
            self.queue_declare(nowait=nowait, passive=False, channel=channel)
            if self.exchange is not None and self.exchange.name:
                self.queue_bind(nowait=nowait, channel=channel)
            for item in self.bindings:
                item.declare(channel or self.channel, nowait=nowait)
                item.bind(self, nowait=nowait, channel=channel)
        return self.name

    def queue_declare(
        self, nowait: bool = False, passive: bool = False, channel: Any = None
    ) -> Any:
        """Create the queue alone, without exchange and bindings.

        Arguments:
            nowait: Do not wait for the answer (not possible without a name).
            passive: Only check that the queue exists.
            channel: Channel to use instead of the one bound to.

        Returns:
            ``(name, message_count, consumer_count)``.
        """
        channel = channel or self.channel
        answer = channel.queue_declare(
            queue=self.name,
            passive=passive,
            durable=self.durable,
            exclusive=self.exclusive,
            auto_delete=self.auto_delete,
            arguments=channel.prepare_queue_arguments(
                self.queue_arguments or {},
                expires=self.expires,
                message_ttl=self.message_ttl,
                max_length=self.max_length,
                max_length_bytes=self.max_length_bytes,
                max_priority=self.max_priority,
            ),
            nowait=nowait and bool(self.name),
        )
        if not self.name:
            self.name = answer[0]
        if self.on_declared is not None and answer is not None:
            self.on_declared(*answer)
        return answer

    def queue_bind(self, nowait: bool = False, channel: Any = None) -> Any:
        """Bind the queue to its exchange by its routing key."""
        return self.bind_to(
            self.exchange,
            self.routing_key,
            self.binding_arguments,
            channel=channel,
            nowait=nowait,
        )

    def bind_to(
        self,
        exchange: Exchange | str | None = "",
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        nowait: bool = False,
        channel: Any = None,
    ) -> Any:
        """Bind the queue to *exchange* by *routing_key*."""
        return (channel or self.channel).queue_bind(
            queue=self.name,
            exchange=name_of(exchange),
            routing_key=routing_key,
            arguments=arguments,
            nowait=nowait,
        )

    def queue_unbind(
        self,
        arguments: dict[str, Any] | None = None,
        nowait: bool = False,
        channel: Any = None,
    ) -> Any:
        """Undo :meth:`queue_bind`."""
        return self.unbind_from(
            self.exchange, self.routing_key, arguments, nowait, channel
        )

    def unbind_from(
        self,
        exchange: Exchange | str | None = "",
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        nowait: bool = False,
        channel: Any = None,
    ) -> Any:
        """Undo :meth:`bind_to` with the same values."""
        return (channel or self.channel).queue_unbind(
            queue=self.name,
            exchange=name_of(exchange),
            routing_key=routing_key,
            arguments=arguments,
            nowait=nowait,
        )

    # -- using -------------------------------------------------------------

    def get(
        self, no_ack: bool | None = None, accept: Iterable[str] | None = None
    ) -> Message | None:
        """Take the next message, without waiting for one.

        Arguments:
            no_ack: Consider the message acknowledged; the queue's if unset.
            accept: Content types, or names of serializers, to accept.

        Returns:
            The message, or :const:`None` if there is none.

        Raises:
            ContentDisallowed: On access to the payload, if it is not accepted.
        """
        no_ack = self.no_ack if no_ack is None else no_ack
        channel = self.channel
        message = channel.basic_get(queue=self.name, no_ack=no_ack)
        if message is None:
            return None
        to_python = getattr(channel, "message_to_python", None)
        if to_python is not None:
            message = to_python(message)
        if message.errors:
            message._reraise_error()
        message.accept = prepare_accept_content(accept)
        return message  # type: ignore[no-any-return]

    def purge(self, nowait: bool = False) -> int:
        """Remove all messages that wait.

        Returns:
            How many there were (0 if not waited for).
        """
        return self.channel.queue_purge(queue=self.name, nowait=nowait) or 0

    def cancel_delayed(self, message_id: str) -> bool:
        """Take back a message that is not due yet.

        Arguments:
            message_id: Its property ``message_id``, given when it was published.

        Returns:
            Whether there was one: False if it was delivered already.

        Raises:
            AbilityNotOffered: The transport keeps no delayed messages.
        """
        return self.channel.cancel_delayed(self.name, message_id)  # type: ignore[no-any-return]

    def consume(
        self,
        consumer_tag: str = "",
        callback: Callable[[Any], Any] | None = None,
        no_ack: bool | None = None,
        nowait: bool = False,
        on_cancel: Callable[[str], Any] | None = None,
    ) -> Any:
        """Start a consumer; *callback* is called with each message.

        Arguments:
            consumer_tag: Name of the consumer, unique on the channel; made up
                if empty.
            callback: Called with a message as the channel delivers it.
            no_ack: Consider messages acknowledged once they are delivered.
            nowait: Do not wait for the answer.
            on_cancel: Called with the tag if the broker cancels the consumer.
        """
        return self.channel.basic_consume(
            queue=self.name,
            no_ack=self.no_ack if no_ack is None else no_ack,
            consumer_tag=consumer_tag or "",
            callback=callback,
            nowait=nowait,
            arguments=self.consumer_arguments,
            on_cancel=on_cancel,
        )

    def cancel(self, consumer_tag: str) -> Any:
        """Stop the consumer *consumer_tag*."""
        return self.channel.basic_cancel(consumer_tag)

    def delete(
        self, if_unused: bool = False, if_empty: bool = False, nowait: bool = False
    ) -> Any:
        """Delete the queue.

        Arguments:
            if_unused: Only if it has no consumers.
            if_empty: Only if it has no messages.
            nowait: Do not wait for the answer.
        """
        return self.channel.queue_delete(
            queue=self.name, if_unused=if_unused, if_empty=if_empty, nowait=nowait
        )

    # -- from settings -----------------------------------------------------

    @classmethod
    def from_dict(cls, queue: str, **options: Any) -> Queue:
        """Make a queue named *queue* from flat settings.

        Arguments:
            queue: Name of the queue.
            **options: ``exchange`` with ``exchange_type``,
                ``exchange_durable``, ``exchange_auto_delete``,
                ``exchange_arguments`` and ``delivery_mode``; ``binding_key``
                or ``routing_key``; ``bindings``; arguments of
                :class:`Queue`, some with the prefix ``queue_`` to differ from
                the exchange's.
        """
        binding_key = options.get("binding_key") or options.get("routing_key")
        exchange = Exchange(
            options.get("exchange") or "",
            type=options.get("exchange_type") or "",
            delivery_mode=options.get("delivery_mode"),
            durable=_first(options, "exchange_durable", "durable"),
            auto_delete=_first(options, "exchange_auto_delete", "auto_delete"),
            arguments=options.get("exchange_arguments"),
        )
        return cls(
            queue,
            exchange=exchange,
            routing_key=binding_key or "",
            durable=_first(options, "queue_durable", "durable"),
            exclusive=_first(options, "queue_exclusive", "exclusive"),
            auto_delete=_first(options, "queue_auto_delete", "auto_delete"),
            bindings=[_as_binding(item) for item in options.get("bindings") or ()],
            **{name: options.get(name) for name in _PLAIN_OPTIONS},
        )


_PLAIN_OPTIONS = (
    "no_ack",
    "alias",
    "no_declare",
    "expires",
    "message_ttl",
    "max_length",
    "max_length_bytes",
    "max_priority",
    "queue_arguments",
    "binding_arguments",
    "consumer_arguments",
)


def _binding_text(item: binding) -> str:
    return f"{item} {item.arguments}"


def _first(options: dict[str, Any], *names: str) -> Any:
    return next((options[n] for n in names if options.get(n) is not None), None)


def _as_binding(value: Any) -> binding:
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]
    exchange = value.get("exchange")
    if isinstance(exchange, dict):
        exchange = Exchange(**exchange)
    elif isinstance(exchange, str):
        exchange = Exchange(exchange)
    return binding(**{**value, "exchange": exchange})
