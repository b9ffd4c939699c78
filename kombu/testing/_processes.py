"""The processes of a harness: consumers that can be killed, and whole programs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from kombu.entity import Queue
from kombu.messaging import Consumer
from kombu.testing._killable import KillableConsumer, ProcessConsumer
from kombu.testing._tasks import ConsumerTask
from kombu.testing._waits import Waits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kombu.connection import Connection

__all__ = ("Processes",)

#: Seconds that a process may take to begin, beside the patience for all else.
_SECONDS_TO_BEGIN = 20.0

#: Seconds after which a program in another process is taken for stuck.
_SECONDS_OF_A_SCENARIO = 90.0


class Processes(Waits):
    """The part of a harness that has leases run out."""

    #: Seconds that the leases last of those who are killed; a store that may be
    #: busy for so long wants more.
    lease = 0.3

    #: Seconds that the leases last of those who survive them, and who look for
    #: the dead every quarter of it.
    longer_lease = 1.2

    #: How consumers live that are to be killed.
    killable_kind: type[KillableConsumer] = ProcessConsumer

    url: str
    transport: Any
    transport_options: dict[str, Any]
    _killables: list[KillableConsumer]
    _numbers: Iterator[int]

    def lease_options(self, seconds: float) -> dict[str, Any]:
        """Return the transport options by which leases last *seconds*."""
        return {**self.transport_options, "visibility_timeout": seconds}

    def connect_leased(self, seconds: float | None = None) -> Connection:
        """Return a new connection whose leases last *seconds*.

        :attr:`longer_lease` if not given.
        """
        options = self.lease_options(self.longer_lease if seconds is None else seconds)
        return self.connect(transport_options=options)

    def killable_consumer(
        self,
        queue: Queue | str,
        *,
        lease: float | None = None,
        waits_for: int = 0,
        **task: Any,
    ) -> KillableConsumer:
        """Return a consumer with a life of its own, which the test may kill.

        Arguments:
            queue: What it consumes.
            lease: Seconds that its leases last; :attr:`lease` if not given.
            waits_for: How many messages it is to have got before this returns.
            **task: Further attributes of a
                :class:`~kombu.testing._tasks.ConsumerTask`: ``acknowledges``,
                ``prefetch_count``, ``consumer_arguments``, ``seconds``,
                ``declaration``, ``exchange``, ``routing_key``.
        """
        consumer = self.killable_kind(
            ConsumerTask(
                self.url,
                queue.name if isinstance(queue, Queue) else queue,
                transport=self.transport,
                transport_options=self.lease_options(
                    self.lease if lease is None else lease
                ),
                **task,
            )
        )
        self._killables.append(consumer)
        self.settle(
            lambda: (
                consumer.has_ended
                or (consumer.is_ready and len(consumer.received) >= waits_for)
            ),
            self.patience + _SECONDS_TO_BEGIN,
            what=f"{consumer!r} to get {waits_for} messages",
        )
        if consumer.has_ended:
            raise AssertionError(f"{consumer!r} died by itself")
        return consumer

    def run_scenario(self, name: str, queues: Iterable[Queue]) -> Any:
        """Run a program of :mod:`kombu.testing._scenarios`; return its result.

        Raises:
            AssertionError: It failed; the text says what it wrote.
        """
        options = {
            "url": self.url,
            "transport": self.transport,
            "transport_options": self.transport_options,
            "queues": [queue.name for queue in queues],
        }
        finished = subprocess.run(
            [sys.executable, "-m", "kombu.testing._scenarios", name],
            input=json.dumps(options) + "\n",
            capture_output=True,
            text=True,
            timeout=_SECONDS_OF_A_SCENARIO,
        )
        if finished.returncode:
            raise AssertionError(f"scenario {name!r} failed:\n{finished.stderr}")
        return json.loads(finished.stdout.splitlines()[-1])

    def watching(self, *, lease: float | None = None) -> Connection:
        """Return a connection that waits for messages, of which none will come.

        What this library has to do as time goes by is done by whoever waits;
        drain it, and it will be.
        """
        connection = self.connect_leased(lease)
        name = f"watched-{next(self._numbers)}"
        queue = self.queue(name, connection=connection)
        Consumer(connection.channel(), [queue], on_message=lambda _: None).consume()
        return connection

    def _kill_all(self) -> None:
        for consumer in self._killables:
            consumer.kill()
        self._killables.clear()

    # -- supplied by the harness ---------------------------------------------------

    def connect(self, url: str | None = None, **options: Any) -> Connection:
        """Return a new connection."""
        raise NotImplementedError

    def queue(self, name: str = "queue", *args: Any, **options: Any) -> Queue:
        """Return a declared queue."""
        raise NotImplementedError
