"""What a dead-lettered message tells of its deaths, as RabbitMQ writes it.

The header ``x-death`` is a list with an entry for each pair of queue and reason,
the latest first: ``count``, ``reason``, ``queue``, ``time`` (seconds since 1970),
``exchange``, ``routing-keys``, and ``original-expiration`` of a message that had
one.  ``x-first-death-exchange``, ``-queue`` and ``-reason`` are of the first.

See https://www.rabbitmq.com/docs/dlx.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from kombu.transport.virtual.claims import (
    DELIVER_AT,
    DELIVERY_COUNT,
    EXPIRES_AT,
    with_properties,
)
from kombu.utils.identity import unique_id

__all__ = (
    "DELIVERY_LIMIT",
    "EXPIRED",
    "MAX_LENGTH",
    "REJECTED",
    "after_death",
    "is_cycle",
)

EXPIRED = "expired"
REJECTED = "rejected"
MAX_LENGTH = "maxlen"
DELIVERY_LIMIT = "delivery_limit"


def after_death(
    envelope: Any, queue: str, reason: str, exchange: str, routing_key: str, now: float
) -> dict[str, Any]:
    """Return the envelope of a dead message for the queues that it goes to.

    Arguments:
        envelope: As it was in the queue; what is no envelope becomes the body
            of one.
        queue: Where it died.
        reason: Why.
        exchange: The dead-letter exchange.
        routing_key: The key that it is routed by.
        now: Seconds since 1970.
    """
    if not _is_envelope(envelope):
        envelope = _wrapped(envelope)
    properties = envelope["properties"]
    info = dict(properties.get("delivery_info") or {})
    death = {
        "count": 1,
        "reason": reason,
        "queue": queue,
        "time": int(now),
        "exchange": info.get("exchange") or "",
        "routing-keys": [info.get("routing_key") or ""],
    }
    if "expiration" in properties:
        death["original-expiration"] = properties["expiration"]
    headers = dict(envelope.get("headers") or {})
    headers["x-death"] = _with_death(headers.get("x-death"), death)
    headers.pop("x-delay", None)
    for name in ("exchange", "queue", "reason"):
        headers.setdefault(f"x-first-death-{name}", death[name])
    info.pop("redelivered", None)
    info.update(exchange=exchange, routing_key=routing_key)
    changes: dict[str, Any] = {
        name: None
        for name in ("expiration", "deliver_at", DELIVER_AT, EXPIRES_AT, DELIVERY_COUNT)
        if name in properties
    }
    dead = {**envelope, "headers": headers}
    dead.pop("redelivered", None)
    return with_properties(dead, delivery_info=info, **changes)  # type: ignore[no-any-return]


def _is_envelope(envelope: Any) -> bool:
    if not isinstance(envelope, dict):
        return False
    properties = envelope.get("properties")
    return (
        isinstance(properties, dict)
        and isinstance(envelope.get("headers") or {}, dict)
        and isinstance(properties.get("delivery_info") or {}, dict)
    )


def _wrapped(data: Any) -> dict[str, Any]:
    """Return an envelope around what was found in the place of one."""
    if not isinstance(data, bytes):
        data = (data if isinstance(data, str) else repr(data)).encode(
            "utf-8", "surrogatepass"
        )
    return {
        "body": b64encode(data).decode("ascii"),
        "content-encoding": "binary",
        "content-type": "application/octet-stream",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": unique_id(),
            "priority": 0,
        },
    }


def _deaths(headers: Any) -> list[dict[str, Any]]:
    """Return the entries of ``x-death``; anybody may have written them."""
    found = headers.get("x-death") if isinstance(headers, dict) else headers
    if not isinstance(found, (list, tuple)):
        return []
    return [entry for entry in found if isinstance(entry, dict)]


def _with_death(known: Any, death: dict[str, Any]) -> list[dict[str, Any]]:
    rest = []
    for entry in _deaths(known):
        same = (entry.get("queue"), entry.get("reason")) == (
            death["queue"],
            death["reason"],
        )
        if not same:
            rest.append(entry)
            continue
        count = entry.get("count")
        before = count if isinstance(count, int) else 0
        death = {**entry, "count": before + 1, "time": death["time"]}
    return [death, *rest]


def is_cycle(queue: str, headers: dict[str, Any]) -> bool:
    """Return whether a message comes to *queue* again, and only by itself.

    That is: it has died there before, and since then nobody has rejected it.
    Such a message is dropped, or it would go round for ever.
    """
    seen = []
    for entry in _deaths(headers):
        seen.append(entry.get("reason"))
        if entry.get("queue") == queue:
            return REJECTED not in seen
    return False
