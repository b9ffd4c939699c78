"""The application of the tests: what `celery --app app` and the client both load.

The file that CELERY_TEST_SETTINGS names is JSON: settings of Celery, and the folder in
which tasks leave their marks.  Runs on either release of kombu; pytest never imports it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from celery import Celery, signals
from celery.backends.rpc import RPCBackend

from kombu import Exchange, Queue
from kombu.common import Broadcast

SETTINGS = json.loads(Path(os.environ["CELERY_TEST_SETTINGS"]).read_text())
FOLDER = Path(SETTINGS.pop("folder"))
PATIENCE = 60.0

topic = Exchange("orders", type="topic")

app = Celery("app", set_as_current=True)
app.conf.update(
    accept_content=["json", "pickle", "yaml", "msgpack"],
    broker_connection_retry_on_startup=True,
    result_accept_content=["json", "pickle", "yaml", "msgpack"],
    result_chord_join_timeout=PATIENCE,
    task_default_queue="tasks",
    task_queues=[
        Queue("tasks", Exchange("tasks"), routing_key="tasks"),
        Queue("orders", topic, routing_key="order.#"),
        Queue("bills", topic, routing_key="bill.*"),
        Broadcast("shout", queue=None),
    ],
    task_routes={"app.shout": {"queue": "shout", "exchange": "shout"}},
    worker_cancel_long_running_tasks_on_connection_loss=False,
)
app.conf.update(SETTINGS)


# -- marks, by which tasks and tests tell each other what has happened -----------------


def note(ledger: str, text: object) -> None:
    """Add a line to a ledger; whole, whoever else writes."""
    with (FOLDER / ledger).open("a") as file:
        file.write(f"{text}\n")


def notes(ledger: str) -> list[str]:
    """Return the lines of a ledger."""
    path = FOLDER / ledger
    return path.read_text().split("\n")[:-1] if path.exists() else []


def wait_until(is_so, what: str, patience: float = PATIENCE) -> None:
    """Look again and again whether something is so."""
    until = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.02)


@signals.worker_ready.connect
def tell_ready(sender, **_):
    (FOLDER / f"ready-{sender.hostname}").touch()


# -- tasks --------------------------------------------------------------------------------


@app.task
def add(x, y):
    return x + y


@app.task(ignore_result=True)
def nothing():
    return None


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(text):
    raise ValueError(text)


@app.task(acks_late=True, acks_on_failure_or_timeout=False)
def fail_strictly(text):
    """The same, and its message is not to be taken for done."""
    raise ValueError(text)


@app.task
def write(ledger, text):
    note(ledger, text)
    return text


@app.task(bind=True)
def where(self):
    """Return how the message came here."""
    info = self.request.delivery_info
    return {"exchange": info["exchange"], "routing_key": info["routing_key"]}


@app.task(bind=True, max_retries=5)
def try_thrice(self, value):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return [value, self.request.retries]


@app.task(bind=True)
def shout(self, text):
    note(f"shout-{self.request.hostname}", text)


def stay(task, name):
    """Run until the gate of this name is opened."""
    note(f"held-{name}", f"{task.request.id} {os.getpid()}")
    wait_until((FOLDER / f"open-{name}").exists, f"the gate {name}")
    note(f"done-{name}", task.request.id)
    return name


@app.task(bind=True)
def hold(self, name):
    return stay(self, name)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def hold_late(self, name):
    """The same, acknowledged when it is done."""
    return stay(self, name)


@app.task
def die_once(name):
    """Kill the process that runs this, the first time."""
    first = not notes(f"died-{name}")
    note(f"died-{name}", os.getpid())
    if first:
        os.kill(os.getpid(), 9)
    return name


@app.task(acks_late=True, reject_on_worker_lost=True)
def die_once_late(name):
    """The same, acknowledged when it is done."""
    return die_once.run(name)


@app.task(bind=True)
def replaced(self, x):
    raise self.replace(add.s(x, 1))


@app.task
def process():
    """Return the process that runs this."""
    return os.getpid()


@app.task(backend=RPCBackend(app, url="rpc://"))
def by_rpc(x):
    return x * 2
