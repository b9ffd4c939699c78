"""Connecting the socket: what :mod:`amqp` does, with our wire and our TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amqp.transport import SSLTransport, TCPTransport

from kombu.transport._amqp.errors import ConnectionLost

if TYPE_CHECKING:
    from kombu.transport._tls import TLS

__all__ = ("PlainTransport", "TLSTransport")


class PlainTransport(TCPTransport):  # type: ignore[misc]
    """The transport of :mod:`amqp`, which connects and writes by our wire."""

    def write(self, s: Any) -> None:
        """Send *s*: frames of the rare methods."""
        if self.connection is None:
            raise ConnectionLost("the connection is closed")
        self.connection.send([s], None, self.connection.guard)


class TLSTransport(SSLTransport):  # type: ignore[misc]
    """The same with TLS."""

    tls: TLS

    write = PlainTransport.write

    def _wrap_socket(self, sock: Any, context: Any = None, **sslopts: Any) -> Any:
        # A host that connects and then is silent must not hold us for ever.
        sock.settimeout(self.connect_timeout)
        return self.tls.wrap(sock, self.host)

    def _shutdown_transport(self) -> None:
        """Close at once: a polite end of TLS would wait for the broker."""
