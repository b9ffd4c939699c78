"""The channel: the kernel's hooks, over the tables."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu.transport.sqlalchemy._batch import PublishBatch
from kombu.transport.virtual.leased import LeasedChannel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from kombu.transport.sqlalchemy._broker import SqlBroker
    from kombu.transport.sqlalchemy._puts import Row
    from kombu.transport.virtual.claims import Claim

__all__ = ("Channel",)


class Channel(LeasedChannel):
    """A channel to a database."""

    supports_fanout = True
    supports_batch_publish = True
    do_restore = True

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._gathered = threading.local()

    @property
    def _broker(self) -> SqlBroker:
        return self.connection.broker  # type: ignore[no-any-return]

    # -- queues --------------------------------------------------------------------

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self._broker.queues.add(queue)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self._broker.queues.has(queue)

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self._broker.queues.delete(queue)

    def _purge(self, queue: str) -> int:
        return self._broker.queues.purge(queue)

    def _size(self, queue: str) -> int:
        return self._broker.queues.size(queue)

    def _size_bytes(self, queue: str) -> int:
        return self._broker.queues.size_bytes(queue)

    def _guard(self, queue: str) -> AbstractContextManager[Any]:
        return self._guarded(queue)

    @contextmanager
    def _guarded(self, queue: str) -> Iterator[None]:
        # What is put meanwhile is put at once.
        rows, self._gathered.rows = getattr(self._gathered, "rows", None), None
        try:
            broker = self._broker
            with broker.database.holding(broker.queues.lock(queue)):
                yield
        finally:
            self._gathered.rows = rows
        self.connection.wake_consumers_of((queue,))

    # -- putting -------------------------------------------------------------------

    def _put(self, queue: str, message: Any) -> None:  # type: ignore[override]
        row = self._broker.puts.row((queue,), message, self._rank(queue, message))
        self._put_row(row)

    def _put_into(self, queues: Iterable[str], message: Any) -> None:
        """Put one message into several queues, in one step."""
        by_rank: dict[int, list[str]] = {}
        for queue in queues:
            by_rank.setdefault(self._rank(queue, message), []).append(queue)
        rows = [
            self._broker.puts.row(dict.fromkeys(names), message, rank)
            for rank, names in by_rank.items()
        ]
        if len(rows) == 1:
            self._put_row(rows[0])
        elif getattr(self._gathered, "rows", None) is not None:
            self._gathered.rows += rows
        else:
            self.put_rows(rows)

    def _put_row(self, row: Row) -> None:
        gathered = getattr(self._gathered, "rows", None)
        if gathered is not None:
            gathered.append(row)
            return
        self._broker.puts.put(row)
        self.connection.wake_consumers_of(row.queues)

    def put_rows(self, rows: Sequence[Row]) -> None:
        """Put messages, all of them or none."""
        self._broker.puts.put_many(rows)
        for row in rows:
            self.connection.wake_consumers_of(row.queues)

    @contextmanager
    def gathering(self, rows: list[Row]) -> Iterator[None]:
        """Have this thread add to *rows* what it would put."""
        self._gathered.rows = rows
        try:
            yield
        finally:
            self._gathered.rows = None

    def create_publish_batch(self, max_size: int = 100) -> PublishBatch:
        """Return a batch of up to *max_size* messages, put in one transaction."""
        return PublishBatch(self, max_size)

    # -- claims --------------------------------------------------------------------

    def _claim(self, queues: Sequence[str], limit: int) -> list[Claim]:
        return self._broker.claims.claim(queues, limit, self.owner)

    def _claim_expired(self, queue: str, limit: int) -> list[Claim]:
        return self._broker.claims.claim_expired(queue, limit, self.owner)

    def _settle(self, claims: Sequence[Claim]) -> None:
        self._broker.settling.settle(claims)

    def _release(self, claims: Sequence[Claim]) -> None:
        self._broker.settling.release(claims)
        self.connection.wake_consumers_of({claim.queue for claim in claims})

    def _move(self, claim: Claim, copies: Sequence[tuple[str, Any]]) -> None:
        rows = [
            self._broker.puts.row((queue,), envelope, self._rank(queue, envelope))
            for queue, envelope in copies
        ]
        self._broker.settling.move(claim, rows)
        self.connection.wake_consumers_of([queue for queue, _ in copies])

    def _reap(self) -> Collection[str]:
        return self._broker.orphans.reap()

    # -- time ----------------------------------------------------------------------

    def _store_time(self) -> float:
        return self._broker.database.now()

    def _next_due(self, queues: Iterable[str]) -> float | None:
        return self._broker.looks.next_moment(queues)

    def _cancel_delayed(self, queue: str, message_id: str) -> bool:
        return self._broker.looks.cancel(queue, message_id)

    # -- names of kombu 5.7 ----------------------------------------------------------

    @property
    def queue_cls(self) -> Any:
        """The model of a queue, for SQLAlchemy's ORM."""
        return self.connection.models.queue

    @property
    def message_cls(self) -> Any:
        """The model of a message, for SQLAlchemy's ORM."""
        return self.connection.models.message

    @property
    def session(self) -> Any:
        """A new session of SQLAlchemy's ORM; nothing here uses one."""
        from sqlalchemy.orm import Session

        return Session(self._broker.database.engine())
