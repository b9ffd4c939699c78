"""Connections to brokers, and pools of them.

A door over one noun a file; the pools are loaded when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu._connection import (
    BrokerConnection,
    Connection,
    is_connection,
    maybe_channel,
)
from kombu._failover import FAILOVER_STRATEGIES as failover_strategies

if TYPE_CHECKING:
    from kombu._connection_pools import (
        ChannelPool,
        ConnectionPool,
        PooledConnection,
    )

__all__ = (
    "BrokerConnection",
    "ChannelPool",
    "Connection",
    "ConnectionPool",
    "PooledConnection",
    "failover_strategies",
    "is_connection",
    "maybe_channel",
)

_POOLS = frozenset({"ChannelPool", "ConnectionPool", "PooledConnection"})


def __getattr__(name: str) -> Any:
    if name not in _POOLS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kombu import _connection_pools

    value = globals()[name] = getattr(_connection_pools, name)
    return value
