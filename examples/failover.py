"""Several brokers in one URL: the next is tried when one is away.

The first broker of the list does not answer, which a small transport imitates;
the connection moves on to the second. With a list of your own, the real thing is
tried::

    python examples/failover.py 'memory://one;memory://two'
"""

from __future__ import annotations

import sys
from typing import Any

from kombu import Connection
from kombu.transport import memory


class WithOneAway(memory.Transport):
    """The memory transport, whose broker `away` refuses connections."""

    connection_errors = (ConnectionRefusedError,)

    def establish_connection(self) -> Any:
        """Connect, or fail as a socket does if nobody listens."""
        if self.client.hostname == "away":
            raise ConnectionRefusedError("nobody listens")
        return super().establish_connection()


def on_error(error: Exception, interval: float) -> None:
    """Called for every attempt that failed; `interval` is in seconds."""
    print(f"broker is away: {error}; next try in {interval:g} s")


def main(urls: str | None = None) -> None:
    """Connect through a list, and use what answers."""
    if urls is None:
        connection = Connection("memory://away;memory://backup", transport=WithOneAway)
    else:
        connection = Connection(urls, failover_strategy="round-robin")
    with connection:
        connection.ensure_connection(
            errback=on_error,
            max_retries=3,
            interval_start=0,
            interval_step=0.1,
        )
        print(f"connected to {connection.hostname}")
        with connection.SimpleQueue("example.failover") as queue:
            queue.put({"through": connection.hostname})
            message = queue.get(timeout=1)
            print(message.payload)
            message.ack()


if __name__ == "__main__":
    main(*sys.argv[1:2])
