"""Virtual transports: AMQP's exchanges, queues and acknowledgements over a store.

To write one, subclass :class:`Channel` with the hooks of
:class:`AbstractChannel`, and :class:`Transport` with that channel.
"""

from __future__ import annotations

from kombu.transport.virtual.base import (
    AbstractChannel,
    Base64,
    BrokerState,
    Channel,
    Empty,
    Management,
    Message,
    NotEquivalentError,
    QoS,
    Transport,
    UndeliverableWarning,
    binding_key_t,
    queue_binding_t,
)
from kombu.transport.virtual.leased import LeasedChannel
from kombu.transport.virtual.records import RecordStore

__all__ = (
    "AbstractChannel",
    "Base64",
    "BrokerState",
    "Channel",
    "Empty",
    "LeasedChannel",
    "Management",
    "Message",
    "NotEquivalentError",
    "QoS",
    "RecordStore",
    "Transport",
    "UndeliverableWarning",
    "binding_key_t",
    "queue_binding_t",
)
