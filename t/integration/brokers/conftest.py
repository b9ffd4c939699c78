"""The servers that tests can have."""

from __future__ import annotations

from t.brokers.fixtures import mariadb, postgresql

__all__ = ("mariadb", "postgresql")
