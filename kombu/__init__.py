"""Messaging library for Python.

What is public is loaded when it is first used (PEP 562), so that importing
the package costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kombu.common import eventloop, uuid
    from kombu.connection import BrokerConnection, Connection
    from kombu.entity import Exchange, Queue, binding
    from kombu.message import Message
    from kombu.messaging import Consumer, Producer
    from kombu.pools import connections, producers
    from kombu.serialization import (
        disable_insecure_serializers,
        enable_insecure_serializers,
    )
    from kombu.utils.url import parse_url

__version__ = "6.0.0"
__docformat__ = "restructuredtext en"

__all__ = (
    "VERSION",
    "BrokerConnection",
    "Connection",
    "Consumer",
    "Exchange",
    "Message",
    "Producer",
    "Queue",
    "binding",
    "connections",
    "disable_insecure_serializers",
    "enable_insecure_serializers",
    "eventloop",
    "parse_url",
    "producers",
    "uuid",
    "version_info",
)


class version_info_t(NamedTuple):
    """The parts of a version."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: str


VERSION = version_info = version_info_t(6, 0, 0, "", "")

_HOMES = {
    "BrokerConnection": "kombu.connection",
    "Connection": "kombu.connection",
    "Consumer": "kombu.messaging",
    "Exchange": "kombu.entity",
    "Message": "kombu.message",
    "Producer": "kombu.messaging",
    "Queue": "kombu.entity",
    "binding": "kombu.entity",
    "connections": "kombu.pools",
    "disable_insecure_serializers": "kombu.serialization",
    "enable_insecure_serializers": "kombu.serialization",
    "eventloop": "kombu.common",
    "parse_url": "kombu.utils.url",
    "producers": "kombu.pools",
    "uuid": "kombu.common",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is not None:
        value = globals()[name] = getattr(import_module(home), name)
        return value
    # Modules are attributes of their package, also before they are imported.
    if not name.startswith("_"):
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as exc:
            if exc.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
