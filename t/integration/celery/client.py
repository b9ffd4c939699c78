"""A process that has Celery and plays scenarios, one line of JSON for each.

With ``--embedded POOL`` it has a worker too, in a thread: what lives in memory is shared
with nobody else.
"""

from __future__ import annotations

import contextlib
import json
import sys
import traceback

import scenarios
from app import app


def answer(line: str) -> dict:
    command = json.loads(line)
    try:
        play = getattr(scenarios, command["scenario"])
        return {"result": play(**command["arguments"])}
    except Exception as exc:
        return {
            "error": f"{type(exc).__name__}: {exc}",
            "trace": traceback.format_exc(),
        }


@contextlib.contextmanager
def worker():
    if "--embedded" not in sys.argv:
        yield
        return
    from celery.contrib.testing.worker import start_worker

    pool = sys.argv[sys.argv.index("--embedded") + 1]
    with start_worker(
        app,
        concurrency=2,
        pool=pool,
        perform_ping_check=False,
        loglevel="info",
        task_events=True,
    ):
        yield


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr
    with worker():
        print(json.dumps({"result": "ready"}), file=out, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(line)), file=out, flush=True)


if __name__ == "__main__":
    main()
