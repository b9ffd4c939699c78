"""The ``qpid`` transport: AMQP 1.0, against any broker that speaks it.

The client library, :mod:`proton`, is imported when a connection is opened, or when
``Connection`` or ``Channel`` are asked for here.
"""

from __future__ import annotations

from typing import Any

from amqp.exceptions import AccessRefused

from kombu.transport._qpid.errors import ChannelEnded
from kombu.transport._qpid.transport import Transport

__all__ = ("AuthenticationFailure", "ChannelEnded", "Transport")

#: What it was called in kombu 5.7.
AuthenticationFailure = AccessRefused


def __getattr__(name: str) -> Any:
    if name == "Channel":
        from kombu.transport._qpid.channel import Channel

        return Channel
    if name == "Connection":
        from kombu.transport._qpid.connection import Connection

        return Connection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
