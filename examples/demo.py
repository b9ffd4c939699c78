"""A tour in one process: orders travel through a topic exchange as JSON.

Run by ``make demo``. A producer publishes events of a small shop; three
consumers, each with its own binding, see those that concern them. The broker
lives in memory, so nothing has to be installed or started. Give a broker's URL
to see the same through that broker::

    python examples/demo.py redis://localhost:6379/0

Exits with 1 if a message is missing, doubled or changed.
"""

from __future__ import annotations

import sys
from typing import Any

from kombu import Connection, Consumer, Exchange, Message, Producer, Queue

SHOP = Exchange("demo.shop", type="topic", durable=False)

# What each department wants to hear, as topic patterns: ``*`` stands for one
#: word, ``#`` for any number of words, also none.
DEPARTMENTS = {
    "billing": "order.*.paid",
    "warehouse": "order.#",
    "audit": "#",
}

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("order.books.placed", {"order": 1, "items": ["Middlemarch", "Émile"]}),
    ("order.books.paid", {"order": 1, "amount": "31.50", "currency": "EUR"}),
    ("order.toys.placed", {"order": 2, "items": ["kite"], "gift": True}),
    ("order", {"order": None, "note": "the shop is open"}),
    ("customer.joined", {"customer": 7, "name": "Ada"}),
]

# Which of the events, by index, each department must receive, in order.
EXPECTED = {
    "billing": [1],
    "warehouse": [0, 1, 2, 3],
    "audit": [0, 1, 2, 3, 4],
}


def department_queues() -> dict[str, Queue]:
    """One queue for each department, bound by its pattern."""
    return {
        name: Queue(f"demo.{name}", SHOP, routing_key=pattern, durable=False)
        for name, pattern in DEPARTMENTS.items()
    }


def publish_events(connection: Connection, queues: dict[str, Queue]) -> None:
    """Send every event; the queues are declared before the first goes out."""
    with connection.channel() as channel:
        producer = Producer(channel, exchange=SHOP, serializer="json")
        for routing_key, event in EVENTS:
            producer.publish(
                event, routing_key=routing_key, declare=list(queues.values())
            )
            print(f"sent {routing_key:<20} {event}")


def collect(connection: Connection, queue: Queue) -> list[tuple[str, Any]]:
    """Consume one queue until nothing more comes; return what it held."""
    received: list[tuple[str, Any]] = []

    def on_message(body: dict[str, Any], message: Message) -> None:
        routing_key = message.delivery_info["routing_key"]
        print(f"  {routing_key:<20} {body}")
        received.append((routing_key, body))
        message.ack()

    with connection.channel() as channel:
        with Consumer(channel, [queue], callbacks=[on_message], accept=["json"]):
            drain(connection)
        queue(channel).delete()
    return received


def drain(connection: Connection) -> None:
    """Handle deliveries until the broker has been silent for a moment."""
    while True:
        try:
            connection.drain_events(timeout=0.2)
        except TimeoutError:
            return


def main(url: str = "memory://demo") -> int:
    """Publish, consume, compare; return the process' exit code."""
    queues = department_queues()
    complete = True
    with Connection(url) as connection:
        publish_events(connection, queues)
        for name, queue in queues.items():
            print(f"{name} listens to {DEPARTMENTS[name]!r} and received:")
            received = collect(connection, queue)
            if received != [EVENTS[index] for index in EXPECTED[name]]:
                print("  ... which is not what was sent")
                complete = False
    print("every message arrived once, unchanged" if complete else "FAILED")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
