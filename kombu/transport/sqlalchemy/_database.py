"""One database: its engine, transactions, and what is tried again.

``run`` is the only way to the database.  It takes a connection from the pool, lets
a function work on it in one transaction, and hands it back; nothing is kept between
two calls.  What fails by a deadlock, or because another has the lock, is tried again
from the start.  Within :meth:`Database.holding` a thread stays in one transaction.

SQLite: write-ahead log; one statement is a transaction by itself; more than one
begin by taking the write lock (``BEGIN IMMEDIATE``), so that no two wait for each
other.  The wait for a lock is short within SQLite, where it would block all
greenlets of a thread, and goes on outside.

A child that was forked makes an engine of its own, and never closes its parent's
connections.
"""

from __future__ import annotations

import os
import random
import threading
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, text
from sqlalchemy import exc as sql_errors
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from kombu.exceptions import DriverNotInstalled, InvalidURL
from kombu.transport.sqlalchemy._errors import is_transient, translated
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import Dialect

__all__ = ("Database",)

T = TypeVar("T")

#: Seconds for which a transaction is tried again.
_PATIENCE = 30.0

#: Longest pause, in seconds, between two tries.
_LONGEST_PAUSE = 0.1

#: Milliseconds that SQLite itself waits for a lock.
_SQLITE_WAIT = 250

#: Option of a connection: no ``BEGIN`` for what is but one statement.
_SINGLE = "kombu_single"

#: Seconds after which the database's clock is looked at again.
_CLOCK_AGE = 60.0


