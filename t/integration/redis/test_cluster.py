"""A cluster: slots are moved, and nodes die, while messages travel."""

from __future__ import annotations

import threading

import pytest

from kombu import Connection, Queue
from t.integration.redis.listener import Listener

MESSAGES = 3000

#: Seconds after which a message has arrived.
BOUND = 20.0

POLICY = {"max_retries": 100, "interval_start": 0, "interval_step": 0.1}


@pytest.fixture
def url(redis_cluster):
    redis_cluster.start()
    return redis_cluster.flush()


def publish_all(url, queues, is_published):
    with Connection(url) as connection:
        producer = connection.Producer()
        for number in range(MESSAGES):
            queue = queues[number % len(queues)]
            producer.publish(
                number, routing_key=queue.name, retry=True, retry_policy=POLICY
            )
            is_published.append(number)


def test_slots_are_moved_under_load(url, redis_cluster):
    queues = [Queue(f"tasks-{number}") for number in range(4)]
    published = []
    with Listener(url, queues) as listener:
        thread = threading.Thread(target=publish_all, args=(url, queues, published))
        thread.start()
        moves = 0
        while thread.is_alive():
            for queue in queues:
                slot = redis_cluster.slot_of(f"{{{queue.name}}}")
                owner = redis_cluster.owner(slot)
                place = redis_cluster.nodes.index(owner)
                target = redis_cluster.nodes[(place + 1) % len(redis_cluster.nodes)]
                for _ in redis_cluster.moving(slot, target, batch=1):
                    pass
                moves += 1
        thread.join()
        listener.wait_for(
            lambda: len(set(listener.bodies)) == MESSAGES, BOUND, "all messages"
        )

    assert published == list(range(MESSAGES))
    assert sorted(listener.bodies) == published, "some came more than once"
    assert moves > 4
    print(f"{moves} slots were moved, {listener}")


def test_node_that_dies(url, redis_cluster):
    queues = [Queue(f"tasks-{number}") for number in range(6)]
    with Listener(url, queues) as listener:
        for number, queue in enumerate(queues):
            node = redis_cluster.owner(redis_cluster.slot_of(f"{{{queue.name}}}"))
            node.kill()
            redis_cluster.start()

            with Connection(url) as connection:
                connection.Producer().publish(
                    number, routing_key=queue.name, retry=True, retry_policy=POLICY
                )
            listener.wait_for_body(number, BOUND)
