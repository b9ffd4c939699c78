"""The in-memory transport: a broker inside the process.

``memory://`` is one broker for the whole process; ``memory://name`` is one of
that name, which shares nothing with the others.  A broker lives as long as the
process.

It can be used from many threads.  A consumer that waits is woken by the
publisher; nothing is polled.  Messages are kept as they are, without encoding.

Messages in flight are leased to connections.  In one process nobody need renew
a lease: a connection lives as long as one of the threads that consume by it.
When the last one has died without closing it, what it had goes to others after
the lease, and at once if the connection itself is gone.
"""

from __future__ import annotations

from kombu.transport.memory._broker import MemoryBroker, brokers
from kombu.transport.memory._channel import Channel
from kombu.transport.memory._transport import Transport

__all__ = ("Channel", "MemoryBroker", "Transport", "brokers")
