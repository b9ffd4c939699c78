"""Links: the ways that messages go out and come in by, and the credit of each.

A link is known to the connection by its name.  What the broker says of it arrives
here, under the lock of the connection, from whichever thread reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import proton

from kombu.transport._qpid.engine import condition_of, remote_condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._qpid.errors import Condition

__all__ = ("Incoming", "Link", "Outgoing")

#: The kind of terminus that says that there is none.
_NOWHERE = 0


class Link:
    """What both kinds have.

    Arguments:
        endpoint: The link of the library; not open yet.
        what: What it is for, in errors.
    """

    def __init__(self, endpoint: Any, what: str) -> None:
        self.endpoint = endpoint
        self.what = what
        #: Whether the broker has answered.
        self.is_answered = False
        #: Why the broker refused or ended it.
        self.condition: Condition | None = None
        #: Whether it is over on our side, and on both.
        self.is_closed = self.is_ended = False

    def __repr__(self) -> str:
        state = (
            "closed"
            if self.is_closed
            else "refused"
            if self.condition
            else "open"
            if self.is_usable
            else "opening"
        )
        return f"<{type(self).__name__}: {self.what}, {state}>"

    @property
    def is_usable(self) -> bool:
        """Whether it is open on both sides."""
        return self.is_answered and self.condition is None and not self.is_closed

    @property
    def is_settled(self) -> bool:
        """Whether it is known what becomes of it: it is open, or refused."""
        return self.is_usable or self.condition is not None

    def on_open(self) -> None:
        """The broker has answered; if it offers nothing, it is going to say why."""
        if self._remote_terminus().type != _NOWHERE:
            self.is_answered = True

    def on_close(self) -> None:
        """The broker has ended it, or left it: for us that is the same."""
        self.is_ended = True
        if not self.is_closed:
            self.condition = remote_condition(self.endpoint) or condition_of()
            self.close()

    def on_flow(self) -> None:
        """Credit has changed."""

    def on_delivery(self, delivery: Any) -> None:
        """Something has come of a delivery."""

    def close(self) -> None:
        """End it on our side."""
        if not self.is_closed:
            self.is_closed = True
            self.endpoint.close()

    def _remote_terminus(self) -> Any:
        raise NotImplementedError


class Outgoing(Link):
    """Where messages go.

    Arguments:
        endpoint: The sender of the library.
        what: What it is for, in errors.
        on_outcome: Called with the tag, state and condition of each delivery.
    """

    def __init__(
        self,
        endpoint: Any,
        what: str,
        on_outcome: Callable[[str, int, Condition | None], None],
    ) -> None:
        super().__init__(endpoint, what)
        self._on_outcome = on_outcome
        #: Called with this if the broker ends the link.
        self.on_lost: Callable[[Outgoing], None] | None = None

    def _remote_terminus(self) -> Any:
        return self.endpoint.remote_target

    def on_close(self) -> None:
        """The broker has ended it: what it has not settled is lost."""
        was_closed = self.is_closed
        super().on_close()
        if self.on_lost is not None and not was_closed:
            self.on_lost(self)

    @property
    def has_credit(self) -> bool:
        """Whether the broker takes another message."""
        return bool(self.endpoint.credit > 0)

    @property
    def has_unsent(self) -> bool:
        """Whether messages wait here until the broker takes more."""
        return bool(self.endpoint.queued > 0)

    def send(self, tag: str, data: bytes, settled: bool) -> None:
        """Send *data*, as soon as the broker takes it.

        Arguments:
            tag: What the outcome is told by.
            data: The message.
            settled: Whether no outcome is wanted.
        """
        delivery = self.endpoint.delivery(tag)
        self.endpoint.stream(data)
        self.endpoint.advance()
        if settled:
            delivery.settle()

    def on_delivery(self, delivery: Any) -> None:
        """Tell the outcome of a delivery."""
        if not delivery.updated and not delivery.settled:
            return
        state = delivery.remote_state
        if not state and not delivery.settled:
            return
        condition = None
        if state == proton.Delivery.REJECTED:
            condition = condition_of(delivery.remote.condition)
        tag = delivery.tag
        delivery.settle()
        self._on_outcome(str(tag), int(state), condition)


class Incoming(Link):
    """Where messages come from, for one consumer.

    Never are more messages on their way, put aside and unsettled than the prefetch
    count, if there is one; if not, there is a window of credit that is filled again
    when half of it is used.

    Arguments:
        endpoint: The receiver of the library.
        what: What it is for, in errors.
        window: Most that are sent ahead.
        is_limited: Whether unsettled messages count.
        on_message: Called with this, a delivery, its bytes, and whether it is settled.
    """

    def __init__(
        self,
        endpoint: Any,
        what: str,
        window: int,
        is_limited: bool,
        on_message: Callable[[Incoming, Any, bytes, bool], None],
    ) -> None:
        super().__init__(endpoint, what)
        self._on_message = on_message
        self.window = window
        self.is_limited = is_limited
        #: Messages that may still come for what we have granted.
        self.granted = 0
        #: Messages that are put aside, or in the hands of the application.
        self.unsettled = 0
        self.is_paused = False
        self.is_drained = True
        #: The queue, as applications call it.
        self.queue = ""
        #: How often the broker has answered credit.
        self.flows = 0
        #: Called with this if the broker ends the link.
        self.on_lost: Callable[[Incoming], None] | None = None

    def _remote_terminus(self) -> Any:
        return self.endpoint.remote_source

    def on_close(self) -> None:
        """The broker has ended it, as its queue was deleted."""
        was_closed = self.is_closed
        super().on_close()
        if self.on_lost is not None and not was_closed:
            self.on_lost(self)

    def has_changed(self, granted: int) -> bool:
        """Whether something has come since it was *granted*, or nothing will."""
        return self.granted != granted or not self.is_usable

    @property
    def is_quiet(self) -> bool:
        """Whether nothing more comes by it."""
        return self.is_drained or not self.is_usable

    def grant(self) -> None:
        """Give the broker credit for what there is room for."""
        if self.is_closed or self.is_paused:
            return
        room = self.window - self.granted
        if self.is_limited:
            room -= self.unsettled
        elif room <= self.window // 2 and self.granted:
            return
        if room > 0:
            self.granted += room
            self.endpoint.flow(room)

    def ask(self, count: int) -> None:
        """Have the broker send *count* messages, or say that it has none."""
        self.granted += count
        self.is_drained = False
        self.endpoint.drain(count)

    def pause(self) -> None:
        """Have the broker send what is on its way, and then nothing."""
        self.is_paused = True
        if self.granted:
            self.is_drained = False
            self.endpoint.drain(0)

    def resume(self) -> None:
        """Undo :meth:`pause`."""
        self.is_paused = False
        self.grant()

    def on_flow(self) -> None:
        """Note that the broker has answered, and that it has nothing more to send."""
        self.flows += 1
        if not self.is_drained and not self.endpoint.draining():
            self.endpoint.drained()
            self.granted = 0
            self.is_drained = True

    def on_delivery(self, delivery: Any) -> None:
        """Take in a message, once all of it has come."""
        if not delivery.readable or delivery.partial or delivery.aborted:
            return
        data = self.endpoint.recv(delivery.pending) or b""
        is_settled = bool(delivery.settled)
        self.endpoint.advance()
        self.granted -= 1
        if not is_settled:
            self.unsettled += 1
        self._on_message(self, delivery, bytes(data), is_settled)
        if not self.granted and not self.is_drained:
            self.on_flow()

    def on_settled(self) -> None:
        """Note that the application is done with a message."""
        self.unsettled -= 1
        if self.is_limited:
            self.grant()
