"""Claiming messages: marked rows, which are found again by a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Integer,
    String,
    bindparam,
    case,
    null,
    select,
    true,
    update,
)

from kombu.transport.virtual.claims import Claim, delivery_count
from kombu.transport.virtual.wire import unpack
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._looks import Looks
    from kombu.transport.sqlalchemy._tables import Tables
    from kombu.transport.sqlalchemy._traits import Traits

__all__ = ("ClaimStatements", "Claims", "Token")

#: The version of a row starts again after this one: it has 16 bits.
_LAST_VERSION = 30000

#: Seconds for which a queue that gave all it was asked for is not looked at before
#: it is claimed from again: how late what is due may be in a busy queue.
_LOOK_INTERVAL = 0.05


class Token(NamedTuple):
    """How the row of a claim is found again.

    Attributes:
        id: Of the row.
        version: Of the row: another claim has another one.
        owner: Who claimed it.
    """

    id: int
    version: int
    owner: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The token as parameters of a statement."""
        return {"id_": self.id, "version_": self.version, "owner": self.owner}


class ClaimStatements:
    """What claims.

    Arguments:
        tables: The tables.
        traits: Of the dialect.
    """

    def __init__(self, tables: Tables, traits: Traits) -> None:
        self._tables = tables
        self._traits = traits
        self.returns_updates = traits.returns_updates
        self.locks = traits.locks
        message = tables.message
        place = (message.c.place, message.c.id)
        self.claim = self._claiming(true(), place, "ready")
        has_expired = message.c.expires_at <= bindparam("moment", type_=BigInteger)
        order = (message.c.expires_at, *place)
        self.claim_expired = self._claiming(has_expired, order, "expires_at")
        # For databases that mark in a second step.
        self.mark = self._marking().where(
            message.c.id.in_(bindparam("ids", expanding=True, type_=BigInteger))
        )
        self.mark_one = self._marking().where(
            message.c.id == bindparam("id_", type_=BigInteger),
            message.c.version == bindparam("version_", type_=Integer),
            message.c.visible == true(),
        )

    def _claiming(self, condition: Any, order: tuple[Any, ...], index: str) -> Any:
        columns, traits = self._tables.message.c, self._traits
        ready = self._tables.is_ready(self._tables.queue_id())
        limit = bindparam("limit", type_=Integer)
        if not self.returns_updates:
            chosen = select(*self._claimed).where(ready, condition)
            chosen = traits.by_index(chosen, self._tables.message, index)
            lock_of = columns.id if traits.name == "oracle" else None
            chosen = chosen.with_for_update(skip_locked=traits.skips_locked, of=lock_of)
            return chosen.order_by(*order).limit(limit)
        ids = select(columns.id).where(ready, condition).order_by(*order).limit(limit)
        chosen_here: Any
        if traits.name == "sqlite":
            chosen_here = columns.id.in_(ids.correlate(None))
        else:
            locked = ids.with_for_update(skip_locked=True).cte("chosen")
            chosen_here = columns.id == locked.c.id
        return self._marking().where(chosen_here).returning(*self._claimed)

    @property
    def _claimed(self) -> tuple[Any, ...]:
        columns = self._tables.message.c
        return (
            columns.id,
            columns.payload,
            columns.version,
            columns.deliveries,
            columns.place,
        )

    def _marking(self) -> Any:
        message = self._tables.message
        version = message.c.version
        values: dict[str, Any] = {
            "visible": False,
            "claim_owner": bindparam("owner", type_=String),
            "version": case((version < _LAST_VERSION, version + 1), else_=1),
        }
        if self._traits.is_mysql:
            # What is claimed is settled by this; it hardly ever is anything else.
            values["timestamp"] = null()
        return update(message).values(values)

    @staticmethod
    def version_after(version: int) -> int:
        """Return the version that a row of *version* has once it was claimed."""
        return version + 1 if version < _LAST_VERSION else 1


class Claims:
    """Claims messages.

    Arguments:
        database: Where they are.
        statements: Those that claim.
        looks: Tells of queues that have something.
    """

    def __init__(
        self, database: Database, statements: ClaimStatements, looks: Looks
    ) -> None:
        self._database = database
        self._statements = statements
        self._looks = looks
        # Queues that gave all they were asked for, and when to look at them.
        self._busy_until: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    def claim(self, queues: Sequence[str], limit: int, owner: str) -> list[Claim]:
        """Claim up to *limit* messages of *queues*, each getting its share."""
        claims: list[Claim] = []
        candidates = self._promising(queues)
        while candidates and len(claims) < limit:
            more = []
            for place, name in enumerate(candidates):
                share = -(-(limit - len(claims)) // (len(candidates) - place))
                if share <= 0:
                    break
                found = self._claim_from(name, share, owner)
                claims += found
                if len(found) == share:
                    more.append(name)
            candidates = more
        return claims

    def _promising(self, queues: Sequence[str]) -> list[str]:
        """Return those of *queues* that seem to have something ready."""
        now = waiting.monotonic()
        busy = self._busy_until
        if all(busy.get(name, 0.0) > now for name in queues):
            return list(queues)
        for name in queues:
            busy.pop(name, None)
        return self._looks.promising(queues)

    def _claim_from(self, queue: str, limit: int, owner: str) -> list[Claim]:
        values = {"name": queue, "limit": limit, "owner": owner}
        claims = self._run(self._statements.claim, values)
        if len(claims) == limit:
            until = self._busy_until.get(queue)
            now = waiting.monotonic()
            if until is None or until <= now:
                self._busy_until[queue] = now + _LOOK_INTERVAL
        else:
            self._busy_until.pop(queue, None)
        return claims

    def claim_expired(self, queue: str, limit: int, owner: str) -> list[Claim]:
        """Claim up to *limit* messages of *queue* that have expired."""
        moment = self._database.moment()
        values = {"name": queue, "limit": limit, "moment": moment, "owner": owner}
        return self._run(self._statements.claim_expired, values)

    def _run(self, statement: Any, values: dict[str, Any]) -> list[Claim]:
        if self._statements.returns_updates:
            rows = self._database.run(
                lambda connection: connection.execute(statement, values).all(),
                is_single=True,
            )
            # They come in any order.
            rows.sort(key=lambda row: (row.place, row.id))  # type: ignore[attr-defined]
            claimed = [(row, row.version) for row in rows]
        else:
            claimed = self._database.run(lambda c: self._mark(c, statement, values))
        queue, owner = values["name"], values["owner"]
        return [_claim_of(row, version, queue, owner) for row, version in claimed]

    def _mark(
        self, connection: Connection, statement: Any, values: dict[str, Any]
    ) -> list[tuple[Any, int]]:
        """Mark the rows that *statement* finds; return them with their versions."""
        statements, owner = self._statements, values["owner"]
        rows = connection.execute(statement, values).all()
        if rows and statements.locks:
            ids = [row.id for row in rows]
            connection.execute(statements.mark, {"ids": ids, "owner": owner})
        elif rows:
            rows = [row for row in rows if self._mark_one(connection, row, owner)]
        return [(row, statements.version_after(row.version)) for row in rows]

    def _mark_one(self, connection: Connection, row: Any, owner: str) -> bool:
        values = {"id_": row.id, "version_": row.version, "owner": owner}
        return connection.execute(self._statements.mark_one, values).rowcount == 1


def _claim_of(row: Any, version: int, queue: str, owner: str) -> Claim:
    envelope = unpack(row.payload)
    deliveries = row.deliveries or delivery_count(envelope)
    return Claim(queue, envelope, Token(row.id, version, owner), deliveries)
