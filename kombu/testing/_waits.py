"""The waits of a harness: for a condition, or for what does not happen."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu.connection import Connection

__all__ = ("Waits",)

#: Seconds between two looks at a condition.
_PAUSE = 0.005

#: Seconds that one wait for events takes before the condition is looked at.
_SLICE = 0.05


class Waits:
    """The part of a harness that waits; it ends as soon as it can."""

    #: Seconds after which a wait fails.
    patience: float

    #: Seconds without an event after which nothing more is expected.
    idle: float

    def settle(
        self,
        condition: Callable[[], Any],
        timeout: float | None = None,
        *,
        what: str = "",
    ) -> None:
        """Wait until *condition* is true.

        Arguments:
            condition: Called again and again.
            timeout: Seconds to wait; ``patience`` if not given.
            what: What is waited for, for the error.

        Raises:
            AssertionError: It did not become true in time.
        """
        self._until(condition, lambda: time.sleep(_PAUSE), timeout, what)

    def drain(
        self,
        connection: Connection,
        condition: Callable[[], Any],
        timeout: float | None = None,
        *,
        what: str = "",
    ) -> None:
        """Have *connection* deliver messages until *condition* is true.

        Arguments: as for :meth:`settle`.
        """

        def step() -> None:
            with suppress(TimeoutError):
                connection.drain_events(timeout=_SLICE)

        self._until(condition, step, timeout, what)

    def drain_all(
        self,
        connections: Iterable[Connection],
        condition: Callable[[], Any],
        timeout: float | None = None,
        *,
        what: str = "",
    ) -> None:
        """Have several connections deliver, in turn, until *condition* is true.

        Arguments: as for :meth:`settle`.
        """
        connections = tuple(connections)

        def step() -> None:
            for connection in connections:
                with suppress(TimeoutError):
                    connection.drain_events(timeout=_PAUSE)

        self._until(condition, step, timeout, what)

    def drain_for(self, connection: Connection, seconds: float) -> None:
        """Have *connection* deliver for *seconds*: to see what does not happen."""
        ends = time.monotonic() + seconds
        self.drain(connection, lambda: time.monotonic() >= ends, seconds + 1)

    def let_pass(self, seconds: float) -> None:
        """Wait for *seconds*: for what is due by the clock of the broker."""
        ends = time.monotonic() + seconds
        self.settle(lambda: time.monotonic() >= ends, seconds + 1)

    def drain_idle(self, connection: Connection) -> None:
        """Have *connection* deliver until nothing has come for ``idle`` seconds."""
        with suppress(TimeoutError):
            while True:
                connection.drain_events(timeout=self.idle)

    def _until(
        self,
        condition: Callable[[], Any],
        step: Callable[[], None],
        timeout: float | None,
        what: str,
    ) -> None:
        patience = self.patience if timeout is None else timeout
        ends = time.monotonic() + patience
        while not condition():
            if time.monotonic() >= ends:
                raise AssertionError(
                    f"waited {patience} seconds in vain for {what or 'a condition'}"
                )
            step()
