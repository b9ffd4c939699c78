"""The binding: which messages of an exchange reach a queue or exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.abstract import Object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu._exchange import Exchange
    from kombu._queue import Queue

__all__ = ("binding", "name_of", "pretty_bindings")


def name_of(exchange: Any) -> str:
    """Return the name of an exchange given as entity or by name."""
    return getattr(exchange, "name", exchange) or ""


def pretty_bindings(bindings: Iterable[Any]) -> str:
    """Return *bindings* as text for a repr."""
    return f"[{', '.join(map(str, bindings))}]"


class binding(Object):
    """A binding of a queue, or an exchange, to an exchange.

    Arguments:
        exchange: Where the messages come from.
        routing_key: Key or pattern to match.
        arguments: Arguments for the type of exchange, as ``x-match`` for
            ``headers``.
        unbind_arguments: Arguments for unbinding.
    """

    # Where applications, and pickles, know it from.
    __module__ = "kombu.entity"

    exchange: Any
    routing_key: str
    arguments: dict[str, Any] | None
    unbind_arguments: dict[str, Any] | None

    attrs = (
        ("exchange", None),
        ("routing_key", None),
        ("arguments", None),
        ("unbind_arguments", None),
    )

    def __init__(
        self,
        exchange: Any = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        unbind_arguments: dict[str, Any] | None = None,
    ) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.arguments = arguments
        self.unbind_arguments = unbind_arguments

    def declare(self, channel: Any, nowait: bool = False) -> None:
        """Declare the exchange of this binding."""
        if self.exchange is not None and getattr(self.exchange, "name", None):
            self.exchange.declare(channel=channel, nowait=nowait)

    def bind(
        self, entity: Queue | Exchange, nowait: bool = False, channel: Any = None
    ) -> None:
        """Bind *entity* by this binding."""
        entity.bind_to(
            exchange=self.exchange,
            routing_key=self.routing_key,
            arguments=self.arguments,
            nowait=nowait,
            channel=channel,
        )

    def unbind(
        self, entity: Queue | Exchange, nowait: bool = False, channel: Any = None
    ) -> None:
        """Undo :meth:`bind` for *entity*."""
        entity.unbind_from(
            self.exchange,
            routing_key=self.routing_key,
            arguments=self.unbind_arguments,
            nowait=nowait,
            channel=channel,
        )

    def __repr__(self) -> str:
        return f"<binding: {self}>"

    def __str__(self) -> str:
        return f"{name_of(self.exchange)}->{self.routing_key}"
