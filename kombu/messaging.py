"""Sending and receiving messages.

A door over one noun a file.
"""

from __future__ import annotations

from kombu._consumer import Consumer
from kombu._producer import Producer
from kombu.entity import Exchange, Queue

__all__ = ("Consumer", "Exchange", "Producer", "Queue")
