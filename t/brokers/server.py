"""A private server process that tests may stop, kill and start again.

A subclass says how its data folder is made, how the process is called and how to
see that it serves.  What a server acknowledged must be there after `kill` and
`start`: it has to hand its log to the operating system before it answers.  It need
not call fsync, since the operating system survives.

A server ends with the thread that started it, not only with the process: that is how
the system has it (`setpriv --pdeathsig`).  So a test starts it, again and again, by
its main thread, and lets others wait for that.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"

#: Who runs servers that refuse to be run by root.
UNPRIVILEGED = "nobody"


class ServerError(Exception):
    """A server that does not start, with the end of its log."""


class Missing(Exception):
    """A program or library that is not installed, and how to get it."""


def free_port() -> int:
    """Return a port that nobody listens on, below those of outgoing connections.

    One of those could be taken while the server is down; even a client that tries
    to reach the dead server can be given its port, and then connects to itself.
    """
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def _version(folder: Path) -> list[int]:
    return [int(part) for part in folder.parts if part.isdecimal()]


class Server:
    """A server with a folder and a port of its own; not running yet."""

    name = ""
    #: Debian's name for it.
    package = ""
    #: Names, in the environment, the URL of one that runs already.
    variable = ""
    #: Where programs are that are not on PATH; patterns.
    folders: tuple[str, ...] = ("/usr/sbin", "/usr/local/sbin")
    #: What makes it stop without waiting for its clients.
    stop_signal = signal.SIGTERM
    #: Seconds that starting or stopping may take, on a busy machine.
    patience = 60.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"kombu-{self.name.lower()}-"))
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        # A child that a test forks is not the owner of its parent's servers.
        self._owner = os.getpid()
        atexit.register(self.close)

    def __repr__(self) -> str:
        state = "running" if self.is_running else "down"
        return f"<{type(self).__name__}: {HOST}:{self.port} {state}>"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- what a subclass says ----------------------------------------------------

    def prepare(self) -> None:
        """Make what the server needs in `folder`, before the first start."""

    def command(self) -> list[str | Path]:
        """Return program and arguments, for `folder` and `port`."""
        raise NotImplementedError

    def ask(self) -> None:
        """Ask the server something; raise as long as it does not answer.

        The answer must tell it from a server of somebody else at the same port.
        """
        raise NotImplementedError

    def program(self, name: str) -> Path:
        """Return the program *name*: from PATH, or of the newest release found."""
        if found := shutil.which(name):
            return Path(found)
        for pattern in self.folders:
            for folder in sorted(Path("/").glob(pattern[1:]), key=_version)[::-1]:
                if os.access(folder / name, os.X_OK):
                    return folder / name
        raise Missing(
            f"{self.name} is not installed: apt-get install {self.package}, "
            f"or set {self.variable} to the URL of one that runs"
        )

    # -- life --------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The last that the server had to say."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def start(self) -> None:
        """Start the server, at the port and with the data that it had; wait for it."""
        if self.is_running:
            return
        if self.port:
            self._restart()
        else:
            self._start_first()

    def _start_first(self) -> None:
        self.prepare()
        self._give_away(self.folder)
        for _ in range(3):  # others look for free ports too
            self.port = free_port()
            try:
                return self._launch()
            except ServerError as exc:
                problem = exc
        self.port = 0
        raise problem

    def _restart(self) -> None:
        until = time.monotonic() + self.patience
        while True:
            try:
                return self._launch()
            except ServerError:
                # What was killed may be held by a dying process for a moment.
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._until_we_die(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_whom(),
            )
        try:
            self._wait_for_answer()
        except BaseException:
            self.kill()
            raise

    def _wait_for_answer(self) -> None:
        until = time.monotonic() + self.patience
        while True:
            try:
                return self.ask()
            except Missing:
                raise
            except Exception as exc:
                if not self.is_running or time.monotonic() > until:
                    text = f"{self.name} does not start: {exc}\n{self.log}"
                    raise ServerError(text) from exc
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server politely; its data stay."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(self.patience)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill the server, with all its processes, by a signal that it can't catch."""
        if self._process is None:
            return
        children = _children(self._process.pid)
        # The parent first: it would take what happens to its children for a crash
        # that it has to repair.
        self._process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Stop the server and delete its folder."""
        if os.getpid() == self._owner:
            atexit.unregister(self.close)
            self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- as whom -----------------------------------------------------------------

    def run(self, *command: str | Path) -> None:
        """Run a program that makes the data, as the server will run."""
        self._give_away(self.folder)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._as_whom(),
        )
        if done.returncode:
            text = done.stdout.decode(errors="replace")
            raise ServerError(f"{command[0]} failed:\n{text}")

    def _as_whom(self) -> dict:
        options = {"cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder)}}
        if os.geteuid() == 0:
            import pwd  # not everywhere

            group = pwd.getpwnam(UNPRIVILEGED).pw_gid
            options |= {"user": UNPRIVILEGED, "group": group, "extra_groups": []}
        return options

    def _give_away(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, UNPRIVILEGED)

    def _until_we_die(self) -> list[str]:
        """Return what lets the server die with us, should we be killed ourselves."""
        setpriv = _setpriv()
        name = self.stop_signal.name.removeprefix("SIG")
        return [setpriv, "--pdeathsig", name, "--"] if setpriv else []


@functools.cache
def _setpriv() -> str | None:
    found = shutil.which("setpriv")
    if found:
        probe = [found, "--pdeathsig", "TERM", "--", "true"]
        done = subprocess.run(probe, capture_output=True, check=False)
        return None if done.returncode else found
    return None


def _children(pid: int) -> list[int]:
    """Return the children of the process *pid*, where there is /proc."""
    with contextlib.suppress(OSError):
        return [
            int(child)
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []
