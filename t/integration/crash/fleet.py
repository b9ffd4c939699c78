"""Producers and consumers as processes, some of which are killed now and then."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kombu import Connection
from t.integration.crash.ledger import Ledger
from t.integration.crash.worker import DEAD, JOBS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent.parent.parent
WORKER = Path(__file__).with_name("worker.py")

PRODUCERS = CONSUMERS = 4
#: Seconds between two kills, on average.
PAUSE = 0.2
#: Seconds after which the run has failed.
PATIENCE = 240.0


class Fleet:
    """Workers on one broker; the logs are in *folder*.

    Arguments:
        url: The broker.
        options: Transport options of all workers.
        folder: Where the logs are written.
        messages: How many are published.
        on_kill: Called after each kill, to do more harm.
        peer: A Python that has kombu 5.7, which every other worker is to use.  It has
            no dead letters, so that nothing is refused; and its consumers are not
            killed, since it loses what it has in hand at some moments.
    """

    def __init__(
        self,
        url: str,
        options: dict[str, Any],
        folder: Path,
        messages: int,
        on_kill: Callable[[int], None] | None = None,
        peer: Path | None = None,
    ) -> None:
        self.url = url
        self.options = options
        self.folder = folder
        self.on_kill = on_kill
        self.peer = peer
        self.random = random.Random(messages)
        self.kills = 0
        self._logs = 0
        share = messages // PRODUCERS
        # What each producer has still to do: from, to.
        self.todo = [[n * share, (n + 1) * share] for n in range(PRODUCERS)]
        self.producers: list[tuple[subprocess.Popen, Path] | None] = [None] * PRODUCERS
        self.consumers: list[subprocess.Popen | None] = [None] * CONSUMERS

    # -- workers -----------------------------------------------------------------

    def _is_peers(self, place: int) -> bool:
        return self.peer is not None and place % 2 == 1

    def _start(self, place: int, **job: Any) -> tuple[subprocess.Popen, Path]:
        self._logs += 1
        log = self.folder / f"{self._logs}.log"
        job |= {"url": self.url, "options": self.options, "log": str(log)}
        if self.peer is not None:
            job["refused"] = 0
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        command = [str(self.peer), str(WORKER)]
        if not self._is_peers(place):
            environment["PYTHONPATH"] = str(ROOT)
            command = [sys.executable, str(WORKER)]
        with (self.folder / "stderr").open("ab") as errors:
            process = subprocess.Popen(
                [*command, json.dumps(job)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        return process, log

    def _man(self) -> None:
        """Start what is not running, and has something to do."""
        for place, running in enumerate(self.producers):
            if running is not None:
                process, log = running
                if process.poll() is None:
                    continue
                self._note_progress(place, log)
                self.producers[place] = None
            if self.todo[place][0] < self.todo[place][1]:
                self.producers[place] = self._start(place, numbers=self.todo[place])
        for place, consumer in enumerate(self.consumers):
            if consumer is None or consumer.poll() is not None:
                self.consumers[place] = self._start(place)[0]

    def _note_progress(self, place: int, log: Path) -> None:
        """Go on behind what a producer has tried to publish: it may have."""
        lines = log.read_text().split("\n")[:-1] if log.exists() else []
        tried = [int(line.split()[2]) for line in lines]
        if tried:
            self.todo[place][0] = max(tried) + 1

    def _kill_one(self) -> None:
        producers = [running[0] for running in self.producers if running is not None]
        consumers = [
            one
            for place, one in enumerate(self.consumers)
            if one is not None and not self._is_peers(place)
        ]
        victim = self.random.choice([*producers, *consumers])
        victim.kill()
        victim.wait()
        self.kills += 1
        if self.on_kill is not None:
            self.on_kill(self.kills)

    # -- the run -----------------------------------------------------------------

    def run(self) -> None:
        """Let them work until all is published and the queue is empty."""
        ends = time.monotonic() + PATIENCE
        try:
            while not self._is_done():
                assert time.monotonic() < ends, (
                    f"not done in {PATIENCE} s: {self.ledger()}"
                )
                self._man()
                if self._has_begun():
                    self._kill_one()
                time.sleep(self.random.expovariate(1 / PAUSE))
        finally:
            self._stop()

    def _has_begun(self) -> bool:
        """Return whether a consumer has got something: before, kills show nothing."""
        return any(b"delivered" in log.read_bytes() for log in self._log_files())

    def _is_done(self) -> bool:
        for place, running in enumerate(self.producers):
            if running is not None and running[0].poll() is None:
                return False
            if running is not None:
                self._note_progress(place, running[1])
            if self.todo[place][0] < self.todo[place][1]:
                return False
        ledger = self.ledger()
        settled = ledger.numbers("acking") | ledger.numbers("refusing")
        return ledger.numbers("published") <= settled

    def _log_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    def ledger(self, stored: Any = (), dead: Any = ()) -> Ledger:
        """Return the account so far."""
        return Ledger(self._log_files(), stored, dead)

    def _stop(self) -> None:
        producers = [running[0] for running in self.producers if running is not None]
        for process in (*producers, *self.consumers):
            if process is not None:
                process.kill()
                process.wait()

    def account(self) -> Ledger:
        """Take what is left from the queues, once all leases have run out."""
        with Connection(self.url, transport_options=self.options) as connection:
            # What the last ones had in hand comes back by a sweep.
            lease = self.options["visibility_timeout"]
            stored = _take_all(connection, JOBS, wait=lease * 1.5)
            dead = _take_all(connection, DEAD, wait=0.0)
        return self.ledger(stored, dead)


def _take_all(connection: Connection, queue: Any, wait: float) -> list[int]:
    """Take messages until none has come for *wait* seconds."""
    taken: list[int] = []

    def take(number, message) -> None:
        taken.append(number)
        message.ack()

    with connection.Consumer([queue], callbacks=[take]):
        while True:
            try:
                connection.drain_events(timeout=wait or 0.5)
            except TimeoutError:
                return taken
