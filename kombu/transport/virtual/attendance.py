"""Who consumes from a queue, in all processes, and who of them is to be served.

A queue with a *single active consumer* serves one of them: that of the highest
priority, then the one that came first.  On other queues a consumer stands back
while there is one of a higher priority that has room for a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport.virtual.records import CONSUMER

if TYPE_CHECKING:
    from kombu.transport.virtual.records import RecordStore

__all__ = ("Attendance", "Attendee", "consumer_key")


class Attendee(NamedTuple):
    """One consumer, anywhere.

    Attributes:
        key: Name of its record: owner, channel and tag.
        owner: Id of its connection.
        priority: Its ``x-priority``.
        since: When it began, by the store's clock.
        has_room: Whether it may take another message.
    """

    key: str
    owner: str
    priority: int
    since: float
    has_room: bool


class Attendance:
    """The consumers of a broker's queues.

    Arguments:
        records: Where they are noted.
    """

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: by {self._records!r}>"

    def enter(self, queue: str, attendee: Attendee) -> None:
        """Note that *attendee* consumes from *queue*, or what has changed of it."""
        value: dict[str, Any] = {**attendee._asdict(), "queue": queue}
        self._records.write(CONSUMER, value.pop("key"), value, group=queue)

    def leave(self, queue: str, key: str) -> None:
        """Note that the consumer *key* of *queue* has gone."""
        self._records.remove(CONSUMER, key, group=queue)

    def forget(self, queue: str, owner: str) -> None:
        """Note that no consumer of *owner* is to count for *queue* any more."""
        for key, value in self._records.read(CONSUMER, queue).items():
            if value["owner"] == owner:
                self.leave(queue, key)

    def consumers(self, queue: str) -> list[Attendee]:
        """Return the consumers of *queue* that live, in the order of service."""
        found = self._records.read(CONSUMER, queue)
        if not found:
            return []
        alive = self._records.live_owners()
        attendees = [
            Attendee(
                key,
                value["owner"],
                value["priority"],
                value["since"],
                value["has_room"],
            )
            for key, value in found.items()
            if value["owner"] in alive
        ]
        return sorted(attendees, key=lambda one: (-one.priority, one.since, one.key))

    def active(self, queue: str) -> str | None:
        """Return the key of the consumer that a single-consumer queue serves."""
        consumers = self.consumers(queue)
        return consumers[0].key if consumers else None

    def is_outranked(self, queue: str, priority: int) -> bool:
        """Return whether a consumer of a higher priority waits for messages."""
        return any(
            one.priority > priority and one.has_room for one in self.consumers(queue)
        )

    def dead(self) -> dict[str, str]:
        """Return the queues of consumers whose owner is dead, by their keys."""
        # In this order: an owner has its lease before its first consumer.
        found = self._records.read(CONSUMER)
        alive = self._records.live_owners() if found else ()
        return {
            key: value["queue"]
            for key, value in found.items()
            if value["owner"] not in alive
        }


def consumer_key(owner: str, channel: int, tag: str) -> str:
    """Return the name of a consumer's record."""
    return f"{owner}/{channel}/{tag}"
