"""Does with a library called kombu what lines on standard input say.

A line is a JSON object: ``do`` names a command, the rest are its arguments.  Each is
answered by a line, ``{"result": ...}`` or ``{"error": ..., "traceback": ...}``.  Only
the public interface is used, that of kombu 5.7: which library answers is for the
interpreter and PYTHONPATH to say.

Bodies that are bytes travel as ``{"bytes": "<base64>"}``.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import traceback

import kombu
from kombu import Connection, Consumer, Exchange, Producer, Queue

#: Seconds that one wait for an event takes.
SLICE = 0.1


def as_body(value):
    """Return the body that *value*, of a command, stands for."""
    if isinstance(value, dict) and set(value) == {"bytes"}:
        return base64.b64decode(value["bytes"])
    return value


def as_value(body):
    """Return what can be said about *body* in JSON."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return {"bytes": base64.b64encode(bytes(body)).decode()}
    return body


def described(message):
    """Return what is interesting about *message*, for JSON."""
    return {
        "body": as_value(message.payload),
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "headers": message.headers,
        "properties": message.properties,
        "exchange": message.delivery_info.get("exchange"),
        "routing_key": message.delivery_info.get("routing_key"),
        "redelivered": bool(message.delivery_info.get("redelivered")),
    }


class Child:
    """One connection, with one channel, and the messages that wait for their end."""

    def __init__(self):
        self.connection = self.channel = None
        self.unsettled = []

    def release(self):
        return kombu.__version__

    def connect(self, url, transport_options=None):
        connection = Connection(url, transport_options=transport_options or {})
        connection.connect()
        self.connection, self.channel = connection, connection.channel()

    def declare(self, queue, exchange="", type="direct", routing_key="", options=None):
        if exchange:
            exchange = Exchange(exchange, type)
        Queue(
            queue, exchange, routing_key, channel=self.channel, **options or {}
        ).declare()

    def publish(self, body, exchange="", routing_key="", options=None):
        Producer(self.channel).publish(
            as_body(body),
            exchange=exchange,
            routing_key=routing_key,
            **options or {},
        )

    def get(self, queue, ack=True, timeout=10):
        until = time.monotonic() + timeout
        while True:
            message = Queue(queue, channel=self.channel).get()
            if message is not None:
                return self._took(message, ack)
            if time.monotonic() >= until:
                return None
            time.sleep(0.01)

    def consume(self, queue, count=None, ack=True, timeout=10):
        """Consume *count* messages, or until none comes for *timeout* seconds."""
        taken = []

        def on_message(message):
            if count is None or len(taken) < count:
                taken.append(self._took(message, ack))
            else:
                message.requeue()

        consumer = Consumer(
            self.channel,
            [Queue(queue, channel=self.channel)],
            on_message=on_message,
            auto_declare=False,
        )
        # Not more than asked for: others consume too.
        wanted = 1 if ack else count
        consumer.qos(prefetch_count=wanted + len(self.unsettled) if wanted else 0)
        with consumer:
            seen, until = 0, time.monotonic() + timeout
            while len(taken) != count and time.monotonic() < until:
                try:
                    self.connection.drain_events(timeout=SLICE)
                except TimeoutError:
                    continue
                if len(taken) > seen:
                    seen, until = len(taken), time.monotonic() + timeout
        consumer.qos(prefetch_count=0)
        return taken

    def _took(self, message, ack):
        description = described(message)
        if ack:
            message.ack()
        else:
            self.unsettled.append(message)
        return description

    def settle(self, how):
        """``ack``, ``reject`` or ``requeue`` what was taken without ack."""
        while self.unsettled:
            getattr(self.unsettled.pop(0), how)()

    def size(self, queue):
        try:
            found = Queue(queue, channel=self.channel).queue_declare(passive=True)
        except self.connection.channel_errors as exc:
            # On Redis, kombu 5.7 takes an empty queue for none.
            if "NOT_FOUND" in str(exc):
                return 0
            raise
        return found.message_count

    def purge(self, queue):
        return Queue(queue, channel=self.channel).purge()

    def delete(self, queue):
        Queue(queue, channel=self.channel).delete()

    def close(self):
        self.connection.close()


def answer(child, line):
    """Return the answer to one *line*."""
    try:
        command = json.loads(line)
        return {"result": getattr(child, command.pop("do"))(**command)}
    except Exception as exc:
        return {
            "error": f"{type(exc).__name__}: {exc}",
            "traceback": traceback.format_exc(),
        }


def main():
    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    child = Child()
    for line in sys.stdin:
        answers.write(json.dumps(answer(child, line), default=repr) + "\n")


if __name__ == "__main__":
    main()
