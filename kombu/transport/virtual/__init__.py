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

__all__ = (
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
)
