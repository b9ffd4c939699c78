"""What has to be done because time goes by, by whoever is there to do it.

A sweep puts back what dead owners had in hand, buries what has expired, and
deletes queues that nobody uses any more.  Any process may do any of it, several
at once too: each step is one of the store's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.transport.virtual.records import USE
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("Sweeper",)

logger = get_logger(__name__)

#: What part of a lease passes between two sweeps.
SWEEPS_PER_LEASE = 4


class Sweeper:
    """Sweeps a store through a channel.

    Arguments:
        channel: A channel; what consumes by it is not concerned.
        is_in_turn: Whether nobody else sweeps for this connection, so that it
            is to be done in between.
    """

    def __init__(self, channel: Any, is_in_turn: bool) -> None:
        self._channel = channel
        self._is_in_turn = is_in_turn
        self._interval = channel.visibility_timeout / SWEEPS_PER_LEASE
        self._swept_at = waiting.monotonic()
        self._clocks = (self._swept_at, channel._store_time())

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: every {self._interval:g} s by {self._channel!r}>"
        )

    def close(self) -> None:
        """Close the channel that it sweeps by."""
        self._channel.close()

    def idle(self) -> float | None:
        """Do what is due; return the seconds until something else will be."""
        channel = self._channel
        now = channel._store_time()
        due = self._next_due()
        if due is not None and due <= now:
            self.tend()
            due = self._next_due()
        pause = due - now if due is not None and due > now else None
        if self._is_in_turn:
            left = self._swept_at + self._interval - waiting.monotonic()
            if left <= 0:
                self.sweep()
                left = self._interval
            pause = left if pause is None else min(pause, left)
        return pause

    def sweep(self) -> None:
        """Put back what the dead had, and do what is due."""
        self._swept_at = waiting.monotonic()
        channel = self._channel
        channel._refresh()
        if self._has_clock_jumped():
            # The living could not renew their leases by this clock yet.
            return
        if channel._leases:
            channel._qos.give_back_claimed()  # what could not be buried
        if channel._reap():
            channel.connection.wake()
        self._forget_dead_consumers()
        self.tend()

    def tend(self) -> None:
        """Bury what has expired; delete queues that were not used for long."""
        self._channel._bury_what_is_due()
        now = self._channel._store_time()
        for name, moment in self._expiring_queues():
            if moment > now:
                continue
            if self._channel.connection.attendance.consumers(name):
                self._channel._queue_was_used(name)
            else:
                logger.info("Queue %r was not used for long: deleting it", name)
                self._delete(name)

    def _has_clock_jumped(self) -> bool:
        """Return whether the store's clock has gone on more than time has."""
        clocks = (self._swept_at, self._channel._store_time())
        passed, store_passed = (
            after - before for before, after in zip(self._clocks, clocks, strict=True)
        )
        self._clocks = clocks
        return bool(store_passed - passed > self._interval)

    def _next_due(self) -> float | None:
        channel = self._channel
        queues = {*channel._mortal_queues(), *channel.connection._callbacks}
        moments = [moment for _, moment in self._expiring_queues()]
        due = channel._next_due(tuple(queues)) if queues else None
        if due is not None:
            moments.append(due)
        return min(moments, default=None)

    # -- queues that nobody uses ---------------------------------------------------

    def _expiring_queues(self) -> Iterator[tuple[str, float]]:
        """Return the queues that expire, each with the moment when it does."""
        channel = self._channel
        lives = {
            name: policy.expires / 1000
            for name, policy in tuple(channel.state.policies.items())
            if policy.expires is not None
        }
        if not lives:
            return
        uses = channel.connection.records.read(USE)
        for name, seconds in lives.items():
            if name in uses:
                yield name, uses[name]["at"] + seconds
            else:
                channel._queue_was_used(name)

    def _forget_dead_consumers(self) -> None:
        """Forget consumers that have died, and delete queues that they leave behind."""
        channel = self._channel
        attendance = channel.connection.attendance
        # The queues first: an owner has its lease before it has a queue.
        declared = [
            (queue.name, queue.owner, queue.auto_delete)
            for queue in tuple(channel.state.queues.values())
        ]
        dead = attendance.dead()
        left = set(dead.values())
        alive = channel.connection.records.live_owners()
        for name, owner, auto_delete in declared:
            is_orphan = owner is not None and owner not in alive
            is_left = auto_delete and name in left
            if is_orphan and self._has_new_owner(name, owner):
                continue
            if is_orphan or (is_left and not attendance.consumers(name)):
                self._delete(name)
        for key, queue in dead.items():
            channel._queue_was_used(queue)
            attendance.leave(queue, key)

    def _has_new_owner(self, queue: str, owner: str | None) -> bool:
        """Return whether another connection than *owner* has taken *queue* over."""
        self._channel._refresh()
        current = self._channel.state.queues.get(queue)
        return current is None or current.owner != owner

    def _delete(self, name: str) -> None:
        self._channel._delete_queue(name)
        self._channel.connection.records.remove(USE, name)
