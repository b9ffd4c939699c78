"""Learning on a channel what became of the messages that were published."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import proton
from amqp import exceptions as amqp_errors

from kombu import exceptions
from kombu.log import get_logger
from kombu.transport._amqp.confirms import timeout_error
from kombu.transport._amqp.errors import ConnectionLost
from kombu.transport._amqp.outbox import outbox_of
from kombu.transport._qpid.confirms import Outcomes
from kombu.transport._qpid.errors import channel_error
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.confirms import Confirmation
    from kombu.transport._qpid.errors import Condition
    from kombu.transport._qpid.links import Outgoing

__all__ = ("Confirming",)

logger = get_logger(__name__)


class Confirming:
    """The part of a channel that is told of outcomes."""

    connection: Any
    dialect: Any
    events: dict[str, set[Any]]
    make_usable: Callable[[], Any]
    _connection_in_use: Callable[[], Any]
    _publish: Callable[..., Any]
    _senders: Any

    def _begin_confirming(self) -> None:
        self._outcomes = Outcomes()
        self._returned: deque[tuple[Confirmation, BaseException]] = deque()

    @property
    def _options(self) -> Any:
        return self._connection_in_use().options

    def _on_outcome(self, tag: str, state: int, condition: Condition | None) -> None:
        """Settle a message.  The lock is held."""
        confirmation = self._outcomes.pop(tag)
        if confirmation is None:
            return
        publication = confirmation.publication
        if state == proton.Delivery.ACCEPTED:
            self._outcomes.settle(confirmation, None)
        elif self.dialect.is_unroutable(state, condition):
            self._note_unroutable(confirmation, publication.mandatory)
        else:
            error = publication.refusal()
            if condition is not None:
                error.__cause__ = channel_error(condition, publication.name)
            self._outcomes.settle(confirmation, error)

    def _on_sender_lost(self, sender: Outgoing) -> None:
        """Note that the broker has ended a link.  The lock is held."""
        for confirmation in self._outcomes.of_link(sender):
            publication = confirmation.publication
            condition = sender.condition
            if condition is None:
                continue
            error = channel_error(condition, publication.name)
            if isinstance(error, exceptions.NotFound) and not publication.exchange:
                self._note_unroutable(confirmation, publication.mandatory)
            else:
                self._outcomes.settle(confirmation, error)

    def _note_unroutable(self, confirmation: Confirmation, is_mandatory: bool) -> None:
        """Note that a message reached no queue: only if it is mandatory that matters."""
        _, exchange, routing_key, _ = confirmation.publication
        error: BaseException | None = None
        if is_mandatory:
            error = exceptions.UnroutableError(exchange, routing_key)
            if self.events["basic_return"]:
                self._returned.append((confirmation, error))
                error = None
        self._outcomes.settle(confirmation, error)

    def tell_of_returns(self) -> None:
        """Call who wants to know of returned messages."""
        while self._returned:
            with suppress(IndexError):  # another thread was faster
                confirmation, error = self._returned.popleft()
                message, exchange, routing_key, _ = confirmation.publication
                for listener in tuple(self.events["basic_return"]):
                    listener(error, exchange, routing_key, message)

    def lose_confirmations(self, error: BaseException) -> None:
        """Settle all with *error*: the session is over.  The lock is held."""
        self._senders.clear()
        for confirmation in self._outcomes.give_up():
            confirmation.settle(error)

    def keep_unconfirmed(self, error: BaseException) -> None:
        """Keep what is not confirmed: the connection is lost.  The lock is held."""
        self._senders.clear()
        left = self._outcomes.give_up()
        lost = ConnectionLost(f"not confirmed, the connection was lost: {error}")
        for confirmation in left:
            if confirmation.is_watched:
                confirmation.settle(lost)
        again = [confirmation for confirmation in left if not confirmation.is_done]
        connection = self.connection
        if again and connection is not None and connection.client is not None:
            outbox_of(connection.client).put(again)

    def _publish_again(self, connection: Any) -> None:
        """Publish what was lost with the connection before."""
        if connection.client is None:
            return
        outbox = outbox_of(connection.client)
        left = outbox.take()
        try:
            while left:
                confirmation = left[0]
                if not confirmation.is_done:
                    confirmation.channel = self
                    self._publish(
                        connection, confirmation.publication, True, None, confirmation
                    )
                left.pop(0)
        finally:
            outbox.put(left)

    def publish_what_was_lost(self) -> None:
        """Publish what was lost with the connection before, if there is something."""
        self._publish_again(self.make_usable())

    def wait_for_confirms(
        self,
        timeout: float | None = None,
        is_done: Callable[[], bool] | None = None,
        confirmation: Confirmation | None = None,
    ) -> None:
        """Wait until the outcome of all that was published is known.

        Arguments:
            timeout: Seconds to wait; without limit if not given.
            is_done: What to wait for instead.
            confirmation: The one that is waited for, if it is one.

        Raises:
            ConfirmTimeout: It was not in time.
            Unconfirmed: Some were refused.
        """
        connection = self._connection_in_use()
        deadline = None if timeout is None else waiting.monotonic() + timeout
        try:
            connection.wait_until(is_done or (lambda: not self._outcomes), deadline)
        except TimeoutError as exc:
            publication = confirmation.publication if confirmation else None
            raise timeout_error(publication, timeout) from exc
        finally:
            connection.announce_deliveries()
        if is_done is None:
            self._outcomes.raise_failures()
        self.tell_of_returns()

    def _is_all_sent(self) -> bool:
        """Whether nothing is outstanding, and nothing waits to be sent."""
        waiting_here = any(
            sender.is_usable and sender.has_unsent for sender in self._senders.values()
        )
        return not self._outcomes and not waiting_here

    def _make_room(self, window: int) -> None:
        self.wait_for_confirms(
            self._options.confirm_timeout, lambda: len(self._outcomes) <= window // 2
        )

    def flush_before_close(self) -> None:
        """Wait for what is outstanding; what fails is but logged."""
        try:
            self.wait_for_confirms(self._options.close_timeout, self._is_all_sent)
            self._outcomes.raise_failures()
        except (exceptions.OperationalError, amqp_errors.AMQPError, OSError) as exc:
            logger.error("Closing a channel: %s", exc)
