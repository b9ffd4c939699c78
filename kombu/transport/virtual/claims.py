"""Claims: messages that were taken from a store, and are leased until settled.

Also here: what the kernel writes into an envelope's properties, beside AMQP's.
Moments are milliseconds of the store's clock since 1970; old peers hand these
properties on as they find them.

=====================  ========================================================
``x-deliver-at``       the message rests until then
``x-expires-at``       the message is dead from then on
``x-delivery-count``   deliveries that were not acknowledged, where a store
                       keeps the number in the envelope
=====================  ========================================================
"""

from __future__ import annotations

from typing import Any

__all__ = (
    "DELIVERY_COUNT",
    "DELIVER_AT",
    "EXPIRES_AT",
    "Claim",
    "deliver_at",
    "delivery_count",
    "expires_at",
    "redelivered",
    "with_properties",
)

DELIVER_AT = "x-deliver-at"
EXPIRES_AT = "x-expires-at"
DELIVERY_COUNT = "x-delivery-count"


class Claim:
    """One message in hand.

    Attributes:
        queue: Name of the queue that it was taken from.
        envelope: The envelope; or whatever was found in its place.
        token: How the store finds its record of the claim again; the store's
            own business.
        deliveries: How often it was delivered before, and not acknowledged.
        was_delivered: Whether it has reached a consumer since it was claimed;
            set by the kernel.  What has not comes back unmarked.
    """

    __slots__ = ("deliveries", "envelope", "queue", "token", "was_delivered")

    def __init__(
        self, queue: str, envelope: Any, token: Any = None, deliveries: int = 0
    ) -> None:
        self.queue = queue
        self.envelope = envelope
        self.token = token
        self.deliveries = deliveries
        self.was_delivered = False

    def __repr__(self) -> str:
        state = "delivered" if self.was_delivered else "waiting"
        return (
            f"<{type(self).__name__}: {self.token!r} of {self.queue}, {state}, "
            f"{self.deliveries} deliveries before>"
        )

    @property
    def deliveries_when_released(self) -> int:
        """How often it will have been delivered once it is put back."""
        return self.deliveries + self.was_delivered


def _property(envelope: Any, name: str) -> Any:
    """Return a property of what may be no envelope at all; None if absent."""
    try:
        return envelope["properties"].get(name)
    except (TypeError, LookupError, AttributeError):
        return None


def _moment(envelope: Any, name: str) -> float | None:
    value = _property(envelope, name)
    return value / 1000 if isinstance(value, (int, float)) else None


def deliver_at(envelope: Any) -> float | None:
    """Return when *envelope* is due, in seconds since 1970; None for at once."""
    return _moment(envelope, DELIVER_AT)


def expires_at(envelope: Any) -> float | None:
    """Return when *envelope* expires, in seconds since 1970; None for never."""
    return _moment(envelope, EXPIRES_AT)


def delivery_count(envelope: Any) -> int:
    """Return the number of deliveries that the *envelope* itself tells of."""
    value = _property(envelope, DELIVERY_COUNT)
    if isinstance(value, int):
        return value
    # As peers mark it that do not count.
    return int(isinstance(envelope, dict) and bool(envelope.get("redelivered")))


def with_properties(envelope: Any, **changes: Any) -> Any:
    """Return a copy of *envelope* with properties changed, or removed (None)."""
    properties = {**envelope["properties"], **changes}
    for name, value in changes.items():
        if value is None:
            del properties[name]
    return {**envelope, "properties": properties}


def redelivered(envelope: Any, count: int | None = None) -> Any:
    """Return *envelope* with the mark that it was delivered before.

    Arguments:
        envelope: An envelope; what is none is returned as it is.
        count: Deliveries to note in it, if its store keeps the number there.
    """
    try:
        info = envelope["properties"].get("delivery_info") or {}
        changes: dict[str, Any] = {"delivery_info": {**info, "redelivered": True}}
        if count is not None:
            changes[DELIVERY_COUNT] = count
        return {**with_properties(envelope, **changes), "redelivered": True}
    except (TypeError, KeyError, AttributeError):
        return envelope
