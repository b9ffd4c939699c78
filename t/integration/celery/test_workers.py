"""How workers end, how they know each other, and what becomes of their children."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from t.integration.celery.running import Site

BROKERS = (
    *("redis", "amqp", "sqlite", "filesystem"),
    pytest.param("postgresql", marks=pytest.mark.thorough),
    pytest.param("sentinel", marks=pytest.mark.thorough),
)


@pytest.fixture(params=BROKERS)
def site(request, site_of) -> Site:
    return site_of(request.param)


def test_they_hear_broadcasts_and_each_other(site):
    workers = [site.worker("w1"), site.worker("w2", pool="threads")]
    client = site.client()

    client.play("ping", count=2)
    client.play("nodes_know_each_other", count=2)
    client.play("shouting", hosts=[worker.host for worker in workers])
    # Celery lets its workers mingle where it knows the broker.
    if site.settings["broker_url"].startswith(("redis", "amqp")):
        assert "sync with 1 nodes" in workers[1].log_path.read_text()


def test_warm_shutdown_ends_the_task(site):
    worker = site.worker()
    client = site.client()
    task = client.play("send", task="hold", arguments=["a"])
    waiting = [client.play("send", task="add", arguments=[n, 0]) for n in range(10)]
    client.play("held", name="a")

    worker.signal(signal.SIGTERM)
    client.play("open_gate", name="a")

    assert worker.wait() == 0
    assert client.play("get", task=task) == "a"
    # What it had taken, and not begun, is there for the next one.
    site.worker("w2")
    assert [client.play("get", task=each) for each in waiting] == [*range(10)]


def test_cold_shutdown_gives_back(site):
    worker = site.worker()
    client = site.client()
    task = client.play("send", task="hold_late", arguments=["a"])
    client.play("held", name="a")

    worker.signal(signal.SIGQUIT)

    worker.wait()
    client.play("open_gate", name="a")
    site.worker("w2")
    assert client.play("get", task=task) == "a"
    assert client.play("read", ledger="done-a") == [task]


def test_killed_worker_has_its_task_run_again_once(site):
    """Those with late acknowledgements, within the lease."""
    worker = site.worker()
    client = site.client()
    task = client.play("send", task="hold_late", arguments=["a"])
    [held] = client.play("held", name="a")
    worker.kill_all(int(held.split()[1]))

    client.play("open_gate", name="a")
    site.worker("w2")

    assert client.play("get", task=task) == "a"
    assert client.play("read", ledger="done-a") == [task]
    assert len(client.play("read", ledger="held-a")) == 2


def test_children_retire(site):
    site.worker("w1", "--max-tasks-per-child", "3")
    site.client().play("children_that_retire")


def test_autoscaling(site):
    site.worker("w1", "--autoscale", "3,1")
    client = site.client()
    names = ["a", "b", "c"]
    tasks = [client.play("send", task="hold", arguments=[name]) for name in names]

    for name in names:  # three of them at once
        client.play("held", name=name)
    for name in names:
        client.play("open_gate", name=name)

    assert [client.play("get", task=task) for task in tasks] == names
