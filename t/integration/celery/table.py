"""Writes the page that says what of Celery is proven where: what the tests here run.

``python -m t.integration.celery.table`` writes it anew; ``--check`` only says whether
it is as it would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from t.integration.celery import (
    test_clients,
    test_connections,
    test_faults,
    test_options,
    test_programs,
    test_quorum,
    test_rolling_upgrade,
    test_scale,
    test_workers,
)
from t.integration.celery.test_features import PLACES, names_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PAGE = (
    Path(__file__).resolve().parent.parent.parent.parent / "docs/userguide/celery.rst"
)

#: Brokers, by what the tests call them.
BROKERS = {
    "redis": "Redis",
    "sentinel": "Sentinel",
    "amqp": "RabbitMQ",
    "filesystem": "files",
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "memory": "memory",
}

#: Pools, by what the tests call them, with what the table has for them.
POOLS = {"prefork": "p", "threads": "t", "solo": "s", "gevent": "g", "eventlet": "e"}

#: Those on which Django projects are run.
DJANGO_BROKERS = ("redis", "amqp", "sqlite")

#: What one worker does for a client, scenario by scenario.
FEATURES = {
    "results": "results",
    "failures": "exceptions as results",
    "groups": "groups",
    "chains": "chains",
    "chords": "chords",
    "links": "callbacks of tasks",
    "replacing": "tasks that replace themselves",
    "retries": "retries",
    "results_by_rpc": "results by messages (``rpc://``)",
    "countdown": "countdown and ETA",
    "expiry": "tasks that expire",
    "serializers": "json, pickle, yaml, msgpack",
    "compression": "compression",
    "protocol_1": "task messages of protocol 1",
    "topics": "routing by topic",
    "priorities": "priorities",
    "failures_left": "``acks_on_failure_or_timeout=False``, to dead letters",
    "ping": "ping",
    "inspecting": "inspecting a busy worker",
    "rate_limits": "rate limits",
    "consumers_come_and_go": "adding and cancelling consumers",
    "revoking": "revoking",
    "terminating": "terminating",
    "time_limits": "time limits, soft and hard",
    "events": "events",
    "children_that_die": "killed children, ``reject_on_worker_lost``",
}


class Proof(NamedTuple):
    """A test that has workers of its own.

    Attributes:
        module: Where it is.
        test: Its name.
        title: What it proves.
        brokers: Those that it runs on, where it does not have them as parameters.
    """

    module: ModuleType
    test: str
    title: str
    brokers: tuple[str, ...] = ()


PROOFS = (
    Proof(
        test_workers,
        "test_they_hear_broadcasts_and_each_other",
        "broadcast queues; gossip; mingling (but over SQL and files)",
    ),
    Proof(
        test_workers,
        "test_they_begin_with_and_without_event_loop",
        "start with an event loop, and with blocking calls",
    ),
    Proof(
        test_workers,
        "test_no_more_is_in_hand_than_allowed",
        "``worker_prefetch_multiplier``",
    ),
    Proof(test_workers, "test_warm_shutdown_ends_the_task", "SIGTERM: warm shutdown"),
    Proof(test_workers, "test_cold_shutdown_gives_back", "SIGQUIT: cold shutdown"),
    Proof(
        test_workers,
        "test_soft_shutdown_lets_tasks_end",
        "soft shutdown: tasks that end in its time",
    ),
    Proof(
        test_workers,
        "test_soft_shutdown_ends",
        "soft shutdown: tasks that take longer are given back",
    ),
    Proof(
        test_workers, "test_shutdown_by_remote_control", "shutdown by remote control"
    ),
    Proof(
        test_workers,
        "test_killed_worker_has_its_task_run_again_once",
        "``acks_late``: the task of a killed worker runs again, once",
    ),
    Proof(test_workers, "test_children_retire", "``--max-tasks-per-child``"),
    Proof(test_workers, "test_autoscaling", "``--autoscale``"),
    Proof(
        test_quorum,
        "test_tasks_of_quorum_queues",
        "quorum queues, with native delayed delivery",
        ("amqp",),
    ),
    Proof(
        test_quorum,
        "test_task_of_a_killed_worker_comes_again",
        "quorum queues: the task of a killed worker runs again",
        ("amqp",),
    ),
    Proof(test_programs, "test_beat_sends_what_is_due", "``celery beat``"),
    Proof(test_programs, "test_events_are_dumped", "``celery events --dump``"),
    Proof(
        test_programs,
        "test_commands",
        "``celery status``, ``inspect``, ``control``, ``call``, ``result``, ``purge``",
    ),
    Proof(
        test_connections,
        "test_worker_begins_before_its_broker",
        "``broker_connection_retry_on_startup``: a worker before its broker",
    ),
    Proof(
        test_connections,
        "test_worker_that_may_not_try_again_ends",
        "the same, turned off",
    ),
    Proof(
        test_connections,
        "test_worker_that_may_not_reconnect_ends",
        "``broker_connection_retry``, turned off",
    ),
    Proof(
        test_connections,
        "test_brokers_of_a_list_take_over",
        "``broker_url`` with several brokers",
    ),
    Proof(
        test_connections,
        "test_less_is_taken_after_a_loss",
        "``worker_enable_prefetch_count_reduction``",
    ),
    Proof(
        test_options,
        "test_keys_of_redis",
        "``broker_transport_options``: keys, steps of priority, order of queues",
    ),
    Proof(test_options, "test_fanout_of_redis", "``broker_transport_options``: fanout"),
    Proof(
        test_options,
        "test_options_of_rabbitmq",
        "``broker_transport_options``, heartbeat, login method",
        ("amqp",),
    ),
    Proof(
        test_options,
        "test_folders_crosswise",
        "``broker_transport_options``: folders",
        ("filesystem",),
    ),
    Proof(test_options, "test_tables", "``broker_transport_options``: tables, polling"),
    Proof(test_faults, "test_sockets_are_cut", "sockets that are cut"),
    Proof(
        test_faults,
        "test_network_falls_silent",
        "a network that swallows everything for 10 s",
    ),
    Proof(test_faults, "test_child_is_killed", "a child that is killed in mid-task"),
    Proof(
        test_faults,
        "test_broker_is_killed",
        "a broker that is killed and started again",
    ),
    Proof(
        test_faults,
        "test_sentinel_fails_over",
        "failover to the replica",
        ("sentinel",),
    ),
    Proof(test_faults, "test_row_of_faults", "200 such faults in a row"),
    Proof(
        test_scale,
        "test_leases_of_long_tasks_are_renewed",
        "a task of five times ``visibility_timeout`` runs once",
    ),
    Proof(
        test_scale,
        "test_tasks_of_another_hour_are_limited",
        "10,000 tasks of an hour later: ``worker_eta_task_limit``",
    ),
    Proof(
        test_scale,
        "test_tasks_of_another_hour_are_the_brokers",
        "10,000 tasks of an hour later: kept by quorum queues",
        ("amqp",),
    ),
    Proof(
        test_rolling_upgrade,
        "test_one_of_each",
        "worker of one release, client of the other",
    ),
    Proof(test_rolling_upgrade, "test_two_of_each", "both releases, all at once"),
    Proof(
        test_rolling_upgrade,
        "test_taking_over",
        "tasks that one release sent, and the other runs",
    ),
    Proof(
        test_clients,
        "test_django_celery_results",
        "django-celery-results",
        DJANGO_BROKERS,
    ),
    Proof(
        test_clients, "test_django_celery_beat", "django-celery-beat", DJANGO_BROKERS
    ),
    Proof(test_clients, "test_flower", "Flower"),
    Proof(test_clients, "test_celery_redbeat", "celery-redbeat", ("redis",)),
    Proof(
        test_clients,
        "test_kombu_pyamqp_threadsafe",
        "kombu-pyamqp-threadsafe",
        ("amqp",),
    ),
)

#: Modules of which every test that has brokers as parameters must be in the table.
COMPLETE = (
    *(test_workers, test_quorum, test_programs, test_connections, test_options),
    *(test_faults, test_scale, test_rolling_upgrade),
)

INTRODUCTION = """\
Under Celery
============

