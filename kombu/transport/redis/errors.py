"""What a server or the driver reports, as errors of this library.

Loaded with the driver.  What is raised is also an error of redis-py, as kombu 5.7
let those through.
"""

from __future__ import annotations

from redis import exceptions as redis_errors

from kombu.exceptions import ChannelError, KombuError, RecoverableConnectionError

__all__ = ("ServerLost", "ServerRefused", "is_lost", "refused")

#: How replies begin that say that this server can not do it now, but another one,
#: or this one soon: the connection is of no use any more.
_PASSING = (
    "READONLY ",  # it has become a replica
    "MASTERDOWN ",
    "LOADING ",
    "BUSY ",  # a script runs
    "CLUSTERDOWN ",
    "TRYAGAIN ",
    "NOREPLICAS ",
    "UNBLOCKED ",  # its role has changed while we waited
    "MISCONF ",  # it can not write to its disk
)

#: The same, where the driver has a class of its own for it.
_PASSING_ERRORS = (
    redis_errors.ConnectionError,
    redis_errors.ReadOnlyError,
    redis_errors.ClusterDownError,
    redis_errors.TryAgainError,
)


class _OfServer(KombuError):
    """What the two errors have in common: a text."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.text,)


class ServerLost(
    _OfServer,
    RecoverableConnectionError,  # type: ignore[misc]
    redis_errors.ConnectionError,
):
    """The server can not be reached, or was lost: another try may help."""


class ServerRefused(
    _OfServer,
    ChannelError,  # type: ignore[misc]
    redis_errors.ResponseError,
):
    """The server refuses a command."""


def is_lost(reply: Exception) -> bool:
    """Return whether *reply*, which the server sent, means: try another connection."""
    if isinstance(reply, _PASSING_ERRORS):
        return True
    text = str(reply)
    # Older servers pass on in the middle what a command in a script has met with.
    return text.startswith(_PASSING) or any(f"-{word}" in text for word in _PASSING)


def refused(reply: Exception, where: str, what: str) -> ServerLost | ServerRefused:
    """Return *reply*, an error that the server sent, as an error of this library.

    Arguments:
        reply: The error, as the driver has read it.
        where: The server, for people.
        what: What was asked of it, for people.
    """
    kind = ServerLost if is_lost(reply) else ServerRefused
    return kind(f"{where} refuses {what}: {reply}")
