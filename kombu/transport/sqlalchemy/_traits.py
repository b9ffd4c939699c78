"""What a dialect of SQL can do, as far as the statements differ by it.

PostgreSQL takes rows and marks them in one statement, and so does SQLite from
3.35 on.  MariaDB and MySQL lock rows, passing over those that others have locked,
and mark them in the same transaction; what can do neither marks each row only if
nobody was faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, literal_column

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine.interfaces import Dialect

__all__ = ("MYSQL_FAMILY", "Traits", "now_in_milliseconds")

MYSQL_FAMILY = frozenset({"mysql", "mariadb"})

#: The database's clock, in milliseconds since 1970.
_CLOCKS = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)",
    "mariadb": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)",
}


def now_in_milliseconds(dialect: Dialect) -> Any:
    """Return the database's clock as an expression; ours by the parameter ``now``."""
    words = _CLOCKS.get(dialect.name)
    if words is None:
        return bindparam("now", type_=BigInteger)
    return literal_column(words, type_=BigInteger)


class Traits(NamedTuple):
    """The traits of a dialect.

    Attributes:
        dialect: The dialect, of a database that was connected to.
        returns_updates: An ``UPDATE`` can return the rows that it has changed.
        locks: What was found is kept from others until the transaction ends.
        skips_locked: Rows that others have locked can be passed over.
        topic: Name under which PostgreSQL notifies; empty for not at all.
    """

    dialect: Dialect
    returns_updates: bool
    locks: bool
    skips_locked: bool
    topic: str

    @classmethod
    def of(cls, dialect: Dialect, topic: str = "") -> Traits:
        """Return the traits of *dialect*; *topic* is for those that notify."""
        name, returns = dialect.name, _returns_updates(dialect)
        return cls(
            dialect,
            returns,
            returns or name in ("sqlite", "oracle", *MYSQL_FAMILY),
            _skips_locked(dialect),
            topic if name == "postgresql" else "",
        )

    @property
    def name(self) -> str:
        """SQLAlchemy's name of the dialect."""
        return self.dialect.name

    @property
    def is_mysql(self) -> bool:
        """Whether it is MariaDB or MySQL."""
        return self.name in MYSQL_FAMILY

    @property
    def tells(self) -> bool:
        """Whether who waits is told; then putting returns a row for each message."""
        return bool(self.topic)

    def by_index(self, statement: Any, table: Table, name: str) -> Any:
        """Have MariaDB and MySQL use an index, where they may find another better.

        By others more rows are looked at, and locked.

        Arguments:
            statement: A ``SELECT`` or ``DELETE``.
            table: Its table.
            name: Name of the index, without that of the table.
        """
        if not self.is_mysql:
            return statement
        quote = self.dialect.identifier_preparer.quote
        hint = f"FORCE INDEX ({quote(f'ix_{table.name}_{name}')})"
        if statement.is_select:
            return statement.with_hint(table, hint, "*")
        # Only what could be of several tables takes a hint: DELETE t FROM t ...
        return statement.with_hint(hint, table, "*").prefix_with(quote(table.name))


def _returns_updates(dialect: Dialect) -> bool:
    if dialect.name == "postgresql":
        return True
    if dialect.name != "sqlite" or not getattr(dialect, "update_returning", False):
        return False
    module: Any = getattr(dialect, "dbapi", None)
    return getattr(module, "sqlite_version_info", (0,)) >= (3, 35)


def _skips_locked(dialect: Dialect) -> bool:
    if dialect.name not in MYSQL_FAMILY:
        return dialect.name in ("postgresql", "oracle")
    version = dialect.server_version_info or (0,)
    is_mariadb = bool(getattr(dialect, "is_mariadb", False))
    return version >= ((10, 6) if is_mariadb else (8, 0, 1))
