"""HTTP clients that work beside the event loop and call back in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.asynchronous.http.base import (
    BaseClient,
    Headers,
    Request,
    Response,
    require_hub,
)

if TYPE_CHECKING:
    from kombu.asynchronous.hub import Hub

__all__ = ("BaseClient", "Client", "Headers", "Request", "Response", "get_client")


def Client(hub: Hub | None = None, **kwargs: Any) -> BaseClient:
    """Return a new HTTP client.

    Arguments:
        hub: The event loop, by default the one that was set.
        kwargs: Arguments for the client, such as ``max_clients``.

    Raises:
        DriverNotInstalled: urllib3 is not installed.
        KombuError: There is no event loop.
    """
    from kombu.asynchronous.http.threaded import ThreadedClient

    return ThreadedClient(hub, **kwargs)


def get_client(hub: Hub | None = None, **kwargs: Any) -> BaseClient:
    """Return the HTTP client that belongs to the event loop.

    A new one is made if there is none yet, or if it was closed since.

    Arguments:
        hub: The event loop, by default the one that was set.
        kwargs: Arguments for the client, if it is made.
    """
    hub = require_hub(hub)
    client: BaseClient | None = hub._current_http_client
    if client is None or client.is_closed:
        client = hub._current_http_client = Client(hub, **kwargs)
    return client
