"""Workers and clients of both releases at one broker, in the middle of an upgrade."""

from __future__ import annotations

import pytest

from t.integration.celery.brokers import on

#: Those that the releases are to share.
BROKERS = ("redis", "amqp", "sqlite")

#: What one worker does for a client of the other release.
FOR_ONE = (
    *("results", "groups", "chords", "retries", "countdown", "results_by_rpc"),
    *("serializers", "compression", "topics"),
)

#: The same, by messages to all: with 5.7 there are none by SQL.
BY_FANOUT = ("ping", "revoking", "consumers_come_and_go", "events")


#: On Redis, 5.7 hears broadcasts but by the key that Celery binds its queue with.
ROUTES = {"app.shout": {"queue": "shout", "exchange": "shout", "routing_key": "tasks"}}


@pytest.mark.parametrize("ours", [True, False], ids=["to ours", "to theirs"])
@on("redis", of=BROKERS)
def test_one_of_each(site_of, kind, ours):
    """A client of one release, and a worker of the other."""
    site = site_of(kind)
    site.worker(ours=ours)
    client = site.client(ours=not ours)

    names = FOR_ONE if kind == "sqlite" else FOR_ONE + BY_FANOUT
    for name in names:
        assert client.play(name) is None, name


@on(*BROKERS, of=BROKERS)
def test_two_of_each(site_of, kind):
    """Workers and clients of both, all at once."""
    site = site_of(kind, task_routes=ROUTES)
    workers = [site.worker("old", ours=False), site.worker("new", ours=True)]
    hosts = [worker.host for worker in workers]
    clients = [site.client("old-client", ours=False), site.client("new-client")]

    for client in clients:
        if kind != "sqlite":
            client.play("ping", count=2)
            client.play("nodes_know_each_other", count=2)
        # On Redis, 5.7 routes by types that the same process declared.
        if kind == "amqp" or (kind == "redis" and client.ours):
            client.play("shouting", hosts=hosts)
        for name in ("results", "groups", "chords", "retries"):
            client.play(name)


@pytest.mark.parametrize(
    "ours_first",
    [pytest.param(True, marks=pytest.mark.thorough), False],
    ids=["down", "up"],
)
@on("redis", of=BROKERS)
def test_taking_over(site_of, kind, ours_first):
    """What was sent by one release, and waits, is there for the next."""
    site = site_of(kind)
    first = site.client("first", ours=ours_first)
    # The queue is there before the tasks are, as after any worker.
    site.worker("before", ours=ours_first).stop()
    tasks = [first.play("send", task="add", arguments=[n, n]) for n in range(20)]

    site.worker("after", ours=not ours_first)

    assert [first.play("get", task=task) for task in tasks] == [
        2 * n for n in range(20)
    ]
