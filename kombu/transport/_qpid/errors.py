"""What goes wrong on an AMQP 1.0 connection, as errors of :mod:`amqp`.

Conditions of the broker become what the ``amqp`` transport raises in the same place,
so that an application need not know by which of them it is connected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from amqp import exceptions as amqp_errors

from kombu import exceptions
from kombu.transport._amqp.errors import ConnectionLost, HeartbeatMissed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "ChannelEnded",
    "Condition",
    "ReleasedByBroker",
    "channel_error",
    "connection_error",
)


class Condition(NamedTuple):
    """Why the broker ended something.

    Attributes:
        name: What AMQP calls it, or the broker.
        text: What the broker says of it.
    """

    name: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.name})" if self.text else self.name


class ChannelEnded(exceptions.KombuError, amqp_errors.RecoverableChannelError):  # type: ignore[misc]
    """The broker ended a session or link, and may take a new one."""


class ReleasedByBroker(exceptions.KombuError, amqp_errors.MessageNacked):  # type: ignore[misc]
    """The broker gave a message back without taking it: it may be sent again."""


_CHANNEL_ERRORS: Mapping[str, tuple[str, int]] = {
    "amqp:not-found": ("NotFound", 404),
    "amqp:resource-deleted": ("NotFound", 404),
    "amqp:resource-locked": ("ResourceLocked", 405),
    "amqp:precondition-failed": ("PreconditionFailed", 406),
    "amqp:unauthorized-access": ("AccessRefused", 403),
    "amqp:not-allowed": ("AccessRefused", 403),
}


def _error_class(name: str) -> Any:
    return getattr(exceptions, name, None) or getattr(amqp_errors, name)


def _made(kind: Any, text: str, code: int) -> BaseException:
    error: BaseException = kind(text, None, "", code)
    return error


def channel_error(condition: Condition, what: str) -> BaseException:
    """Return the error of a session or link that the broker ended.

    Arguments:
        condition: Why.
        what: What was being done, for people.
    """
    name, code = _CHANNEL_ERRORS.get(condition.name, ("", 0))
    if "in use" in condition.text and condition.name == "amqp:illegal-state":
        name, code = "PreconditionFailed", 406
    text = f"{what}: {condition}"
    if not name:
        return ChannelEnded(text)
    return _made(_error_class(name), text, code)


def connection_error(condition: Condition) -> BaseException:
    """Return the error of a connection that the broker, or the library, ended."""
    if condition.name in ("amqp:unauthorized-access", "proton:sasl"):
        text = f"the broker refuses the login: {condition}"
        return _made(amqp_errors.AccessRefused, text, 403)
    if condition.name == "amqp:connection:forced":
        return _made(amqp_errors.ConnectionForced, str(condition), 320)
    if "idle-timeout" in condition.text:
        return HeartbeatMissed(f"the broker is silent: {condition}")
    return ConnectionLost(f"the connection was lost: {condition}")
