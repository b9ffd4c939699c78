"""Celery with tasks that do nothing; run as a script, by a Python that has Celery.

    KOMBU_BENCH_REDIS_URL=redis://... python celery_workloads.py NAME

What is measured is the worker: the tasks wait for it, and each notes the moment at which
it ran.  The script is the application too, which the worker imports by its name.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from array import array
from pathlib import Path

from celery import Celery

TASKS = 2000

#: Before the worker runs at its pace.
WARM_UP = 400

CONCURRENCY = 2
PATIENCE = 120.0

#: Where the servers are that ``python -m t.benchmarks`` has started.
VARIABLES = {"redis": "KOMBU_BENCH_REDIS_URL", "amqp": "KOMBU_BENCH_AMQP_URL"}

#: Tell the worker its broker, the name of its queue, and where its tasks write.
BROKER, QUEUE, LEDGER = (f"KOMBU_BENCH_CELERY_{n}" for n in ("URL", "QUEUE", "LEDGER"))

app = Celery("celery_workloads", broker=os.environ.get(BROKER))
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue=os.environ.get(QUEUE, "celery"),
    task_ignore_result=True,
)


@app.task(name="nothing")
def nothing():
    """Do nothing but say when."""
    with open(os.environ[LEDGER], "ab", buffering=0) as ledger:
        ledger.write(array("d", [time.monotonic()]).tobytes())


def moments(ledger):
    """Return when tasks ran, in order."""
    found = array("d")
    found.frombytes(ledger.read_bytes())
    return sorted(found)


def publish(queue):
    with app.producer_or_acquire() as producer:
        for _ in range(WARM_UP + TASKS):
            nothing.apply_async(producer=producer, queue=queue)


def start_worker(folder):
    command = ("-m", "celery", "--app", "celery_workloads", "worker")
    options = ("--concurrency", str(CONCURRENCY), "--pool", "prefork")
    log = (folder / "log").open("wb")
    return subprocess.Popen(
        [sys.executable, *command, *options],
        env={**os.environ, "C_FORCE_ROOT": "1"},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def run(kind, folder):
    """Publish the tasks, and have a worker run them; return when each was run."""
    queue, ledger = f"bench-{uuid.uuid4().hex}", folder / "ledger"
    ledger.touch()
    url = os.environ[VARIABLES[kind]]
    os.environ.update({BROKER: url, QUEUE: queue, LEDGER: str(ledger)})
    app.conf.broker_url, app.conf.task_default_queue = url, queue
    publish(queue)
    worker = start_worker(folder)
    until = time.monotonic() + PATIENCE
    while ledger.stat().st_size < (WARM_UP + TASKS) * 8:
        if worker.poll() is not None or time.monotonic() > until:
            worker.kill()
            sys.exit((folder / "log").read_text(errors="replace")[-4000:])
        time.sleep(0.01)
    # It acknowledges all before it ends.
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0
    found = moments(ledger)
    assert len(found) == WARM_UP + TASKS, "a task was run twice"
    with app.connection_for_read() as connection:
        assert connection.default_channel.queue_delete(queue) in (0, None), "left"
    return found


def redis_client():
    from redis import Redis

    return Redis.from_url(os.environ[VARIABLES["redis"]])


def throughput(kind):
    """Return the microseconds of a task, when the worker runs at its pace."""
    with tempfile.TemporaryDirectory(prefix="kombu-bench-") as folder:
        found = run(kind, Path(folder))
    return (found[-1] - found[WARM_UP - 1]) / TASKS * 1e6


def commands():
    """Return how many commands a task costs Redis, from publishing it to its end.

    Those that scripts run count as well, and so does what the worker does besides.
    """
    client = redis_client()

    def count():
        return sum(each["calls"] for each in client.info("commandstats").values())

    before = count()
    with tempfile.TemporaryDirectory(prefix="kombu-bench-") as folder:
        run("redis", Path(folder))
    return (count() - before) / (WARM_UP + TASKS)


def requests():
    """The same, without those that scripts run: what clients send."""
    end = f"end-{uuid.uuid4().hex}"
    seen = 0

    def watch(monitor):
        nonlocal seen
        for each in monitor.listen():
            if each["client_type"] != "lua":
                seen += 1
            if end in each["command"]:
                return

    client = redis_client()
    with client.monitor() as monitor:
        watching = threading.Thread(target=watch, args=(monitor,), daemon=True)
        watching.start()
        with tempfile.TemporaryDirectory(prefix="kombu-bench-") as folder:
            run("redis", Path(folder))
        client.echo(end)
        watching.join(PATIENCE)
        assert not watching.is_alive()
    return seen / (WARM_UP + TASKS)


WORKLOADS = {
    "celery_redis": lambda: throughput("redis"),
    "celery_amqp": lambda: throughput("amqp"),
    "celery_redis_commands": commands,
    "celery_redis_requests": requests,
}


if __name__ == "__main__":
    print(WORKLOADS[sys.argv[1]]())