class Database:
    """A database, opened when it is first used.

    Arguments:
        url: URL in SQLAlchemy's form.
        options: Arguments for ``sqlalchemy.create_engine``.
        synchronous: SQLite's ``PRAGMA synchronous``.
    """

    def __init__(
        self, url: str, options: Mapping[str, Any], synchronous: str = "FULL"
    ) -> None:
        try:
            self._url = make_url(url)
        except (sql_errors.ArgumentError, ValueError):
            raise InvalidURL(
                "the URL of the database can not be understood: write for instance "
                "sqla+postgresql://user:password@host/database"
            ) from None
        self._options = dict(options)
        self._synchronous = synchronous
        self._lock = threading.RLock()
        self._local = threading.local()
        self._engine: Engine | None = None
        self._single: Any = None
        self._pid = os.getpid()
        # Engines of the parent, never to be closed nor collected here.
        self._inherited: list[Any] = []
        self._offset = 0.0
        self._measured_at: float | None = None

    def __repr__(self) -> str:
        state = "closed" if self._engine is None else "open"
        return f"<{type(self).__name__}: {self.name}, {state}>"

    # -- what it is --------------------------------------------------------------

    @property
    def name(self) -> str:
        """The database for people, without password and options."""
        return str(self._url.set(query={}).render_as_string(hide_password=True))

    @property
    def kind(self) -> str:
        """SQLAlchemy's name of the dialect: ``sqlite``, ``postgresql``, ``mysql``."""
        return str(self._url.get_backend_name())

    @property
    def path(self) -> str | None:
        """The file of a SQLite database; None for others."""
        if self.kind != "sqlite" or self.is_in_memory:
            return None
        return self._url.database

    @property
    def is_in_memory(self) -> bool:
        """Whether it is SQLite's in memory, which nobody shares with us."""
        name = self._url.database
        return self.kind == "sqlite" and name in (None, "", ":memory:")

    @property
    def url(self) -> Any:
        """The URL, for a connection beside the pool."""
        return self._url

    @property
    def dialect(self) -> Dialect:
        """The dialect, which knows the server's version once it was connected to."""
        return self.engine().dialect

    # -- engine --------------------------------------------------------------------

    def engine(self) -> Engine:
        """Return the engine of this process."""
        if self._pid != os.getpid():
            self._begin_anew()
        engine = self._engine
        if engine is None:
            with self._lock:
                engine = self._engine or self._make_engine()
                self._engine = engine
        return engine

    def _begin_anew(self) -> None:
        """Leave the parent's connections alone: this is a forked child."""
        self._inherited += [self._engine, self._single, self._local]
        self._lock = threading.RLock()
        self._local = threading.local()
        self._engine = self._single = None
        self._measured_at = None
        self._pid = os.getpid()

    def _make_engine(self) -> Engine:
        try:
            engine = create_engine(self._url, future=True, **self._engine_options())
        except ModuleNotFoundError as exc:
            raise DriverNotInstalled(
                f"the database driver {exc.name!r} is not installed: install it, or "
                "name another in the URL, as in postgresql+psycopg://"
            ) from exc
        except sql_errors.NoSuchModuleError:
            raise InvalidURL(
                f"SQLAlchemy knows no database {self._url.drivername!r}: is the URL "
                "right, and is the package of its dialect installed?"
            ) from None
        if self.kind == "sqlite":
            self._prepare_sqlite(engine)
            self._single = engine.execution_options(**{_SINGLE: True})
        elif self.kind == "postgresql":
            self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        elif self.kind in ("mysql", "mariadb"):
            self._single = self._make_autocommitting_engine()
        else:
            self._single = engine
        return engine

    def _make_autocommitting_engine(self) -> Engine:
        """Return an engine whose every statement is one round trip, and no more.

        Its driver sends a ``COMMIT`` also where there is nothing to commit.
        """
        options = {**self._engine_options(), "isolation_level": "AUTOCOMMIT"}
        engine = create_engine(self._url, future=True, **options)
        dialect: Any = engine.dialect
        dialect.do_commit = dialect.do_rollback = _do_nothing
        return engine

    def _engine_options(self) -> dict[str, Any]:
        # A connection is given back when its transaction is over.
        options = {"pool_reset_on_return": None, **self._options}
        if self.kind == "sqlite":
            arguments = {"check_same_thread": False, "timeout": _SQLITE_WAIT / 1000}
            arguments.update(options.get("connect_args") or {})
            options["connect_args"] = arguments
            kind = StaticPool if self.is_in_memory else QueuePool
            options.setdefault("poolclass", kind)
        elif self.kind in ("mysql", "mariadb"):
            # Gaps between rows are not locked then, nor do inserts wait for claims.
            options.setdefault("isolation_level", "READ COMMITTED")
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
        engine = create_engine(self._url, future=True, **arguments, **aside)
        return engine.connect()

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they are idle."""
        engines: set[Any] = {self._engine, self._single} - {None}
        self._engine = self._single = None
        # A child must not say good-bye on its parent's behalf.
        if self._pid == os.getpid():
            for engine in engines:
                engine.dispose()
        else:
            self._inherited += engines

    # -- transactions ---------------------------------------------------------------

    def run(
        self,
        work: Callable[[Connection], T],
        is_single: bool = False,
        again: tuple[type[BaseException], ...] = (),
    ) -> T:
        """Return what *work* returns, having done it in one transaction.

        Arguments:
            work: Called with a connection; again, if it is to be tried again.
            is_single: It is one statement, which is a transaction by itself.
            again: Errors of SQLAlchemy after which to try again, beside those
                that say so themselves.

        Raises:
            DatabaseLost: The database can not be reached.
            DatabaseRefused: It refuses a statement.
        """
        held = getattr(self._local, "connection", None)
        if held is not None and self._pid == os.getpid():
            return self._run_within(held, work)
        deadline: float | None = None
        pause = 0.001
        while True:
            try:
                with self._begun(is_single) as connection:
                    return work(connection)
            except sql_errors.SQLAlchemyError as exc:
                deadline = deadline or waiting.monotonic() + _PATIENCE
                may_help = is_transient(exc) or isinstance(exc, again)
                if not may_help or waiting.monotonic() >= deadline:
                    raise self.translated(exc) from exc
            waiting.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _run_within(self, held: Connection, work: Callable[[Connection], T]) -> T:
        try:
            with held.begin_nested():
                return work(held)
        except sql_errors.SQLAlchemyError as exc:
            raise self.translated(exc) from exc

    @contextmanager
    def _begun(self, is_single: bool) -> Iterator[Connection]:
        engine = self.engine()
        # One connection for all: one thread at a time.
        with self._lock if self.is_in_memory else nullcontext():
            with (self._single if is_single else engine).begin() as connection:
                yield connection

    @contextmanager
    def holding(self, lock: Callable[[Connection], Any]) -> Iterator[None]:
        """Keep the calling thread in one transaction, after *lock* was called.

        What it runs meanwhile is part of it.
        """
        if getattr(self._local, "connection", None) is not None:
            self.run(lock)
            yield
            return
        try:
            with ExitStack() as stack:
                self._local.connection = self._enter_locked(stack, lock)
                try:
                    yield
                finally:
                    self._local.connection = None
        except sql_errors.SQLAlchemyError as exc:
            raise self.translated(exc) from exc

    def _enter_locked(self, stack: ExitStack, lock: Callable[[Connection], Any]) -> Any:
        deadline = waiting.monotonic() + _PATIENCE
        while True:
            with ExitStack() as attempt:
                try:
                    connection = attempt.enter_context(self._begun(False))
                    lock(connection)
                except sql_errors.SQLAlchemyError as exc:
                    if not is_transient(exc) or waiting.monotonic() >= deadline:
                        raise
                else:
                    stack.push(attempt.pop_all().__exit__)
                    return connection
            waiting.sleep(random.uniform(0.001, _LONGEST_PAUSE))

    def translated(self, error: sql_errors.SQLAlchemyError) -> Exception:
        """Return *error* as an error of this library."""
        password = self._url.password
        return translated(error, self.name, str(password) if password else None)

    # -- time ------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time by the database's clock, in seconds since 1970.

        It is asked once a minute; in between our clock that never jumps counts.
        """
        question = _CLOCKS.get(self.kind)
        if question is None:
            return waiting.wall_clock()
        moment = waiting.monotonic()
        if self._measured_at is None or moment - self._measured_at > _CLOCK_AGE:
            found = self.run(
                lambda c: c.execute(text(question)).scalar(), is_single=True
            )
            moment = waiting.monotonic()
            self._offset = float(found or 0) - moment
            self._measured_at = moment
        return moment + self._offset


def _do_nothing(connection: Any) -> None:
    """Neither commit nor roll back, since there is nothing to."""


#: How a database is asked for its time, in seconds; our own counts for others.
_CLOCKS = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
    "mariadb": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
}
