"""A proxy that breaks the connections between a client and its broker.

.. code-block:: python

    with FaultProxy("localhost", 6379) as proxy:
        connection = Connection(proxy.url_for("redis://localhost:6379/0"))
        proxy.to_client.delay(0.2)

One thread serves all connections.  Faults are set per direction
(:attr:`FaultProxy.to_broker`, :attr:`FaultProxy.to_client`) or for both, and
hold until they are healed.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kombu.testing._faults import Faults
from kombu.testing._link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("FaultProxy",)

_HERE = "127.0.0.1"


class FaultProxy:
    """A TCP proxy with faults, on a free port of this machine; a context manager.

    Arguments:
        host: Host of the broker.
        port: Port of the broker.
        patience: Seconds after which :meth:`wait_until` fails.

    Attributes:
        host: Where clients connect to.
        port: The port that was found.
        to_broker: Faults of what clients send.
        to_client: Faults of what the broker sends.
        connections: How many clients have connected so far.
    """

    def __init__(self, host: str, port: int, *, patience: float = 5.0) -> None:
        self._broker = _resolve(host, port)
        self._patience = patience
        self.host = _HERE
        self.port = 0
        self.connections = 0
        self.to_broker = Faults("to broker", self._do, self._heal)
        self.to_client = Faults("to client", self._do, self._heal)
        self._links: list[Link] = []
        self._todo: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def __repr__(self) -> str:
        state = f"{self.host}:{self.port}" if self._thread else "stopped"
        return (
            f"<{type(self).__name__}: {state} -> {self._broker[1]}, "
            f"{self.open_connections} open>"
        )

    # -- life --------------------------------------------------------------------------

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to listen."""
        self._is_stopping = False
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        for sock in (self._waker, self._woken):
            sock.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        # Keeps the port while nobody listens on it.
        self._reserved = _bind(self.port)
        self.port = self._reserved.getsockname()[1]
        self._listen()
        self._thread = threading.Thread(
            target=self._run, name="kombu-fault-proxy", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End all connections, and listen no more; may be called twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._is_stopping = True
        self._wake()
        thread.join()
        for link in self._links:
            link.close()
        self._links.clear()
        self._stop_listening()
        self._selector.close()
        self._reserved.close()
        self._waker.close()
        self._woken.close()

    # -- addresses ---------------------------------------------------------------------

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    def url_for(self, url: str) -> str:
        """Return *url* with the address of the proxy in the place of the broker's."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{at}{self.host}:{self.port}").geturl()

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until *condition*, about the proxy, is true.

        Raises:
            AssertionError: It is not, after ``patience`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(condition, self._patience):
                raise AssertionError(f"waited in vain for a condition of {self!r}")

    # -- faults ------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset all connections (RST)."""
        self._do(lambda: self._end_links(Link.reset))

    def close(self) -> None:
        """End all connections in order (FIN)."""
        self._do(lambda: self._end_links(Link.close))

    def refuse(self) -> None:
        """Refuse new connections."""
        self._do(self._stop_listening)

    def black_hole(self) -> None:
        """Swallow everything in both directions."""
        self.to_broker.black_hole()
        self.to_client.black_hole()

    def delay(self, seconds: float) -> None:
        """Have bytes of both directions arrive *seconds* late."""
        self.to_broker.delay(seconds)
        self.to_client.delay(seconds)

    def throttle(self, bytes_per_second: float) -> None:
        """Let no more than that pass in each direction of each connection."""
        self.to_broker.throttle(bytes_per_second)
        self.to_client.throttle(bytes_per_second)

    def heal(self) -> None:
        """End all faults: let bytes pass, and connections be made."""
        self._heal(self.to_broker, self.to_client)
        self._do(self._listen)

    def _heal(self, *directions: Faults) -> None:
        def heal() -> None:
            for faults in directions:
                faults.forget()
            self._end_links(Link.reset, lambda link: link.has_lost)

        self._do(heal)

    # -- in the thread -----------------------------------------------------------------

    def _do(self, work: Callable[[], None]) -> None:
        """Have the thread do *work*, and wait until it is done."""
        if self._thread is None:
            raise RuntimeError(
                f"{self!r}: use it as a context manager, or call start()"
            )
        done: Future[None] = Future()
        self._todo.append((work, done))
        self._wake()
        done.result(self._patience)

    def _wake(self) -> None:
        # A full pipe wakes as well as one more byte would.
        with suppress(BlockingIOError):
            self._waker.send(b".")

    def _run(self) -> None:
        while not self._is_stopping:
            for key, events in self._selector.select(self._time_left()):
                if key.data is not None:
                    self._serve(key.data, key.fileobj, events)
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    self._accept()
            self._work()
            for link in tuple(self._links):
                self._pump(link)
            with self._changed:
                self._changed.notify_all()

    def _work(self) -> None:
        while self._todo:
            work, done = self._todo.popleft()
            try:
                work()
            except OSError as exc:
                done.set_exception(exc)
            else:
                done.set_result(None)

    def _time_left(self) -> float | None:
        moments = (link.next_moment() for link in self._links)
        first = min((m for m in moments if m is not None), default=None)
        return None if first is None else max(first - time.monotonic(), 0)

    def _serve(self, link: Link, ready: Any, events: int) -> None:
        if link in self._links:
            try:
                link.ready(ready, events, time.monotonic())
            except OSError:
                self._end(link, Link.reset)

    def _pump(self, link: Link) -> None:
        try:
            is_open = link.pump(time.monotonic())
        except OSError:
            self._end(link, Link.reset)
            return
        if not is_open:
            self._end(link, Link.close)
            return
        for sock, events in link.interests():
            self._watch(sock, events, link)

    def _watch(self, sock: socket.socket, events: int, link: Link) -> None:
        known = self._selector.get_map().get(sock)
        if known is None:
            if events:
                self._selector.register(sock, events, link)
        elif not events:
            self._selector.unregister(sock)
        elif known.events != events:
            self._selector.modify(sock, events, link)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # It went away before we came.
        broker = socket.socket(self._broker[0], socket.SOCK_STREAM)
        for sock in (client, broker):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(client, broker, self.to_broker, self.to_client)
        self._links.append(link)
        self.connections += 1
        broker.connect_ex(self._broker[1])

    def _end_links(
        self,
        how: Callable[[Link], None],
        which: Callable[[Link], bool] = lambda link: True,
    ) -> None:
        for link in [link for link in self._links if which(link)]:
            self._end(link, how)

    def _end(self, link: Link, how: Callable[[Link], None]) -> None:
        self._links.remove(link)
        for sock in (link.client, link.broker):
            with suppress(KeyError):
                self._selector.unregister(sock)
        how(link)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bind(self.port)
            self._listener.listen()
            self._listener.setblocking(False)
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._selector.unregister(listener)
            listener.close()


def _resolve(host: str, port: int) -> tuple[int, Any]:
    """Return family and address of the broker; IPv4 if it has it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return found[0][0], found[0][4]


def _bind(port: int) -> socket.socket:
    sock = socket.socket()
    # The port is held by a socket that does not listen, and used by one that does.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((_HERE, port))
    return sock
