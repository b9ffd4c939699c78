"""`broker_transport_options`: workers and clients do as they say."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from t.brokers.sql import execute
from t.integration.celery.brokers import on

#: How a database is asked for the names of its tables.
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


def check_works(client):
    for name in ("ping", "results", "groups", "consumers_come_and_go", "revoking"):
        client.play(name)


# -- Redis ---------------------------------------------------------------------------------

KINDS_OF_REDIS = ("redis", "sentinel")


@pytest.fixture
def keys(request, kind):
    """Returns a client of the database of a site, and its keys."""
    server = request.getfixturevalue(
        {"redis": "redis_server"}.get(kind, "redis_sentinel")
    )

    def look(site):
        number = int(site.settings["broker_url"].rpartition("/")[2])
        with server.client(number) as client:
            return {key.decode() for key in client.keys()}

    return look


@on("redis", of=KINDS_OF_REDIS)
def test_keys_of_redis(site_of, keys, kind):
    """Prefixes, separators, steps of priority, and how queues take turns."""
    site = site_of(kind)
    site.settings["broker_transport_options"] |= {
        "global_keyprefix": "shop:",
        "sep": ":",
        "priority_steps": [*range(10)],
        "queue_order_strategy": "priority",
        "health_check_interval": 1,
        "unacked_key": "in-flight",
        "unacked_index_key": "in-flight-index",
    }
    worker = site.worker()
    client = site.client()
    check_works(client)
    client.play("shouting", hosts=[worker.host])
    held = client.play("send", task="hold_late", arguments=["a"])
    client.play("held", name="a")

    found = keys(site)

    assert {"shop:in-flight", "shop:in-flight-index"} <= found
    assert all(key.startswith("shop:") for key in found), found
    client.play("open_gate", name="a")
    assert client.play("get", task=held) == "a"

    worker.stop()
    for priority in (8, 1, 5, 0, 9):
        client.play(
            "send", task="write", arguments=["order", priority], priority=priority
        )

    assert {"shop:tasks", *(f"shop:tasks:{n}" for n in (1, 5, 8, 9))} <= keys(site)
    site.worker("w2", pool="solo", concurrency=1)
    client.play("wait_for_notes", ledger="order", count=5)
    assert client.play("read", ledger="order") == ["0", "1", "5", "8", "9"]


@on("redis", of=KINDS_OF_REDIS)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            {"fanout_prefix": False, "fanout_patterns": False},
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            {"fanout_prefix": "shop/{db}.", "fanout_patterns": True},
            marks=pytest.mark.thorough,
        ),
        {"fanout": "durable"},
    ],
    ids=["without", "own prefix", "durable"],
)
def test_fanout_of_redis(site_of, kind, options):
    site = site_of(kind)
    site.settings["broker_transport_options"] |= options
    workers = [site.worker("w1"), site.worker("w2", pool="threads")]
    client = site.client()

    client.play("ping", count=2)
    client.play("shouting", hosts=[worker.host for worker in workers])
    client.play("nodes_know_each_other", count=2)


# -- RabbitMQ ------------------------------------------------------------------------------


def test_options_of_rabbitmq(site_of, rabbitmq):
    site = site_of(
        "amqp",
        broker_transport_options={
            "confirm_publish": True,
            "read_timeout": 30,
            "write_timeout": 30,
            "client_properties": {"product": "the shop"},
        },
        broker_heartbeat=7,
        broker_login_method="AMQPLAIN",
    )
    worker = site.worker()
    client = site.client()
    check_works(client)
    client.play("shouting", hosts=[worker.host])

    vhost = urlsplit(site.settings["broker_url"]).path[1:]
    seen = rabbitmq.control(
        *("list_connections", "vhost", "timeout", "auth_mechanism", "client_properties")
    )
    ours = [line for line in seen.splitlines() if line.startswith(f"{vhost}\t")]
    assert ours
    assert all("\tAMQPLAIN\t" in line and "the shop" in line for line in ours), seen
    assert any(line.split("\t")[1] == "7" for line in ours), seen


# -- files and tables ------------------------------------------------------------------------


def test_folders_crosswise(site_of):
    """What one puts out the other takes in; all is declared in one place."""
    site = site_of("filesystem")
    there, back = site.folder / "there", site.folder / "back"
    done, control = site.folder / "done", site.folder / "declared"
    for folder in (there, back, done, control):
        folder.mkdir()
    common = {
        "control_folder": str(control),
        "visibility_timeout": 5,
        "store_processed": True,
        "processed_folder": str(done),
    }
    worker = site.worker(
        "w1",
        broker_transport_options={
            **common,
            "data_folder_in": str(there),
            "data_folder_out": str(back),
        },
    )
    client = site.client(
        broker_transport_options={
            **common,
            "data_folder_in": str(back),
            "data_folder_out": str(there),
        },
    )

    check_works(client)

    assert any(control.iterdir())
    assert any(done.iterdir())
    assert not any((site.folder / "data").iterdir())
    assert worker.process.poll() is None


@on("sqlite", of=TABLES)
def test_tables(site_of, request, kind):
    """Names of their own, and no bell: who waits has to look."""
    site = site_of(kind)
    site.settings["broker_transport_options"] |= {
        "queue_tablename": "shop_queue",
        "message_tablename": "shop_message",
        "polling_interval": 0.2,
        "pool_size": 2,
        "pool_pre_ping": True,
        **({"sqlite_synchronous": "NORMAL"} if kind == "sqlite" else {"notify": False}),
    }
    worker = site.worker()
    client = site.client()

    check_works(client)
    client.play("shouting", hosts=[worker.host])

    url = site.settings["broker_url"].removeprefix("sqla+")
    names = {name for (name,) in execute(url, TABLES[kind])}
    assert {"shop_queue", "shop_message"} <= names
    assert names - {"sqlite_sequence"} == {n for n in names if n.startswith("shop_")}
