"""Compare this tree with kombu 5.7: ``python -m t.benchmarks [NAME ...]``.

Both are run alternately, each time in a fresh process, on the same
interpreter.  Printed are medians and their ratio (below 1 is better), beside
the limit that is kept to.  With ``--check`` a ratio over its limit fails.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from t.benchmarks.peer import RELEASE, python_of_peer, python_with
from t.brokers.rabbitmq import RabbitMQ
from t.brokers.redis import Redis
from t.brokers.server import Missing
from t.integration.celery.environments import python_on_ours, python_on_theirs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent
RABBITMQ = "rabbitmq_workloads.py"
REDIS = "redis_workloads.py"
CELERY = "celery_workloads.py"

#: A folder whose files are in memory.
IN_MEMORY = "/dev/shm"


class Goal(NamedTuple):
    """A workload, and how much of the other release's time it may take."""

    name: str
    limit: float
    raw: str = ""
    unit: str = "us"
    script: str = "workloads.py"
    #: What ours may be at most, whatever the other release needs.
    ceiling: float | None = None
    #: Other clients that do the same, without a messaging library.
    clients: tuple[str, ...] = ()
    #: The server that it wants, if any: the name of a place.
    server: str = ""


GOALS = (
    Goal("publish", 0.35, "raw_publish"),
    Goal("consume", 0.35, "raw_consume"),
    Goal("simple_queue", 0.35),
    Goal("publish_bytes_64k", 0.10),
    Goal("consume_bytes_64k", 0.10),
    Goal("topic_10_bindings", 0.50),
    Goal("topic_10000_bindings", 0.01),
    Goal("direct_10000_bindings", 0.10),
    Goal("fanout_100_queues", 0.35),
    Goal("make_connection", 1.0),
    Goal("pool_acquire", 1.0),
    Goal("import_time", 0.60, unit="ms"),
    Goal("import_memory", 0.60, unit="MiB"),
    *(
        Goal(name, 0.60, raw, unit, "stores.py", ceiling)
        for name, raw, unit, ceiling in (
            ("filesystem_publish", "raw_files", "us", None),
            ("filesystem_consume", "", "us", None),
            ("filesystem_wake_up", "", "ms", 50.0),
            ("sqlite_publish", "raw_sqlite", "us", None),
            ("sqlite_consume", "", "us", None),
            ("sqlite_wake_up", "", "ms", 50.0),
        )
    ),
)

#: Clients of AMQP, each in a virtualenv of its own.
CLIENTS = ("py-amqp", "pika", "aio-pika")
PACKAGES = {"py-amqp": "amqp"}

GOALS += tuple(
    Goal(name, limit, script=RABBITMQ, clients=clients, server="amqp")
    for name, limit, clients in (
        ("amqp_publish", 0.35, CLIENTS),
        # The others have no window.
        ("amqp_window", 0.40, ("aio-pika",)),
        ("amqp_one_by_one", 0.70, CLIENTS),
        ("amqp_consume", 0.35, CLIENTS),
        ("amqp_publish_64k", 1.0, CLIENTS),
        ("amqp_consume_64k", 1.0, CLIENTS),
    )
)

GOALS += tuple(
    Goal(name, limit, raw, script=REDIS, server="redis")
    for name, limit, raw in (
        ("redis_publish", 0.25, "raw_push"),
        ("redis_batch", 1.0, "raw_push"),
        ("redis_consume", 0.12, "raw_pop"),
        ("redis_consume_1", 0.40, "raw_pop"),
        ("redis_no_ack", 0.20, "raw_pop"),
        ("redis_request_reply", 0.25, ""),
        ("redis_close", 0.10, ""),
    )
)

GOALS += (
    Goal("celery_redis", 1.0, script=CELERY, server="redis"),
    Goal("celery_amqp", 1.0, script=CELERY, server="amqp"),
    Goal("celery_redis_commands", 0.7, unit="", script=CELERY, server="redis"),
    Goal("celery_redis_requests", 0.7, unit="", script=CELERY, server="redis"),
)

#: A topic publish may cost so much more with 10,000 bindings than with 10.
GROWTH_LIMIT = 2.0


