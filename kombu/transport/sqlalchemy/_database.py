"""One database: its transactions, what is tried again, and its clock.

``run`` is the only way to the database.  It takes a connection from the pool, lets
a function work on it in one transaction, and hands it back; nothing is kept between
two calls.  What fails by a deadlock, or because another has the lock, is tried again
from the start.  Within :meth:`Database.holding` a thread stays in one transaction.

A child that was forked makes engines of its own, and never closes its parent's
connections.
"""

from __future__ import annotations

import os
import random
import threading
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import exc as sql_errors
from sqlalchemy import text

from kombu.transport.sqlalchemy._engines import Address, Engines
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

#: Seconds after which the database's clock is looked at again.
_CLOCK_AGE = 60.0


class Database:
    """A database, opened when it is first used.

    Arguments:
        url: URL in SQLAlchemy's form.
        options: Arguments for ``sqlalchemy.create_engine``.
        synchronous: SQLite's ``PRAGMA synchronous``.

    Raises:
        InvalidURL: The URL can not be understood.
    """

    def __init__(
        self, url: str, options: Mapping[str, Any], synchronous: str = "FULL"
    ) -> None:
        self._address = Address(url)
        self._options = dict(options)
        self._synchronous = synchronous
        # Engines of the parent, never to be closed nor collected here.
        self._inherited: list[Any] = []
        self._offset = 0.0
        self._begin()

    def _begin(self) -> None:
        self._engines = Engines(self._address, self._options, self._synchronous)
        self._lock = threading.RLock()
        self._local = threading.local()
        self._measured_at: float | None = None
        self._pid = os.getpid()

    def _engines_here(self) -> Engines:
        """Return the engines of this process."""
        if self._pid != os.getpid():
            self._inherited += [self._engines, self._local]
            self._begin()
        return self._engines

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}, {self._engines.state}>"

    # -- what it is --------------------------------------------------------------

    @property
    def name(self) -> str:
        """The database for people, without password and options."""
        return self._address.name

    @property
    def kind(self) -> str:
        """SQLAlchemy's name of the dialect: ``sqlite``, ``postgresql``, ``mysql``."""
        return self._address.kind

    @property
    def path(self) -> str | None:
        """The file of a SQLite database; None for others."""
        return self._address.path

    @property
    def is_in_memory(self) -> bool:
        """Whether it is SQLite's in memory, which nobody shares with us."""
        return self._address.is_in_memory

    @property
    def dialect(self) -> Dialect:
        """The dialect, which knows the server's version once it was connected to."""
        return self.engine().dialect

    def engine(self) -> Engine:
        """Return the engine of this process."""
        return self._engines_here().get()

    def connect_aside(self) -> Connection:
        """Return a connection beside the pool, to be closed by the caller."""
        return self._engines_here().connect_aside()

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they are idle."""
        # A child must not say good-bye on its parent's behalf.
        self._engines_here().close()

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
        engine = self._engines_here().get(is_single)
        # One connection for all: one thread at a time.
        with self._lock if self.is_in_memory else nullcontext():
            with engine.begin() as connection:
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
        return translated(error, self.name, self._address.password)

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

    def moment(self) -> int:
        """Return the same in milliseconds."""
        return int(self.now() * 1000)


#: How a database is asked for its time, in seconds; our own counts for others.
_CLOCKS = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
    "mariadb": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
}
