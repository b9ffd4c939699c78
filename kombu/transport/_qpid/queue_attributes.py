"""What Qpid Broker-J calls what a queue is.

Arguments of RabbitMQ become attributes of Broker-J where it has the same thing:

=========================== ========================================================
``x-max-priority``          type ``priority``
``x-message-ttl``           ``maximumMessageTtl``
``x-max-length``            ``maximumQueueDepthMessages``
``x-max-length-bytes``      ``maximumQueueDepthBytes``
``x-overflow``              ``overflowPolicy``: RING or REJECT
``x-delivery-limit``        ``maximumDeliveryAttempts``
=========================== ========================================================

Dead letters are not among them: Broker-J has an alternate binding for what was
delivered too often, but no way to send a message there at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kombu.transport._qpid.dialects import QueueSpec

__all__ = ("COMPARED", "queue_attributes")

#: Attributes that a declaration compares: the argument, and what stands for none.
COMPARED: Mapping[str, tuple[str, Any]] = {
    "durable": ("durable", False),
    "exclusive": ("exclusive", "NONE"),
    "lifetimePolicy": ("auto_delete", "PERMANENT"),
    "qpid-type": ("x-max-priority", "standard"),
    "priorities": ("x-max-priority", None),
    "maximumMessageTtl": ("x-message-ttl", None),
    "maximumQueueDepthMessages": ("x-max-length", None),
    "maximumQueueDepthBytes": ("x-max-length-bytes", None),
    "overflowPolicy": ("x-overflow", "NONE"),
    "maximumDeliveryAttempts": ("x-delivery-limit", None),
}


def queue_attributes(queue: QueueSpec) -> dict[str, Any]:
    """Return what Broker-J calls what *queue* is."""
    arguments = queue.arguments
    attributes: dict[str, Any] = {"durable": queue.durable}
    if queue.exclusive:
        attributes["exclusive"] = "CONNECTION"
        attributes["lifetimePolicy"] = "DELETE_ON_CONNECTION_CLOSE"
    elif queue.auto_delete:
        attributes["lifetimePolicy"] = "DELETE_ON_NO_OUTBOUND_LINKS"
    if "x-max-priority" in arguments:
        attributes["qpid-type"] = "priority"
        attributes["priorities"] = _levels(int(arguments["x-max-priority"]))
    if "x-message-ttl" in arguments:
        attributes["maximumMessageTtl"] = int(arguments["x-message-ttl"])
    _limit(attributes, arguments)
    if "x-delivery-limit" in arguments:
        attributes["maximumDeliveryAttempts"] = int(arguments["x-delivery-limit"]) + 1
    return attributes


def _levels(highest: int) -> int:
    """Return how many levels Broker-J needs to tell priorities up to *highest* apart.

    It puts the default priority of AMQP 1.0, 4, into the middle of what it has.
    """
    return max(10, 2 * (highest - 4))


def _limit(attributes: dict[str, Any], arguments: Mapping[str, Any]) -> None:
    for name in ("x-max-length", "x-max-length-bytes"):
        if name in arguments and not int(arguments[name]):
            raise PreconditionFailed(
                f"{name} must be 1 or more: Broker-J takes 0 for no limit",
                None,
                "",
                406,
            )
    if "x-max-length" in arguments:
        attributes["maximumQueueDepthMessages"] = int(arguments["x-max-length"])
    if "x-max-length-bytes" in arguments:
        attributes["maximumQueueDepthBytes"] = int(arguments["x-max-length-bytes"])
    if "x-max-length" in arguments or "x-max-length-bytes" in arguments:
        overflow = arguments.get("x-overflow", "drop-head")
        attributes["overflowPolicy"] = "RING" if overflow == "drop-head" else "REJECT"
