"""A wait for messages that nothing but a message ends."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kombu.connection import Connection
    from kombu.testing.harness import Harness

__all__ = ("Waiter",)


class Waiter:
    """A thread that waits for one event, without a limit.

    A wait with a limit would end by itself, and then find the message that
    should have ended it.

    Arguments:
        harness: The harness.
        connection: The connection to wait by.
    """

    def __init__(self, harness: Harness, connection: Connection) -> None:
        self._harness = harness
        self._connection = connection
        self._thread = threading.Thread(target=self._wait, daemon=True)
        harness.drain_idle(connection)
        self._thread.start()
        # Not seen from outside when it is asleep; a moment makes it likely.
        harness.let_pass(harness.idle)

    def _wait(self) -> None:
        # The test may have ended in error, and closed the connection.
        with suppress(*self._connection.connection_errors):
            self._connection.drain_events()

    def ends(self) -> None:
        """See that the wait ends.

        Raises:
            AssertionError: It does not.
        """
        self._thread.join(self._harness.patience)
        assert not self._thread.is_alive(), "nobody woke who waited for a message"
