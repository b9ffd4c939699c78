"""The clock of the file system that messages are kept in.

Hosts that share a file system have clocks of their own; the one that they all
can read is the server's, by the time that it writes into a file.  The offset to
it is measured when a connection is opened for the first time to a file system,
and noted for the process.  If a host's clock is set while programs run on it, their
time is wrong by as much until they are started again, on that host alone.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH108, PTH116, PTH118

from __future__ import annotations

import os
import threading

from kombu.utils import waiting
from kombu.utils.compat import register_after_fork
from kombu.utils.identity import unique_id

__all__ = ("Clocks", "StoreClock", "clocks")

#: Seconds by which a file's time may be behind though the clocks are the same:
#: the system reads its clock some hundred times a second only.
_PRECISION = 0.05

#: The same where files have whole seconds.
_ROUGH_PRECISION = 2.5


class StoreClock:
    """The time by one file system.

    Attributes:
        offset: Seconds by which its clock is ahead of this host's.
    """

    def __init__(self) -> None:
        self.offset = 0.0
        self._last = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.offset:+.3f} seconds>"

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return waiting.wall_clock() + self.offset

    def stamp(self) -> int:
        """Return the time in microseconds since 1970.

        No two calls return the same, and none less than one before it.
        """
        now = int((waiting.wall_clock() + self.offset) * 1_000_000)
        with self._lock:
            self._last = max(now, self._last + 1)
            return self._last

    def measure(self, folder: str) -> None:
        """Find the offset, by a file written into *folder*.

        Raises:
            OSError: None can be written there.
        """
        path = os.path.join(folder, f"{unique_id()}.clock")
        before = waiting.wall_clock()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            os.write(descriptor, b"\n")
            changed = os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)
            os.unlink(path)
        after = waiting.wall_clock()
        is_rough = changed % 1_000_000_000 == 0
        precision = _ROUGH_PRECISION if is_rough else _PRECISION
        moment = changed / 1_000_000_000
        # Within what can not be told apart the clocks count as the same.
        if moment < before - precision:
            self.offset = moment - before
        elif moment > after + precision:
            self.offset = moment - after
        else:
            self.offset = 0.0

    def after_fork(self) -> None:
        """Make a forked child's copy usable."""
        self._lock = threading.Lock()


class Clocks:
    """The clocks of all file systems that this process uses."""

    def __init__(self) -> None:
        self._by_device: dict[int, StoreClock] = {}
        self._lock = threading.Lock()
        register_after_fork(self, Clocks._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        for clock in self._by_device.values():
            clock.after_fork()

    def of(self, folder: str) -> StoreClock:
        """Return the clock of the file system that has *folder*.

        Raises:
            OSError: There is no such folder, or it can not be written into.
        """
        device = os.stat(folder).st_dev
        with self._lock:
            clock = self._by_device.get(device)
            if clock is None:
                clock = StoreClock()
                clock.measure(folder)
                self._by_device[device] = clock
            return clock


clocks = Clocks()
