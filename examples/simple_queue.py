"""A queue that looks like the standard library's: put, get, and no ceremony.

python examples/simple_queue.py [URL]
"""

from __future__ import annotations

import sys

from kombu import Connection


def main(url: str = "memory://simple-queue") -> None:
    """Put three jobs, take them out, see that the queue is empty."""
    with Connection(url) as connection:
        with connection.SimpleQueue("example.jobs", serializer="json") as jobs:
            for number in range(1, 4):
                jobs.put({"job": number})
            print(f"{jobs.qsize()} jobs wait")

            while True:
                try:
                    message = jobs.get(timeout=0.1)
                except jobs.Empty:
                    break
                print(f"done {message.payload}")
                message.ack()
            print(f"{jobs.qsize()} jobs wait")


if __name__ == "__main__":
    main(*sys.argv[1:2])
