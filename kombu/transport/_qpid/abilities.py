"""What each product offers over AMQP 1.0, as far as it is known."""

from __future__ import annotations

from kombu.transport._capabilities import (
    NATIVE,
    Support,
    default_transport_capabilities,
)

__all__ = ("BROKER_J", "GENERIC", "RABBITMQ", "RABBITMQ_4")


def _native(*names: str) -> dict[str, Support]:
    return {name: Support(NATIVE) for name in names}


#: Of any broker: queues, by the exchange without a name.
GENERIC = default_transport_capabilities.extend(
    asynchronous=True,
    heartbeats=True,
    exchange_type=frozenset(),
    abilities=_native(
        "event_loop",
        "concurrent_publish",
        "prefetch",
        "redelivered",
        "lease",
        "shared_topology",
        "passive_declare",
        "tls",
    ),
)

#: Of Apache Qpid Broker-J, which is asked by its management node.
BROKER_J = GENERIC.extend(
    exchange_type=frozenset({"direct", "topic", "fanout", "headers"}),
    abilities={
        **_native(
            "direct",
            "topic",
            "fanout",
            "headers",
            "exchange_binding",
            "alternate_exchange",
            "exclusive",
            "auto_delete",
            "cancel_notice",
            "requeue_to_head",
            "priority",
            "message_ttl",
            "max_length",
            "delivery_limit",
        ),
        "mandatory": Support(NATIVE, "of exchanges that this library has declared"),
    },
)

#: Of RabbitMQ 3, with its plug-in: what other clients have declared works too.
RABBITMQ = GENERIC.extend(abilities=_native("requeue_to_head"))

#: Of RabbitMQ 4: the same, and it says what reached no queue.
RABBITMQ_4 = RABBITMQ.extend(abilities=_native("mandatory"))
