"""What servers of SQL databases have in common: a URL, and as many databases as needed."""

from __future__ import annotations

import contextlib
import functools
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from t.brokers.server import Missing, Server, ServerError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine


def _engine(url: str | URL) -> Engine:
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool
    except ImportError:
        raise Missing("SQLAlchemy is not installed: pip install sqlalchemy") from None
    try:
        return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    except ImportError as exc:
        text = f"{exc}: pip install 'psycopg[binary]' pymysql"
        raise Missing(text) from None


def execute(url: str | URL, statement: str) -> list[tuple]:
    """Execute one *statement* at the database *url*; return the rows it gives."""
    with _engine(url).connect() as connection:
        done = connection.exec_driver_sql(statement)
        return [tuple(row) for row in done] if done.returns_rows else []


class Databases:
    """The databases of one server, whoever started it.

    Attributes:
        url: URL of the server, in SQLAlchemy's style; databases are made there.
    """

    url: str

    def new_database(self) -> str:
        """Return the URL of a fresh, empty database."""
        from sqlalchemy import make_url

        name = f"kombu_test_{uuid4().hex}"
        execute(self.url, f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(False)


class RunningServer(Databases):
    """A server that somebody else runs: it can't be killed, and databases are dropped."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self._made: list[str] = []

    def __repr__(self) -> str:
        from sqlalchemy import make_url

        return f"<{type(self).__name__}: {self.name} {make_url(self.url)!r}>"

    def new_database(self) -> str:
        self._made.append(super().new_database())
        return self._made[-1]

    def start(self) -> None:
        self._skip()

    def stop(self) -> None:
        self._skip()

    def kill(self) -> None:
        self._skip()

    def _skip(self) -> None:
        import pytest

        pytest.skip(f"{self.name} is not ours: it can't be killed and started")

    def close(self) -> None:
        """Drop the databases that were made."""
        from sqlalchemy import make_url

        for url in self._made:
            with contextlib.suppress(Exception):  # somebody is still connected
                execute(self.url, f"DROP DATABASE {make_url(url).database}")
        self._made.clear()


class SqlServer(Databases, Server):
    """A server of SQL databases that we start."""

    #: Asks where its data folder is.
    question = ""

    def initialise(self) -> None:
        """Make an empty data folder, `folder` / "data"."""
        raise NotImplementedError

    def prepare(self) -> None:
        made = _initialised(type(self)).folder / "data"
        subprocess.run(["cp", "-a", made, self.folder], check=True)

    def ask(self) -> None:
        [[where]] = execute(self.url, self.question)
        if Path(where) != self.folder / "data":
            raise ServerError(f"port {self.port} is taken: data in {where}")


@functools.cache
def _initialised(kind: type[SqlServer]) -> SqlServer:
    """Return an instance, never started, whose data folder others copy.

    That is several times faster than making one.
    """
    server = kind()
    server.initialise()
    return server
