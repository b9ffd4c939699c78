"""Listening to channels of PUB/SUB: fanout exchanges, and what wakes us in a cluster.

One thread owns the connection.  What is to be listened to is changed by others, who
wake it by a message on a channel of our own; it says what is listened to by the
server's own word.

A connection on which nothing was heard for long is asked whether it is there.
"""

from __future__ import annotations

import threading
from collections import deque
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kombu.transport.redis.errors import ServerLost, ServerRefused, refused
from kombu.transport.redis.resp import command, part
from kombu.transport.redis.server import Request
from kombu.transport.virtual.watcher import Watcher
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.transport.redis.server import Server

__all__ = ("Listener",)

#: Seconds that it may take until the server confirms a subscription.
_PATIENCE = 5.0


class Listener(Watcher):
    """Hands on what is published on channels.

    Arguments:
        transport: The transport.
        server: The server.
        own_channel: Name of a channel by which the thread is woken.
        wide_pattern: Pattern of all channels that the user is allowed, if only some
            are; empty if that is not known.
        silence: Seconds after which the server is asked whether it is there.
        deliver: Called with the name of a subscription and the message.
    """

    def __init__(
        self,
        transport: Any,
        server: Server,
        own_channel: str,
        wide_pattern: str,
        silence: float,
        deliver: Callable[[str, bytes], None],
    ) -> None:
        super().__init__(transport, "kombu-redis-listener")
        self._server = server
        self._own_channel = own_channel
        self._wide_pattern = wide_pattern
        self._silence = silence or 3600.0
        self._deliver = deliver
        self._link = server.make_link()
        self._changed = threading.Condition(threading.Lock())
        # Names of channels, and of patterns (which have a * or the like).
        self._wanted: set[str] = set()
        self._active: set[str] = set()
        self._refusal: Exception | None = None
        # What the server was asked for, and has not confirmed yet, in this order.
        self._asked: deque[str] = deque()
        # Patterns that the server refuses: what they mean is sorted out here.
        self._sorted_here: set[str] = set()
        self.start()

    # -- for other threads -------------------------------------------------------

    def listen_to(self, names: set[str], waits: bool = True) -> None:
        """Listen to *names* and nothing else; return when it is so.

        Arguments:
            names: Of channels, or patterns of such names.
            waits: Whether to wait until the server confirms it.

        Raises:
            ServerLost: The server can not be reached.
            ServerRefused: It does not allow one of them.
        """
        with self._changed:
            if names == self._wanted and names <= self._active:
                return
            self._wanted = set(names)
            self._refusal = None
        self._wake_thread()
        if not waits:
            return
        end = waiting.monotonic() + _PATIENCE
        with self._changed:
            while not names <= self._active:
                if self._refusal is not None:
                    raise self._refusal
                left = end - waiting.monotonic()
                if left <= 0:
                    raise ServerLost("the server does not confirm a subscription")
                waiting.wait_on(self._changed, left)

    def _wake_thread(self) -> None:
        # Before it has subscribed it does not hear us, and looks by itself.
        if self._own_channel in self._active:
            self._server.run(Request.plain("PUBLISH", self._own_channel, "1"))
        else:
            self._waiter.wake()

    def stop(self) -> None:
        """End the thread, and the connection."""
        super().stop()
        self._link.close()
        self._server.quota.give()

    def _interrupt(self) -> None:
        super()._interrupt()
        self._link.close()

    # -- the thread -----------------------------------------------------------------

    def _watch(self) -> None:
        self._asked.clear()
        self._begin({self._own_channel, *self._wanted})
        asked_at = None
        while self._is_wanted():
            if self._link.can_read(self._silence if asked_at is None else _PATIENCE):
                asked_at = None
                self._handle(self._link.read())
            elif asked_at is None:
                asked_at = waiting.monotonic()
                self._link.send(command(part("PING")))
            else:
                raise ServerLost("the server does not answer")

    def _begin(self, names: Iterable[str]) -> None:
        """Subscribe to *names*, one at a time: a refusal is to concern one only."""
        for name in sorted(names):
            self._asked.append(name)
            self._link.send(_verb("SUBSCRIBE", name))

    def _handle(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            self._was_refused(reply)
            return
        kind, name = reply[0], reply[1].decode()
        if kind in (b"subscribe", b"psubscribe"):
            self._asked.popleft()
            self._confirm(name)
        elif kind in (b"message", b"pmessage"):
            if name == self._own_channel:
                self._follow()
            elif name == self._wide_pattern:
                self._sort(reply[2].decode(), reply[3])
            else:
                self._deliver(name, reply[-1])

    def _sort(self, channel: str, data: bytes) -> None:
        """Deliver what came by the wide pattern to those whose pattern it fits."""
        for name in tuple(self._sorted_here):
            if fnmatchcase(channel, name):
                self._deliver(name, data)

    def _was_refused(self, error: Exception) -> None:
        """Find another way to hear what was asked for; or tell who has asked."""
        name = self._asked.popleft()
        if _is_pattern(name) and self._wide_pattern and name != self._wide_pattern:
            # A user that may hear its own channels may not name a part of them by a
            # pattern, but all of them.
            if not self._sorted_here:
                self._begin((self._wide_pattern,))
            self._sorted_here.add(name)
            if self._wide_pattern in self._active:
                self._confirm(name)
            return
        refusal = refused(error, "the server", f"to subscribe to {name!r}")
        with self._changed:
            self._refusal = refusal
            self._wanted -= {name, *self._sorted_here}
            self._sorted_here.clear()
            self._changed.notify_all()
        if not isinstance(refusal, ServerRefused):
            raise refusal

    def _confirm(self, name: str) -> None:
        with self._changed:
            self._active.add(name)
            if name == self._wide_pattern:
                self._active |= self._sorted_here
            self._changed.notify_all()
        if name == self._own_channel:
            self._follow()  # what others have asked for meanwhile

    def _follow(self) -> None:
        """Begin and end subscriptions, so that they are what is wanted."""
        with self._changed:
            new = self._wanted - self._active - set(self._asked)
            kept = {self._own_channel, self._wide_pattern, *self._wanted}
            old = self._active - kept
            self._active -= old
        ended = old - self._sorted_here
        self._sorted_here -= old
        if ended:
            data = b"".join(_verb("UNSUBSCRIBE", name) for name in sorted(ended))
            self._link.send(data)
        self._begin(new)

    def _lost_sight(self) -> None:
        self._link.close()
        with self._changed:
            self._active.clear()
        self._sorted_here.clear()


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _verb(verb: str, name: str) -> bytes:
    """Return the command *verb* for a channel, or a pattern."""
    return command(part(f"P{verb}" if _is_pattern(name) else verb, name))
