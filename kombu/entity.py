"""Exchanges, queues and bindings: what is declared at the broker.

A door over one noun a file.
"""

from __future__ import annotations

from kombu._binding import binding, pretty_bindings
from kombu._exchange import (
    DEFAULT_DELIVERY_MODE,
    DELIVERY_MODES,
    INTERNAL_EXCHANGE_PREFIX,
    PERSISTENT_DELIVERY_MODE,
    TRANSIENT_DELIVERY_MODE,
    Exchange,
    maybe_delivery_mode,
)
from kombu._queue import Queue

__all__ = (
    "DEFAULT_DELIVERY_MODE",
    "DELIVERY_MODES",
    "INTERNAL_EXCHANGE_PREFIX",
    "PERSISTENT_DELIVERY_MODE",
    "TRANSIENT_DELIVERY_MODE",
    "Exchange",
    "Queue",
    "binding",
    "maybe_delivery_mode",
    "pretty_bindings",
)
