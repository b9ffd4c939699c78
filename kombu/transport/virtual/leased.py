"""Base of channels to stores that lease their messages."""

from __future__ import annotations

from typing import Any

from kombu.transport.virtual.channel import Channel
from kombu.transport.virtual.leasing import STORE
from kombu.transport.virtual.storage import Empty

__all__ = ("LeasedChannel",)


class LeasedChannel(Channel):
    """A channel whose store keeps what is in flight.

    Transports subclass this and supply, beside ``_put``, ``_size``, ``_purge``,
    ``_has_queue`` and ``_delete``, the hooks of
    :class:`~kombu.transport.virtual.leasing.LeaseHooks`.
    """

    holding = STORE

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        claim = self._claim_next(queue)
        if claim is None:
            raise Empty()
        self._settle((claim,))
        return claim.envelope
