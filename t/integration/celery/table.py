"""Writes the page that says what of Celery is proven where: what the tests here run.

``python -m t.integration.celery.table`` writes it anew; ``--check`` only says whether
it is as it would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path

from t.integration.celery.test_features import PLACES, names_for

PAGE = (
    Path(__file__).resolve().parent.parent.parent.parent / "docs/userguide/celery.rst"
)

TITLES = {
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
    "ping": "ping",
    "rate_limits": "rate limits",
    "consumers_come_and_go": "adding and cancelling consumers",
    "revoking": "revoking",
    "events": "events",
    "priorities": "priorities",
    "inspecting": "inspecting a busy worker",
    "terminating": "terminating",
    "children_that_die": "killed children, ``reject_on_worker_lost``",
}

INTRODUCTION = """\
Under Celery
============

Celery 5.7, unmodified, runs on this library. The table says in which of its pools each
feature is run by the tests, broker by broker; ``make celery`` runs them, with workers
that are stopped, killed and cut off, and with workers and clients on kombu 5.7 beside
ours.

"""

NOTES = """

* On Redis, 0 is the most urgent priority, as Celery's documentation says.
* Celery itself sends no events, and does not mingle, over SQL.
* In the middle of an upgrade from kombu 5.7 over SQL there is no remote control between
  the releases: 5.7 has none there.
"""


def cells() -> list[list[str]]:
    """Return the table, its heading first."""
    kinds = dict.fromkeys(place.partition("-")[0] for place in PLACES)
    found = [["What", *kinds]]
    for name, title in TITLES.items():
        pools = {
            kind: [
                pool
                for each, _, pool in (place.partition("-") for place in PLACES)
                if each == kind and name in names_for(kind, pool)
            ]
            for kind in kinds
        }
        found.append([title, *(", ".join(pools[kind]) or "–" for kind in kinds)])
    return found


def page() -> str:
    """Return what the page is to be."""
    lines = [".. list-table::", "    :header-rows: 1", ""]
    for row in cells():
        lines += [f"    {'  -' if n else '* -'} {cell}" for n, cell in enumerate(row)]
    return INTRODUCTION + "\n".join(lines) + "\n" + NOTES


def main() -> None:
    """Write the page, or check it."""
    if "--check" in sys.argv:
        if PAGE.read_text(encoding="utf-8") != page():
            sys.exit(f"{PAGE.name} is old: python -m t.integration.celery.table")
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
