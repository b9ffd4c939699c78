"""Connections to brokers, and pools of them.

A door over one noun a file.
"""

from __future__ import annotations

from kombu._connection import (
    BrokerConnection,
    Connection,
    is_connection,
    maybe_channel,
)
from kombu._connection_pools import ChannelPool, ConnectionPool, PooledConnection
from kombu._failover import FAILOVER_STRATEGIES as failover_strategies

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
