"""Many threads publish, few connections are open: the pools.

`kombu.pools` keeps one pool of connections and one of producers for each
broker. A thread borrows a producer, publishes, and gives it back.

    python examples/connection_pools.py [URL]
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from kombu import Connection, Queue
from kombu.pools import connections, producers

LOG = Queue("example.log", routing_key="example.log")
THREADS = 8
LINES_PER_THREAD = 25


def write_lines(url: str, thread: int) -> None:
    """Publish some lines through a borrowed producer."""
    with producers[Connection(url)].acquire(block=True, timeout=5) as producer:
        for line in range(LINES_PER_THREAD):
            producer.publish(
                {"thread": thread, "line": line},
                exchange="",
                routing_key="example.log",
                serializer="json",
                declare=[LOG],
            )


def main(url: str = "memory://pools") -> None:
    """Write from many threads, then count what arrived."""
    with ThreadPoolExecutor(THREADS) as executor:
        list(executor.map(lambda thread: write_lines(url, thread), range(THREADS)))

    seen = set()
    with connections[Connection(url)].acquire(block=True) as connection:
        with connection.channel() as channel:
            while (message := LOG(channel).get(accept=["json"])) is not None:
                seen.add((message.payload["thread"], message.payload["line"]))
                message.ack()
    print(f"{len(seen)} different lines of {THREADS * LINES_PER_THREAD}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
