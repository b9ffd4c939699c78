"""How a worker comes to its broker: late ones, lost ones, lists of them."""

from __future__ import annotations

import pytest

from t.integration.celery.brokers import TCP, on

#: What a worker says when it tries again.
TRIES_AGAIN = "Trying again in"


@pytest.fixture
def site(site_of, kind):
    return site_of(kind)


def check_works(client):
    client.play("ping", count=1)
    client.play("results")


@on(*TCP, of=TCP)
def test_worker_begins_before_its_broker(site, proxied):
    proxy, site.settings["broker_url"] = proxied(site)
    proxy.refuse()
    worker = site.early_worker("w1")
    worker.wait_for(TRIES_AGAIN)

    proxy.heal()

    worker.wait_until_ready()
    check_works(site.client())


@on("redis", of=TCP)
def test_worker_that_may_not_try_again_ends(site, proxied):
    proxy, site.settings["broker_url"] = proxied(site)
    proxy.refuse()

    worker = site.early_worker("w1", broker_connection_retry_on_startup=False)

    assert worker.wait() != 0
    assert TRIES_AGAIN not in worker.log


@on("amqp", of=TCP)
def test_worker_that_may_not_reconnect_ends(site, proxied):
    proxy, site.settings["broker_url"] = proxied(site)
    worker = site.worker("w1", broker_connection_retry=False)
    check_works(site.client())

    proxy.refuse()
    proxy.cut()

    assert worker.wait() != 0


@pytest.mark.parametrize(
    "is_list",
    [True, pytest.param(False, marks=pytest.mark.thorough)],
    ids=["list", "text"],
)
@on(*TCP, of=TCP)
def test_brokers_of_a_list_take_over(site, proxied, is_list):
    """The first is dead when they begin, the second dies later."""
    (dead, url_1), (second, url_2), (_, url_3) = [proxied(site) for _ in "123"]
    dead.refuse()
    urls = [url_1, url_2, url_3]
    site.settings["broker_url"] = urls if is_list else ";".join(urls)
    worker = site.worker()
    client = site.client()
    check_works(client)
    assert second.open_connections

    second.refuse()
    second.cut()

    check_works(client)
    assert worker.process.poll() is None


@pytest.mark.parametrize(
    "is_on",
    [True, pytest.param(False, marks=pytest.mark.thorough)],
    ids=["reduced", "not reduced"],
)
@on("amqp", of=("amqp",))
def test_less_is_taken_after_a_loss(site, proxied, is_on):
    """What runs counts, until it is done: then it is as before."""
    proxy, site.settings["broker_url"] = proxied(site)
    worker = site.worker(
        worker_prefetch_multiplier=2, worker_enable_prefetch_count_reduction=is_on
    )
    client = site.client()
    for name in "ab":
        client.play("send", task="hold", arguments=[name])
    for name in "ab":
        client.play("held", name=name)
    client.play("wait_for_acknowledged", count=2)  # or they would come again

    proxy.cut()
    worker.wait_for("Connection to broker lost")
    client.play("ping", count=1)
    for _ in range(10):
        client.play("send", task="hold", arguments=["c"])

    # Two run. Each counts for the two that its process might have had.
    client.play("wait_for_ready", count=8 if is_on else 6)
    for name in "ab":
        client.play("open_gate", name=name)
    # The next two run, and four wait beside them.
    client.play("wait_for_ready", count=4)
    client.play("open_gate", name="c")
    client.play("wait_for_ready", count=0)
