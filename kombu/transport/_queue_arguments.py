"""Options of a queue, in the form in which RabbitMQ takes them as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.utils.time import maybe_s_to_ms

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("RABBITMQ_QUEUE_ARGUMENTS", "to_rabbitmq_queue_arguments")

#: Name of the argument, and how to convert to it, by option.
RABBITMQ_QUEUE_ARGUMENTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "expires": ("x-expires", maybe_s_to_ms),
    "message_ttl": ("x-message-ttl", maybe_s_to_ms),
    "max_length": ("x-max-length", int),
    "max_length_bytes": ("x-max-length-bytes", int),
    "max_priority": ("x-max-priority", int),
}


class UnknownQueueOption(KombuError, KeyError):
    """A queue option that has no argument at the broker."""

    def __str__(self) -> str:
        known = ", ".join(RABBITMQ_QUEUE_ARGUMENTS)
        return f"unknown queue option {self.args[0]!r}: known are {known}"


def to_rabbitmq_queue_arguments(
    arguments: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """Return *arguments* and, in RabbitMQ's form, *options*.

    Arguments:
        arguments: Arguments in the broker's form; an option given beside
            wins.
        **options: ``expires`` and ``message_ttl`` (seconds, sent as
            milliseconds), ``max_length``, ``max_length_bytes``,
            ``max_priority``; those that are :const:`None` do not count.
    """
    converted = {}
    for option, value in options.items():
        try:
            name, convert = RABBITMQ_QUEUE_ARGUMENTS[option]
        except KeyError:
            raise UnknownQueueOption(option) from None
        if value is not None:
            converted[name] = convert(value)
    return {**arguments, **converted} if converted else arguments
