"""The transport of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu.transport.redis.hosts import ManyHosts
from kombu.transport.redis.transport import Transport

if TYPE_CHECKING:
    from kombu.transport.redis.lines import Quota
    from kombu.transport.redis.server import Server

__all__ = ("ClusterTransport", "SSLClusterTransport")


class ClusterTransport(ManyHosts, Transport):
    """The Redis transport, on a cluster; URLs separated by ``;`` name nodes of it."""

    __module__ = "kombu.transport.redis"

    def _make_server(self, quota: Quota) -> Server:
        from kombu.transport.redis.cluster import ClusterServer

        return ClusterServer(self.parameters, self._hosts(), quota)


class SSLClusterTransport(ClusterTransport):
    """The same, by TLS."""

    __module__ = "kombu.transport.redis"

    _uses_tls = True
