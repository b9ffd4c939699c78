"""The engines of one database in one process, set up for what it is.

There are two: one for transactions, and one for single statements, which are
transactions by themselves.

SQLite: write-ahead log; one statement is a transaction by itself; more than one
begin by taking the write lock (``BEGIN IMMEDIATE``), so that no two wait for each
other.  The wait for a lock is short within SQLite, where it would block all
greenlets of a thread, and goes on outside.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy import exc as sql_errors
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from kombu.exceptions import DriverNotInstalled, InvalidURL
from kombu.transport.sqlalchemy._traits import MYSQL_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL, Connection, Engine

__all__ = ("Address", "Engines")

#: Milliseconds that SQLite itself waits for a lock.
_SQLITE_WAIT = 250

#: Option of a connection: no ``BEGIN`` for what is but one statement.
_SINGLE = "kombu_single"

#: Isolation in MariaDB and MySQL: gaps between rows are not locked then, nor do
#: inserts wait for claims.
_MYSQL_ISOLATION = "READ COMMITTED"


class Address:
    """Where a database is.

    Arguments:
        url: URL in SQLAlchemy's form.

    Raises:
        InvalidURL: The URL can not be understood.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url: URL = make_url(url)
        except (sql_errors.ArgumentError, ValueError):
            raise InvalidURL(
                "the URL of the database can not be understood: write for instance "
                "sqla+postgresql://user:password@host/database"
            ) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"

    @property
    def name(self) -> str:
        """The database for people, without password and options."""
        return str(self.url.set(query={}).render_as_string(hide_password=True))

    @property
    def password(self) -> str | None:
        """What no error may show."""
        return str(self.url.password) if self.url.password else None

    @property
    def kind(self) -> str:
        """SQLAlchemy's name of the dialect: ``sqlite``, ``postgresql``, ``mysql``."""
        return str(self.url.get_backend_name())

    @property
    def path(self) -> str | None:
        """The file of a SQLite database; None for others."""
        if self.kind != "sqlite" or self.is_in_memory:
            return None
        return self.url.database

    @property
    def is_in_memory(self) -> bool:
        """Whether it is SQLite's in memory, which nobody shares with us."""
        name = self.url.database
        return self.kind == "sqlite" and name in (None, "", ":memory:")


class Engines:
    """The engines, made when they are first asked for.

    Arguments:
        address: Where the database is.
        options: Arguments for ``sqlalchemy.create_engine``.
        synchronous: SQLite's ``PRAGMA synchronous``.
    """

    def __init__(
        self, address: Address, options: Mapping[str, Any], synchronous: str
    ) -> None:
        self._address = address
        self._options = options
        self._synchronous = synchronous
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._single: Any = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._address.name}, {self.state}>"

    @property
    def state(self) -> str:
        """``open`` or ``closed``."""
        return "closed" if self._engine is None else "open"

    def get(self, is_single: bool = False) -> Engine:
        """Return the engine for transactions, or the one for single statements.

        Raises:
            DriverNotInstalled: The database's driver is missing.
            InvalidURL: SQLAlchemy does not know such databases.
        """
        engine, single = self._engine, self._single
        if engine is None or single is None:
            with self._lock:
                if self._engine is None:
                    engine = self._make()
                    self._single = self._make_single(engine)
                    self._engine = engine
                engine, single = self._engine, self._single
        return single if is_single else engine

    def _make(self) -> Engine:
        url = self._address.url
        try:
            engine = create_engine(url, future=True, **self._engine_options())
        except ModuleNotFoundError as exc:
            raise DriverNotInstalled(
                f"the database driver {exc.name!r} is not installed: install it, or "
                "name another in the URL, as in postgresql+psycopg://"
            ) from exc
        except sql_errors.NoSuchModuleError:
            raise InvalidURL(
                f"SQLAlchemy knows no database {url.drivername!r}: is the URL "
                "right, and is the package of its dialect installed?"
            ) from None
        if self._address.kind == "sqlite":
            self._prepare_sqlite(engine)
        return engine

    def _make_single(self, engine: Engine) -> Any:
        """Return an engine whose every statement is one round trip, and no more."""
        kind = self._address.kind
        if kind == "sqlite":
            return engine.execution_options(**{_SINGLE: True})
        if kind == "postgresql":
            return engine.execution_options(isolation_level="AUTOCOMMIT")
        if kind not in MYSQL_FAMILY:
            return engine
        options = {**self._engine_options(), "isolation_level": "AUTOCOMMIT"}
        single = create_engine(self._address.url, future=True, **options)
        if "isolation_level" not in self._options:
            _isolate(single)
        # Its driver sends a COMMIT also where there is nothing to commit.
        dialect: Any = single.dialect
        dialect.do_commit = dialect.do_rollback = _do_nothing
        return single

    def _engine_options(self) -> dict[str, Any]:
        # A connection is given back when its transaction is over.
        options = {"pool_reset_on_return": None, **self._options}
        if self._address.kind == "sqlite":
            arguments = {"check_same_thread": False, "timeout": _SQLITE_WAIT / 1000}
            arguments.update(options.get("connect_args") or {})
            options["connect_args"] = arguments
            kind = StaticPool if self._address.is_in_memory else QueuePool
            options.setdefault("poolclass", kind)
        elif self._address.kind in MYSQL_FAMILY:
            options.setdefault("isolation_level", _MYSQL_ISOLATION)
        return options

    def _prepare_sqlite(self, engine: Engine) -> None:
        synchronous = self._synchronous

        @event.listens_for(engine, "connect")
        def on_connect(connection: Any, record: Any) -> None:
            # We begin transactions ourselves.
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={synchronous}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

        @event.listens_for(engine, "begin")
        def on_begin(connection: Connection) -> None:
            if not connection.get_execution_options().get(_SINGLE):
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    def connect_aside(self) -> Connection:
        """Return a connection beside the pool, to be closed by the caller."""
        options = self._engine_options()
        aside = {"isolation_level": "AUTOCOMMIT", "poolclass": NullPool}
        arguments = {n: v for n, v in options.items() if n in ("connect_args", "echo")}
        engine = create_engine(self._address.url, future=True, **arguments, **aside)
        return engine.connect()

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they are idle."""
        engines: set[Any] = {self._engine, self._single} - {None}
        self._engine = self._single = None
        for engine in engines:
            engine.dispose()


def _isolate(engine: Engine) -> None:
    """Have single statements of MariaDB and MySQL isolated as transactions are."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {_MYSQL_ISOLATION}")
        cursor.close()


def _do_nothing(connection: Any) -> None:
    """Neither commit nor roll back, since there is nothing to."""
