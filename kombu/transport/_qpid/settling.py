"""Settling on a channel: what becomes of the messages that the application has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import proton

from kombu import exceptions
from kombu.transport._amqp.errors import StaleDelivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._qpid.links import Incoming

__all__ = ("Settling", "accept")


class Settling:
    """The part of a channel that settles."""

    dialect: Any
    drop_link: Callable[..., None]
    raise_if_lost: Callable[[], None]
    is_left_over: Callable[[Incoming], bool]
    _connection_in_use: Callable[[], Any]

    def _begin_settling(self) -> None:
        #: What is not settled, by delivery tag, in order.
        self._unsettled: dict[int, tuple[Any, Incoming]] = {}
        #: Delivery tags up to this are of a session that is over; and the last.
        self._base = self._last_tag = 0

    def note_delivery(self, link: Incoming, delivery: Any, is_settled: bool) -> int:
        """Return the tag of what has come.  The lock is held."""
        self._last_tag += 1
        if is_settled:
            delivery.settle()
        else:
            self._unsettled[self._last_tag] = delivery, link
        return self._last_tag

    def accept_if_unsettled(self, tag: int) -> None:
        """Accept what needs no acknowledgement, if the broker did not settle it."""
        if tag in self._unsettled:
            self._settle([tag], accept)

    def drop_unsettled(self, link: Incoming) -> None:
        """Forget what came by *link*, which the broker has ended.  The lock is held."""
        for tag in [t for t, (_, by) in self._unsettled.items() if by is link]:
            del self._unsettled[tag]
        link.unsettled = 0

    def lose_unsettled(self) -> None:
        """Forget all: the session is over.  The lock is held."""
        self._unsettled.clear()
        self._base = self._last_tag

    def basic_ack(self, delivery_tag: int, multiple: bool = False, **kw: Any) -> None:
        """Acknowledge a message, or all up to it."""
        self._settle(self._tags(delivery_tag, multiple), accept)

    def basic_reject(self, delivery_tag: int, requeue: bool = False, **kw: Any) -> None:
        """Refuse a message: back to its queue, or as the queue says of dead letters."""
        self._refuse(self._tags(delivery_tag, False), requeue)

    def basic_nack(
        self, delivery_tag: int, multiple: bool = False, requeue: bool = True
    ) -> None:
        """Refuse a message, or all up to it."""
        self._refuse(self._tags(delivery_tag, multiple), requeue)

    def _refuse(self, tags: list[int], requeue: bool) -> None:
        dialect = self.dialect
        if requeue:
            self._settle(tags, dialect.give_back)
            return
        for tag in tags:
            _, link = self._unsettled.get(tag, (None, None))
            if link is not None:
                self._settle([tag], dialect.refusal(link.queue))

    def basic_recover(self, requeue: bool = True, **kwargs: Any) -> None:
        """Have all that is not acknowledged delivered again."""
        self._connection_in_use()
        self._settle(list(self._unsettled), self.dialect.give_back)

    def _tags(self, delivery_tag: int, multiple: bool) -> list[int]:
        self._connection_in_use()
        self.raise_if_lost()
        if multiple:
            tags = list(self._unsettled)
            if delivery_tag:
                tags = [tag for tag in tags if tag <= delivery_tag]
            return tags
        if delivery_tag in self._unsettled:
            return [delivery_tag]
        if delivery_tag <= self._base:
            raise StaleDelivery(
                f"delivery {delivery_tag} is of before the channel was closed: "
                "the message comes again"
            )
        raise exceptions.PreconditionFailed(
            f"delivery {delivery_tag} is not to be settled: it was before, or needs "
            "no acknowledgement",
            None,
            "",
            406,
        )

    def _settle(self, tags: list[int], action: Callable[[Any], None]) -> None:
        connection = self._connection_in_use()
        with connection.lock:
            for tag in tags:
                delivery, link = self._unsettled.pop(tag, (None, None))
                if delivery is None or link is None:
                    continue
                action(delivery)
                delivery.settle()
                link.on_settled()
                if not link.unsettled and self.is_left_over(link):
                    self.drop_link(link)
        connection.flush()

    def put_back(self, tag: int) -> None:
        """Give back a message that no callback has seen.  The lock is held."""
        delivery, link = self._unsettled.pop(tag, (None, None))
        if delivery is not None and link is not None:
            delivery.update(proton.Delivery.RELEASED)
            delivery.settle()
            link.on_settled()


def accept(delivery: Any) -> None:
    """Take a message for done."""
    delivery.update(proton.Delivery.ACCEPTED)
