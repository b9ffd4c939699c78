"""A process that has kombu 5.7 and does what a test says; or our own release.

It shares a broker with the test::

    with Peer() as peer:
        peer.connect("filesystem://", {"data_folder_in": ..., ...})
        peer.declare("tasks")
        peer.publish({"id": 1}, routing_key="tasks")
        assert peer.get("tasks")["body"] == {"id": 1}

A command that fails there raises :exc:`PeerError` here.  One that takes longer than
`patience` seconds does so too, with what the process had to complain about.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from t.benchmarks.peer import python_of_peer

ROOT = Path(__file__).resolve().parent.parent.parent
CHILD = Path(__file__).with_name("child.py")


def _as_body(value: dict) -> Any:
    return base64.b64decode(value["bytes"]) if set(value) == {"bytes"} else value


class PeerError(Exception):
    """What went wrong in the other process."""


class Peer:
    """A child process with kombu 5.7; started by ``with``, killed in the end.

    Arguments:
        ours: Whether it has this tree instead, on the interpreter of the tests.
        patience: Seconds that a command may take beyond its own ``timeout``.
        folder: Where it works, for relative paths; here if not given.
    """

    def __init__(
        self,
        *,
        ours: bool = False,
        patience: float = 30.0,
        folder: Path | str | None = None,
    ) -> None:
        self.ours = ours
        self.patience = patience
        self.folder = folder
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __repr__(self) -> str:
        whose = "this tree" if self.ours else "kombu 5.7"
        return f"<{type(self).__name__}: {whose}>"

    def __enter__(self) -> Peer:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        if self.ours:
            environment["PYTHONPATH"] = str(ROOT)
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable if self.ours else python_of_peer(ROOT), CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=self.folder,
            env=environment,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        self._reader.join()
        for file in (self._process.stdin, self._process.stdout, self._stderr):
            with contextlib.suppress(BrokenPipeError):  # a command that it did not read
                file.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")  # it is gone

    # -- commands ----------------------------------------------------------------

    def tell(self, command: str, **arguments: Any) -> None:
        """Let it do something while we do something else; `answer` waits for it."""
        line = json.dumps({"do": command, **arguments})
        try:
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._problem(f"{self} is gone") from None

    def answer(self, timeout: float = 0.0) -> Any:
        """Return what the first command that was not answered yet has led to.

        Arguments:
            timeout: Seconds that the command may wait by itself.
        """
        try:
            line = self._answers.get(timeout=timeout + self.patience)
        except queue.Empty:
            self.kill()
            raise self._problem(f"no answer from {self}") from None
        if not line:
            raise self._problem(f"{self} is gone")
        answer = json.loads(line, object_hook=_as_body)
        if "error" in answer:
            raise PeerError(f"{answer['error']}\n{answer['traceback']}")
        return answer["result"]

    def ask(self, command: str, **arguments: Any) -> Any:
        """Let it do something, and return what that has led to."""
        self.tell(command, **arguments)
        return self.answer(arguments.get("timeout", 0.0))

    def _problem(self, text: str) -> PeerError:
        self._stderr.seek(0)
        complaint = self._stderr.read()[-3000:].decode(errors="replace")
        return PeerError(f"{text}\n{complaint}")

    @property
    def release(self) -> str:
        """What it says its version is."""
        return self.ask("release")

    def connect(self, url: str, transport_options: Any = None) -> None:
        """Connect it to the broker at *url*."""
        self.ask("connect", url=url, transport_options=transport_options)

    def declare(
        self,
        queue: str,
        exchange: str = "",
        type: str = "direct",
        routing_key: str = "",
        **options: Any,
    ) -> None:
        """Declare a queue, bound to *exchange* if that has a name."""
        self.ask(
            "declare",
            queue=queue,
            exchange=exchange,
            type=type,
            routing_key=routing_key,
            options=options,
        )

    def publish(
        self, body: Any, exchange: str = "", routing_key: str = "", **options: Any
    ) -> None:
        """Publish *body*, JSON or bytes; *options* are those of ``Producer.publish``."""
        if isinstance(body, bytes):
            body = {"bytes": base64.b64encode(body).decode()}  # JSON has none
        self.ask(
            "publish",
            body=body,
            exchange=exchange,
            routing_key=routing_key,
            options=options,
        )

    def get(self, queue: str, *, ack: bool = True, timeout: float = 10) -> Any:
        """Return a message as a dict; None if none comes for *timeout* seconds."""
        return self.ask("get", queue=queue, ack=ack, timeout=timeout)

    def consume(
        self,
        queue: str,
        count: int | None = None,
        *,
        ack: bool = True,
        timeout: float = 10,
    ) -> list[dict]:
        """Return *count* messages, or those until none comes for *timeout* seconds."""
        self.tell("consume", queue=queue, count=count, ack=ack, timeout=timeout)
        return self.answer(timeout)

    def settle(self, how: str) -> None:
        """``ack``, ``reject`` or ``requeue`` what it took with ``ack=False``."""
        self.ask("settle", how=how)

    def size(self, queue: str) -> int:
        """Return the number of messages that it sees in *queue*."""
        return self.ask("size", queue=queue)

    def purge(self, queue: str) -> int:
        """Let it purge *queue*; return how many messages it says there were."""
        return self.ask("purge", queue=queue)

    def delete(self, queue: str) -> None:
        """Let it delete *queue*."""
        self.ask("delete", queue=queue)

    def close(self) -> None:
        """Close its connection; what it has not acknowledged is given back."""
        self.ask("close")

    def kill(self) -> None:
        """Kill it, by a signal that it can't catch."""
        self._process.kill()
        self._process.wait()
