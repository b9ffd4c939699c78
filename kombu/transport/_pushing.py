"""Transports whose broker pushes messages over a socket: in an event loop, and alive.

Connections of such a transport have ``sock``, ``connected``, ``drain_events``,
``has_deliveries``, ``call_for_deliveries``, ``announce_deliveries``, ``heartbeat``,
``heartbeat_tick`` and ``is_usable``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport import base

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("PushingTransport",)

#: Messages delivered before the loop gets its turn again.
_MESSAGES_PER_TURN = 100


class PushingTransport(base.Transport):
    """The part of a transport that delivers what its broker pushes."""

    # -- heartbeats --------------------------------------------------------------------

    def verify_connection(self, connection: Any) -> bool:
        """Return whether *connection* can still be used, as far as is known."""
        return bool(connection.is_usable())

    def heartbeat_check(self, connection: Any, rate: int = 2) -> None:
        """Send a heartbeat if it is time, and see that the broker lives."""
        connection.heartbeat_tick(rate)

    def get_heartbeat_interval(self, connection: Any) -> float:
        """Return the agreed seconds between heartbeats; 0 for none."""
        return float(connection.heartbeat or 0)

    # -- event loop --------------------------------------------------------------------

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have *loop* deliver what comes by *connection*."""
        loop.add_reader(connection.sock, self.on_readable, connection, loop)
        connection.call_for_deliveries(self._caller(connection, loop))
        connection.announce_deliveries()  # what came before

    def unregister_from_event_loop(self, connection: Any, loop: Any) -> None:
        """Undo :meth:`register_with_event_loop`."""
        connection.call_for_deliveries(None)
        loop.remove_reader(connection.sock)

    def _caller(self, connection: Any, loop: Any) -> Callable[[], None]:
        def call() -> None:
            loop.call_soon(self._deliver_put_aside, connection, loop)

        return call

    def _deliver_put_aside(self, connection: Any, loop: Any) -> None:
        if connection.has_deliveries:
            self.on_readable(connection, loop)

    def on_readable(self, connection: Any, loop: Any) -> None:
        """Deliver what has arrived, without waiting; what is much, in turns."""
        try:
            for _ in range(_MESSAGES_PER_TURN):
                connection.drain_events(timeout=0)
        except TimeoutError:
            return
        loop.call_soon(self._read_on, connection, loop)

    def _read_on(self, connection: Any, loop: Any) -> None:
        if connection.connected:
            self.on_readable(connection, loop)
