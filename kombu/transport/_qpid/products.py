"""Which dialect a broker speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport._qpid.broker_j import BrokerJDialect, is_broker_j
from kombu.transport._qpid.dialects import Dialect
from kombu.transport._qpid.rabbitmq import RabbitMQDialect, is_rabbitmq
from kombu.transport._qpid.rabbitmq4 import RabbitMQ4Dialect, is_rabbitmq4

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("dialect_for", "dialect_named")


def dialect_named(name: str) -> type[Dialect]:
    """Return the dialect that the option ``product`` means."""
    if name == "broker-j":
        return BrokerJDialect
    if name == "rabbitmq":
        return RabbitMQDialect
    if name == "rabbitmq4":
        return RabbitMQ4Dialect
    return Dialect


def dialect_for(properties: Mapping[str, Any]) -> type[Dialect]:
    """Return the dialect of a broker that says *properties* of itself."""
    if is_broker_j(properties):
        return BrokerJDialect
    if is_rabbitmq(properties):
        return RabbitMQDialect
    if is_rabbitmq4(properties):
        return RabbitMQ4Dialect
    return Dialect
