"""URLs that name several hosts of one broker: sentinels, or nodes of a cluster.

``scheme://host:port;scheme://host2:port2/database``: database and login are those of
the first URL.
"""

from __future__ import annotations

from typing import Any

from kombu.utils.url import parse_url

__all__ = ("ManyHosts",)


class ManyHosts:
    """The part of a transport that reads such URLs."""

    client: Any
    default_port: Any

    def _hosts(self) -> list[tuple[str, int]]:
        """Return the addresses of all hosts."""
        client = self.client
        urls = [url for url in client.alt or () if "://" in url]
        if not urls:
            return [(client.hostname or "localhost", client.port or self.default_port)]
        return [
            (one["hostname"] or "localhost", one["port"] or self.default_port)
            for one in map(parse_url, urls)
        ]

    def _client_for_parameters(self) -> Any:
        return _FirstURL(self.client)


class _FirstURL:
    """A connection as its first URL describes it: the others only name hosts.

    Arguments:
        client: The connection.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        urls = [url for url in client.alt or () if "://" in url]
        self._first = parse_url(urls[0]) if urls else {}

    def __getattr__(self, name: str) -> Any:
        value = self._first.get(name)
        return getattr(self._client, name) if value is None else value
