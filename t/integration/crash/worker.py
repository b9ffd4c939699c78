"""A producer or a consumer that may be killed at any moment: run as a script.

What it does is told by JSON on its command line; what it has done it appends to a
file, a line for each step, before and after: ``<moment> <what> <number>``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque

from kombu import Connection, Consumer, Exchange, Producer, Queue

DEAD = Queue("ledger.dead", Exchange("ledger.dlx", "fanout"))
JOBS = Queue(
    "ledger.jobs",
    Exchange("ledger.jobs", "direct"),
    "job",
    queue_arguments={"x-dead-letter-exchange": "ledger.dlx"},
)

#: Each so many messages is refused, and so dead-lettered.
REFUSED = 50

PREFETCH = 10

RETRY = {"max_retries": 200, "interval_start": 0, "interval_step": 0.05}


class Log:
    """Lines that are with the operating system once they are written."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, what: str, number: int) -> None:
        os.write(
            self._file, b"%d %s %d\n" % (time.monotonic_ns(), what.encode(), number)
        )


def produce(connection: Connection, log: Log, numbers: list[int]) -> None:
    producer = Producer(connection, JOBS.exchange, "job")
    for number in range(*numbers):

        def note(exc: BaseException, interval: float, number: int = number) -> None:
            # It may have been published: only the answer was lost.
            log.note("retrying", number)

        log.note("publishing", number)
        producer.publish(
            number,
            declare=[DEAD, JOBS],
            retry=True,
            retry_policy={**RETRY, "errback": note},
        )
        log.note("published", number)


class Consuming:
    """Consumes for ever, and begins again when the broker was lost."""

    def __init__(self, connection: Connection, log: Log, refused: int) -> None:
        self.connection = connection
        self.log = log
        self.refused = refused
        # Acknowledged, but the broker may not have been told yet.
        self.gathered: deque[int] = deque()

    def receive(self, number, message) -> None:
        self.log.note("delivered", number)
        if not self.refused or number % self.refused:
            self.log.note("acking", number)
            message.ack()
            self.gathered.append(number)
            limit = min(getattr(message.channel, "settle_limit", 1), PREFETCH)
            self.note_acked(limit if limit > 1 else 0)
        else:
            self.log.note("refusing", number)
            message.reject()
            self.log.note("refused", number)

    def note_acked(self, gathered: int) -> None:
        """Note what the broker knows, if it has not been told of the last ones."""
        while len(self.gathered) > gathered:
            self.log.note("acked", self.gathered.popleft())

    def drain(self) -> None:
        try:
            self.connection.drain_events(timeout=0.5)
        except TimeoutError:
            # It has told all before it waited.  What is answered now comes after that:
            # if the socket was cut, it has been told again.
            JOBS(self.connection.default_channel).queue_declare(passive=True)
            self.note_acked(0)

    def run(self) -> None:
        errors = self.connection.connection_errors + self.connection.channel_errors
        while True:
            try:
                self.connection.ensure_connection(max_retries=200, interval_start=0.05)
                for queue in (DEAD, JOBS):
                    queue(self.connection.default_channel).declare()
                with Consumer(
                    self.connection.channel(),
                    [JOBS],
                    callbacks=[self.receive],
                    prefetch_count=PREFETCH,
                ):
                    while True:
                        self.drain()
            except errors as exc:
                print(f"again: {exc!r}", file=sys.stderr)
                self.gathered.clear()
                self.connection.collect()
                time.sleep(0.05)


def main() -> None:
    job = json.loads(sys.argv[1])
    log = Log(job["log"])
    connection = Connection(job["url"], transport_options=job["options"])
    if "numbers" in job:
        with connection:
            produce(connection, log, job["numbers"])
    else:
        Consuming(connection, log, job.get("refused", REFUSED)).run()


if __name__ == "__main__":
    main()
