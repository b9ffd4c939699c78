"""The hub: one thread that serves a broker, timers and sockets together.

The hub calls what is ready: messages as they come, timers as they fall due.
Nothing in the loop waits for one thing alone.

    python examples/event_loop.py [URL]
"""

from __future__ import annotations

import sys
from typing import Any

from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.asynchronous import Hub

TICKS = Queue("example.ticks", routing_key="example.ticks")
WANTED = 3


def main(url: str = "memory://event-loop") -> None:
    """A timer publishes, a consumer receives, and the third message ends it."""
    hub = Hub()
    received: list[int] = []

    with Connection(url) as connection:
        connection.register_with_event_loop(hub)
        producer = Producer(connection, serializer="json")

        def tick() -> None:
            producer.publish(
                {"tick": len(received) + 1},
                exchange="",
                routing_key="example.ticks",
            )

        def on_message(body: dict[str, Any], message: Message) -> None:
            print(f"tick {body['tick']}")
            message.ack()
            received.append(body["tick"])
            if len(received) == WANTED:
                hub.call_soon(hub.stop)

        with Consumer(connection, [TICKS], accept=["json"], callbacks=[on_message]):
            timer = hub.call_repeatedly(0.02, tick)
            hub.run_forever()
            timer.cancel()
    hub.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
