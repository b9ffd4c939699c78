"""Orphans: messages whose owner is dead, put back where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, delete, exists, null, select, update

from kombu.transport.sqlalchemy._traits import now_in_milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from kombu.transport.sqlalchemy._database import Database
    from kombu.transport.sqlalchemy._puts import Puts
    from kombu.transport.sqlalchemy._tables import Tables
    from kombu.transport.sqlalchemy._traits import Traits

__all__ = ("OrphanStatements", "Orphans")


class OrphanStatements:
    """What finds dead owners, and puts back what they had.

    Arguments:
        tables: The tables.
        traits: Of the dialect.
    """

    def __init__(self, tables: Tables, traits: Traits) -> None:
        queue, message, owner = tables.queue, tables.message, tables.owner
        claimed_by = message.c.claim_owner
        owners = bindparam("owners", expanding=True, type_=String)
        was_theirs = claimed_by.in_(owners)
        self.put_back = (
            update(message)
            .where(was_theirs)
            .values(
                visible=True,
                claim_owner=null(),
                deliveries=message.c.deliveries + 1,
            )
        )
        self.queues_of = (
            select(queue.c.name)
            .distinct()
            .join(message, message.c.queue_id == queue.c.id)
            .where(was_theirs)
        )
        now = now_in_milliseconds(traits.dialect)
        self.dead_owners = select(owner.c.owner).where(owner.c.lease_end <= now)
        self.lock_dead_owners = self.dead_owners.with_for_update()
        self.forget_owners = delete(owner).where(owner.c.owner.in_(owners))
        # Claimed in the very moment in which the owner was forgotten.
        is_known = exists().where(owner.c.owner == claimed_by)
        self.orphans = (
            select(claimed_by).distinct().where(claimed_by.is_not(None), ~is_known)
        )


class Orphans:
    """Finds orphans and puts them back.

    Arguments:
        database: Where they are.
        tables: The tables.
        traits: Of the dialect.
        puts: Tells who waits.
    """

    def __init__(
        self, database: Database, tables: Tables, traits: Traits, puts: Puts
    ) -> None:
        self._database = database
        self._statements = OrphanStatements(tables, traits)
        self._puts = puts

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._database!r}>"

    def reap(self) -> set[str]:
        """Forget dead owners, and put back what they had; return the queues."""
        statements = self._statements
        values = {"now": self._database.moment()}
        if not self._database.run(lambda c: self._are_there(c, values)):
            return set()

        def work(connection: Connection) -> set[str]:
            found = connection.execute(statements.lock_dead_owners, values)
            dead = set(found.scalars())
            if dead:
                gone = {"owners": sorted(dead)}
                connection.execute(statements.forget_owners, gone)
            dead.update(connection.execute(statements.orphans).scalars())
            queues = self.put_back(connection, dead)
            self._puts.tell(connection, queues)
            return queues

        return self._database.run(work)

    def _are_there(self, connection: Connection, values: dict[str, Any]) -> bool:
        dead = connection.execute(self._statements.dead_owners, values).first()
        return bool(dead or connection.execute(self._statements.orphans).first())

    def put_back(self, connection: Connection, owners: Iterable[str]) -> set[str]:
        """Put back what *owners* have claimed; return the queues it is in."""
        values = {"owners": sorted(owners)}
        if not values["owners"]:
            return set()
        statements = self._statements
        queues = set(connection.execute(statements.queues_of, values).scalars())
        if queues:
            connection.execute(statements.put_back, values)
        return queues
