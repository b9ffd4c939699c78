"""The main path of kombu-pyamqp-threadsafe: ``python cautious_client.py URL``.

One connection for all threads, each of which takes a channel from its pool.
"""

from __future__ import annotations

import sys
import threading
import time

from kombu_pyamqp_threadsafe import KombuConnection

import kombu

THREADS = 4
EACH = 50
PATIENCE = 60


def publish(connection, name, problems):
    try:
        for number in range(EACH):
            with connection.default_channel_pool.acquire(block=True) as channel:
                producer = kombu.Producer(channel)
                producer.publish([name, number], routing_key="shared")
    except Exception as exc:
        problems.append(exc)


def consume(connection, queue, count):
    """Return the bodies of so many messages, each of which is acknowledged."""
    found = []

    def receive(body, message):
        found.append(tuple(body))
        message.ack()

    until = time.monotonic() + PATIENCE
    with connection.default_channel_pool.acquire(block=True) as channel:
        with kombu.Consumer(channel, [queue], callbacks=[receive]):
            while len(found) < count:
                assert time.monotonic() < until, f"{len(found)} of {count}"
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    continue
    return found


def main():
    connection = KombuConnection(sys.argv[1], default_channel_pool_size=2)
    queue = kombu.Queue("shared", durable=True)
    with connection.default_channel_pool.acquire(block=True) as channel:
        queue(channel).declare()
    problems = []
    threads = [
        threading.Thread(target=publish, args=(connection, name, problems))
        for name in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    found = consume(connection, queue, THREADS * EACH)
    assert set(found) == {(n, i) for n in range(THREADS) for i in range(EACH)}
    assert len(found) == THREADS * EACH
    connection.close()
    print("done")


if __name__ == "__main__":
    main()
