"""Every statement about messages, built once for a dialect.

PostgreSQL takes rows and marks them in one statement, and so does SQLite from
3.35 on.  MariaDB and MySQL lock rows, passing over those that others have locked,
and mark them in the same transaction; what can do neither marks each row only if
nobody was faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Integer,
    String,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine.interfaces import Dialect

    from kombu.transport.sqlalchemy._tables import Tables

__all__ = ("Statements", "locks_by_skipping", "now_in_milliseconds", "returns_updates")

#: The version of a row starts again after this one: it has 16 bits.
_LAST_VERSION = 30000

#: Rows that are made ready at a time, when they are due.
DUE_LIMIT = 500

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


def returns_updates(dialect: Dialect) -> bool:
    """Return whether an ``UPDATE`` can return the rows that it has changed."""
    if dialect.name == "postgresql":
        return True
    if dialect.name != "sqlite" or not getattr(dialect, "update_returning", False):
        return False
    module: Any = getattr(dialect, "dbapi", None)
    return getattr(module, "sqlite_version_info", (0,)) >= (3, 35)


def locks_by_skipping(dialect: Dialect) -> bool:
    """Return whether rows that others have locked can be passed over."""
    if dialect.name not in ("mysql", "mariadb"):
        return dialect.name in ("postgresql", "oracle")
    version = dialect.server_version_info or (0,)
    is_mariadb = bool(getattr(dialect, "is_mariadb", False))
    return version >= ((10, 6) if is_mariadb else (8, 0, 1))


def _names() -> Any:
    return bindparam("names", expanding=True, type_=String)


class Statements:
    """The statements.

    Arguments:
        tables: The tables.
        dialect: The dialect, of a database that was connected to.
        topic: Name under which PostgreSQL notifies; empty for not at all.
    """

    def __init__(self, tables: Tables, dialect: Dialect, topic: str = "") -> None:
        self._queue = tables.queue
        self._message = tables.message
        self._owner = tables.owner
        self._dialect = dialect
        self._topic = topic if dialect.name == "postgresql" else ""
        self.returns_updates = returns_updates(dialect)
        self.locks = returns_updates(dialect) or dialect.name in (
            "sqlite",
            "mysql",
            "mariadb",
            "oracle",
        )
        self._build_queues()
        self._build_puts()
        self._build_claims()
        self._build_settling()
        self._build_looks()

    def _queue_id(self, parameter: str = "name") -> Any:
        queue, name = self._queue, bindparam(parameter, type_=String)
        return select(queue.c.id).where(queue.c.name == name).scalar_subquery()

    # -- queues --------------------------------------------------------------------

    def _build_queues(self) -> None:
        queue, message = self._queue, self._message
        self.find_queue = select(queue.c.name).where(
            queue.c.name == bindparam("name", type_=String)
        )
        self.add_queue = insert(queue)
        self.lock_queue = self.find_queue.with_for_update(key_share=True)
        self.delete_queue = delete(queue).where(
            queue.c.name == bindparam("name", type_=String)
        )
        self.delete_messages = delete(message).where(
            message.c.queue_id == self._queue_id()
        )
        # What is in flight stays; what old peers have taken is nobody's any more.
        self.purge = self.delete_messages.where(message.c.claim_owner.is_(None))

    # -- putting -------------------------------------------------------------------

    _PUT = {
        "visible": None,
        "payload": None,
        "place": None,
        "size_bytes": None,
        "deliver_at": None,
        "expires_at": None,
        "message_key": None,
    }

    def _build_puts(self) -> None:
        name = bindparam("name", type_=String)
        self.put = self._put(self._queue.c.name == name)
        self.put_into = self._put(self._queue.c.name.in_(_names()))
        self.tell = select(func.pg_notify(literal_column(f"'{self._topic}'"), name))

    def _put(self, condition: Any) -> Any:
        queue, message = self._queue, self._message
        values = [bindparam(n, type_=message.c[n].type) for n in self._PUT]
        version = literal_column("1", type_=Integer)
        source = select(*values, version, queue.c.id).where(condition)
        columns = [*self._PUT, "version", "queue_id"]
        put = insert(message).from_select(columns, source)
        if not self.tells:
            return put
        # Who waits is told in the same round trip.
        done = put.returning(message.c.queue_id).cte("put")
        told = func.pg_notify(literal_column(f"'{self._topic}'"), queue.c.name)
        return select(told).select_from(done.join(queue, queue.c.id == done.c.queue_id))

    @property
    def tells(self) -> bool:
        """Whether who waits is told; then putting returns a row for each message."""
        return bool(self._topic)

    # -- claiming ------------------------------------------------------------------

    def _build_claims(self) -> None:
        message = self._message
        place = (message.c.place, message.c.id)
        self.claim = self._claiming(true(), place)
        has_expired = message.c.expires_at <= bindparam("moment", type_=BigInteger)
        self.claim_expired = self._claiming(has_expired, (message.c.expires_at, *place))
        # For databases that mark in a second step.
        self.mark = self._marking().where(
            message.c.id.in_(bindparam("ids", expanding=True, type_=BigInteger))
        )
        self.mark_one = self._marking().where(
            message.c.id == bindparam("id_", type_=BigInteger),
            message.c.version == bindparam("version_", type_=Integer),
            message.c.visible == true(),
        )

    def _claiming(self, condition: Any, order: tuple[Any, ...]) -> Any:
        columns = self._message.c
        ready = (columns.queue_id == self._queue_id(), columns.visible == true())
        limit = bindparam("limit", type_=Integer)
        if not self.returns_updates:
            chosen = select(*self._claimed).where(*ready, condition)
            name = "ready" if len(order) == 2 else "expires_at"
            chosen = self._by_index(chosen, name)
            skips = locks_by_skipping(self._dialect)
            chosen = chosen.with_for_update(skip_locked=skips, of=self._lock_of())
            return chosen.order_by(*order).limit(limit)
        ids = select(columns.id).where(*ready, condition).order_by(*order).limit(limit)
        chosen_here: Any
        if self._dialect.name == "sqlite":
            chosen_here = columns.id.in_(ids.correlate(None))
        else:
            locked = ids.with_for_update(skip_locked=True).cte("chosen")
            chosen_here = columns.id == locked.c.id
        return self._marking().where(chosen_here).returning(*self._claimed)

    def _lock_of(self) -> Any:
        return self._message.c.id if self._dialect.name == "oracle" else None

    @property
    def _claimed(self) -> tuple[Any, ...]:
        columns = self._message.c
        return (
            columns.id,
            columns.payload,
            columns.version,
            columns.deliveries,
            columns.place,
        )

    def _next_version(self) -> Any:
        """Return :meth:`version_after` as an expression."""
        version = self._message.c.version
        return case((version < _LAST_VERSION, version + 1), else_=1)

    @staticmethod
    def version_after(version: int) -> int:
        """Return the version that a row of *version* has once it was claimed."""
        return version + 1 if version < _LAST_VERSION else 1

    def _marking(self) -> Any:
        return update(self._message).values(
            visible=False,
            claim_owner=bindparam("owner", type_=String),
            version=self._next_version(),
        )

    # -- settling ------------------------------------------------------------------

    def _build_settling(self) -> None:
        message = self._message
        is_claim: Any = and_(
            message.c.id == bindparam("id_", type_=BigInteger),
            message.c.claim_owner == bindparam("owner", type_=String),
            message.c.version == bindparam("version_", type_=Integer),
        )
        self.settle = delete(message).where(is_claim)
        free = update(message).values(visible=True, claim_owner=null())
        again = bindparam("count", type_=Integer)
        self.release = free.where(is_claim).values(deliveries=again)
        payload = bindparam("text", type_=Text)
        self.release_marked = self.release.values(payload=payload)
        owners = bindparam("owners", expanding=True, type_=String)
        was_theirs = message.c.claim_owner.in_(owners)
        once_more = message.c.deliveries + 1
        self.put_back = free.where(was_theirs).values(deliveries=once_more)
        queue = self._queue
        self.queues_of = (
            select(queue.c.name)
            .distinct()
            .join(message, message.c.queue_id == queue.c.id)
            .where(was_theirs)
        )
        self._build_owners(owners)

    def _build_owners(self, owners: Any) -> None:
        owner, claimed_by = self._owner, self._message.c.claim_owner
        now = now_in_milliseconds(self._dialect)
        self.dead_owners = select(owner.c.owner).where(owner.c.lease_end <= now)
        self.lock_dead_owners = self.dead_owners.with_for_update()
        self.forget_owners = delete(owner).where(owner.c.owner.in_(owners))
        # Claimed in the very moment in which the owner was forgotten.
        is_known = exists().where(owner.c.owner == claimed_by)
        self.orphans = (
            select(claimed_by).distinct().where(claimed_by.is_not(None), ~is_known)
        )

    # -- looking -------------------------------------------------------------------

    def _build_looks(self) -> None:
        message = self._message
        moment = bindparam("moment", type_=BigInteger)
        is_due: Any = message.c.deliver_at <= moment
        is_ready = message.c.visible == true()
        mine = message.c.queue_id == self._queue_id()
        found = select(message.c.id).where(mine, is_due)
        found = self._by_index(found, "deliver_at").limit(DUE_LIMIT)
        # Two that do this at the same time share what is due.
        found = found.with_for_update(skip_locked=locks_by_skipping(self._dialect))
        self.find_due = found.order_by(message.c.deliver_at, message.c.id)
        # A new row, since it comes behind what has come before it was due.
        names = ["payload", "version", "queue_id", "deliveries", "place"]
        names += ["expires_at", "size_bytes"]
        copied = select(true(), *(message.c[name] for name in names)).where(
            message.c.id == bindparam("id_", type_=BigInteger)
        )
        self.make_ready = insert(message).from_select(["visible", *names], copied)
        ids = bindparam("ids", expanding=True, type_=BigInteger)
        self.delete_due = delete(message).where(message.c.id.in_(ids))
        key = bindparam("key", type_=String)
        is_resting = and_(message.c.message_key == key, message.c.deliver_at > moment)
        self.cancel = delete(message).where(mine, is_resting)
        of_queue = select(func.count()).select_from(message).where(mine)
        self.count_ready = of_queue.where(is_ready)
        self.count_due = of_queue.where(is_due)
        # Due or not; what a peer of 5.7 has taken has no moment.
        rests = and_(message.c.claim_owner.is_(None), message.c.deliver_at.is_not(None))
        self.count_purged = of_queue.where(or_(is_ready, rests))
        size = func.coalesce(message.c.size_bytes, func.length(message.c.payload))
        self.sum_bytes = select(func.sum(size)).where(mine, or_(is_ready, is_due))
        self._looks: dict[int, Any] = {}

    def look(self, queues: Sequence[str]) -> tuple[Any, dict[str, str]]:
        """Return what looks into *queues*, and its parameters.

        A row has the place of a queue among them, whether something is ready, when
        something will be due, and when something that is ready expires.  Each is
        one step into an index.
        """
        count = len(queues)
        statement = self._looks.get(count)
        if statement is None:
            looks: list[Any] = [self._look_at(number) for number in range(count)]
            union: Any = union_all
            statement = self._looks[count] = looks[0] if count == 1 else union(*looks)
        return statement, {f"name_{n}": name for n, name in enumerate(queues)}

    def _look_at(self, number: int) -> Any:
        columns, queue_id = self._message.c, self._queue_id(f"name_{number}")
        mine, is_ready = columns.queue_id == queue_id, columns.visible == true()
        first = select(columns.id).where(mine, is_ready)
        first = self._by_index(first, "ready").order_by(columns.place, columns.id)
        due = select(columns.deliver_at).where(mine, columns.deliver_at > 0)
        due = self._by_index(due, "deliver_at").order_by(columns.deliver_at)
        expiry = select(columns.expires_at).where(
            mine, is_ready, columns.expires_at > 0
        )
        expiry = self._by_index(expiry, "expires_at").order_by(columns.expires_at)
        parts: list[Any] = [literal_column(str(number))]
        parts += [part.limit(1).scalar_subquery() for part in (first, due, expiry)]
        return select(*parts)

    def _by_index(self, statement: Any, name: str) -> Any:
        """Have MariaDB and MySQL use an index, where they may find another better.

        By others more rows are looked at, and locked.
        """
        if self._dialect.name not in ("mysql", "mariadb"):
            return statement
        quote = self._dialect.identifier_preparer.quote
        hint = f"FORCE INDEX ({quote(f'ix_{self._message.name}_{name}')})"
        return statement.with_hint(self._message, hint, "*")
