"""The protocol engine: bytes in, events out, bytes out; no I/O, no clock, no threads.

Links and sessions that are over are never freed one by one: what the garbage collector
then does, in its own order, to what refers to them has been seen to break the heap.
They go with the connection.

Whoever uses it holds a lock: the library is not made for several threads.  TLS is
spoken below it, by the socket, in the one form that all transports have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import proton

from kombu.transport._qpid.errors import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ("Engine", "Login", "condition_of", "remote_condition")

#: What one piece of output is at most.
_PIECE = 64 * 1024


class Login(NamedTuple):
    """Who we are.

    Attributes:
        user: Name; None for nobody.
        password: Password.
        mechanisms: Ways to log in, by spaces.
    """

    user: str | None
    password: str | None
    mechanisms: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.user!r} by {self.mechanisms}>"


def condition_of(*sources: Any) -> Condition:
    """Return the first condition that one of *sources* has."""
    for source in sources:
        if source is not None:
            return Condition(str(source.name), str(source.description or ""))
    return Condition("closed", "the broker gave no reason")


def remote_condition(endpoint: Any) -> Condition | None:
    """Return why the broker ended *endpoint*, if it said so."""
    try:
        found = endpoint.remote_condition
    except UnicodeDecodeError:
        # RabbitMQ's plug-in says names that are not ASCII in another encoding.
        return Condition("unreadable", "the broker gave a reason that is no UTF-8")
    return None if found is None else condition_of(found)


class Engine:
    """One connection, without a socket.

    Arguments:
        login: How to log in.
        container: What the broker calls us.
        hostname: Virtual host, as the broker wants it; None for its default.
        idle_timeout: Seconds of silence after which the broker is lost; 0 for none.
        max_frame_size: Bytes of the longest frame.
        properties: Shown by the broker.
    """

    def __init__(
        self,
        login: Login,
        container: str,
        hostname: str | None = None,
        idle_timeout: float = 0.0,
        max_frame_size: int = 131072,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        self.connection = proton.Connection()
        self.connection.container = container
        self.connection.hostname = hostname
        if login.user is not None:
            self.connection.user = login.user
        if login.password is not None:
            self.connection.password = login.password
        if properties:
            self.connection.properties = {
                proton.symbol(key): value for key, value in properties.items()
            }
        self.transport = proton.Transport()
        sasl = self.transport.sasl()
        sasl.allowed_mechs(login.mechanisms)
        # Whether there is TLS is not seen from here.
        sasl.allow_insecure_mechs = True
        self._sasl = sasl
        self.transport.max_frame_size = max_frame_size
        if idle_timeout:
            # Each side tells the other half of what it suffers.
            self.transport.idle_timeout = idle_timeout
        self._collector = proton.Collector()
        self.connection.collect(self._collector)
        self.transport.bind(self.connection)
        self.connection.open()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.connection.container}>"

    # -- bytes -----------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take in what came from the broker."""
        view = memoryview(data)
        while view:
            room = self.transport.capacity()
            if room <= 0:  # it does not listen any more
                return
            self.transport.push(bytes(view[:room]))
            view = view[room:]

    def end_of_input(self) -> None:
        """Note that nothing more will come."""
        if self.transport.capacity() >= 0:
            self.transport.close_tail()

    @property
    def has_output(self) -> bool:
        """Whether there is something to be sent."""
        return bool(self.transport.pending() > 0)

    def output(self) -> bytes:
        """Return bytes to be sent; :meth:`sent` says how many were."""
        pending = self.transport.pending()
        if pending <= 0:
            return b""
        return self.transport.peek(min(pending, _PIECE)) or b""

    def sent(self, count: int) -> None:
        """Note that *count* bytes of :meth:`output` were sent."""
        self.transport.pop(count)

    def tick(self, now: float) -> float | None:
        """Do what is due; return the moment at which something will be.

        Arguments:
            now: Seconds on a clock that never jumps, not 0.
        """
        return self.transport.tick(now) or None

    # -- events ----------------------------------------------------------------------

    def events(self) -> Iterator[proton.Event]:
        """Return what has happened; each event is told once."""
        while True:
            event = self._collector.peek()
            if event is None:
                return
            try:
                yield event
            finally:
                self._collector.pop()

    # -- what the broker says ----------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the broker has opened the connection, and not closed it."""
        return bool(self.connection.state & proton.Endpoint.REMOTE_ACTIVE)

    @property
    def remote_properties(self) -> dict[str, Any]:
        """What the broker says of itself."""
        return {str(k): v for k, v in (self.connection.remote_properties or {}).items()}

    @property
    def offered(self) -> frozenset[str]:
        """Capabilities that the broker offers."""
        capabilities = self.connection.remote_offered_capabilities
        return frozenset(str(name) for name in capabilities or ())

    @property
    def broker_timeout(self) -> float:
        """Seconds of our silence that the broker suffers; 0 for any."""
        return float(self.transport.remote_idle_timeout or 0.0)

    def failure(self) -> Condition:
        """Return why the connection ended."""
        sasl_outcome = self._sasl.outcome
        if sasl_outcome not in (None, proton.SASL.OK):
            text = f"authentication failed [mech={self._sasl.mech or 'none'}]"
            return Condition("amqp:unauthorized-access", text)
        condition = remote_condition(self.connection)
        if condition is not None:
            return condition
        return condition_of(self.transport.condition)
