"""Asking and answering: `reply_to` says where, `correlation_id` says to what.

A server thread answers with the n-th Fibonacci number. The client owns a queue
for its answers, exclusive and deleted with it, and keeps only the answer whose
`correlation_id` is that of its question.

    python examples/rpc.py [URL]
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from kombu import Connection, Consumer, Message, Producer, Queue, uuid

REQUESTS = Queue("example.rpc", routing_key="example.rpc")


def fibonacci(n: int) -> int:
    """The n-th Fibonacci number, counted from 0."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


class Server:
    """Answers questions until told to stop."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ready = threading.Event()
        self.stopped = threading.Event()

    def run(self) -> None:
        """Serve; a connection of its own, since this is a thread of its own."""
        with Connection(self.url) as connection:
            self.producer = Producer(connection)
            with Consumer(
                connection, [REQUESTS], accept=["json"], callbacks=[self.on_request]
            ):
                self.ready.set()
                while not self.stopped.is_set():
                    try:
                        connection.drain_events(timeout=0.1)
                    except TimeoutError:
                        continue

    def on_request(self, request: dict[str, Any], message: Message) -> None:
        """Answer one question at the place it names."""
        self.producer.publish(
            {"result": fibonacci(request["n"])},
            exchange="",
            routing_key=message.properties["reply_to"],
            correlation_id=message.properties["correlation_id"],
            serializer="json",
        )
        message.ack()


class Client:
    """Asks one question at a time.

    Args:
        connection: shared by the questions and the answers.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.answers = Queue(uuid(), exclusive=True, auto_delete=True)

    def call(self, n: int, timeout: float = 5.0) -> int:
        """Ask for the n-th number; `timeout` is in seconds."""
        question = uuid()
        found: list[int] = []

        def on_answer(answer: dict[str, Any], message: Message) -> None:
            if message.properties.get("correlation_id") == question:
                found.append(answer["result"])
            message.ack()

        with Consumer(
            self.connection, [self.answers], accept=["json"], callbacks=[on_answer]
        ):
            Producer(self.connection).publish(
                {"n": n},
                exchange="",
                routing_key="example.rpc",
                declare=[REQUESTS],
                reply_to=self.answers.name,
                correlation_id=question,
                serializer="json",
            )
            while not found:
                self.connection.drain_events(timeout=timeout)
        return found[0]


def main(url: str = "memory://rpc") -> None:
    """Ask three questions of a server in another thread."""
    server = Server(url)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    server.ready.wait(timeout=5)
    try:
        with Connection(url) as connection:
            client = Client(connection)
            for n in (1, 10, 50):
                print(f"fibonacci({n}) = {client.call(n)}")
    finally:
        server.stopped.set()
        thread.join(timeout=5)


if __name__ == "__main__":
    main(*sys.argv[1:2])
