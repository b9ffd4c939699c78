"""Brokers die, networks fall silent: the worker goes on by itself, and no task is lost.

``KOMBU_TEST_CELERY_FAULTS`` says how many faults the long row has.
"""

from __future__ import annotations

import os
import random
import signal
import threading

import pytest

CUTS = 5

FEW = 10
MANY = int(os.environ.get("KOMBU_TEST_CELERY_FAULTS", "200"))

#: Seconds after which, in the row, what a killed worker had is given to another.
LEASE = 2

#: Seconds that the network is silent.
SILENCE = 10.0

TCP = ("redis", "amqp")

#: What lets it heal: who hears nothing for so many seconds begins anew.
HEALING = {"redis": {}, "amqp": {"broker_heartbeat": 2}}

#: What lets who publishes know that the broker has it, should that be killed.
SURE = {"redis": {}, "amqp": {"broker_transport_options": {"confirm_publish": True}}}


def server_of(request, kind):
    fixture = {
        "redis": "redis_server",
        "amqp": "rabbitmq",
        "sentinel": "redis_sentinel",
    }
    return request.getfixturevalue(fixture[kind])


def make_sturdy(site):
    """Have nothing lost with a worker, a child or a broker."""
    # Late acknowledgements: a result may be that of the second time.
    site.settings["task_acks_late"] = True
    site.settings["task_reject_on_worker_lost"] = True
    # Results are to outlive the broker.
    site.settings["result_backend"] = f"db+sqlite:///{site.folder / 'results.db'}"


@pytest.fixture
def through(site_of, proxied):
    """Makes a site, the proxy through which it reaches its broker, and a way past it."""

    def make(kind, **settings):
        site = site_of(kind, **settings)
        make_sturdy(site)
        direct = site.settings["broker_url"]
        proxy, site.settings["broker_url"] = proxied(site)
        return site, proxy, direct

    return make


def check_works(client):
    """See that it answers, and that tasks and results go through."""
    client.play("ping", count=1)
    client.play("results")


def send_some(client, count):
    return [client.play("send", task="add", arguments=[n, n]) for n in range(count)]


def check_arrive(client, tasks):
    assert [client.play("get", task=task) for task in tasks] == [
        2 * n for n in range(len(tasks))
    ]


# -- one fault -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", TCP)
def test_sockets_are_cut(through, kind):
    site, proxy, _ = through(kind)
    site.worker()
    client = site.client()

    for _ in range(CUTS):
        tasks = send_some(client, 20)
        proxy.cut()
        check_arrive(client, tasks)
    check_works(client)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("redis", {}, id="redis"),
        # Others delete the worker's own queues before that is over.
        pytest.param(
            "redis",
            {"visibility_timeout": SILENCE / 2},
            marks=pytest.mark.thorough,
            id="redis-lease",
        ),
        pytest.param("amqp", {}, id="amqp"),
    ],
)
def test_network_falls_silent(through, kind, options):
    """For ten seconds, in which nobody is told that anything is wrong."""
    site, proxy, direct = through(
        kind, broker_transport_options=options, **HEALING[kind]
    )
    worker = site.worker()
    near = site.client("near", broker_url=direct)
    far = site.client("far")
    check_works(far)
    held = near.play("send", task="hold_late", arguments=["a"])
    near.play("held", name="a")

    proxy.black_hole()
    # Its acknowledgement gets lost, and what is sent meanwhile has to wait.
    near.play("open_gate", name="a")
    tasks = send_some(near, 20)
    threading.Event().wait(SILENCE)
    proxy.heal()

    assert near.play("get", task=held) == "a"
    check_arrive(near, tasks)
    check_works(near)
    check_works(far)
    assert worker.process.poll() is None


@pytest.mark.parametrize("kind", TCP)
def test_child_is_killed(site_of, kind):
    """With late acknowledgements its task is run again, by another child."""
    site = site_of(kind)
    worker = site.worker()
    client = site.client()
    task = client.play("send", task="hold_late", arguments=["a"])
    [held] = client.play("held", name="a")

    os.kill(int(held.split()[1]), signal.SIGKILL)
    client.play("open_gate", name="a")

    assert client.play("get", task=task) == "a"
    assert client.play("read", ledger="done-a") == [task]
    check_works(client)
    assert worker.process.poll() is None


@pytest.mark.parametrize("kind", TCP)
def test_broker_is_killed(request, site_of, kind):
    server = server_of(request, kind)
    site = site_of(kind)
    make_sturdy(site)
    worker = site.worker()
    client = site.client()
    check_works(client)

    server.kill()
    server.start()

    check_works(client)
    assert worker.process.poll() is None


@pytest.mark.thorough
def test_sentinel_fails_over(site_of, redis_sentinel):
    site = site_of("sentinel")
    worker = site.worker()
    client = site.client()
    check_works(client)
    tasks = [
        client.play("send", task="add", arguments=[1, 1], countdown=3) for _ in "1234"
    ]

    redis_sentinel.fail_over()

    assert [client.play("get", task=task) for task in tasks] == [2, 2, 2, 2]
    check_works(client)
    assert worker.process.poll() is None


# -- a row of faults --------------------------------------------------------------------


class Row:
    """Faults of all kinds, one after the other, each while tasks are on their way.

    Arguments:
        site: The site.
        proxy: What is between it and its broker.
        server: The broker.
        count: How many faults there are to be.
        options: Settings of its client.
    """

    #: Kinds, and how often each comes.
    WEIGHTS = {"cut": 10, "kill_child": 6, "kill_worker": 3, "kill_broker": 1}

    def __init__(self, site, proxy, server, count, options):
        self.site, self.proxy, self.server = site, proxy, server
        self.worker, self.client = site.worker(), site.client(**options)
        rest = random.Random(count).choices(
            [*self.WEIGHTS], [*self.WEIGHTS.values()], k=count - len(self.WEIGHTS)
        )
        self.kinds = [*self.WEIGHTS, *rest]

    def run(self):
        for number, kind in enumerate(self.kinds):
            tasks = send_some(self.client, 10)
            try:
                getattr(self, kind)(f"{kind}-{number}")
                check_arrive(self.client, tasks)
                self.client.play("ping", count=1)
            except Exception as exc:
                raise AssertionError(
                    f"fault {number} ({kind}): {exc}\n{self.worker.log}"
                ) from exc

    def cut(self, name):
        self.proxy.cut()

    def kill_child(self, name):
        task = self.client.play("send", task="die_once_late", arguments=[name])
        assert self.client.play("get", task=task) == name
        assert len(self.client.play("read", ledger=f"died-{name}")) >= 2

    def kill_worker(self, name):
        task = self.client.play("send", task="hold_late", arguments=[name])
        held = self.client.play("held", name=name)
        self.worker.kill_all(int(held[-1].split()[1]))
        self.client.play("open_gate", name=name)
        self.worker = self.site.worker()
        assert self.client.play("get", task=task) == name

    def kill_broker(self, name):
        self.server.kill()
        self.server.start()


@pytest.mark.parametrize(
    "count", [FEW, pytest.param(MANY, marks=pytest.mark.thorough, id="many")]
)
@pytest.mark.parametrize("kind", TCP)
def test_row_of_faults(request, through, kind, count):
    server = server_of(request, kind)
    site, proxy, _ = through(kind)
    if kind != "amqp":
        site.settings["broker_transport_options"]["visibility_timeout"] = LEASE

    row = Row(site, proxy, server, count, SURE[kind])

    row.run()
    check_works(row.client)
    assert row.worker.process.poll() is None
