"""Programs that need a process of their own: ``python -m kombu.testing._scenarios``.

The name of the program is the first argument; options come as a line of JSON on
standard input.  What it prints last is its result, as JSON.

===============  ==============================================================
``gevent``       publishes and consumes in greenlets, everything patched
``eventlet``     the same
``fork``         forks with messages in hand; the child ends in every way
===============  ==============================================================
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("main",)

#: Seconds that a program may take.
PATIENCE = 20.0

#: Messages that are published to each of the consumers' queues.
MESSAGES = 20

Options = dict[str, Any]


def in_greenlets(options: Options) -> Any:
    """Publish and consume in threads, which are greenlets by now.

    Returns:
        What each of the consumers got, and how often a ticker came to run while
        they waited.
    """
    import threading
    import time
    from contextlib import suppress

    from kombu.connection import Connection
    from kombu.entity import Queue
    from kombu.messaging import Consumer, Producer

    names: list[str] = options["queues"]
    received: list[list[Any]] = [[] for _ in names]
    ticks: list[int] = []
    ends = time.monotonic() + PATIENCE

    def connect() -> Connection:
        return Connection(
            options["url"],
            transport=options["transport"],
            transport_options=options["transport_options"],
        )

    def consume(number: int) -> None:
        def on_message(message: Any) -> None:
            received[number].append(message.payload)
            message.ack()

        with connect() as connection:
            queue = Queue(names[number])
            with Consumer(connection.channel(), [queue], on_message=on_message):
                while len(received[number]) < MESSAGES and time.monotonic() < ends:
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=0.5)

    def publish() -> None:
        with connect() as connection:
            producer = Producer(connection.channel())
            for number in range(MESSAGES):
                for name in names:
                    producer.publish(number, routing_key=name)
                time.sleep(0.005)

    def tick() -> None:
        while any(len(found) < MESSAGES for found in received):
            if time.monotonic() >= ends:
                return
            ticks.append(1)
            time.sleep(0.005)

    with connect() as connection:
        for name in names:
            Queue(name)(connection.channel()).declare()
    work: list[Callable[[], None]] = [tick, publish]
    threads = [threading.Thread(target=each) for each in work]
    threads += [
        threading.Thread(target=consume, args=(number,)) for number in range(len(names))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"received": received, "ticks": len(ticks)}


def forking(options: Options) -> Any:
    """Fork with messages in hand, and see what the parent still has.

    Returns:
        How each child ended, what was ready in the queue after that, and what
        the parent got of its messages once it had settled them.
    """
    from kombu.connection import Connection
    from kombu.entity import Queue

    connection = Connection(
        options["url"],
        transport=options["transport"],
        transport_options=options["transport_options"],
    )
    queue = Queue(options["queues"][0])(connection.channel())
    queue.declare()
    producer = connection.Producer()
    for number in range(3):
        producer.publish(number, routing_key=queue.name)
    held = [_get(queue) for _ in range(3)]

    def settle() -> None:
        held[0].ack()

    def close() -> None:
        connection.close()

    def end() -> None:
        """Leave everything to the end of the interpreter."""

    statuses = [_run_in_child(work) for work in (settle, close, end)]
    with Connection(
        options["url"],
        transport=options["transport"],
        transport_options=options["transport_options"],
    ) as other:
        declared = queue(other.channel()).queue_declare(passive=True)
    for message in held[:2]:
        message.ack()
    held[2].requeue()
    again = _get(queue)
    again.ack()
    left = queue.get()
    connection.close()
    return {
        "statuses": statuses,
        "ready": declared.message_count,
        "again": again.payload,
        "left": left is not None,
    }


def _get(queue: Any) -> Any:
    import time

    ends = time.monotonic() + PATIENCE
    while (message := queue.get()) is None:
        assert time.monotonic() < ends, "no message came"
        time.sleep(0.01)
    return message


def _run_in_child(work: Callable[[], None]) -> int:
    """Call *work* in a forked child, which then ends as an interpreter does.

    Returns:
        Its exit status: 0, or 1 if it raised an error of the library (as it
        may: nothing of this is the child's); 2 for any other.
    """
    from kombu.exceptions import KombuError

    sys.stdout.flush()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    try:
        work()
    except KombuError:
        sys.exit(1)
    except Exception:
        import traceback

        traceback.print_exc()
        sys.exit(2)
    sys.exit(0)


def main() -> None:
    """Run the program that the arguments name."""
    name = sys.argv[1]
    options = json.loads(sys.stdin.readline())
    if name == "gevent":
        from gevent import monkey

        monkey.patch_all()
    elif name == "eventlet":
        import eventlet

        eventlet.monkey_patch()
    result = forking(options) if name == "fork" else in_greenlets(options)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
