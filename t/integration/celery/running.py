"""Workers and clients of Celery as processes, on either release of kombu."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t.integration.celery.environments import python_on_ours, python_on_theirs

HERE = Path(__file__).resolve().parent

#: Seconds for a worker to begin or to end on a machine that is busy.
PATIENCE = 60.0


class ProcessError(Exception):
    """What another process complained about."""


@dataclass
class Site:
    """A broker, a place for results and a folder, which workers and clients share.

    Attributes:
        folder: Where settings, logs and the marks of tasks are.
        settings: Settings of Celery.
    """

    folder: Path
    settings: dict[str, Any]
    started: list[Process] = field(default_factory=list)

    def environment(self, name: str, *, ours: bool, **changed: Any) -> dict[str, str]:
        """Return the environment of a process; *changed* are settings of its own."""
        path = self.folder / f"settings-{name}.json"
        settings = {**self.settings, **changed, "folder": str(self.folder)}
        if not ours and str(settings["broker_url"]).startswith("sqla+"):
            settings.pop("broker_transport_options", None)  # 5.7 would refuse a lease
        path.write_text(json.dumps(settings))
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return {
            **kept,
            "CELERY_TEST_SETTINGS": str(path),
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "C_FORCE_ROOT": "1",
        }

    def worker(self, name: str = "w1", *options: str, **keywords: Any) -> Worker:
        """Start a worker, which is ready when this returns."""
        worker = self.early_worker(name, *options, **keywords)
        worker.wait_until_ready()
        return worker

    def early_worker(self, name: str, *options: str, **keywords: Any) -> Worker:
        """Start a worker that may have to wait for its broker."""
        worker = Worker(self, name, options, **keywords)
        self.started.append(worker)
        return worker

    def program(self, name: str, *arguments: str, **keywords: Any) -> Program:
        """Start another of Celery's programs."""
        program = Program(self, name, arguments, **keywords)
        self.started.append(program)
        return program

    def client(self, name: str = "client", **keywords: Any) -> Client:
        """Start a client."""
        client = Client(self, name, **keywords)
        self.started.append(client)
        return client

    def close(self) -> None:
        """End all processes, workers politely, so that their sockets are theirs."""
        for process in self.started:
            process.begin_to_end()
        for process in self.started:
            process.close()
        self.started.clear()


def until_we_die() -> list[str]:
    """Return what lets a process die with us, should we be killed ourselves."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


class Process:
    """A process of a site, with a log."""

    def __init__(self, site: Site, name: str, *, ours: bool = True) -> None:
        self.name = name
        self.ours = ours
        self.site = site
        self.log_path = site.folder / f"{name}.log"
        self.python = python_on_ours() if ours else python_on_theirs()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {'ours' if self.ours else '5.7'}>"

    def launch(self, command: list[str], environment: dict[str, str], **pipes: Any):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*until_we_die(), self.python, *command],
                cwd=self.site.folder,
                env=environment,
                stderr=log,
                start_new_session=True,
                **{"stdout": log, "stdin": subprocess.DEVNULL, **pipes},
            )

    @property
    def log(self) -> str:
        """The last that it had to say."""
        return self.log_path.read_text(errors="replace")[-4000:]

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until it has said something."""
        until = time.monotonic() + patience
        while text not in self.log_path.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > until:
                raise ProcessError(f"{self} does not say {text!r}\n{self.log}")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait until it has ended; return its exit code."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self} does not end\n{self.log}") from None

    def kill(self) -> None:
        """Kill it and its children, by a signal that they can't catch."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def begin_to_end(self) -> None:
        """Ask it to end, where it can be asked; others are asked at the same time."""

    def close(self) -> None:
        """End it."""
        self.kill()


class Program(Process):
    """Another of Celery's programs, such as ``celery beat``.

    Arguments:
        arguments: What follows ``celery --app app``.
        settings: Settings of Celery that it has alone.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        arguments: tuple[str, ...],
        *,
        ours: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(site, name, ours=ours)
        self.launch(
            ["-m", "celery", "--app", "app", *arguments],
            site.environment(name, ours=ours, **settings),
        )

    def begin_to_end(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)

    def close(self) -> None:
        # Once: a second signal would have a worker drop what it does.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()


class Worker(Program):
    """``celery worker``.

    Arguments:
        options: Arguments of its command line.
        ours: Whether it has this tree, or the released 5.7.
        pool: Of what kind its pool is.
        concurrency: How many tasks it runs at a time.
        settings: Settings of Celery that it has alone.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        options: tuple[str, ...],
        *,
        ours: bool = True,
        pool: str = "prefork",
        concurrency: int = 2,
        **settings: Any,
    ) -> None:
        self.host = f"{name}@test"
        self.ready_path = site.folder / f"ready-{self.host}"
        self.ready_path.unlink(missing_ok=True)
        arguments = (
            *("worker", "--loglevel", "info", "--hostname", self.host),
            *("--pool", pool, "--concurrency", str(concurrency), *options),
        )
        super().__init__(site, name, arguments, ours=ours, **settings)

    def wait_until_ready(self) -> None:
        until = time.monotonic() + PATIENCE
        while not self.ready_path.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise ProcessError(f"{self} does not begin\n{self.log}")
            time.sleep(0.02)

    def kill_all(self, child: int) -> None:
        """Kill it with -9, and the child that runs a task, whatever its group is."""
        self.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        self.kill()

    def stop(self) -> int:
        """Let it end what it does; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()


class Client(Process):
    """A process that plays scenarios.

    Arguments:
        ours: Whether it has this tree, or the released 5.7.
        embedded: The pool of a worker that it has itself, if any.
        settings: Settings of Celery that it has alone.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        ours: bool = True,
        embedded: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(site, name, ours=ours)
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.launch(
            [str(HERE / "client.py"), *(["--embedded", embedded] if embedded else [])],
            site.environment(name, ours=ours, **settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._answer("its start", PATIENCE)

    def _read(self) -> None:
        for line in self.process.stdout:
            self._answers.put(line)
        self._answers.put("")  # it is gone

    def play(self, scenario: str, *, patience: float = 90.0, **arguments: Any) -> Any:
        """Let it play a scenario; return what that returns."""
        command = {"scenario": scenario, "arguments": arguments}
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return self._answer(scenario, patience)

    def _answer(self, what: str, patience: float) -> Any:
        try:
            line = self._answers.get(timeout=patience)
        except queue.Empty:
            self.kill()
            raise ProcessError(f"no answer to {what} from {self}\n{self.log}") from None
        if not line:
            raise ProcessError(f"{self} is gone\n{self.log}")
        answer = json.loads(line)
        if "error" in answer:
            raise ProcessError(f"{what}: {answer['error']}\n{answer['trace']}")
        return answer["result"]

    def begin_to_end(self) -> None:
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()
        self._reader.join()
        self.process.stdout.close()
