"""MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t.brokers.server import HOST
from t.brokers.sql import SqlServer

if TYPE_CHECKING:
    from pathlib import Path


class MariaDB(SqlServer):
    name = "MariaDB"
    question = "SELECT @@datadir"
    variable = "KOMBU_TEST_MARIADB_URL"
    package = "mariadb-server"

    @property
    def url(self) -> str:
        return f"mysql+pymysql://root@{HOST}:{self.port}/mysql?charset=utf8mb4"

    def initialise(self) -> None:
        self.run(
            self.program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    def command(self) -> list[str | Path]:
        return [
            self.program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            # What Debian's own configuration says.
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-buffer-pool-size=32M",
            "--innodb-use-native-aio=0",
            # Each commit is written to the operating system before it is
            # acknowledged, and fsync is left to it: a crash of the server loses
            # nothing. With 0 up to a second of commits would be lost.
            "--innodb-flush-log-at-trx-commit=2",
        ]
