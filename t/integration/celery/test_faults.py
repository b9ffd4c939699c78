"""Brokers die, networks fall silent: the worker goes on by itself, and no task is lost."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pytest

from kombu.testing import FaultProxy

FAULTS = int(os.environ.get("KOMBU_TEST_CELERY_FAULTS", "5"))

TCP = ("redis", "amqp")


@pytest.fixture
def through(site_of):
    """Makes a site whose broker is reached through a proxy: ``through("redis")``."""
    proxies = []

    def make(kind):
        site = site_of(kind)
        url = site.settings["broker_url"]
        parts = urlsplit(url)
        proxy = FaultProxy(parts.hostname, parts.port, patience=30.0)
        proxies.append(proxy)
        proxy.__enter__()
        site.settings["broker_url"] = proxy.url_for(url)
        # Late acknowledgements: a result may be that of the second time.
        site.settings["task_acks_late"] = True
        site.settings["task_reject_on_worker_lost"] = True
        return site, proxy

    yield make
    for proxy in proxies:
        proxy.__exit__(None, None, None)


def check_works(client):
    """See that it answers, and that tasks and results go through."""
    client.play("ping", count=1)
    client.play("results")


@pytest.mark.parametrize("kind", TCP)
def test_sockets_are_cut(through, kind):
    site, proxy = through(kind)
    site.worker()
    client = site.client()

    for _ in range(FAULTS):
        tasks = [client.play("send", task="add", arguments=[n, n]) for n in range(20)]
        proxy.cut()
        got = [client.play("get", task=task) for task in tasks]
        assert got == [2 * n for n in range(20)]
    check_works(client)


@pytest.mark.parametrize(
    "kind", ["amqp", pytest.param("redis", marks=pytest.mark.thorough)]
)
def test_broker_is_killed(request, site_of, kind):
    site = site_of(kind)
    server = request.getfixturevalue(
        {"redis": "redis_server", "amqp": "rabbitmq"}[kind]
    )
    if kind == "redis":
        site.settings["result_backend"] = f"db+sqlite:///{site.folder / 'results.db'}"
    site.worker()
    client = site.client()
    check_works(client)

    server.kill()
    server.start()

    check_works(client)


@pytest.mark.thorough
def test_sentinel_fails_over(site_of, redis_sentinel):
    site = site_of("sentinel")
    site.worker()
    client = site.client()
    check_works(client)
    tasks = [
        client.play("send", task="add", arguments=[1, 1], countdown=3) for _ in "1234"
    ]

    redis_sentinel.fail_over()

    assert [client.play("get", task=task) for task in tasks] == [2, 2, 2, 2]
    check_works(client)
