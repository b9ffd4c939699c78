"""What a database reports, as errors of this library.

Loaded with SQLAlchemy.  What is raised is also an error of SQLAlchemy, as kombu 5.7
let those through.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc as sql_errors

from kombu.exceptions import ChannelError, KombuError, RecoverableConnectionError

__all__ = ("DatabaseLost", "DatabaseRefused", "is_lost", "is_transient", "translated")

#: SQLSTATE: serialization failure, deadlock, lock not available.
_TRANSIENT_STATES = frozenset({"40001", "40P01", "55P03"})

#: MySQL and MariaDB: lock wait timeout, deadlock, record has changed.
_TRANSIENT_NUMBERS = frozenset({1205, 1213, 1020})

#: SQLSTATE: the server is going down, or is coming up.
_LOST_STATES = frozenset({"57P01", "57P02", "57P03"})

#: MySQL and MariaDB: shutdown, connection killed, can't connect, gone away, lost.
_LOST_NUMBERS = frozenset({1053, 1927, 2002, 2003, 2006, 2013, 2055})

_SQLITE_BUSY = ("is locked", "schema has changed")


class _OfDatabase(KombuError):
    """What the two errors have in common: a text, and the driver's error.

    Attributes:
        orig: The driver's error, if there is one.
    """

    def __init__(self, text: str, orig: Any = None) -> None:
        Exception.__init__(self, text)
        self.text = text
        self.orig = orig
        # What errors of SQLAlchemy have; ours tell no values.
        self.statement: Any = None
        self.params: Any = None
        self.connection_invalidated = False

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __reduce__(self) -> Any:
        return type(self), (self.text,)


class DatabaseLost(
    _OfDatabase,
    RecoverableConnectionError,  # type: ignore[misc]
    sql_errors.OperationalError,
):
    """The database can not be reached, or was lost: another try may help."""


class DatabaseRefused(
    _OfDatabase,
    ChannelError,  # type: ignore[misc]
    sql_errors.DatabaseError,
):
    """The database refuses a statement."""


def _state(error: BaseException | None) -> str:
    """Return the SQLSTATE that PostgreSQL's drivers give; empty for others."""
    found = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return found if isinstance(found, str) else ""


def _number(error: BaseException | None) -> int:
    """Return the number that MySQL's drivers give; 0 for others."""
    arguments = getattr(error, "args", ())
    first = arguments[0] if arguments else 0
    return first if isinstance(first, int) else 0


def is_transient(error: Exception) -> bool:
    """Return whether the same transaction may well succeed if tried again."""
    orig = getattr(error, "orig", None)
    if _state(orig) in _TRANSIENT_STATES or _number(orig) in _TRANSIENT_NUMBERS:
        return True
    is_sqlite = type(orig).__module__.startswith("sqlite3")
    return is_sqlite and any(part in str(orig) for part in _SQLITE_BUSY)


def is_lost(error: sql_errors.SQLAlchemyError) -> bool:
    """Return whether the connection to the database is gone, or was never made."""
    if isinstance(error, (sql_errors.TimeoutError, sql_errors.DisconnectionError)):
        return True  # of the pool
    if not isinstance(error, sql_errors.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = _state(error.orig)
    if state in _LOST_STATES or state.startswith("08"):
        return True
    if _number(error.orig) in _LOST_NUMBERS:
        return True
    is_operational = isinstance(
        error, (sql_errors.OperationalError, sql_errors.InterfaceError)
    )
    # Without a statement it was the attempt to connect that failed.
    return is_operational and error.statement is None


def translated(
    error: sql_errors.SQLAlchemyError, where: str, secret: str | None = None
) -> DatabaseLost | DatabaseRefused:
    """Return *error* as an error of this library, if it is none yet.

    Arguments:
        error: What SQLAlchemy raised.
        where: The database, for people.
        secret: What the text must not show.
    """
    if isinstance(error, (DatabaseLost, DatabaseRefused)):
        return error
    # The driver's words: SQLAlchemy's have the statement and its values.
    orig = getattr(error, "orig", None) or error
    words = " ".join(str(part) for part in orig.args) or str(orig)
    if secret:
        words = words.replace(secret, "**")
    name = type(orig).__name__
    if is_lost(error):
        return DatabaseLost(
            f"{where} can not be reached: {words.strip()} ({name})", orig
        )
    return DatabaseRefused(f"{where} refuses: {words.strip()} ({name})", orig)
