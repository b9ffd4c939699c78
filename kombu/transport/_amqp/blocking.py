"""The part of a connection that knows whether the broker takes messages.

A broker that is short of memory or disk space says so, and reads nothing more from
connections that publish.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING

from kombu.transport._amqp.errors import ConnectionBlocked
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.options import Options
    from kombu.transport._amqp.parser import OtherFrame

__all__ = ("Blocking",)

_METHOD = 1
_BLOCKED, _UNBLOCKED = b"\0\x0a\0\x3c", b"\0\x0a\0\x3d"


class Blocking:
    """Waits while the broker takes no messages, but not for ever.

    Attributes:
        blocked_reason: Why the broker takes no messages; None if it does.
    """

    blocked_reason: str | None
    options: Options
    look: Callable[[], None]
    wait_until: Callable[[Callable[[], bool], float | None], None]

    @property
    def is_blocked(self) -> bool:
        """Whether the broker takes no messages at the moment."""
        return self.blocked_reason is not None

    def check_room(self, timeout: float | None) -> None:
        """Wait while the broker takes no messages.

        Raises:
            ConnectionBlocked: It takes none for longer than *timeout*, or
                ``blocked_timeout``, seconds.
        """
        self.look()
        if not self.is_blocked:
            return
        longest = self.options.blocked_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        try:
            self.wait_until(lambda: not self.is_blocked, deadline)
        except TimeoutError as exc:
            raise self._blocked_error() from exc

    def _blocked_error(self) -> ConnectionBlocked:
        return ConnectionBlocked(
            f"the broker takes no messages ({self.blocked_reason}): free its memory or "
            "disk, or raise blocked_timeout"
        )

    def _note_blocked(self, frame: OtherFrame) -> None:
        if frame.kind == _METHOD and not frame.channel:
            if frame.payload[:4] == _BLOCKED:
                self.blocked_reason = _short_text(frame.payload, 4)
            elif frame.payload[:4] == _UNBLOCKED:
                self.blocked_reason = None


def _short_text(data: bytes, at: int) -> str:
    (size,) = unpack_from(">B", data, at)
    return data[at + 1 : at + 1 + size].decode(errors="replace")
