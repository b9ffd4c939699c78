"""Settling claims: their rows go, are ready again, or make way for others.

MariaDB and MySQL lock what they look at, entry of an index by entry.  kombu 5.7 goes
along ``timestamp_id`` there, locks each entry and then its row, and waits at what
we have locked.  So we come by that index, too, and settle several in its
order: if we locked the row first, each would wait for what the other has, and its
consumer would be the one to fail.
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
    delete,
    null,
    update,
)

from kombu.transport.virtual.claims import redelivered
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._puts import Puts, Row
    from kombu.transport.sqlalchemy._tables import Tables
    from kombu.transport.sqlalchemy._traits import Traits
    from kombu.transport.virtual.claims import Claim

__all__ = ("SettleStatements", "Settling")


class SettleStatements:
    """What settles a claim.

    Arguments:
        tables: The tables.
        traits: Of the dialect.
    """

    def __init__(self, tables: Tables, traits: Traits) -> None:
        message = tables.message
        is_claim: Any = and_(
            message.c.id == bindparam("id_", type_=BigInteger),
            message.c.claim_owner == bindparam("owner", type_=String),
            message.c.version == bindparam("version_", type_=Integer),
        )
        self.settle: Any = delete(message).where(is_claim)
        if traits.is_mysql:
            # Claiming has seen to it that there is none.
            by_index = traits.by_index(self.settle, message, "timestamp_id")
            self.settle = by_index.where(message.c.timestamp.is_(None))
        free = update(message).values(visible=True, claim_owner=null())
        again = bindparam("count", type_=Integer)
        self.release = free.where(is_claim).values(deliveries=again)
        payload = bindparam("text", type_=Text)
        self.release_marked = self.release.values(payload=payload)


class Settling:
    """Settles claims.

    Arguments:
        database: Where they are.
        tables: The tables.
        traits: Of the dialect.
        puts: Puts what takes their place.
    """

    def __init__(
        self, database: Database, tables: Tables, traits: Traits, puts: Puts
    ) -> None:
        self._database = database
        self._statements = SettleStatements(tables, traits)
        self._puts = puts

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    def settle(self, claims: Sequence[Claim]) -> None:
        """Remove the rows of *claims*."""
        rows = [claim.token.parameters for claim in claims]
        if len(rows) == 1:
            self._database.run(
                lambda c: c.execute(self._statements.settle, rows[0]), is_single=True
            )
        elif rows:
            rows.sort(key=_by_id)
            self._database.run(lambda c: c.execute(self._statements.settle, rows))

    def release(self, claims: Sequence[Claim]) -> None:
        """Have the rows of *claims* ready again, where they were."""
        if claims:
            self._database.run(lambda c: self._release(c, claims))

    def _release(self, connection: Connection, claims: Sequence[Claim]) -> None:
        plain, marked = [], []
        for claim in claims:
            values = {
                **claim.token.parameters,
                "count": claim.deliveries_when_released,
            }
            if claim.was_delivered and isinstance(claim.envelope, dict):
                # Old peers look for the mark in the envelope.
                text = pack(redelivered(claim.envelope))
                marked.append({**values, "text": text})
            else:
                plain.append(values)
        # What was delivered came first.
        for statement, rows in (
            (self._statements.release_marked, marked),
            (self._statements.release, plain),
        ):
            if rows:
                connection.execute(statement, sorted(rows, key=_by_id))
        self._puts.tell(connection, {claim.queue for claim in claims})

    def move(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Settle *claim*, and put *rows*, in one step, if it has not been lost."""

        def work(connection: Connection) -> None:
            done = connection.execute(self._statements.settle, claim.token.parameters)
            # Whoever has it by now does with it what is to be done.
            if done.rowcount:
                for row in rows:
                    self._puts.put_by(connection, row)

        self._puts.run(work, rows)


def _by_id(parameters: Mapping[str, Any]) -> int:
    found: int = parameters["id_"]
    return found
