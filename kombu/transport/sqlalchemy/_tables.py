"""The tables: those of kombu 5.7 with columns of ours beside, and two of our own.

=================  ============================================================
Table              What is in it
=================  ============================================================
``kombu_queue``    ``id``, ``name``: as kombu 5.7 makes it
``kombu_message``  ``id``, ``visible``, ``timestamp``, ``payload``, ``version``,
                   ``queue_id``: as kombu 5.7 makes it; then our columns
``..._record``     records: topology, consumers; and the version of the topology
``..._owner``      owners: connections, and when their lease ends
=================  ============================================================

The last two are named after the table of messages.  A row of a message is

===========  ==========  ===============  ================  ====================
State        visible     claim_owner      deliver_at        timestamp
===========  ==========  ===============  ================  ====================
ready        true        NULL             NULL              NULL
resting      false       NULL             when it is due    NULL
in flight    false       who has it       NULL              NULL
taken        false       NULL             NULL              when kombu 5.7 did
===========  ==========  ===============  ================  ====================

so that kombu 5.7 sees what is ready, and nothing else.  ``version`` changes with
every claim, which tells two claims of a row by one owner apart.  Every column of
ours has a default, for rows that kombu 5.7 writes.  Moments are milliseconds since
1970.  Ids are 64 bit in tables that we make; those of kombu 5.7 keep what they have.
In MariaDB and MySQL there is also ``ready_in``, which the database computes: the
queue in which a message is ready.

Known limit: kombu 5.7's own purge also removes what is resting or in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    and_,
    bindparam,
    select,
    text,
    true,
)
from sqlalchemy.dialects import mysql

from kombu.transport.sqlalchemy._traits import MYSQL_FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("MESSAGE_TABLE", "QUEUE_TABLE", "Tables")

QUEUE_TABLE = "kombu_queue"
MESSAGE_TABLE = "kombu_message"

#: Column of MariaDB and MySQL: the queue in which a message is ready, by its id.
READY_IN = "ready_in"

#: Most characters of an owner's id.
OWNER_LENGTH = 100

#: Characters of a digest in hexadecimal.
DIGEST_LENGTH = 64


def _id_type() -> Any:
    # SQLite numbers rows by itself only where the type is this very word.
    return BigInteger().with_variant(Integer(), "sqlite")


def _text_type() -> Any:
    # TEXT ends at 64 KiB there.
    return (
        Text()
        .with_variant(mysql.LONGTEXT(), "mysql")
        .with_variant(mysql.LONGTEXT(), "mariadb")
    )


def _name_type(length: int) -> Any:
    # By default capital letters are the same as small ones there.
    variant = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return (
        String(length).with_variant(variant, "mysql").with_variant(variant, "mariadb")
    )


def _moment(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=True)


def _added_columns(kind: str) -> Iterator[Column[Any]]:
    """Yield the columns that kombu 5.7 does not know."""
    yield Column("claim_owner", String(OWNER_LENGTH), nullable=True)
    yield Column("deliveries", Integer, nullable=False, server_default="0")
    # The rank, negated: indexes that descend are not to be had everywhere.
    yield Column("place", Integer, nullable=False, server_default="0")
    yield _moment("deliver_at")
    yield _moment("expires_at")
    # Digest of the message's id, of what is resting: to cancel it by.
    yield Column("message_key", String(DIGEST_LENGTH), nullable=True)
    yield Column("size_bytes", Integer, nullable=True)
    if kind in MYSQL_FAMILY:
        # An index by which kombu 5.7 could find what is ready would sometimes be
        # taken by the database, and more be locked than what is taken.
        ready = Computed("CASE WHEN visible THEN queue_id END", persisted=True)
        yield Column(READY_IN, Integer, ready, nullable=True)


class Tables(NamedTuple):
    """The tables of one broker.

    Attributes:
        queue: Queues by name.
        message: Messages.
        record: Records by a digest of kind, group and name.
        owner: Owners and the ends of their leases.
        added: Names of the columns in ``message`` that are ours.
    """

    queue: Table
    message: Table
    record: Table
    owner: Table
    added: frozenset[str]

    @classmethod
    def named(
        cls, queue: str = QUEUE_TABLE, message: str = MESSAGE_TABLE, kind: str = ""
    ) -> Tables:
        """Return the tables for the given names of kombu 5.7's two.

        Arguments:
            queue: Name of the table of queues.
            message: Name of the table of messages.
            kind: SQLAlchemy's name of the dialect.
        """
        metadata = MetaData()
        added = tuple(_added_columns(kind))
        return cls(
            _queue_table(metadata, queue),
            _message_table(metadata, message, queue, added),
            _record_table(metadata, f"{message}_record"),
            _owner_table(metadata, f"{message}_owner"),
            frozenset(column.name for column in added),
        )

    @property
    def metadata(self) -> MetaData:
        """What has them all."""
        return self.queue.metadata

    def queue_id(self, parameter: str = "name") -> Any:
        """Return the id of the queue that *parameter* names, as an expression."""
        queue, name = self.queue, bindparam(parameter, type_=String)
        return select(queue.c.id).where(queue.c.name == name).scalar_subquery()

    def is_ready(self, queue_id: Any) -> Any:
        """Return the condition that a message is ready in a queue."""
        columns = self.message.c
        if READY_IN in columns:
            return columns[READY_IN] == queue_id
        return and_(columns.queue_id == queue_id, columns.visible == true())


def _queue_table(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column(
            "id",
            Integer,
            Sequence("queue_id_sequence"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("name", _name_type(200), unique=True),
        sqlite_autoincrement=True,
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )


def _message_table(
    metadata: MetaData, name: str, queue: str, added: tuple[Column[Any], ...]
) -> Table:
    table = Table(
        name,
        metadata,
        Column(
            "id",
            _id_type(),
            Sequence("message_id_sequence"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("visible", Boolean(create_constraint=False)),
        Column("timestamp", DateTime),
        Column("payload", _text_type(), nullable=False),
        Column("version", SmallInteger, nullable=False),
        Column(
            "queue_id",
            Integer,
            ForeignKey(f"{queue}.id", name=f"FK_{name}_queue"),
        ),
        *added,
        sqlite_autoincrement=True,
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )
    columns = table.c
    # Kombu 5.7 finds what is ready by it.
    Index(f"ix_{name}_timestamp_id", columns.timestamp, columns.id)
    # We do by this: the same cost however long the queue is, and whatever else
    # is in the table.
    is_ready: Iterable[Column[Any]] = (columns.queue_id, columns.visible)
    if READY_IN in columns:
        is_ready = (columns[READY_IN],)
    Index(
        f"ix_{name}_ready",
        *is_ready,
        columns.place,
        columns.id,
        postgresql_where=text("visible"),
    )
    for column in ("deliver_at", "expires_at"):
        _sparse_index(f"ix_{name}_{column}", columns.queue_id, columns[column])
    for column in ("claim_owner", "message_key"):
        _sparse_index(f"ix_{name}_{column}", columns[column])
    return table


def _sparse_index(name: str, *columns: Column[Any]) -> None:
    """Index the rows in which the last of *columns* has a value."""
    has_value = columns[-1].is_not(None)
    Index(name, *columns, postgresql_where=has_value, sqlite_where=has_value)


def _record_table(metadata: MetaData, name: str) -> Table:
    digest = String(DIGEST_LENGTH)
    table = Table(
        name,
        metadata,
        Column("digest", digest, primary_key=True),
        Column("kind", String(32), nullable=False),
        Column("group_digest", digest, nullable=False),
        Column("content", _text_type(), nullable=False),
        Column("number", BigInteger, nullable=False, server_default="0"),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )
    Index(f"ix_{name}_kind", table.c.kind, table.c.group_digest)
    return table


def _owner_table(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("owner", String(OWNER_LENGTH), primary_key=True),
        Column("lease_end", BigInteger, nullable=False, index=True),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )
