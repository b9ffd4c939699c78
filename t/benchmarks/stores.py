"""Workloads on stores that need no server; run as a script, as ``workloads.py`` is.

    python stores.py NAME

The folder is made in memory where the system has such a place, so that the figures
are those of the library and not of the disk; ``KOMBU_BENCH_FOLDER`` names another one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workloads import body, timed

MESSAGES = 2000
WAKE_UPS = 20
IN_MEMORY = "/dev/shm"


@contextlib.contextmanager
def folder():
    place = os.environ.get("KOMBU_BENCH_FOLDER")
    if place is None and Path(IN_MEMORY).is_dir():
        place = IN_MEMORY
    with tempfile.TemporaryDirectory(prefix="kombu-bench-", dir=place) as made:
        yield Path(made)


def connect(kind, place):
    from kombu import Connection

    if kind == "sqlite":
        return Connection(f"sqla+sqlite:///{place / 'bench.db'}")
    for name in ("data", "control"):
        (place / name).mkdir(exist_ok=True)
    data, control = str(place / "data"), str(place / "control")
    options = {"data_folder_in": data, "data_folder_out": data}
    return Connection(
        "filesystem://", transport_options={**options, "control_folder": control}
    )


def publish_and_consume(kind, what, count=MESSAGES):
    """Publish all, then consume and acknowledge all."""
    from kombu import Consumer, Exchange, Producer, Queue

    with folder() as place, connect(kind, place) as connection:
        exchange = Exchange("bench", "direct")
        queue = Queue("bench", exchange, "key")
        producer = Producer(connection.channel(), exchange, routing_key="key")
        producer.publish(body(-1), declare=[queue])
        received = []

        def receive(found, message):
            received.append(found)
            message.ack()

        consumer = Consumer(connection.channel(), [queue], callbacks=[receive])
        with consumer:
            connection.drain_events(timeout=5)
        received.clear()
        bodies = [body(n) for n in range(count)]

        def publish():
            for each in bodies:
                producer.publish(each)

        def consume():
            for _ in range(count):
                connection.drain_events(timeout=5)

        figures = {"publish": timed(publish, count)}
        with consumer:
            figures["consume"] = timed(consume, count)
        assert sorted(each["id"] for each in received) == list(range(count))
        return figures[what]


def wake_up(kind):
    """Milliseconds until a consumer that waits gets what another process publishes."""
    from kombu import Consumer, Queue

    with folder() as place, connect(kind, place) as connection:
        queue = Queue("bench")
        latencies = []

        def receive(found, message):
            latencies.append((time.time() - found) * 1e3)
            message.ack()

        with Consumer(connection.channel(), [queue], callbacks=[receive]):
            command = [sys.executable, __file__, "publish_now_and_then", kind, place]
            process = subprocess.Popen(command)
            while len(latencies) < WAKE_UPS:
                connection.drain_events(timeout=30)
            assert process.wait() == 0
        return sorted(latencies)[len(latencies) // 2]


def publish_now_and_then(kind, place):
    """The other process of `wake_up`."""
    from kombu import Producer, Queue

    with connect(kind, Path(place)) as connection:
        producer = Producer(connection.channel(), routing_key="bench")
        for number in range(WAKE_UPS):
            # Not in step with anybody who looks at regular intervals.
            time.sleep(0.1 + number * 0.007)
            producer.publish(time.time(), declare=[Queue("bench")])


def long_queue(kind):
    """Consume from a queue in which 20,000 others wait."""
    return publish_and_consume(kind, "consume", 20_000)


def raw_sqlite():
    """Insert and commit, with the driver alone, as durably as the transport does."""
    import sqlite3

    with folder() as place:
        database = sqlite3.connect(place / "raw.db")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, payload TEXT)")
        text = str(body(1)) * 4

        def insert():
            for _ in range(MESSAGES):
                database.execute("INSERT INTO messages (payload) VALUES (?)", (text,))
                database.commit()

        return timed(insert, MESSAGES)


def raw_files():
    """Write a file and give it its name, with system calls alone."""
    with folder() as place:
        text = str(body(1)).encode() * 4

        def write():
            for number in range(MESSAGES):
                name = f"{place}/{number}.msg"
                file = os.open(f"{name}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                os.write(file, text)
                os.close(file)
                os.rename(f"{name}.tmp", name)

        return timed(write, MESSAGES)


WORKLOADS = {
    f"{kind}_{what}": (publish_and_consume, kind, what)
    for kind in ("filesystem", "sqlite")
    for what in ("publish", "consume")
} | {
    "filesystem_wake_up": (wake_up, "filesystem"),
    "sqlite_wake_up": (wake_up, "sqlite"),
    "filesystem_long_queue": (long_queue, "filesystem"),
    "publish_now_and_then": (publish_now_and_then,),
    "raw_sqlite": (raw_sqlite,),
    "raw_files": (raw_files,),
}


if __name__ == "__main__":
    function, *arguments = WORKLOADS[sys.argv[1]]
    figure = function(*arguments, *sys.argv[2:])
    if figure is not None:
        print(figure)
