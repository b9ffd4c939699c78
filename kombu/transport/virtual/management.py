"""Asking a virtual broker what it knows."""

from __future__ import annotations

from typing import Any

from kombu.transport.base import Management as BaseManagement

__all__ = ("Management",)


class Management(BaseManagement):
    """Reads the bindings by a channel of its own."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self.channel = transport.client.channel()

    def get_bindings(self) -> list[dict[str, Any]]:
        """Return all bindings, each with destination, source and routing key."""
        return self.channel.get_bindings()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()
