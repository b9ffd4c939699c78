"""The consumers of a channel among those of all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport.virtual.attendance import Attendee, consumer_key
from kombu.transport.virtual.declaring import DeclaringChannel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("AttendingChannel", "ConsumerRecord")


class ConsumerRecord:
    """One consumer of a channel.

    Attributes:
        attendee: How it is known to other processes.
    """

    __slots__ = (
        "arguments",
        "attendee",
        "callback",
        "no_ack",
        "on_cancel",
        "queue",
        "tag",
    )

    attendee: Attendee

    def __init__(
        self,
        tag: str,
        queue: str,
        no_ack: bool,
        callback: Callable[[Any], Any],
        on_cancel: Callable[[str], Any] | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.tag = tag
        self.queue = queue
        self.no_ack = no_ack
        self.callback = callback
        self.on_cancel = on_cancel
        self.arguments = arguments or {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.tag} of {self.queue}>"

    @property
    def priority(self) -> int:
        """Its ``x-priority``: what is higher is served first."""
        value = self.arguments.get("x-priority")
        return value if isinstance(value, int) else 0


class AttendingChannel(DeclaringChannel):
    """The part of a virtual channel that knows who else consumes."""

    channel_id: int

    #: Names of queues that serve some consumers before others.
    _selective: set[str]

    _records: dict[str, ConsumerRecord]
    _by_queue: dict[str, list[ConsumerRecord]]

    #: What the other processes were told of our room for messages.
    _has_told_room = True

    def _enter(self, record: ConsumerRecord) -> None:
        """Tell the other processes of a consumer."""
        queue, priority = record.queue, record.priority
        if priority:
            self._ask("consumer_priority")
            self._rank_consumers_of(queue)
        key = consumer_key(self.owner, self.channel_id, record.tag)
        since = self._store_time()
        record.attendee = Attendee(key, self.owner, priority, since, True)
        self._queue_was_used(queue)
        self.connection.attendance.enter(queue, record.attendee)

    def _enter_again(self) -> None:
        """Tell them again: they have taken us for dead."""
        for record in tuple(self._records.values()):
            self.connection.attendance.enter(record.queue, record.attendee)

    def _leave(self, record: ConsumerRecord) -> None:
        """Tell the other processes that a consumer has gone."""
        self._queue_was_used(record.queue)
        self.connection.attendance.leave(record.queue, record.attendee.key)
        if record.queue in self._selective:
            self.connection._others_may_be_served()

    def _rank_consumers_of(self, queue: str) -> None:
        """Have all processes look at priorities when they serve *queue*."""
        declared = self.state.queues.get(queue)
        if declared is None or declared.is_ranked:
            return
        declared.is_ranked = True
        self.state.queue_update(declared)
        topology = self.connection.topology
        if topology is not None:
            topology.write_queue(declared)

    def _is_served(self, queue: str) -> bool:
        """Return whether a consumer of this channel may have messages of *queue*."""
        if queue not in self._selective:
            return True
        records = self._by_queue.get(queue, ())
        policy = self.state.policies.get(queue)
        if policy is not None and policy.single_active_consumer:
            active = self.connection.attendance.active(queue)
            return any(record.attendee.key == active for record in records)
        best = max((record.priority for record in records), default=0)
        return not self.connection.attendance.is_outranked(queue, best)

    def _preferred(self, queue: str, records: list[ConsumerRecord]) -> Any:
        """Return those of *records*, consumers of *queue*, that are to be served."""
        policy = self.state.policies.get(queue)
        if policy is not None and policy.single_active_consumer:
            active = self.connection.attendance.active(queue)
            return [one for one in records if one.attendee.key == active]
        best = max(record.priority for record in records)
        return [record for record in records if record.priority == best]

    def _tell_room(self, has_room: bool) -> None:
        """Tell the others whether we may take messages of ranked queues."""
        if has_room == self._has_told_room:
            return
        self._has_told_room = has_room
        for record in tuple(self._records.values()):
            if record.queue in self._selective and not record.no_ack:
                record.attendee = record.attendee._replace(has_room=has_room)
                self.connection.attendance.enter(record.queue, record.attendee)
                self.connection._others_may_be_served()
