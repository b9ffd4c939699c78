"""The messages of one database: put, claimed, settled, released, put back."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc as sql_errors

from kombu.transport.virtual.claims import (
    Claim,
    deliver_at,
    delivery_count,
    expires_at,
    redelivered,
)
from kombu.transport.virtual.wire import pack, unpack
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._statements import Statements

__all__ = ("MessageStore", "Row", "Token", "put_back_claims_of")

#: Seconds for which a queue that gave all it was asked for is not looked at before
#: it is claimed from again: how late what is due may be in a busy queue.
_LOOK_INTERVAL = 0.05

#: Queues that are looked at by one statement.
_LOOK_LIMIT = 50


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


class Row(NamedTuple):
    """One message to be put.

    Attributes:
        queues: Names of the queues that it is for.
        values: Of the columns.
    """

    queues: tuple[str, ...]
    values: dict[str, Any]


class MessageStore:
    """The messages.

    Arguments:
        database: Where they are.
        statements: How they are reached.
    """

    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._statements = statements
        # Queues that gave all they were asked for, and when to look at them.
        self._busy_until: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    # -- queues --------------------------------------------------------------------

    def has_queue(self, name: str) -> bool:
        """Return whether there is a queue *name*."""
        return bool(self._one(self._statements.find_queue, name=name) == name)

    def add_queue(self, name: str) -> None:
        """Make the queue *name*, unless it is there.

        Raises:
            DatabaseRefused: The database takes another name for the same.
        """
        if not self.has_queue(name):
            # Another process may be faster: it is found the next time.
            self._database.run(
                lambda connection: self._add_queue(connection, name),
                again=(sql_errors.IntegrityError,),
            )

    def _add_queue(self, connection: Connection, name: str) -> None:
        statements = self._statements
        found = connection.execute(statements.find_queue, {"name": name}).scalar()
        if found is None:
            connection.execute(statements.add_queue, {"name": name})
        elif found != name:
            from kombu.transport.sqlalchemy._errors import DatabaseRefused

            raise DatabaseRefused(
                f"{self._database.name} can not tell the queue {name!r} from "
                f"{found!r}: choose another name, or change the collation of the "
                "column with the names of queues to one that compares exactly"
            )

    def delete_queue(self, name: str) -> None:
        """Remove the queue *name* with all that is in it."""

        def work(connection: Connection) -> None:
            statements = self._statements
            connection.execute(statements.lock_queue, {"name": name})
            connection.execute(statements.delete_messages, {"name": name})
            connection.execute(statements.delete_queue, {"name": name})

        # An old peer may put a message between the two.
        self._database.run(work, again=(sql_errors.IntegrityError,))

    def purge(self, name: str) -> int:
        """Remove what is not in flight; return how many were ready or at rest."""

        def work(connection: Connection) -> int:
            count = connection.execute(self._statements.count_purged, {"name": name})
            purged = int(count.scalar() or 0)
            connection.execute(self._statements.purge, {"name": name})
            return purged

        return self._database.run(work)

    def size(self, name: str) -> int:
        """Return how many messages of the queue *name* are ready."""
        return self._database.run(lambda c: self._count(c, name))

    def _count(self, connection: Connection, name: str) -> int:
        statements = self._statements
        values = {"name": name, "moment": self.moment()}
        ready = connection.execute(statements.count_ready, {"name": name}).scalar()
        due = connection.execute(statements.count_due, values).scalar()
        return int(ready or 0) + int(due or 0)

    def size_bytes(self, name: str) -> int:
        """Return how many bytes the bodies of those are."""
        found = self._one(self._statements.sum_bytes, name=name, moment=self.moment())
        return int(found or 0)

    def _one(self, statement: Any, **values: Any) -> Any:
        return self._database.run(
            lambda connection: connection.execute(statement, values).scalar(),
            is_single=True,
        )

    # -- putting -------------------------------------------------------------------

    def row(self, queues: Iterable[str], envelope: Any, rank: int = 0) -> Row:
        """Return *envelope* as it is put into *queues*."""
        due, expiry = deliver_at(envelope), expires_at(envelope)
        is_resting = due is not None and due > self._database.now()
        return Row(
            tuple(queues),
            {
                "visible": not is_resting,
                "payload": pack(envelope),
                "place": -rank,
                "size_bytes": _size_of(envelope),
                "deliver_at": _milliseconds(due) if is_resting else None,
                "expires_at": _milliseconds(expiry),
                "message_key": _key_of(envelope) if is_resting else None,
            },
        )

    def put(self, row: Row) -> None:
        """Put a message into all of its queues, making those that are not there."""
        self._put_all(lambda connection: self._put(connection, row), True, (row,))

    def put_many(self, rows: Sequence[Row]) -> None:
        """Put messages into their queues, all of them or none."""

        def work(connection: Connection) -> None:
            for row in rows:
                self._put(connection, row)

        self._put_all(work, False, rows)

    def _put_all(
        self, work: Callable[[Connection], None], is_single: bool, rows: Sequence[Row]
    ) -> None:
        while True:
            try:
                # A message for several queues must not reach only some of them.
                is_alone = is_single and len(rows[0].queues) == 1
                self._database.run(work, is_single=is_alone)
                return
            except _NoQueue:
                for name in {name for row in rows for name in row.queues}:
                    self.add_queue(name)

    def _put(self, connection: Connection, row: Row) -> None:
        statements, names = self._statements, row.queues
        if len(names) == 1:
            done = connection.execute(statements.put, {**row.values, "name": names[0]})
        else:
            values = {**row.values, "names": list(names)}
            done = connection.execute(statements.put_into, values)
        count = len(done.all()) if statements.tells else done.rowcount
        if count != len(names):
            raise _NoQueue()

    # -- claiming ------------------------------------------------------------------

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
        moment = self.moment()
        promising = []
        for place, first, due, _ in self._look(queues):
            name = queues[place]
            busy.pop(name, None)
            is_due = due is not None and due <= moment
            if is_due:
                self._make_ready(name, moment)
            if is_due or first is not None:
                promising.append(name)
        return promising

    def _look(self, queues: Sequence[str]) -> Sequence[Any]:
        """Return what is to be seen of *queues*, in their order."""
        found = []
        for start in range(0, len(queues), _LOOK_LIMIT):
            part = queues[start : start + _LOOK_LIMIT]
            statement, values = self._statements.look(part)
            rows: list[Any] = self._database.run(
                partial(_all_rows, statement, values), True
            )
            found += [(start + row[0], *row[1:]) for row in rows]
        return sorted(found, key=lambda row: row[0])

    def _make_ready(self, queue: str, moment: int) -> None:
        """Append what is due in *queue* to what is ready, what was due first first."""
        statements = self._statements
        values = {"name": queue, "moment": moment}

        def work(connection: Connection) -> None:
            ids = connection.execute(statements.find_due, values).scalars().all()
            if ids:
                rows = [{"id_": number} for number in ids]
                connection.execute(statements.make_ready, rows)
                connection.execute(statements.delete_due, {"ids": list(ids)})
                self._tell(connection, [queue])

        self._database.run(work)

    def _claim_from(self, queue: str, limit: int, owner: str) -> list[Claim]:
        values = {"name": queue, "limit": limit, "owner": owner}
        claims = self._run_claim(self._statements.claim, values)
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
        values = {"name": queue, "limit": limit, "moment": self.moment()}
        return self._run_claim(
            self._statements.claim_expired, {**values, "owner": owner}
        )

    def _run_claim(self, statement: Any, values: dict[str, Any]) -> list[Claim]:
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

    # -- settling ------------------------------------------------------------------

    def settle(self, claims: Sequence[Claim]) -> None:
        """Remove the rows of *claims*."""
        rows = [_row_of(claim) for claim in claims]
        if rows:
            self._database.run(
                lambda c: c.execute(
                    self._statements.settle, rows if len(rows) > 1 else rows[0]
                ),
                is_single=len(rows) == 1,
            )

    def release(self, claims: Sequence[Claim]) -> None:
        """Have the rows of *claims* ready again, where they were."""
        if claims:
            self._database.run(lambda c: self._release(c, claims))

    def _release(self, connection: Connection, claims: Sequence[Claim]) -> None:
        plain, marked = [], []
        for claim in claims:
            values = {**_row_of(claim), "count": claim.deliveries_when_released}
            if claim.was_delivered and isinstance(claim.envelope, dict):
                # Old peers look for the mark in the envelope.
                text = pack(redelivered(claim.envelope))
                marked.append({**values, "text": text})
            else:
                plain.append(values)
        if plain:
            connection.execute(self._statements.release, plain)
        if marked:
            connection.execute(self._statements.release_marked, marked)
        self._tell(connection, {claim.queue for claim in claims})

    def _tell(self, connection: Connection, queues: Iterable[str]) -> None:
        """Have those wake who wait for messages of *queues*, where they can be told."""
        if self._statements.tells:
            for name in sorted(queues):
                connection.execute(self._statements.tell, {"name": name})

    def move(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Settle *claim*, and put *rows*, in one step, if it has not been lost."""

        def work(connection: Connection) -> None:
            done = connection.execute(self._statements.settle, _row_of(claim))
            # Whoever has it by now does with it what is to be done.
            if done.rowcount:
                for row in rows:
                    self._put(connection, row)

        self._put_all(work, False, rows)

    def reap(self) -> set[str]:
        """Forget dead owners, and put back what they had; return the queues."""
        statements = self._statements
        values = {"now": self.moment()}
        candidates = self._database.run(lambda c: self._lost_owners(c, values))
        if not candidates:
            return set()

        def work(connection: Connection) -> set[str]:
            found = connection.execute(statements.lock_dead_owners, values)
            dead = set(found.scalars())
            if dead:
                gone = {"owners": sorted(dead)}
                connection.execute(statements.forget_owners, gone)
            dead.update(connection.execute(statements.orphans).scalars())
            queues = put_back_claims_of(connection, statements, dead)
            self._tell(connection, queues)
            return queues

        return self._database.run(work)

    def _lost_owners(self, connection: Connection, values: dict[str, Any]) -> bool:
        dead = connection.execute(self._statements.dead_owners, values).first()
        return bool(dead or connection.execute(self._statements.orphans).first())

    # -- time ----------------------------------------------------------------------

    def moment(self) -> int:
        """Return the time by the database's clock, in milliseconds since 1970."""
        return int(self._database.now() * 1000)

    def next_moment(self, queues: Iterable[str]) -> float | None:
        """Return when something happens by itself in *queues*, in seconds."""
        rows = self._look(tuple(queues))
        found = [moment for row in rows for moment in row[2:] if moment is not None]
        return min(found) / 1000 if found else None

    def cancel(self, queue: str, message_id: str) -> bool:
        """Remove a resting message; return whether there was one."""
        values = {
            "name": queue,
            "key": _digest(message_id),
            "moment": self.moment(),
        }
        return self._database.run(
            lambda c: bool(c.execute(self._statements.cancel, values).rowcount)
        )

    def lock(self, queue: str) -> Callable[[Connection], Any]:
        """Return what locks *queue* in a transaction, making it if need be."""
        self.add_queue(queue)
        return lambda c: c.execute(self._statements.lock_queue, {"name": queue})


