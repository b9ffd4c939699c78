"""Hello, world: one message through one queue.

python examples/hello.py [URL]
"""

from __future__ import annotations

import sys
from typing import Any

from kombu import Connection, Consumer, Exchange, Message, Producer, Queue

GREETINGS = Exchange("example.greetings", type="direct")
HELLO = Queue("example.hello", GREETINGS, routing_key="hello")


def publish(connection: Connection) -> None:
    """Send one greeting. `declare` makes the queue if it is not there yet."""
    with connection.channel() as channel:
        producer = Producer(channel, serializer="json")
        producer.publish(
            {"hello": "world"},
            exchange=GREETINGS,
            routing_key="hello",
            declare=[HELLO],
        )


def consume(connection: Connection) -> None:
    """Receive one greeting, acknowledge it, and stop."""

    def on_message(body: dict[str, Any], message: Message) -> None:
        print(f"received {body}")
        message.ack()

    with Consumer(connection, [HELLO], callbacks=[on_message], accept=["json"]):
        connection.drain_events(timeout=5)


def main(url: str = "memory://hello") -> None:
    """Both sides, one after the other, over one connection."""
    with Connection(url) as connection:
        publish(connection)
        consume(connection)


if __name__ == "__main__":
    main(*sys.argv[1:2])