def run(python: Path | str, path: Path | None, script: str, *arguments: str) -> float:
    """Return the figure that *script* prints, from a fresh process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [python, HERE / script, *arguments],
        env=environment,
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed with {python}:\n{done.stderr}")
    return float(done.stdout)


class Figures(NamedTuple):
    """Medians: of this tree, of the other release, and without a messaging library."""

    ours: float
    theirs: float
    raw: dict[str, float]


def compare(goal: Goal, rounds: int, peer: Path) -> Figures:
    """Run all alternately, and return what they needed."""
    ours, theirs = [], []
    raw: dict[str, list[float]] = {}
    own: Path | str = sys.executable
    if goal.script == CELERY:
        own, peer = python_on_ours(), python_on_theirs()
    for _ in range(rounds):
        ours.append(run(own, ROOT, goal.script, goal.name))
        theirs.append(run(peer, None, goal.script, goal.name))
        if goal.raw:
            figure = run(sys.executable, None, goal.script, goal.raw)
            raw.setdefault("raw", []).append(figure)
        for client in goal.clients:
            python = python_of_client(client)
            figure = run(python, None, "rabbitmq_clients.py", client, goal.name)
            raw.setdefault(client, []).append(figure)
    medians = {name: median(figures) for name, figures in raw.items()}
    return Figures(median(ours), median(theirs), medians)


@functools.cache
def python_of_client(client: str) -> Path:
    """Return a Python that has *client*, and nothing of ours."""
    home = ROOT / f".venv-kombu-bench-{client}"
    return python_with(home, (PACKAGES.get(client, client),))


class OrdinaryRabbitMQ(RabbitMQ):
    """A RabbitMQ as others have it: its threads wait as they do by default."""

    erlang_options = ""


class Place(NamedTuple):
    """A server for workloads.

    Attributes:
        name: What they call it.
        make: Makes the server.
        url_of: Returns where its workloads are to go.
        variable: Tells them so.
    """

    name: str
    make: Callable[[], Any]
    url_of: Callable[[Any], str]
    variable: str


PLACES = (
    Place("amqp", OrdinaryRabbitMQ, OrdinaryRabbitMQ.new_vhost, "KOMBU_BENCH_AMQP_URL"),
    Place("redis", lambda: Redis(None), Redis.new_database, "KOMBU_BENCH_REDIS_URL"),
)


@contextlib.contextmanager
def served(goals: list[Goal], place: Place) -> Iterator[list[Goal]]:
    """Serve those of *goals* that want a server; return those that can be measured.

    Its data are kept in memory where the system has such a place, so that the figures
    are not those of the disk.
    """
    if not any(goal.server == place.name for goal in goals):
        yield goals
        return
    with tempfile_in_memory():
        server = place.make()
    try:
        server.start()
    except Missing as exc:
        print(exc)
        yield [goal for goal in goals if goal.server != place.name]
        return
    with server:
        os.environ[place.variable] = place.url_of(server)
        yield goals


@contextlib.contextmanager
def tempfile_in_memory() -> Iterator[None]:
    """Have temporary folders made in memory, where there is such a place."""
    before = tempfile.tempdir
    if Path(IN_MEMORY).is_dir():
        tempfile.tempdir = IN_MEMORY
    try:
        yield
    finally:
        tempfile.tempdir = before


def show(goal: Goal, found: Figures, ratio: float) -> None:
    raw = (
        ("" if name == "raw" else f"{name} ")
        + f"{figure:.2f} ({found.ours / figure:.1f}x)"
        for name, figure in found.raw.items()
    )
    line = (
        f"{goal.name:<24}{found.ours:>8.2f} {goal.unit:<3}"
        f"{found.theirs:>8.2f} {goal.unit:<3}{ratio:>7.3f}{goal.limit:>7.2f}  "
    )
    print((line + ", ".join(raw)).rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="workloads to run; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    peer = python_of_peer(ROOT)
    goals = [g for g in GOALS if not options.names or g.name in options.names]
    print(f"medians of {options.rounds} rounds; ratio to kombu {RELEASE}")
    print(f"{'workload':<24}{'ours':>11}{'5.7':>12}{'ratio':>8}{'limit':>7}  raw")
    missed, figures = [], {}
    with contextlib.ExitStack() as servers:
        measured = goals
        for place in PLACES:
            measured = servers.enter_context(served(measured, place))
        for goal in measured:
            found = compare(goal, options.rounds, peer)
            figures[goal.name] = found.ours
            ratio = found.ours / found.theirs
            if ratio > goal.limit or found.ours > (goal.ceiling or found.ours):
                missed.append(goal.name)
            show(goal, found, ratio)
    if {"topic_10_bindings", "topic_10000_bindings"} <= figures.keys():
        growth = figures["topic_10000_bindings"] / figures["topic_10_bindings"]
        print(f"a topic publish costs {growth:.2f}x with 10,000 bindings (limit 2)")
        if growth > GROWTH_LIMIT:
            missed.append("topic growth")
    if missed:
        print("over the limit:", ", ".join(missed))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
