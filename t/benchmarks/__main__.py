"""Compare this tree with kombu 5.7: ``python -m t.benchmarks [NAME ...]``.

Both are run alternately, each time in a fresh process, on the same
interpreter.  Printed are medians and their ratio (below 1 is better), beside
the limit that is kept to.  With ``--check`` a ratio over its limit fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

from t.benchmarks.peer import RELEASE, python_of_peer

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent


class Goal(NamedTuple):
    """A workload, and how much of the other release's time it may take."""

    name: str
    limit: float
    raw: str = ""
    unit: str = "us"
    script: str = "workloads.py"
    #: What ours may be at most, whatever the other release needs.
    ceiling: float | None = None


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

#: A topic publish may cost so much more with 10,000 bindings than with 10.
GROWTH_LIMIT = 2.0


def run(python: Path | str, name: str, path: Path | None, script: str) -> float:
    """Return the figure of the workload *name*, from a fresh process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [python, HERE / script, name],
        env=environment,
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name} failed with {python}:\n{done.stderr}")
    return float(done.stdout)


def compare(goal: Goal, rounds: int, peer: Path) -> tuple[float, float, float | None]:
    """Return the medians of this tree, of the other release, and without any."""
    ours, theirs, raw = [], [], []
    for _ in range(rounds):
        ours.append(run(sys.executable, goal.name, ROOT, goal.script))
        theirs.append(run(peer, goal.name, None, goal.script))
        if goal.raw:
            raw.append(run(sys.executable, goal.raw, None, goal.script))
    return median(ours), median(theirs), median(raw) if raw else None


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
    for goal in goals:
        ours, theirs, raw = compare(goal, options.rounds, peer)
        figures[goal.name] = ours
        ratio = ours / theirs
        if ratio > goal.limit or ours > (goal.ceiling or ours):
            missed.append(goal.name)
        print(
            f"{goal.name:<24}{ours:>8.2f} {goal.unit:<3}{theirs:>8.2f} {goal.unit:<3}"
            f"{ratio:>7.3f}{goal.limit:>7.2f}"
            + (f"  {raw:.2f} ({ours / raw:.1f}x)" if raw else ""),
            flush=True,
        )
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