Celery 5.7, unmodified, runs on this library. These tables say what the tests run, broker
by broker; ``make celery`` runs them all, with workers that are stopped, killed and cut
off, and with workers and clients on kombu 5.7 beside ours.

What one worker does for a client
---------------------------------

Letters are pools of the worker: **p** prefork, **t** threads, **s** solo, **g** gevent,
**e** eventlet. What lives in memory has its worker in a thread of the client.

"""

BETWEEN = """
Workers, programs, faults and upgrades
--------------------------------------

"""

NOTES = """
Notes
-----

* On Redis, 0 is the most urgent priority, as Celery's documentation says.
* Celery itself sends no events over SQL, and does not let workers mingle over SQL and
  files.
* A Broadcast queue needs no ``routing_key`` in ``task_routes``, as Celery's documentation
  has it. On Redis in the middle of an upgrade it does: kombu 5.7 hears but what has the
  key that Celery binds the queue with, ``task_default_routing_key``.
* With quorum queues, Celery 5.7 refuses a countdown of less than a second.
* Celery itself reduces the prefetch count after a loss of the connection with RabbitMQ
  alone.
* In the middle of an upgrade from kombu 5.7 over SQL there is no remote control between
  the releases: 5.7 has none there.
"""


def feature_rows() -> Iterator[list[str]]:
    """Return the first table, its heading first."""
    yield ["What", *BROKERS.values()]
    places = [place.split("-") for place in PLACES]
    for name, title in FEATURES.items():
        row = [title]
        for broker in BROKERS:
            pools = {p for b, p in places if b == broker and name in names_for(b, p)}
            row.append(" ".join(x for p, x in POOLS.items() if p in pools) or "–")
        yield row


def brokers_of(module: ModuleType, test: str) -> list[str]:
    """Return the brokers that a test has as parameters."""
    for mark in getattr(getattr(module, test), "pytestmark", ()):
        if mark.name == "parametrize" and "kind" in mark.args[0]:
            found = [getattr(each, "values", (each,)) for each in mark.args[1]]
            return list(dict.fromkeys(_first_of(each) for each in found))
    return []


def _first_of(values: tuple) -> str:
    """Return the broker, which comes first where there are further parameters."""
    return values[0] if isinstance(values[0], str) else values[0][0]


def proof_rows() -> Iterator[list[str]]:
    """Return the second table, its heading first."""
    yield ["What", *list(BROKERS.values())[:-1]]
    for proof in PROOFS:
        found = proof.brokers or brokers_of(proof.module, proof.test)
        unknown = set(found) - set(BROKERS)
        if unknown or not found:
            raise ValueError(f"{proof.test}: brokers {found}")
        marks = ["✓" if broker in found else "–" for broker in BROKERS]
        yield [proof.title, *marks[:-1]]


def table(rows: Iterator[list[str]]) -> str:
    """Return *rows* as reStructuredText."""
    lines = [".. list-table::", "    :header-rows: 1", ""]
    for row in rows:
        lines += [f"    {'  -' if n else '* -'} {cell}" for n, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return what the page is to be."""
    tables = table(feature_rows()), table(proof_rows())
    return INTRODUCTION + tables[0] + BETWEEN + tables[1] + NOTES


def main() -> None:
    """Write the page, or check it."""
    if "--check" in sys.argv:
        if PAGE.read_text(encoding="utf-8") != page():
            sys.exit(f"{PAGE.name} is old: python -m t.integration.celery.table")
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
