"""A Redis with a replica, and a Sentinel that lets the replica take its place.

Replication is asynchronous: what a master acknowledged a moment before it died may be
lost with it.  `kill` and `fail_over` wait until the replica has everything; a test that
goes on publishing meanwhile must not count on more.
"""

from __future__ import annotations

import contextlib
import time
from itertools import cycle
from typing import TYPE_CHECKING, Any

from t.brokers.redis import DATABASES, Redis, RedisDatabases, redis_client
from t.brokers.server import HOST, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import redis

#: What the Sentinel calls its master.
MASTER_NAME = "kombu-master"

#: Milliseconds after which a silent master is taken for dead.
DOWN_AFTER = 500

#: Milliseconds between two times that the Sentinel looks around.
QUICKLY = ("INFO-PERIOD", 200, "PING-PERIOD", 100, "PUBLISH-PERIOD", 200)

CONFIGURATION = """\
port {port}
bind {host}
dir {folder}
sentinel monitor {name} {host} {master_port} 1
sentinel down-after-milliseconds {name} {down_after}
sentinel failover-timeout {name} 3000
sentinel parallel-syncs {name} 1
"""


class _Member(Redis):
    """A master or a replica, as the Sentinel likes.

    Arguments:
        password: What clients, replicas and the Sentinel have to know, if anything.
        master: The server to follow at first, if any.
    """

    variable = ""

    def __init__(self, password: str | None, master: _Member | None = None) -> None:
        # A replica that has just begun would be waited for, to have company.
        super().__init__(repl_diskless_sync_delay=0)
        self._password = password
        self._master = master

    def settings(self) -> dict[str, Any]:
        settings = super().settings()
        if self._password:
            settings |= {"requirepass": self._password, "masterauth": self._password}
        return settings

    def command(self) -> list[str | Path]:
        command = super().command()
        # What was a replica once, and is started again, is told by the Sentinel.
        if self._master is not None:
            command += ["--replicaof", HOST, str(self._master.port)]
        return command

    def ask(self) -> None:
        super().ask()
        if self._master is not None:
            _must(self.replication()["master_link_status"] == "up", "no link yet")

    def start(self) -> None:
        super().start()
        self._master = None

    def client(self, database: int = 0, **options: Any) -> redis.Redis:
        return super().client(database, password=self._password, **options)

    def replication(self) -> dict[str, Any]:
        """Return what it says about master and replicas."""
        with self.client(socket_timeout=5) as client:
            return client.info("replication")


class _Sentinel(Server):
    """The process that watches."""

    name = "Redis-Sentinel"
    package = "redis-server"
    stop_signal = Redis.stop_signal

    def __init__(self, master: _Member, password: str | None) -> None:
        super().__init__()
        self._master = master
        self._password = password

    def command(self) -> list[str | Path]:
        path = self.folder / "sentinel.conf"
        # It writes into the file what it finds out.
        if not path.exists() or f"port {self.port}\n" not in path.read_text():
            self._configure(path)
        return [self._master.program("redis-server"), path, "--sentinel"]

    def _configure(self, path: Path) -> None:
        text = CONFIGURATION.format(
            host=HOST,
            port=self.port,
            folder=self.folder,
            name=MASTER_NAME,
            master_port=self._master.port,
            down_after=DOWN_AFTER,
        )
        if self._password:
            text += f"requirepass {self._password}\n"
            text += f"sentinel auth-pass {MASTER_NAME} {self._password}\n"
        path.write_text(text)
        self._give_away(path)

    def client(self) -> redis.Redis:
        """Return a client of the Sentinel itself."""
        url = f"redis://{HOST}:{self.port}"
        return redis_client(url, password=self._password, socket_timeout=5)

    def ask(self) -> None:
        from redis.exceptions import ResponseError

        with self.client() as client:
            found = client.info("server")["process_id"]
            if self._process is None or found != self._process.pid:
                raise ServerError(f"port {self.port} is taken: by process {found}")
            known = client.sentinel_master(MASTER_NAME)
            # What it does every second, or every ten, we don't want to wait for.
            with contextlib.suppress(ResponseError):  # since 7.0
                client.execute_command("SENTINEL", "DEBUG", *QUICKLY)
        _must(known["num-slaves"] == 1, "the Sentinel does not know the replica yet")

    def sees_replica(self) -> bool:
        """Return whether it knows of a replica that could take over."""
        with self.client() as client:
            [replica] = client.sentinel_slaves(MASTER_NAME)
        return (
            not replica["is_sdown"]
            and not replica["is_disconnected"]
            and replica["master-link-status"] == "ok"
        )


