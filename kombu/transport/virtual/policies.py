"""What a queue's arguments ask for, with RabbitMQ's names and meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ("ARGUMENTS", "QueuePolicy")

#: RabbitMQ's bound on ``x-max-priority``.
HIGHEST_PRIORITY = 255

DROP_HEAD = "drop-head"
REJECT_PUBLISH = "reject-publish"
REJECT_PUBLISH_DLX = "reject-publish-dlx"
_OVERFLOWS = (DROP_HEAD, REJECT_PUBLISH, REJECT_PUBLISH_DLX)


class _Invalid(Exception):
    """Carries what an argument should be."""


def _number(value: Any, least: int = 0, most: int | None = None) -> int:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or value != int(value) or value < least:
        raise _Invalid(f"a whole number, {least} or more")
    if most is not None and value > most:
        raise _Invalid(f"a whole number from {least} to {most}")
    return int(value)


def _positive(value: Any) -> int:
    return _number(value, least=1)


def _priority(value: Any) -> int:
    return _number(value, most=HIGHEST_PRIORITY)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Invalid("text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Invalid("true or false")
    return value


def _overflow(value: Any) -> str:
    if value not in _OVERFLOWS:
        raise _Invalid(f"one of {', '.join(_OVERFLOWS)}")
    return str(value)


#: Attribute of the policy, its reader, and the ability that it takes of a
#: transport, by argument.
ARGUMENTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "x-message-ttl": ("message_ttl", _number, "message_ttl"),
    "x-expires": ("expires", _positive, "queue_expires"),
    "x-max-length": ("max_length", _number, "max_length"),
    "x-max-length-bytes": ("max_length_bytes", _number, "max_length"),
    "x-overflow": ("overflow", _overflow, "max_length"),
    "x-dead-letter-exchange": ("dead_letter_exchange", _text, "dead_letter"),
    "x-dead-letter-routing-key": ("dead_letter_routing_key", _text, "dead_letter"),
    "x-delivery-limit": ("delivery_limit", _number, "delivery_limit"),
    "x-max-priority": ("max_priority", _priority, "priority"),
    "x-single-active-consumer": (
        "single_active_consumer",
        _flag,
        "single_active_consumer",
    ),
}


class QueuePolicy(NamedTuple):
    """What is to happen to the messages of one queue.

    Attributes:
        message_ttl: Milliseconds until a message expires (``x-message-ttl``).
        expires: Milliseconds without use until the queue goes (``x-expires``).
        max_length: Most ready messages (``x-max-length``).
        max_length_bytes: Most bytes of theirs (``x-max-length-bytes``).
        overflow: What gives way: the oldest, or the one published
            (``x-overflow``).
        dead_letter_exchange: Where what is rejected, has expired or gives way
            goes (``x-dead-letter-exchange``); None for nowhere.
        dead_letter_routing_key: By which key; the message's own if None.
        delivery_limit: Most redeliveries (``x-delivery-limit``).
        max_priority: Highest priority told apart (``x-max-priority``).
        single_active_consumer: Whether one consumer at a time is served.
    """

    message_ttl: int | None = None
    expires: int | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str = DROP_HEAD
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    delivery_limit: int | None = None
    max_priority: int | None = None
    single_active_consumer: bool = False

    @classmethod
    def of(cls, queue: str, arguments: Mapping[str, Any] | None) -> QueuePolicy | None:
        """Return what *arguments* ask for; None if it is nothing.

        Raises:
            PreconditionFailed: A value is not what the argument takes.
        """
        found: dict[str, Any] = {}
        for name, value in (arguments or {}).items():
            known = ARGUMENTS.get(name)
            if known is None or value is None:
                continue
            attribute, read, _ = known
            try:
                found[attribute] = read(value)
            except _Invalid as exc:
                from kombu.exceptions import PreconditionFailed

                raise PreconditionFailed(
                    f"PRECONDITION_FAILED - invalid arg {name!r} for queue "
                    f"{queue!r}: {value!r} is not {exc}",
                    (50, 10),
                    "Channel.queue_declare",
                ) from None
        return cls(**found) if found else None

    def __repr__(self) -> str:
        given = (
            f"{name}={value!r}"
            for name, value in self._asdict().items()
            if value != self._field_defaults[name]
        )
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def has_limit(self) -> bool:
        """Whether the queue may be full."""
        return self.max_length is not None or self.max_length_bytes is not None

    @property
    def refuses(self) -> bool:
        """Whether a full queue refuses what is published."""
        return self.overflow != DROP_HEAD
