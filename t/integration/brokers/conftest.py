"""The servers that tests can have."""

from __future__ import annotations

from t.brokers.fixtures import (
    mariadb,
    postgresql,
    redis_cluster,
    redis_secured,
    redis_server,
)

__all__ = ("mariadb", "postgresql", "redis_cluster", "redis_secured", "redis_server")
