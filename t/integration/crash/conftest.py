"""Databases for the workers."""

from __future__ import annotations

from t.brokers.fixtures import mariadb, postgresql, redis_server

__all__ = ("mariadb", "postgresql", "redis_server")
