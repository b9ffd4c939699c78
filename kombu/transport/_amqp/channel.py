"""A channel: its life, from the opening to the closing.

A channel that the broker has closed, because of something that was wrong, opens again
when it is used next; consumers and unacknowledged messages are gone with the old one.
So delivery tags go on counting: those from before are known to be stale.

What is done on it is in parts: :mod:`publishing`, :mod:`confirming`, :mod:`consuming`,
:mod:`declaring` and :mod:`answering`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from amqp import Channel as AMQPChannel
from amqp import exceptions as amqp_errors

from kombu import exceptions
from kombu.log import get_logger
from kombu.transport._amqp.answering import Answering
from kombu.transport._amqp.confirming import Confirming
from kombu.transport._amqp.consuming import Consuming
from kombu.transport._amqp.declaring import Declaring
from kombu.transport._amqp.encoding import Encoder
from kombu.transport._amqp.errors import ChannelLost, ConnectionLost
from kombu.transport._amqp.message import DecodedProperties
from kombu.transport._amqp.message import Message as ReceivedMessage
from kombu.transport._amqp.publishing import Publishing
from kombu.transport._amqp.settled import SettledTags
from kombu.transport.base import StdChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.confirms import Confirmations

__all__ = ("Channel",)

logger = get_logger(__name__)

#: Errors that the broker closes a channel with, as ours.
_ERRORS = {
    404: "NotFound",
    405: "ResourceLocked",
    406: "PreconditionFailed",
}

#: Methods that are sent on a channel that is closed: open, close, close-ok.
_OF_CLOSED_CHANNELS = frozenset({(20, 10), (20, 40), (20, 41)})


class Channel(
    Publishing,
    Confirming,
    Consuming,
    Declaring,
    Answering,
    AMQPChannel,  # type: ignore[misc]
    StdChannel,
):
    """A channel.

    Arguments:
        connection: The connection.
        channel_id: Its number, if not the next that is free.
        auto_decode: Has no effect.
        on_open: Called once it is open.
    """

    Message = ReceivedMessage

    def __init__(
        self,
        connection: Any,
        channel_id: int | None = None,
        auto_decode: bool = True,
        on_open: Any = None,
    ) -> None:
        #: Why the broker has closed it, if nobody knows yet.
        self._lost: BaseException | None = None
        self._is_to_reopen = False
        self._rpc_lock = threading.RLock()
        self._publish_lock = threading.Lock()
        self._confirmations: Confirmations | None = None
        self._decoded = DecodedProperties()
        #: Delivery tags up to this are of before the channel was closed; and the
        #: last that was seen.
        self._base = self._last_tag = 0
        #: What was settled since it was opened.
        self.settled = SettledTags()
        super().__init__(connection, channel_id, auto_decode, on_open)
        self._encoder = Encoder(self.channel_id, connection.frame_max)

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__}: {self.channel_id} {state}>"

    # -- whether it can be used ----------------------------------------------------

    def _connection_in_use(self) -> Any:
        connection = self.connection
        if connection is None:
            raise self._lost or ConnectionLost("the channel is closed")
        return connection

    def raise_if_lost(self) -> None:
        """Raise why the broker has closed the channel, if nobody knows yet."""
        error = self._lost
        if error is not None and self.connection is not None:
            self._lost = None
            raise error.with_traceback(None)

    def on_told(self, error: BaseException) -> None:
        """Note that who waited for an answer knows why the channel was closed."""
        if self._lost is error:
            self._lost = None

    def make_usable(self) -> Any:
        """Open the channel again if the broker has closed it.

        Returns:
            The connection.

        Raises:
            ChannelError: It was closed, and nobody knows yet.
        """
        connection = self._connection_in_use()
        if self._lost is not None:
            self.raise_if_lost()
        if self._is_to_reopen:
            with self._rpc_lock:
                if self._is_to_reopen:
                    self.open()
                    # Not before: others would use it at once.
                    self._is_to_reopen = False
        return connection

    def check_open(self) -> None:
        """See that the broker has not closed the channel meanwhile.

        Called when nobody else can send: what is sent on a channel that is closed
        costs the connection.

        Raises:
            ChannelError: It has.
        """
        if self._is_to_reopen:
            self.raise_if_lost()
            raise ChannelLost("the broker has closed the channel: try again")

    def before_method(self, sig: tuple[int, int]) -> Callable[[], None] | None:
        """Return what sees that the channel is open, for methods that want that."""
        return None if sig in _OF_CLOSED_CHANNELS else self.check_open

    # -- losing it -------------------------------------------------------------------

    def _on_close(
        self, reply_code: int, reply_text: str, class_id: int, method_id: int
    ) -> None:
        error = _error_of(reply_code, reply_text, (class_id, method_id))
        self.is_open = False
        self._is_to_reopen = True
        self._base = self._last_tag
        self.settled = SettledTags()
        self.callbacks.clear()
        self.cancel_callbacks.clear()
        self.no_ack_consumers = set()
        self.connection.forget_deliveries(self)
        self._lost = error
        self.fail_answers(error)
        self._give_up_confirmations(error)
        self.send_method((20, 41))

    def _give_up_confirmations(self, error: BaseException) -> None:
        """Settle what is not confirmed: which of it has caused *error* is not said."""
        confirmations, self._confirmations = self._confirmations, None
        left = confirmations.give_up() if confirmations else []
        unseen = [c for c in left if not c.is_watched]
        if unseen:
            logger.error(
                "The broker has closed a channel, and %d messages that were published "
                "on it are not confirmed, the first of them %s: %s",
                len(unseen),
                unseen[0].publication.name,
                error,
            )
        for confirmation in left:
            confirmation.settle(error)

    def on_connection_lost(self, error: BaseException) -> None:
        """Note that the connection is lost: what is not confirmed may be lost too."""
        connection = self.connection
        self._lost = ConnectionLost(f"the connection was lost: {error}")
        self.is_open = False
        confirmations, self._confirmations = self._confirmations, None
        left = confirmations.give_up() if confirmations else []
        lost = ConnectionLost(f"not confirmed, the connection was lost: {error}")
        again = [c for c in left if not c.is_watched]
        if again and connection is not None:
            connection.outbox.put(again)
        for confirmation in left:
            if confirmation.is_watched:
                confirmation.settle(lost)

    def collect(self) -> None:
        """Forget the connection."""
        with suppress(AttributeError):  # of a connection that is gone
            super().collect()
        self.connection = None
        self.settled = SettledTags()

    def close(self, *args: Any, **kwargs: Any) -> None:
        """Close the channel, once what was published on it is confirmed.

        It takes no longer than ``close_timeout``, and a few seconds for the broker
        to answer.
        """
        connection = self.connection
        if connection is None or not connection.connected:
            self.collect()
            return
        self.flush_before_close()
        lost, self._lost = self._lost, None
        if lost is not None:
            logger.error("The broker has closed a channel: %s", lost)
        if self._is_to_reopen or not connection.connected:
            self.collect()
            return
        with connection.politely("channel.close"), self._rpc_lock:
            super().close(*args, **kwargs)
        connection.forget_deliveries(self)
        self.collect()

    def prepare_queue_arguments(
        self, arguments: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Turn options of a queue into arguments of RabbitMQ."""
        from kombu.transport.base import to_rabbitmq_queue_arguments

        arguments = to_rabbitmq_queue_arguments(arguments, **kwargs)
        if "x-delivery-limit" in arguments and "x-queue-type" not in arguments:
            # Only quorum queues have one: others refuse to be declared with it.
            arguments = {**arguments, "x-queue-type": "quorum"}
        return arguments


def _error_of(code: int, text: str, method: tuple[int, int]) -> BaseException:
    """Return the error that the broker closes a channel with."""
    kind = getattr(exceptions, _ERRORS.get(code, ""), None)
    if kind is not None:
        return kind(text, method, _name_of(method), code)  # type: ignore[no-any-return]
    return amqp_errors.error_for_code(  # type: ignore[no-any-return]
        code, text, method, amqp_errors.ChannelError
    )


def _name_of(method: tuple[int, int]) -> str:
    names: dict[tuple[int, int], str] = amqp_errors.METHOD_NAME_MAP
    return names.get(method, "")