class SentinelRedis(RedisDatabases):
    """A master, a replica and a Sentinel.

    Arguments:
        password: What has to be known to use any of them; None for nothing.
    """

    name = "Redis with Sentinel"
    patience = 60.0

    def __init__(self, password: str | None = None) -> None:
        self.password = password
        first = _Member(password)
        self._members = (first, _Member(password, first))
        self.sentinel = _Sentinel(first, password)
        self._numbers: Iterator[int] = cycle(range(1, DATABASES))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.sentinel!r} {self._members!r}>"

    def __enter__(self) -> SentinelRedis:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- addresses -----------------------------------------------------------------

    @property
    def url(self) -> str:
        """URL, as kombu writes it, without a database."""
        login = f":{self.password}@" if self.password else ""
        return f"sentinel://{login}{HOST}:{self.sentinel.port}"

    @property
    def options(self) -> dict[str, Any]:
        """The transport options that belong to the URL."""
        options: dict[str, Any] = {"master_name": MASTER_NAME}
        if self.password:
            options["sentinel_kwargs"] = {"password": self.password}
        return options

    def client(self, database: int = 0, **options: Any) -> redis.Redis:
        """Return a client of who is the master now."""
        return self.master.client(database, **options)

    @property
    def master(self) -> _Member:
        """The server that the Sentinel takes for the master."""
        with self.sentinel.client() as client:
            _, port = client.sentinel_get_master_addr_by_name(MASTER_NAME)
        return next(member for member in self._members if member.port == int(port))

    @property
    def replica(self) -> _Member:
        """The other one."""
        master = self.master
        return next(member for member in self._members if member is not master)

    # -- life ------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return all(each.is_running for each in (*self._members, self.sentinel))

    def start(self) -> None:
        """Start what does not run, and wait until the replica has everything."""
        # The Sentinel last: it asks for replicas but every ten seconds.
        for each in (*self._members, self.sentinel):
            each.start()
        self._wait(self._is_whole, "the replica to follow the master")

    def _is_whole(self) -> bool:
        replica = self.replica.replication()
        return (
            self.master.replication()["role"] == "master"
            and replica["role"] == "slave"
            and replica["master_link_status"] == "up"
            and self.sentinel.sees_replica()
        )

    def wait_until_replicated(self) -> None:
        """Wait until the replica has all that the master has now."""
        goal = self.master.replication()["master_repl_offset"]
        replica = self.replica
        self._wait(
            lambda: replica.replication().get("slave_repl_offset", 0) >= goal,
            "the replica to have everything",
        )

    def kill(self) -> None:
        """Kill the master, and wait until the replica is it; `start` brings it back."""
        self.wait_until_replicated()
        master = self.master
        master.kill()
        self._wait_for_another(master)

    def fail_over(self) -> None:
        """Let master and replica change places; both go on."""
        self.wait_until_replicated()
        master = self.master
        with self.sentinel.client() as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)
        self._wait_for_another(master)
        self._wait(self._is_whole, "the old master to follow the new one")

    def _wait_for_another(self, master: _Member) -> None:
        self._wait(lambda: self.master is not master, "another master")
        new = self.master
        self._wait(lambda: new.replication()["role"] == "master", "the new master")

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + self.patience
        while True:
            with contextlib.suppress(Exception):  # it is down, or on its way
                if is_so():
                    return
            if time.monotonic() > until:
                raise ServerError(f"waited in vain for {what}: {self!r}")
            time.sleep(0.05)

    def close(self) -> None:
        """Stop all of them, and delete their folders."""
        for each in (self.sentinel, *self._members):
            each.close()


def _must(is_so: bool, problem: str) -> None:
    if not is_so:
        raise ServerError(problem)
