"""What is written beside a message in flight, and what it says of itself.

A tag of ours is ``k6:<owner>:<number>:<place>:<queue>``; what old peers have in flight
has tags of another form.  The value is what they write: ``[message, exchange, routing
key]``, with the default exchange and the queue, so that they put it back to where it
came from.
"""

from __future__ import annotations

import json
from typing import Any

from kombu.transport.virtual.claims import DELIVERY_COUNT

__all__ = ("OUR_MARK", "delivery_count_of", "ending_of", "queue_of_tag")

#: How tags of ours begin.
OUR_MARK = "k6:"


def ending_of(queue: str) -> str:
    """Return how the in-flight value of a message of *queue* ends."""
    return f', "", {json.dumps(queue)}]'


def queue_of_tag(tag: str) -> str:
    """Return the queue that a tag of ours names."""
    return tag.split(":", 4)[4]


def delivery_count_of(envelope: Any) -> int:
    """Return how often *envelope* was delivered before, by what it says itself."""
    try:
        properties = envelope["properties"]
        found = properties.get(DELIVERY_COUNT)
        if isinstance(found, int):
            return found
        # As old peers mark it, who do not count.
        info = properties.get("delivery_info") or {}
        marked = info.get("redelivered") or envelope["headers"].get("redelivered")
        return int(bool(marked))
    except (TypeError, LookupError, AttributeError):
        return 0
