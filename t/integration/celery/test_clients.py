"""Other packages that use kombu, as published: the main path of each."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from t.brokers.server import HOST, free_port
from t.integration.celery.environments import ROOT, python_with_cautious_client
from t.integration.celery.running import HERE, PATIENCE, Process, ProcessError, Site

#: The application of most tests, and that with Django.
APP = "app"
DJANGO = "django_project"

BROKERS = (
    "redis",
    pytest.param("amqp", marks=pytest.mark.thorough),
    pytest.param("sqlite", marks=pytest.mark.thorough),
)


class Command(Process):
    """``celery --app APP ...``, or another program of Python.

    Arguments:
        arguments: What Python is given.
        variables: Environment variables that it has beside the usual ones.
    """

    def __init__(self, site: Site, name: str, *arguments: str, **variables: str):
        super().__init__(site, name)
        environment = site.environment(name, ours=True)
        self.launch([*arguments], {**environment, **variables})
        site.started.append(self)

    @classmethod
    def celery(cls, site: Site, name: str, app: str, *arguments: str, **variables: str):
        return cls(site, name, "-m", "celery", "--app", app, *arguments, **variables)

    def succeed(self) -> None:
        """Wait until it has ended, well."""
        if self.wait():
            raise ProcessError(f"{self} failed\n{self.log}")

    def until(self, condition: Any, what: str) -> Any:
        """Return what *condition* does, once that is true; it has to run until then."""
        until = time.monotonic() + PATIENCE
        while not (found := condition()):
            if self.process.poll() is not None or time.monotonic() > until:
                raise ProcessError(f"{self}: in vain for {what}\n{self.log}")
            time.sleep(0.02)
        return found


def lines_of(site: Site, ledger: str) -> list[str]:
    path = site.folder / ledger
    return path.read_text().split("\n")[:-1] if path.exists() else []


# -- Django ------------------------------------------------------------------------------


@pytest.fixture(params=BROKERS)
def django_site(request, site_of):
    """A site with a database that Django has made, and a worker."""
    site = site_of(request.param)
    migrate = ("-m", "django", "migrate", "--verbosity", "0")
    settings = f"{DJANGO}.settings"
    Command(site, "migrate", *migrate, DJANGO_SETTINGS_MODULE=settings).succeed()
    options = ("--loglevel", "info", "--pool", "solo", "--hostname", "django@test")
    worker = Command.celery(site, "worker", DJANGO, "worker", *options)
    worker.until((site.folder / "ready-django@test").exists, "its start")
    return site


def test_django_celery_results(django_site):
    for name in ("results", "chords"):
        Command(django_site, name, str(HERE / "django_client.py"), name).succeed()


def test_django_celery_beat(django_site):
    script = str(HERE / "django_client.py")
    Command(django_site, "schedule", script, "schedule").succeed()

    beat = Command.celery(
        django_site, "beat", DJANGO, "beat", "--pidfile", "", "--loglevel", "info"
    )

    beat.until(lambda: len(lines_of(django_site, "ticks")) >= 2, "two ticks")
    assert "DatabaseScheduler" in beat.log_path.read_text()


# -- Flower ------------------------------------------------------------------------------


class Flower(Command):
    """``celery flower``, which has no password."""

    def __init__(self, site: Site) -> None:
        self.port = free_port()
        address = (f"--address={HOST}", f"--port={self.port}")
        command = ("-m", "celery", "--app", APP, "flower", *address)
        super().__init__(site, "flower", *command, FLOWER_UNAUTHENTICATED_API="true")

    def ask(self, path: str) -> Any:
        """Return what its API says; None while it does not listen."""
        try:
            with urlopen(f"http://{HOST}:{self.port}/api/{path}", timeout=30) as got:
                return json.loads(got.read())
        except URLError as exc:
            if isinstance(exc.reason, ConnectionRefusedError):
                return None
            raise


@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_flower(site_of, kind):
    site = site_of(kind)
    flower = Flower(site)
    flower.until(lambda: flower.ask("workers") is not None, "its start")
    worker = site.worker("w1", "--task-events")
    client = site.client()

    # By events.
    flower.until(lambda: worker.host in flower.ask("workers?status=1"), "the worker")
    task = client.play("send", task="add", arguments=[2, 3])
    assert client.play("get", task=task) == 5
    state = flower.until(
        lambda: (
            (flower.ask("tasks").get(task) or {}).get("state") == "SUCCESS"
            and flower.ask("tasks")[task]
        ),
        "the task",
    )
    assert (state["name"], state["args"], state["result"]) == ("app.add", "[2, 3]", "5")
    # By questions to the worker.
    seen = flower.ask(f"workers?refresh=1&workername={worker.host}")[worker.host]
    assert "app.add" in seen["registered"]
    assert "tasks" in {each["name"] for each in seen["active_queues"]}
    assert seen["stats"]["total"] == {"app.add": 1}


# -- RedBeat -----------------------------------------------------------------------------


def test_celery_redbeat(site_of):
    tick = {"task": "app.write", "schedule": 1.0, "args": ["ticks", "tick"]}
    site = site_of("redis", beat_schedule={"tick": tick})
    site.worker()

    beat = Command.celery(
        *(site, "beat", APP, "beat", "--scheduler", "redbeat.RedBeatScheduler"),
        *("--pidfile", "", "--max-interval", "1", "--loglevel", "info"),
    )

    beat.until(lambda: len(lines_of(site, "ticks")) >= 2, "two ticks")
    assert "RedBeatScheduler" in beat.log_path.read_text()


# -- kombu-pyamqp-threadsafe -------------------------------------------------------------


def test_kombu_pyamqp_threadsafe(rabbitmq):
    """It asks for a kombu before 6: ours is put in front of that."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    done = subprocess.run(
        [
            python_with_cautious_client(),
            str(HERE / "cautious_client.py"),
            rabbitmq.new_vhost(),
        ],
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
