"""Errors of AMQP 0-9-1, as classes of both the :mod:`amqp` library and ours.

Kept apart from :mod:`kombu.exceptions`, which resolves these names on first
use: importing :mod:`amqp` costs more than all the rest of this library.
"""

from __future__ import annotations

from amqp import exceptions as _amqp
from amqp.exceptions import (
    AMQPError,
    ChannelError,
    ConnectionError,
    RecoverableChannelError,
    RecoverableConnectionError,
    ResourceError,
)

from kombu.exceptions import KombuError, NotBoundError

__all__ = (
    "AMQPError",
    "ChannelError",
    "ConnectionError",
    "InconsistencyError",
    "NotFound",
    "PreconditionFailed",
    "RecoverableChannelError",
    "RecoverableConnectionError",
    "ResourceError",
    "ResourceLocked",
    "UnboundEntityError",
)


class InconsistencyError(KombuError, ConnectionError):  # type: ignore[misc]
    """What is stored by the broker contradicts what was declared."""


class NotFound(KombuError, _amqp.NotFound):  # type: ignore[misc]
    """A queue or exchange that must exist does not (404)."""


class PreconditionFailed(KombuError, _amqp.PreconditionFailed):  # type: ignore[misc]
    """A queue or exchange exists with other arguments, or is in use (406)."""


class ResourceLocked(KombuError, _amqp.ResourceLocked):  # type: ignore[misc]
    """A queue is exclusive to another connection (405)."""


class UnboundEntityError(NotBoundError, ChannelError):  # type: ignore[misc]
    """An entity without a channel was to be declared."""
