"""Every error that the library raises, in one tree under :class:`KombuError`.

Errors that AMQP itself defines (a channel or connection closed by the broker)
are kept catchable as the classes of the :mod:`amqp` library, since drivers
raise those.  That library is slow to import, so these names are resolved on
first use (PEP 562) from :mod:`kombu._protocol_errors`.
"""

from __future__ import annotations

from builtins import TimeoutError
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from types import TracebackType

    from kombu._protocol_errors import (
        AMQPError,
        ChannelError,
        ConnectionError,
        InconsistencyError,
        NotFound,
        PreconditionFailed,
        RecoverableChannelError,
        RecoverableConnectionError,
        ResourceError,
        ResourceLocked,
        UnboundEntityError,
    )

__all__ = (
    "AMQPError",
    "AbilityNotOffered",
    "BatchPublishError",
    "ChannelError",
    "ChannelLimitExceeded",
    "ConnectionError",
    "ConnectionLimitExceeded",
    "ContentDisallowed",
    "DecodeError",
    "DriverNotInstalled",
    "EncodeError",
    "HttpError",
    "InconsistencyError",
    "InvalidMoment",
    "InvalidURL",
    "KombuError",
    "LimitExceeded",
    "MessageStateError",
    "NotBoundError",
    "NotFound",
    "OperationalError",
    "PreconditionFailed",
    "PublishRefused",
    "RecoverableChannelError",
    "RecoverableConnectionError",
    "ResourceError",
    "ResourceLocked",
    "SerializationError",
    "SerializerNotInstalled",
    "TimeoutError",
    "TransportNotFound",
    "UnboundEntityError",
    "UnroutableError",
    "VersionMismatch",
    "reraise",
)

_PROTOCOL_ERRORS = frozenset(
    {
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
    }
)


def __getattr__(name: str) -> Any:
    if name not in _PROTOCOL_ERRORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kombu import _protocol_errors

    value = globals()[name] = getattr(_protocol_errors, name)
    return value


def reraise(
    tp: type[BaseException], value: BaseException, tb: TracebackType | None = None
) -> NoReturn:
    """Raise *value* again with the traceback *tb*."""
    if value.__traceback__ is not tb:
        raise value.with_traceback(tb)
    raise value


class KombuError(Exception):
    """Root of every error of this library."""


class OperationalError(KombuError):
    """The broker could not be reached, or was lost, and retrying may help."""


class SerializationError(KombuError):
    """A body could not be encoded or decoded."""


class EncodeError(SerializationError):
    """A body could not be encoded by the serializer asked for."""


class DecodeError(SerializationError):
    """A received body could not be decoded by the serializer that it names."""


class NotBoundError(KombuError):
    """A method that needs a channel was called on an entity without one."""


class MessageStateError(KombuError):
    """The message was acknowledged, rejected or requeued already."""


class LimitExceeded(KombuError):
    """A pool has no free resource, and the caller did not want to wait."""


class ConnectionLimitExceeded(LimitExceeded):
    """All connections of a pool are in use."""


class ChannelLimitExceeded(LimitExceeded):
    """All channels of a pool, or of a connection, are in use."""


class VersionMismatch(KombuError):
    """A dependency is installed in a version that can not be used."""


class SerializerNotInstalled(KombuError):
    """The serializer asked for is unknown, or its package is missing."""


class ContentDisallowed(SerializerNotInstalled):
    """The content type of a message is not among those that are accepted."""


class BatchPublishError(KombuError):
    """Some messages of a batch could not be published."""


class DriverNotInstalled(KombuError, ImportError):
    """The package that a transport, codec or client needs is missing."""


class InvalidURL(KombuError, ValueError):
    """A broker URL can not be understood; the text says what to change."""


class TransportNotFound(KombuError, KeyError):
    """No transport is known by the name given."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnroutableError(KombuError):
    """A message published as ``mandatory`` matches no queue.

    Raised when nobody listens for returned messages (see ``on_return`` of
    :class:`kombu.Producer`).

    Attributes:
        exchange: Name of the exchange that was published to.
        routing_key: Routing key that matched nothing.
        reply_code: 312, as ``basic.return`` of AMQP 0-9-1 has it.
    """

    reply_code = 312
    reply_text = "NO_ROUTE"

    def __init__(self, exchange: str, routing_key: str) -> None:
        super().__init__(exchange, routing_key)
        self.exchange = exchange
        self.routing_key = routing_key

    def __str__(self) -> str:
        return (
            f"no queue is bound to exchange {self.exchange!r} for routing key "
            f"{self.routing_key!r}: declare the queue before publishing, pass it "
            "in declare=[...], or set on_return"
        )


class InvalidMoment(KombuError, ValueError):
    """A delay or an expiration of a message is not the number it has to be."""


class AbilityNotOffered(KombuError, NotImplementedError):
    """Something was asked of a transport that it does not offer (``strict=True``)."""


class PublishRefused(KombuError):
    """A queue is full, and refuses what is published (``x-overflow``).

    The other queues that the message is for have it.

    Attributes:
        queues: Names of the queues that are full.
        properties: Properties of the message; ``message_id`` among them, if
            it has one.
    """

    def __init__(self, queues: list[str], properties: dict[str, Any]) -> None:
        super().__init__(queues, properties)
        self.queues = queues
        self.properties = properties

    def __str__(self) -> str:
        name = self.properties.get("message_id") or self.properties.get("delivery_tag")
        queues = ", ".join(map(repr, self.queues))
        return (
            f"message {name!r} was refused: {queues} can hold no more; "
            "publish it again later, or give the queue x-overflow drop-head"
        )


class HttpError(KombuError):
    """An HTTP request failed.

    Attributes:
        code: Status code; 599 when there was no response at all.
        message: Reason.
        response: The response, if there is one.
    """

    def __init__(
        self, code: int, message: str | None = None, response: Any = None
    ) -> None:
        super().__init__(code, message, response)
        self.code = code
        self.message = message
        self.response = response

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"
