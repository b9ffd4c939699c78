"""Event loop: one thread that waits for many descriptors and timers."""

from __future__ import annotations

# Task queues built on this loop use it without importing it themselves.
import logging.handlers  # noqa: F401

from kombu.asynchronous.hub import Hub, get_event_loop, set_event_loop
from kombu.utils.eventio import ERR, READ, WRITE

__all__ = ("ERR", "READ", "WRITE", "Hub", "get_event_loop", "set_event_loop")
