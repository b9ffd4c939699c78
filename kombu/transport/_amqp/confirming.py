"""The part of a channel that is told what the broker has, and waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amqp import exceptions as amqp_errors

from kombu import exceptions
from kombu.log import get_logger
from kombu.transport._amqp.confirms import timeout_error
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.confirms import Confirmation, Confirmations
    from kombu.transport._amqp.parser import Confirmed

__all__ = ("Confirming",)

logger = get_logger(__name__)


class Confirming:
    """Settles what was published, and waits for that."""

    connection: Any
    events: Any
    _connection_in_use: Any
    _confirmations: Confirmations | None

    # -- being told ------------------------------------------------------------------

    def on_confirmed(self, event: Confirmed) -> None:
        """Settle what the broker confirms."""
        confirmations = self._confirmations
        if confirmations is not None:
            confirmations.settle(event.delivery_tag, event.multiple, event.nacked)
        listeners = self.events.get("basic_nack" if event.nacked else "basic_ack")
        for listener in tuple(listeners or ()):
            listener(event.delivery_tag, event.multiple)

    def _on_basic_return(
        self,
        reply_code: int,
        reply_text: str,
        exchange: str,
        routing_key: str,
        message: Any,
    ) -> None:
        if self.events["basic_return"]:
            error = amqp_errors.error_for_code(
                reply_code, reply_text, (50, 60), amqp_errors.ChannelError
            )
            for listener in tuple(self.events["basic_return"]):
                listener(error, exchange, routing_key, message)
            return
        unroutable = exceptions.UnroutableError(exchange, routing_key)
        confirmations = self._confirmations
        if confirmations is None or not confirmations.note_return(
            exchange, routing_key, unroutable, message.body
        ):
            logger.warning("A message came back: %s", unroutable)

    # -- waiting ---------------------------------------------------------------------

    def wait_for_confirms(
        self,
        timeout: float | None = None,
        is_done: Callable[[], bool] | None = None,
        confirmation: Confirmation | None = None,
    ) -> None:
        """Wait until all that was published up to now is confirmed.

        Arguments:
            timeout: Seconds to wait; without limit if not given.
            is_done: What to wait for instead.
            confirmation: The one that is waited for, if it is one.

        Raises:
            ConfirmTimeout: It was not in time.
            Unconfirmed: Some were refused, or returned.
        """
        connection = self._connection_in_use()
        confirmations = self._confirmations
        deadline = None if timeout is None else waiting.monotonic() + timeout
        try:
            connection.wait_until(is_done or self._all_so_far(confirmations), deadline)
        except TimeoutError as exc:
            publication = confirmation.publication if confirmation else None
            raise timeout_error(publication, timeout) from exc
        finally:
            connection.announce_deliveries()
        if is_done is None and confirmations is not None:
            confirmations.raise_failures()

    def _all_so_far(self, confirmations: Confirmations | None) -> Callable[[], bool]:
        """Return whether what is outstanding now is, by then, not any more.

        Others may go on publishing meanwhile.
        """
        if confirmations is None:
            return lambda: True
        last = confirmations.last
        return lambda: (
            self._confirmations is not confirmations or confirmations.has_settled(last)
        )

    def wait_until_published(self, timeout: float | None = None) -> None:
        """Wait until the broker has what was published up to now, as on closing.

        Arguments:
            timeout: Seconds to wait; by default ``close_timeout``.

        Raises:
            ConfirmTimeout: It did not say so in time.
            Unconfirmed: It refused some, or returned them.
            ChannelError: It has closed the channel because of one of them.
            ConnectionLost: The connection was lost; the next one publishes them
                again.
        """
        connection = self.connection
        if connection is None:
            return
        confirmations = self._confirmations
        if confirmations is not None and confirmations.is_waited_for:
            if timeout is None:
                timeout = connection.options.patience_at_close
            try:
                self.wait_for_confirms(timeout)
            except exceptions.OperationalError:
                confirmations.give_up_waiting()
                raise
        self.raise_if_lost()  # type: ignore[attr-defined]

    def make_room(self, window: int) -> None:
        """Wait until half of *window* is free."""
        self.wait_for_confirms(
            self._connection_in_use().options.confirm_timeout,
            lambda: len(self._confirmations or ()) <= window // 2,
        )

    def flush_before_close(self, deadline: float | None = None) -> None:
        """Wait for what is outstanding; what fails is but logged.

        Arguments:
            deadline: Moment at which to give up, if sooner than ``close_timeout``.
        """
        if not self._confirmations:
            return
        left = None if deadline is None else max(0.0, deadline - waiting.monotonic())
        try:
            self.wait_until_published(left)
        except (exceptions.OperationalError, amqp_errors.AMQPError, OSError) as exc:
            logger.error("Closing a channel: %s", exc)
