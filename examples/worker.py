"""A worker that lives on: reconnects by itself, stops when told to.

`ConsumerMixin` holds the loop; the class below says which queues to read and
what to do with a task. Here the worker stops once it has done all of its tasks,
so that the example comes to an end.

    python examples/worker.py [URL]
"""

from __future__ import annotations

import sys
from typing import Any

from kombu import Connection, Consumer, Exchange, Message, Queue
from kombu.mixins import ConsumerMixin
from kombu.pools import producers

TASKS = Exchange("example.tasks", type="direct")
QUEUES = [
    Queue("example.tasks.high", TASKS, routing_key="high"),
    Queue("example.tasks.low", TASKS, routing_key="low"),
]


class Worker(ConsumerMixin):
    """Adds numbers, `expected` times.

    Args:
        connection: where the tasks come from.
        expected: number of tasks to do before stopping.
    """

    def __init__(self, connection: Connection, expected: int) -> None:
        self.connection = connection
        self.remaining = expected

    def get_consumers(self, consumer_class: Any, channel: Any) -> list[Consumer]:
        """Called at the start and again after each reconnect."""
        return [consumer_class(QUEUES, accept=["json"], callbacks=[self.on_task])]

    def on_task(self, task: dict[str, Any], message: Message) -> None:
        """Do one task; acknowledge after the work, so that a crash repeats it."""
        print(f"{task['numbers']} -> {sum(task['numbers'])}")
        message.ack()
        self.remaining -= 1
        if not self.remaining:
            self.should_stop = True


def send_tasks(connection: Connection, tasks: list[list[int]]) -> None:
    """Publish through the pool of producers, retrying while the broker is away."""
    with producers[connection].acquire(block=True) as producer:
        for numbers in tasks:
            producer.publish(
                {"numbers": numbers},
                exchange=TASKS,
                routing_key="low",
                declare=QUEUES,
                retry=True,
                retry_policy={"max_retries": 3},
            )


def main(url: str = "memory://worker") -> None:
    """Send three tasks and let a worker do them."""
    tasks = [[1, 2], [3, 4, 5], [6]]
    with Connection(url) as connection:
        send_tasks(connection, tasks)
        Worker(connection, expected=len(tasks)).run()


if __name__ == "__main__":
    main(*sys.argv[1:2])
