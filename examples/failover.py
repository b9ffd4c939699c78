"""Several brokers in one URL: the next is tried when one is away.

The first address of the list is a port of this machine where nobody listens;
the connection moves on to the second.

    python examples/failover.py [URL]
"""

from __future__ import annotations

import socket
import sys

from kombu import Connection


def unused_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_error(error: Exception, interval: float) -> None:
    """Called for every attempt that failed."""
    print(f"broker is away ({type(error).__name__}), next try in {interval:g} s")


def main(url: str = "memory://failover") -> None:
    """Connect through a list whose first address does not answer."""
    away = f"amqp://guest:guest@127.0.0.1:{unused_port()}//"
    with Connection(f"{away};{url}", failover_strategy="round-robin") as connection:
        connection.ensure_connection(
            errback=on_error,
            max_retries=3,
            interval_start=0,
            interval_step=0.1,
        )
        print(f"connected through {connection.transport_cls}")
        with connection.SimpleQueue("example.failover") as queue:
            queue.put({"through": "the second address"})
            message = queue.get(timeout=1)
            print(message.payload)
            message.ack()


if __name__ == "__main__":
    main(*sys.argv[1:2])
