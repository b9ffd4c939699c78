"""The Redis transport: queues in the lists of a server.

``redis://[user:password@]host[:port][/database]``, ``rediss://`` for TLS, which is
verified, ``redis+socket:///path/of/socket?virtual_host=database``; ``valkey://`` and
``valkeys://`` are the same.  ``sentinel://`` and ``redis+cluster://``: see :mod:`.sentinel`
and :mod:`.cluster`.

A message that is claimed is moved, by one script, from its queue's lists to the
in-flight record, where it stays until it is acknowledged.  Its owner renews the lease
on it; when the owner is dead and the lease has run out, any peer puts it back.  The
keys are those of kombu 5.7 with others beside them (:mod:`.keys`), so that processes of
both releases can share a server.  A server must be of version 6.0 or newer, or Valkey.

Known limits:

* what kombu 5.7 takes, it can lose (it pops, and records later), and it gives no lease:
  what it has not acknowledged is put back after ``peer_visibility_timeout``;
* fanout exchanges reach who listens at that moment, as in kombu 5.7, unless the option
  ``fanout`` is ``durable`` in all processes;
* messages that rest until they are due are unknown to kombu 5.7: a process of this
  release has to consume from the queue, or sweep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport.redis.batch import PublishBatch
from kombu.transport.redis.channel import Channel
from kombu.transport.redis.cluster_transport import (
    ClusterTransport,
    SSLClusterTransport,
)
from kombu.transport.redis.names import (
    DEFAULT_DB,
    DEFAULT_HEALTH_CHECK_INTERVAL,
    DEFAULT_PORT,
    PRIORITY_STEPS,
    Mutex,
    MutexHeld,
    error_classes_t,
    get_redis_ConnectionError,
    get_redis_error_classes,
)
from kombu.transport.redis.sentinel import SentinelChannel, SentinelTransport
from kombu.transport.redis.transport import SSLTransport, Transport, UnixSocketTransport

if TYPE_CHECKING:
    from redis.sentinel import SentinelManagedSSLConnection

__all__ = (
    "DEFAULT_DB",
    "DEFAULT_HEALTH_CHECK_INTERVAL",
    "DEFAULT_PORT",
    "PRIORITY_STEPS",
    "Channel",
    "ClusterTransport",
    "Mutex",
    "MutexHeld",
    "PublishBatch",
    "QoS",
    "SSLClusterTransport",
    "SSLTransport",
    "SentinelChannel",
    "SentinelManagedSSLConnection",
    "SentinelTransport",
    "Transport",
    "UnixSocketTransport",
    "error_classes_t",
    "get_redis_ConnectionError",
    "get_redis_error_classes",
)

#: What a channel has taken and not settled; kombu 5.7 has a class of its own for it.
QoS = Channel.QoS


def __getattr__(name: str) -> Any:
    # redis-py's own, which is not to be imported before it is used.
    if name == "SentinelManagedSSLConnection":
        from redis.sentinel import SentinelManagedSSLConnection

        return SentinelManagedSSLConnection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
