"""What goes wrong around a test that is stressed: at random, and the same each time.

Threads are switched at odd moments, garbage is collected, and connections to the
same broker are lost with messages in hand; the test must not notice.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from kombu.testing.harness import Harness

__all__ = ("Disturbance",)

#: Seconds between two disturbances, at most.
_PAUSE = 0.02

#: Seconds after which Python may switch threads: from hardly ever to always.
_SWITCH_INTERVALS = (0.005, 0.0005, 0.00001)


class Disturbance:
    """Disturbs whatever happens while it is entered, from a thread of its own.

    Arguments:
        harness: Harness of the broker; none to leave brokers alone.
        seed: What the order of disturbances follows from.

    Attributes:
        counts: How often each was done, by its name.
    """

    def __init__(self, harness: Harness | None = None, seed: int = 0) -> None:
        self._harness = harness
        self._random = random.Random(seed)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._switch_interval = sys.getswitchinterval()
        self.counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.counts}>"

    def __enter__(self) -> Disturbance:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        sys.setswitchinterval(self._switch_interval)

    def _run(self) -> None:
        ways = [self._switch_threads, self._collect_garbage]
        if self._harness is not None:
            ways.append(self._lose_a_connection)
        while True:
            way = self._random.choice(ways)
            way()
            name = way.__name__.lstrip("_")
            self.counts[name] = self.counts.get(name, 0) + 1
            if self._is_over.wait(self._random.random() * _PAUSE):
                return

    def _switch_threads(self) -> None:
        sys.setswitchinterval(self._random.choice(_SWITCH_INTERVALS))

    def _collect_garbage(self) -> None:
        gc.collect()

    def _lose_a_connection(self) -> None:
        assert self._harness is not None
        connection = self._harness.connect()
        queue = self._harness.queue("disturbance", connection=connection)
        self._harness.publish("lost and found", queue, connection=connection)
        queue.get()
        connection.collect()