def _all_rows(statement: Any, values: dict[str, Any], connection: Connection) -> Any:
    return connection.execute(statement, values).all()


class _NoQueue(Exception):
    """A queue to put into is not there."""


def put_back_claims_of(
    connection: Connection, statements: Statements, owners: Iterable[str]
) -> set[str]:
    """Put back what *owners* have claimed; return the queues it is in."""
    values = {"owners": sorted(owners)}
    if not values["owners"]:
        return set()
    queues = set(connection.execute(statements.queues_of, values).scalars())
    if queues:
        connection.execute(statements.put_back, values)
    return queues


def _claim_of(row: Any, version: int, queue: str, owner: str) -> Claim:
    envelope = unpack(row.payload)
    deliveries = row.deliveries or delivery_count(envelope)
    return Claim(queue, envelope, Token(row.id, version, owner), deliveries)


def _row_of(claim: Claim) -> dict[str, Any]:
    token: Token = claim.token
    return {"id_": token.id, "version_": token.version, "owner": token.owner}


def _milliseconds(moment: float | None) -> int | None:
    return None if moment is None else round(moment * 1000)


def _digest(message_id: Any) -> str:
    return hashlib.sha256(str(message_id).encode("utf-8", "surrogatepass")).hexdigest()


def _key_of(envelope: Any) -> str | None:
    message_id = envelope["properties"].get("message_id")
    return None if message_id is None else _digest(message_id)


def _size_of(envelope: Any) -> int:
    body = envelope["body"]
    return len(body) if isinstance(body, (str, bytes)) else 0
