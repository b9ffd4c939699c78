"""Redis: by TCP and by UNIX socket, with a log of what it did.

What it has acknowledged is there after it was killed: its log is written before it
answers.  (With ``everysec`` that is not so: a write may be put off for up to two
seconds while the disk is busy.)

A database, a number, is given to each test, and emptied before.  Channels of PUB/SUB
have no databases: exchanges need names of their own, or the number in their prefix.
"""

from __future__ import annotations

import os
import shutil
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from t.brokers.server import HOST, Missing, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

#: How many databases a server of ours has.
DATABASES = 128


def redis_client(url: str, **options: Any) -> redis.Redis:
    """Return a client for *url*, which need not be running."""
    try:
        from redis import Redis as Client
    except ImportError:
        raise Missing("redis-py is not installed: pip install redis") from None
    return Client.from_url(url, **options)


class RedisDatabases:
    """The databases of one server, whoever started it.

    Attributes:
        url: URL of the server, without a database.
    """

    url: str
    _numbers: Iterator[int]

    def client(self, database: int = 0, **options: Any) -> redis.Redis:
        """Return a client that may do everything.

        Arguments:
            database: Number of the database.
            **options: Further arguments of redis-py's client.
        """
        return redis_client(self.url, db=database, **options)

    def new_database(self) -> str:
        """Return the URL of a database that is empty."""
        number = next(self._numbers)
        with self.client(number) as client:
            client.flushdb()
        return f"{self.url}/{number}"


class RunningRedis(RedisDatabases):
    """A server that somebody else runs: it can't be killed.

    Of its databases, a process of pytest uses but one: that of the URL, or as many
    behind it as the process has a number.  **It is emptied.**
    """

    name = "Redis"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = parts._replace(path="").geturl()
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        self._numbers = cycle([int(parts.path.strip("/") or 0) + int(worker)])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {urlsplit(self.url).hostname}>"

    @property
    def socket_path(self) -> Path:
        self._skip()
        raise AssertionError

    def start(self) -> None:
        self._skip()

    def stop(self) -> None:
        self._skip()

    def kill(self) -> None:
        self._skip()

    def _skip(self) -> None:
        import pytest

        pytest.skip("Redis is not ours: it can't be killed and started")

    def close(self) -> None:
        """Leave it as it is."""


class Redis(RedisDatabases, Server):
    """A server that we start.

    Arguments:
        appendfsync: When its log reaches the disk: "no" (when the operating system
            likes), "always" or "everysec"; None for a server that has no log, and
            has forgotten everything when it starts again.
        **settings: Further settings, with ``_`` for ``-``.
    """

    name = "Redis"
    package = "redis-server"
    variable = "KOMBU_TEST_REDIS_URL"

    def __init__(self, appendfsync: str | None = "no", **settings: str | int) -> None:
        super().__init__()
        self._numbers = cycle(range(1, DATABASES))
        self._appendfsync = appendfsync
        self._settings = settings

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    @property
    def socket_path(self) -> Path:
        """Its UNIX socket."""
        return self.folder / "redis.sock"

    def program(self, name: str) -> Path:
        if found := shutil.which(name):
            return Path(found)
        raise Missing(f"{self.name} is not installed: apt-get install {self.package}")

    def settings(self) -> dict[str, Any]:
        """Return all settings, by their names with ``_``."""
        return {
            "port": self.port,
            "bind": HOST,
            "dir": self.folder,
            "databases": DATABASES,
            "unixsocket": self.socket_path,
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "yes" if self._appendfsync else "no",
            "appendfsync": self._appendfsync or "no",
            **self._settings,
        }

    def command(self) -> list[str | Path]:
        command: list[str | Path] = [self.program("redis-server")]
        for name, value in self.settings().items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        return command

    def ask(self) -> None:
        with self.client(socket_timeout=10) as client:
            client.ping()  # while it reads its log, it tells nothing but INFO
            found = client.info("server")["process_id"]
        if self._process is None or found != self._process.pid:
            raise ServerError(f"port {self.port} is taken: by process {found}")
