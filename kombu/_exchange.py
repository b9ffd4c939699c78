"""The exchange: where messages are published to, and how they are routed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu._binding import binding, name_of
from kombu.abstract import MaybeChannelBound
from kombu.exceptions import KombuError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Exchange", "maybe_delivery_mode")

TRANSIENT_DELIVERY_MODE = 1
PERSISTENT_DELIVERY_MODE = 2
DELIVERY_MODES = {
    "transient": TRANSIENT_DELIVERY_MODE,
    "persistent": PERSISTENT_DELIVERY_MODE,
}
DEFAULT_DELIVERY_MODE = PERSISTENT_DELIVERY_MODE

#: Exchanges with this prefix exist in every broker and are never declared.
INTERNAL_EXCHANGE_PREFIX = ("amq.",)


class InvalidDeliveryMode(KombuError, KeyError):
    """A delivery mode that AMQP does not have."""

    def __str__(self) -> str:
        return (
            f"unknown delivery mode {self.args[0]!r}: use 1 or 'transient', "
            "2 or 'persistent'"
        )


def maybe_delivery_mode(
    v: int | str | None,
    modes: Mapping[str, int] | None = None,
    default: int = PERSISTENT_DELIVERY_MODE,
) -> int:
    """Return the number of the delivery mode that *v* names.

    Arguments:
        v: 1 or ``"transient"``, 2 or ``"persistent"``, or nothing.
        modes: Numbers by name, instead of :data:`DELIVERY_MODES`.
        default: What nothing means.
    """
    if not v:
        return default
    if isinstance(v, int):
        return v
    try:
        return (modes or DELIVERY_MODES)[v]
    except KeyError:
        raise InvalidDeliveryMode(v) from None


class Exchange(MaybeChannelBound):
    """An exchange declaration.

    Arguments:
        name: Name; the empty one is the default exchange, which routes to the
            queue that is named by the routing key.
        type: ``direct`` (the default), ``topic``, ``fanout``, ``headers``, or
            a type that the broker has besides (AMQP 0-9-1, section 3.1).
        channel: Channel to bind to, or a connection.
        durable: Survive a restart of the broker.
        auto_delete: Delete the exchange when its last binding is removed.
        delivery_mode: Default for messages published here: 1 or
            ``"transient"``, 2 or ``"persistent"`` (used when nothing is said).
        arguments: Further arguments of the declaration, as
            ``{"alternate-exchange": name}``.
        passive: Only check that the exchange exists.
        no_declare: Never declare it.
    """

    # Where applications, and pickles, know it from.
    __module__ = "kombu.entity"

    TRANSIENT_DELIVERY_MODE = TRANSIENT_DELIVERY_MODE
    PERSISTENT_DELIVERY_MODE = PERSISTENT_DELIVERY_MODE

    name = ""
    type = "direct"
    durable = True
    auto_delete = False
    passive = False
    delivery_mode: int | None = None
    no_declare = False
    arguments: dict[str, Any] | None

    attrs = (
        ("name", None),
        ("type", None),
        ("arguments", None),
        ("durable", bool),
        ("passive", bool),
        ("auto_delete", bool),
        ("delivery_mode", maybe_delivery_mode),
        ("no_declare", bool),
    )

    def __init__(
        self, name: str = "", type: str = "", channel: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.name = name or self.name
        self.type = type or self.type
        self.maybe_bind(channel)

    def __hash__(self) -> int:
        return hash(f"E|{self.name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exchange):
            return NotImplemented
        return self._identity() == other._identity()

    def _identity(self) -> tuple[Any, ...]:
        return (
            self.name,
            self.type,
            self.arguments,
            self.durable,
            self.auto_delete,
            self.delivery_mode,
        )

    def declaration_key(self) -> tuple[Any, ...]:
        """Return what two declarations share that would do the same."""
        arguments = self.arguments
        return (
            "E",
            self.name,
            self.type,
            self.durable,
            self.auto_delete,
            repr(arguments) if arguments else None,
        )

    def __repr__(self) -> str:
        return self._repr_entity(str(self))

    def __str__(self) -> str:
        return f"Exchange {self.name or repr('')}({self.type})"

    @property
    def can_cache_declaration(self) -> bool:
        """True unless the exchange can vanish by itself."""
        return not self.auto_delete

    def _can_declare(self) -> bool:
        return not self.no_declare and bool(
            self.name and not self.name.startswith(INTERNAL_EXCHANGE_PREFIX)
        )

    def declare(
        self, nowait: bool = False, passive: bool | None = None, channel: Any = None
    ) -> Any:
        """Create the exchange at the broker, unless it exists.

        Arguments:
            nowait: Do not wait for the answer.
            passive: Only check that it exists; the entity's setting if unset.
            channel: Channel to use instead of the one bound to.

        Raises:
            NotBoundError: No channel is given and none is bound.
        """
        if not self._can_declare():
            return None
        return (channel or self.channel).exchange_declare(
            exchange=self.name,
            type=self.type,
            durable=self.durable,
            auto_delete=self.auto_delete,
            arguments=self.arguments,
            nowait=nowait,
            passive=self.passive if passive is None else passive,
        )

    def bind_to(
        self,
        exchange: Exchange | str = "",
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        nowait: bool = False,
        channel: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Receive what the *exchange* routes for *routing_key*.

        Arguments:
            exchange: The source, or its name.
            routing_key: Key, pattern or nothing, as the source's type wants.
            arguments: Arguments of the binding.
            nowait: Do not wait for the answer.
            channel: Channel to use instead of the one bound to.
            **kwargs: Accepted, without effect.
        """
        return (channel or self.channel).exchange_bind(
            destination=self.name,
            source=name_of(exchange),
            routing_key=routing_key,
            nowait=nowait,
            arguments=arguments,
        )

    def unbind_from(
        self,
        source: Exchange | str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
        channel: Any = None,
    ) -> Any:
        """Undo :meth:`bind_to` with the same values."""
        return (channel or self.channel).exchange_unbind(
            destination=self.name,
            source=name_of(source),
            routing_key=routing_key,
            nowait=nowait,
            arguments=arguments,
        )

    def Message(
        self,
        body: Any,
        delivery_mode: int | str | None = None,
        properties: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make a message in the form that the channel publishes.

        Arguments:
            body: The encoded body.
            delivery_mode: 1, 2 or their names; the exchange's if unset.
            properties: AMQP properties.
            **kwargs: ``content_type``, ``content_encoding``, ``headers`` and
                whatever else the channel's ``prepare_message`` takes.
        """
        properties = {} if properties is None else properties
        properties["delivery_mode"] = maybe_delivery_mode(
            delivery_mode or self.delivery_mode
        )
        if isinstance(body, str) and (
            not kwargs.get("content_encoding") or kwargs["content_encoding"] != "utf-8"
        ):
            kwargs["content_encoding"] = "utf-8"
        return self.channel.prepare_message(body, properties=properties, **kwargs)

    def publish(
        self,
        message: Any,
        routing_key: str | None = None,
        mandatory: bool = False,
        immediate: bool = False,
        exchange: Exchange | str | None = None,
    ) -> Any:
        """Publish an encoded body, or what :meth:`Message` made.

        Arguments:
            message: The message; text becomes one by :meth:`Message`.
            routing_key: Routing key.
            mandatory: Return the message when it matches no queue.
            immediate: As in AMQP 0-9; brokers ignore or refuse it.
            exchange: Another exchange to publish to.
        """
        if isinstance(message, str):
            message = self.Message(message)
        return self.channel.basic_publish(
            message,
            exchange=name_of(exchange or self.name),
            routing_key=routing_key,
            mandatory=mandatory,
            immediate=immediate,
        )

    def delete(self, if_unused: bool = False, nowait: bool = False) -> Any:
        """Delete the exchange.

        Arguments:
            if_unused: Only if nothing is bound to it.
            nowait: Do not wait for the answer.
        """
        return self.channel.exchange_delete(
            exchange=self.name, if_unused=if_unused, nowait=nowait
        )

    def binding(
        self,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        unbind_arguments: dict[str, Any] | None = None,
    ) -> binding:
        """Describe a binding to this exchange, for ``Queue(bindings=[...])``."""
        return binding(self, routing_key, arguments, unbind_arguments)
