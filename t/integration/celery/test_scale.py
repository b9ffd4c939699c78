"""Tasks that take long, and many that are to run much later."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

#: Seconds after which a message whose worker is gone is given to another.
LEASE = 2

#: How many tasks are sent an hour ahead.
MANY = 10_000
HOUR = 3600

#: How many of them a worker may have.
LIMIT = 100

#: MiB that a worker may grow by. Each task that it has costs some ten KiB: all of them
#: would be more than a hundred MiB.
GROWTH = 16

#: Where Celery's tasks of an hour, less than 4096 seconds, are put first.
DELAYED = "celery_delayed_11"


def memory_of(worker) -> float:
    """Return the MiB that a worker occupies, without those of its children."""
    path = Path(f"/proc/{worker.process.pid}/status")
    if not path.exists():
        pytest.skip("the memory of other processes can't be seen here")
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.mark.parametrize(
    "kind",
    ["redis", "sqlite", pytest.param("filesystem", marks=pytest.mark.thorough)],
)
def test_leases_of_long_tasks_are_renewed(site_of, kind):
    """Those that run, and those that wait for a child, are run once."""
    site = site_of(kind, task_acks_late=True)
    site.settings["broker_transport_options"] |= {"visibility_timeout": LEASE}
    site.worker()
    client = site.client()
    names = ["a", "b"]
    long = [client.play("send", task="hold_late", arguments=[name]) for name in names]
    for name in names:
        client.play("held", name=name)
    short = [
        client.play("send", task="write", arguments=["short", n]) for n in range(6)
    ]
    # The worker has four for each child, by its prefetch multiplier: none is left.
    client.play("wait_for_ready", count=0)
    # One that would run whatever is given up.
    site.worker("w2")

    # As long as five leases.
    threading.Event().wait(5 * LEASE)
    for name in names:
        client.play("open_gate", name=name)

    assert [client.play("get", task=task) for task in long] == names
    assert [client.play("get", task=task) for task in short] == [*range(6)]
    for name in names:
        assert len(client.play("read", ledger=f"held-{name}")) == 1
    assert sorted(client.play("read", ledger="short")) == [*"012345"]


@pytest.mark.parametrize(
    "kind",
    [
        *("redis", "amqp"),
        pytest.param("sqlite", marks=pytest.mark.thorough),
        pytest.param("filesystem", marks=pytest.mark.thorough),
    ],
)
def test_tasks_of_another_hour_are_limited(site_of, kind):
    """A worker takes as many as ``worker_eta_task_limit`` says, and leaves the others."""
    worker, client = start(site_of(kind, worker_eta_task_limit=LIMIT))
    before = memory_of(worker)

    client.play("send_later", count=MANY, seconds=HOUR, patience=300)

    client.play("wait_for_ready", count=MANY - LIMIT)
    assert client.play("scheduled") == LIMIT
    assert memory_of(worker) - before < GROWTH


def test_tasks_of_another_hour_are_the_brokers(site_of):
    """With quorum queues the broker keeps them: the worker has none."""
    site = site_of(
        "amqp",
        task_queues=None,
        task_routes={},
        task_default_queue_type="quorum",
        task_default_exchange_type="topic",
    )
    worker, client = start(site)
    before = memory_of(worker)

    client.play("send_later", count=MANY, seconds=HOUR, patience=300)

    client.play("wait_for_ready", count=MANY, queue=DELAYED)
    client.play("wait_for_ready", count=0)
    assert client.play("scheduled") == 0
    assert memory_of(worker) - before < GROWTH
    client.play("results")


def start(site):
    """Return a worker that has worked already, and a client."""
    worker, client = site.worker(), site.client()
    client.play("results")
    return worker, client
