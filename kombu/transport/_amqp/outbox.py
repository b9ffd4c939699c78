"""What was lost with its connection, and waits for the next one."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from kombu.utils._forking import process

if TYPE_CHECKING:
    from kombu.transport._amqp.confirms import Confirmation

__all__ = ("Outbox", "outbox_of")


class Outbox:
    """What was lost with its connection before it was confirmed.

    Messages that nobody waits for are published again by the next connection that
    the same :class:`~kombu.Connection` makes: some may then be there twice, none is
    lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # In their order, each but once.
        self._waiting: dict[Confirmation, None] = {}
        #: A child process leaves to its parent what its parent has published.
        self.pid = process.pid

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._waiting)} to publish again>"

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, confirmations: list[Confirmation]) -> None:
        """Keep *confirmations*, in their order."""
        with self._lock:
            self._waiting.update(dict.fromkeys(confirmations))

    def take(self) -> list[Confirmation]:
        """Return all there are; they are not kept any more."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken


_outboxes: weakref.WeakKeyDictionary[Any, Outbox] = weakref.WeakKeyDictionary()
_outboxes_lock = threading.Lock()


def outbox_of(client: Any) -> Outbox:
    """Return the outbox of the connection *client*; if that is None, a new one."""
    if client is None:
        return Outbox()
    with _outboxes_lock:
        outbox = _outboxes.get(client)
        if outbox is None or outbox.pid != process.pid:
            outbox = _outboxes[client] = Outbox()
        return outbox
