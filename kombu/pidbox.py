"""Mailboxes: commands to processes, one, some or all, and their replies.

Each process has a :class:`Node` with handlers for commands; commands are sent
by a :class:`Mailbox`.  Commands and replies are messages of these forms::

    {"method": name, "arguments": {...}, "destination": [hosts] or None,
     "pattern": pattern or None, "matcher": name or None,
     "ticket": id, "reply_to": {"exchange": name, "routing_key": key}}

    {hostname: result}      with the header ``ticket``
"""

from __future__ import annotations

from kombu._mailbox import REPLY_QUEUE_EXPIRES, Mailbox
from kombu._node import Node

__all__ = ("REPLY_QUEUE_EXPIRES", "Mailbox", "Node")
