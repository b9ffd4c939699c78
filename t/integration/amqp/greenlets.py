"""Greenlets that share a connection; run in a process of its own, which is patched.

python greenlets.py URL
"""

from __future__ import annotations

import sys

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402

from kombu import Connection, Consumer, Queue  # noqa: E402

GREENLETS = 32
MESSAGES = 200
PATIENCE = 60


def main(url):
    received, ticks = [], []
    is_over = gevent.event.Event()

    def tick():
        """Run beside the others: nobody may block them all."""
        while not is_over.wait(0.01):
            ticks.append(1)

    def publish(producer, number):
        for message in range(MESSAGES):
            timeout = PATIENCE if message % 50 == 0 else None
            producer.publish(
                [number, message], routing_key="q", confirm_timeout=timeout
            )

    def consume(connection):
        with Consumer(
            connection.channel(), [Queue("q")], on_message=received.append, no_ack=True
        ):
            while len(received) < GREENLETS * MESSAGES:
                connection.drain_events(timeout=PATIENCE)

    ticking = gevent.spawn(tick)
    with Connection(url, heartbeat=5) as connection:
        Queue("q")(connection.default_channel).declare()
        producer = connection.Producer()
        working = [gevent.spawn(publish, producer, n) for n in range(GREENLETS)]
        working.append(gevent.spawn(consume, connection))
        gevent.joinall(working, timeout=PATIENCE, raise_error=True)
        producer.wait_until_published(PATIENCE)
        waiting = gevent.spawn(connection.connection.wait_until, lambda: False)
        before = len(ticks)
        gevent.sleep(0.2)  # somebody waits for the socket, and the others go on
        assert len(ticks) > before
        waiting.kill()
    is_over.set()
    ticking.join()
    bodies = sorted(message.payload for message in received)
    assert bodies == [[n, m] for n in range(GREENLETS) for m in range(MESSAGES)]
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
