"""Consumers that a test can kill: in a process, or where that can not be, a thread.

What they have received can be read, also after their death.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from kombu.testing._tasks import Delivery, consume

if TYPE_CHECKING:
    from kombu.testing._tasks import ConsumerTask

__all__ = ("KillableConsumer", "ProcessConsumer", "ThreadConsumer")


class KillableConsumer:
    """A consumer with a life of its own.

    Arguments:
        task: What it does.

    Attributes:
        received: What it got, in that order.
        is_ready: Whether it consumes.
        has_ended: Whether it is dead, of whatever cause.
    """

    def __init__(self, task: ConsumerTask) -> None:
        self.task = task
        self.received: list[Delivery] = []
        self.is_ready = False
        self.has_ended = False

    def __repr__(self) -> str:
        state = "dead" if self.has_ended else "alive"
        return (
            f"<{type(self).__name__}: {state}, {len(self.received)} messages "
            f"of {self.task.queue}>"
        )

    @property
    def bodies(self) -> list[Any]:
        """The bodies of what it got."""
        return [delivery.body for delivery in tuple(self.received)]

    def _note(self, delivery: Delivery | None) -> None:
        if delivery is None:
            self.is_ready = True
        else:
            self.received.append(delivery)

    def kill(self) -> None:
        """End it at once, without a chance to put anything in order."""
        raise NotImplementedError


class ProcessConsumer(KillableConsumer):
    """A consumer in a process of its own, killed by ``SIGKILL``."""

    def __init__(self, task: ConsumerTask) -> None:
        super().__init__(task)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kombu.testing._consumer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stdin is not None
        self._process.stdin.write(task.as_text() + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        for line in stdout:
            found = json.loads(line)
            self._note(None if found is None else Delivery(*found))
        self.has_ended = True

    def pause(self) -> None:
        """Let it do nothing, nor know that time goes by (``SIGSTOP``)."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had been (``SIGCONT``)."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the process, and read what it has written."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


class _Killed(BaseException):
    """Ends a thread as nothing should: past all that catches exceptions."""


class ThreadConsumer(KillableConsumer):
    """A consumer in a thread, for brokers that no other process can reach.

    Killed, it leaves its connection as it is: not closed, and not collected.
    """

    def __init__(self, task: ConsumerTask) -> None:
        super().__init__(task)
        self._is_killed = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            consume(self.task, self._note, self._pause)
        except BaseException as exc:
            # Its traceback keeps the connection from being collected.
            self._error = exc
        self.has_ended = True

    def _pause(self, seconds: float) -> None:
        if self._is_killed.wait(seconds):
            raise _Killed

    def kill(self) -> None:
        """Have the thread die of an error; it does so between two messages."""
        self._is_killed.set()
        self._thread.join()
