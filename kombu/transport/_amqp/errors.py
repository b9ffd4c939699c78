"""What goes wrong on an AMQP connection, beside what :mod:`amqp` has errors for.

All are catchable as errors of :mod:`amqp`, as those of kombu 5.7 were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amqp import exceptions as amqp_errors

from kombu.exceptions import KombuError, OperationalError, PublishRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = (
    "BrokenFrame",
    "ChannelLost",
    "ConfirmTimeout",
    "ConnectionBlocked",
    "ConnectionLost",
    "HeartbeatMissed",
    "MessageNacked",
    "StaleDelivery",
    "Unconfirmed",
)


class BrokenFrame(KombuError, amqp_errors.RecoverableConnectionError):  # type: ignore[misc]
    """What came from the broker is no AMQP; the connection can't be used any more."""


class ConnectionLost(KombuError, amqp_errors.RecoverableConnectionError):  # type: ignore[misc]
    """The connection broke, or was closed, before the operation was done."""


class HeartbeatMissed(KombuError, amqp_errors.ConnectionForced):  # type: ignore[misc]
    """The broker was silent for two heartbeats: it is taken for lost."""


class ChannelLost(KombuError, amqp_errors.RecoverableChannelError):  # type: ignore[misc]
    """The broker closed the channel before the operation was done."""


class StaleDelivery(KombuError, amqp_errors.RecoverableChannelError):  # type: ignore[misc]
    """A message is settled whose channel was closed since; it comes again."""


class ConnectionBlocked(OperationalError):
    """The broker takes no messages: it is short of memory or disk space."""


class MessageNacked(PublishRefused, amqp_errors.MessageNacked):  # type: ignore[misc]
    """The broker could not take a message, or its queue was full.

    It does not say which queue: that is known only of messages that were published
    to a queue by its name.

    Attributes:
        name: What the message is called.
    """

    def __init__(
        self, name: str, queues: list[str], properties: dict[str, Any]
    ) -> None:
        super().__init__(queues, properties)
        self.name = name

    def __str__(self) -> str:
        return (
            f"the broker did not take {self.name}: its queue is full (x-overflow), or "
            "it failed to store it; publish it again later"
        )


class ConfirmTimeout(OperationalError, TimeoutError):
    """The broker did not confirm in time; it may have the message, or not."""


class Unconfirmed(OperationalError):
    """Some messages that were published before were not confirmed.

    Attributes:
        errors: What happened to each, as exceptions that name it.
    """

    def __init__(self, errors: Sequence[BaseException]) -> None:
        super().__init__(errors)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        shown = "; ".join(str(error) for error in self.errors[:3])
        more = len(self.errors) - 3
        rest = f"; and {more} more" if more > 0 else ""
        return (
            f"{len(self.errors)} messages published before were not confirmed: "
            f"{shown}{rest}"
        )


def name_of(properties: dict[str, Any], exchange: str, routing_key: str) -> str:
    """Return what a message is called in errors."""
    name = properties.get("message_id") or properties.get("correlation_id")
    which = f"message {name!r}" if name else "a message"
    return f"{which} to exchange {exchange!r}, routing key {routing_key!r}"
