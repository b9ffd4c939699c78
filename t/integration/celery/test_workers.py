"""How workers end, how they know each other, and what becomes of their children."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from t.integration.celery.brokers import IN_CI, on

if TYPE_CHECKING:
    from t.integration.celery.running import Site


@pytest.fixture
def site(site_of, kind) -> Site:
    return site_of(kind)


@on(*IN_CI)
def test_they_hear_broadcasts_and_each_other(site):
    workers = [site.worker("w1"), site.worker("w2", pool="threads")]
    client = site.client()

    client.play("ping", count=2)
    client.play("nodes_know_each_other", count=2)
    client.play("shouting", hosts=[worker.host for worker in workers])
    # Celery lets its workers mingle where it knows the broker.
    if site.settings["broker_url"].startswith(("redis", "amqp")):
        assert "sync with 1 nodes" in workers[1].log_path.read_text()


@on("redis")
@pytest.mark.parametrize("pool", ["prefork", "gevent"])
def test_they_begin_with_and_without_event_loop(site, pool):
    """Celery's own loop, or calls that wait where the pool is of green threads."""
    worker = site.worker("w1", "--loglevel", "debug", pool=pool)

    site.client().play("results")

    has_loop = "Worker: Starting Hub" in worker.log_path.read_text()
    assert has_loop == (pool == "prefork")


@on("sqlite")
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


@on("redis", "amqp")
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


@on(*IN_CI)
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


@on("redis")
def test_children_retire(site):
    site.worker("w1", "--max-tasks-per-child", "3")
    site.client().play("children_that_retire")


@on("amqp")
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


@on(*IN_CI)
def test_no_more_is_in_hand_than_allowed(site):
    """Two processes, and two messages for each."""
    site.worker("w1", worker_prefetch_multiplier=2)
    site.client().play("in_hand_is_limited", limit=4)


@on("redis")
def test_soft_shutdown_lets_tasks_end(site):
    """Celery waits for all of that time, and the task has ended meanwhile."""
    worker = site.worker("w1", worker_soft_shutdown_timeout=6)
    client = site.client()
    task = client.play("send", task="hold_late", arguments=["a"])
    client.play("held", name="a")

    worker.signal(signal.SIGQUIT)
    worker.wait_for("Initiating Soft Shutdown")
    client.play("open_gate", name="a")

    worker.wait()
    assert client.play("get", task=task) == "a"
    assert client.play("read", ledger="done-a") == [task]
    assert len(client.play("read", ledger="held-a")) == 1


@on("amqp")
def test_soft_shutdown_ends(site):
    """What takes longer is given back."""
    worker = site.worker("w1", worker_soft_shutdown_timeout=1)
    client = site.client()
    task = client.play("send", task="hold_late", arguments=["a"])
    client.play("held", name="a")

    worker.signal(signal.SIGQUIT)

    worker.wait()
    client.play("open_gate", name="a")
    site.worker("w2")
    assert client.play("get", task=task) == "a"
    assert client.play("read", ledger="done-a") == [task]
    assert len(client.play("read", ledger="held-a")) == 2


@on("filesystem")
def test_shutdown_by_remote_control(site):
    worker = site.worker()
    client = site.client()

    client.play("ping", count=1)
    client.play("shut_down")

    assert worker.wait() == 0
