"""Virtual transports: the place where kombu has kept all of it.

A door over one noun a file.
"""

from __future__ import annotations

from queue import Empty

from kombu.transport.virtual.channel import Channel
from kombu.transport.virtual.codecs import Base64
from kombu.transport.virtual.declaring import queue_declare_ok_t
from kombu.transport.virtual.exchanges import NotEquivalentError
from kombu.transport.virtual.management import Management
from kombu.transport.virtual.message import Message
from kombu.transport.virtual.publishing import UNDELIVERABLE, UndeliverableWarning
from kombu.transport.virtual.qos import QoS
from kombu.transport.virtual.state import BrokerState, binding_key_t, queue_binding_t
from kombu.transport.virtual.storage import AbstractChannel
from kombu.transport.virtual.transport import Transport

UNDELIVERABLE_FMT = UNDELIVERABLE

__all__ = (
    "UNDELIVERABLE_FMT",
    "AbstractChannel",
    "Base64",
    "BrokerState",
    "Channel",
    "Empty",
    "Management",
    "Message",
    "NotEquivalentError",
    "QoS",
    "Transport",
    "UndeliverableWarning",
    "binding_key_t",
    "queue_binding_t",
    "queue_declare_ok_t",
)
