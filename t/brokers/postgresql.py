"""PostgreSQL."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from t.brokers.server import HOST
from t.brokers.sql import SqlServer

if TYPE_CHECKING:
    from pathlib import Path

#: Without fsync a crash of the machine may lose what was committed; one of the
#: server can't, since each commit is written to the operating system first.
SETTINGS = f"""
listen_addresses = '{HOST}'
unix_socket_directories = ''
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
fsync = off
"""


class PostgreSQL(SqlServer):
    name = "PostgreSQL"
    question = "SHOW data_directory"
    variable = "KOMBU_TEST_POSTGRESQL_URL"
    package = "postgresql"
    folders = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
    # Fast: SIGTERM would wait for clients to leave.
    stop_signal = signal.SIGINT

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@{HOST}:{self.port}/postgres"

    def initialise(self) -> None:
        self.run(
            self.program("initdb"),
            *("--username=postgres", "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),
            f"--pgdata={self.folder / 'data'}",
        )
        with (self.folder / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(SETTINGS)

    def command(self) -> list[str | Path]:
        program = self.program("postgres")
        return [program, "-D", self.folder / "data", "-p", str(self.port)]
