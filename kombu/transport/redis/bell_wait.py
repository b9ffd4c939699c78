"""What a wait at the bells is asked by, how long it is, and how it is called off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu.transport.redis.options import LONGEST_WAIT
from kombu.transport.redis.resp import command, part
from kombu.transport.redis.server import Request
from kombu.utils import waiting

if TYPE_CHECKING:
    from kombu.transport.redis.keys import Keys
    from kombu.transport.redis.server import Server

__all__ = ("SHORTEST_WAIT", "BellWait")

#: Seconds after which a wait ends, while old peers put messages that ring no bell.
SHORTEST_WAIT = 0.1

#: Seconds that this goes on after the last such message.
_HURRY = 30.0


class BellWait:
    """Waits of one connection at bells.

    Arguments:
        server: The server.
        keys: Its keys.
        owner: Id of the connection.
    """

    def __init__(self, server: Server, keys: Keys, owner: str) -> None:
        self._server = server
        self._keys = keys
        self._wake_key = keys.wake(owner)
        self._hurries_until = 0.0
        # What was asked last, and the command that it was asked by.
        self._last: tuple[tuple[str, ...], float, bytes] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._wake_key}>"

    def command(self, queues: tuple[str, ...], seconds: float) -> bytes:
        """Return the command that waits at the bells of *queues*.

        Arguments:
            queues: Names.
            seconds: Time until it ends by itself.
        """
        last = self._last
        if last is None or last[:2] != (queues, seconds):
            bells = [self._keys.queue(queue).bell for queue in queues]
            asked = part("BLPOP", *bells, self._wake_key, round(seconds, 3))
            last = self._last = (queues, seconds, command(asked))
        return last[2]

    def was_called_off(self, key: bytes) -> bool:
        """Return whether *key*, which ended a wait, says so."""
        return key.decode() == self._wake_key

    def call_off(self) -> None:
        """End the wait that is under way, or the next one."""
        key = self._wake_key
        self._server.run_all(
            [Request.plain("RPUSH", key, "1"), Request.plain("EXPIRE", key, 60)]
        )

    @property
    def is_hurried(self) -> bool:
        """Whether there are peers that ring no bells."""
        return waiting.monotonic() < self._hurries_until

    @property
    def seconds(self) -> float:
        """How long a wait is at most."""
        return SHORTEST_WAIT if self.is_hurried else LONGEST_WAIT

    def hurry(self) -> None:
        """Look more often: there are peers that ring no bells."""
        self._hurries_until = waiting.monotonic() + _HURRY
