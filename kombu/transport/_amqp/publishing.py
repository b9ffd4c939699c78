"""The part of a channel that publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.batch import Batch
from kombu.transport._amqp.confirms import (
    Confirmation,
    Confirmations,
    Publication,
)
from kombu.transport._amqp.frames import confirm_select_frame
from kombu.transport._amqp.message import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._amqp.encoding import Encoder

__all__ = ("Publishing",)

_PERSISTENT = 2


class Publishing:
    """Publishes, one message or many; any thread may."""

    connection: Any
    channel_id: Any
    events: Any
    make_usable: Any
    check_open: Any
    make_room: Any
    _connection_in_use: Any
    _publish_lock: Any
    _confirmations: Confirmations | None
    _encoder: Encoder

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        _Message: Any = Outgoing,
    ) -> Any:
        """Return a message to be published."""
        found = {
            "priority": priority,
            "content_type": content_type,
            "content_encoding": content_encoding,
            "application_headers": headers,
        }
        if properties:
            found.update(properties)
        if _Message is Outgoing:
            return Outgoing.of(body, found)
        return _Message(body, **found)

    def basic_publish(
        self,
        msg: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
        argsig: str = "",
    ) -> Confirmation | None:
        """Publish a message.

        Arguments:
            msg: The message, made by :meth:`prepare_message`.
            exchange: Name of the exchange.
            routing_key: Routing key.
            mandatory: Have it returned if it reaches no queue.
            immediate: Not offered by RabbitMQ, which closes the connection.
            timeout: Seconds that the broker may take nothing.
            confirm_timeout: Seconds to wait for the confirmation; by default this
                does not wait for it, unless ``confirm_publish`` is on.
            argsig: Has no effect.

        Returns:
            The confirmation, for persistent messages; None where there is none.

        Raises:
            ConnectionBlocked: The broker takes no messages.
            Unconfirmed: Messages before were not confirmed; this one is not sent.
            MessageNacked: The broker did not take it.
            ConfirmTimeout: It did not confirm in time.
        """
        connection = self.make_usable()
        options = connection.options
        exchange, routing_key = exchange or "", routing_key or ""
        if not options.confirms:
            if connection.blocked_reason is not None or connection.is_time_to_look:
                connection.check_room(timeout)
            parts = self._encoder.frames_of(
                msg, exchange, routing_key, mandatory, immediate
            )
            connection.send(parts, timeout, self.check_open)
            return None
        is_awaited = (
            options.confirm_each
            or confirm_timeout is not None
            # To who does not listen for returns, they are errors.
            or (mandatory and not self.events["basic_return"])
        )
        is_persistent = msg.properties.get("delivery_mode") == _PERSISTENT
        if is_awaited or is_persistent:
            self.select_confirms()
        publication = Publication(msg, exchange, routing_key, mandatory)
        confirmations = self._confirmations
        if confirmations is not None:
            if confirmations.failures:
                confirmations.raise_failures()
            if connection.outbox:
                self.publish_what_was_lost()
        if connection.blocked_reason is not None or connection.is_time_to_look:
            connection.check_room(timeout)
        confirmation = self._publish(connection, publication, immediate, timeout)
        if confirmation is None:
            return None
        if is_awaited:
            longest = confirm_timeout
            confirmation.wait(options.confirm_timeout if longest is None else longest)
        elif len(confirmations or ()) >= options.confirm_window:
            self.make_room(options.confirm_window)
        return confirmation

    def basic_publish_confirm(self, *args: Any, **kwargs: Any) -> Any:
        """Publish a message, and wait until the broker has it."""
        self.select_confirms()
        confirmation = Publishing.basic_publish(self, *args, **kwargs)
        if confirmation is not None:
            options = self._connection_in_use().options
            confirmation.wait(kwargs.get("confirm_timeout") or options.confirm_timeout)
        return confirmation

    def select_confirms(self) -> None:
        """Have the broker confirm what is published from now on."""
        if self._confirmations is None:
            with self._publish_lock:
                if self._confirmations is None:
                    # The answer need not be waited for: the order is enough.
                    frame = confirm_select_frame(self.channel_id)
                    self._connection_in_use().send((frame,), None, self._begin_to_count)

    def _begin_to_count(self) -> Callable[[], None]:
        """Begin to count what is published: when the broker does."""
        self.check_open()
        self._confirmations = Confirmations()

        def undo() -> None:
            self._confirmations = None

        return undo

    def _publish(
        self,
        connection: Any,
        publication: Publication,
        immediate: bool = False,
        timeout: float | None = None,
    ) -> Confirmation | None:
        """Send a message; return its confirmation, if there will be one."""
        parts = self._encoder.frames_of(*publication, immediate)
        added = Confirmation(publication, self)
        try:
            is_added = self._send_counted(connection, parts, timeout, [added])
        except BaseException as exc:
            # Who called us knows, and may publish it again.
            added.settle(exc)
            raise
        return added if is_added else None

    def _send_counted(
        self,
        connection: Any,
        parts: list[Any],
        timeout: float | None,
        added: list[Confirmation],
    ) -> bool:
        """Send messages, and note them if the broker counts."""
        counted: Confirmations | None = None

        def count() -> Callable[[], None] | None:
            nonlocal counted
            self.check_open()
            counted = self._confirmations
            if counted is None:
                return None
            for confirmation in added:
                confirmation.channel = self
                counted.add(confirmation)
            return undo

        def undo() -> None:
            for _ in added:
                counted.take_back()  # type: ignore[union-attr]

        connection.send(parts, timeout, count)
        return counted is not None

    # -- many at once --------------------------------------------------------------

    @property
    def supports_batch_publish(self) -> bool:
        """Whether it sends many messages as one, and then waits for all."""
        connection = self.connection
        return connection is not None and bool(connection.options.confirms)

    def create_publish_batch(self, max_size: int = 1000) -> Batch:
        """Return a batch of up to *max_size* messages."""
        options = self._connection_in_use().options
        return Batch(self, max_size, options.confirm_timeout)

    def publish_many(
        self, publications: list[tuple[Publication, bool]]
    ) -> list[Confirmation]:
        """Send messages as one piece; return their confirmations."""
        connection = self.make_usable()
        self.select_confirms()
        self.publish_what_was_lost()
        connection.check_room(None)
        parts: list[Any] = []
        for publication, immediate in publications:
            parts += self._encoder.frames_of(*publication, immediate)
        made = [Confirmation(publication, self) for publication, _ in publications]
        for confirmation in made:
            confirmation.is_watched = True
        try:
            self._send_counted(connection, parts, None, made)
        except BaseException as exc:
            for confirmation in made:
                confirmation.settle(exc)
            raise
        return made

    def publish_what_was_lost(self) -> None:
        """Publish what was lost with the connection before, if there is something.

        What can not be sent stays where it is, for the next try.
        """
        connection = self._connection_in_use()
        outbox = connection.outbox
        if not outbox:
            return
        self.select_confirms()
        left = outbox.take()
        try:
            while left:
                if not left[0].is_done:
                    parts = self._encoder.frames_of(*left[0].publication)
                    self._send_counted(connection, parts, None, left[:1])
                left.pop(0)
        finally:
            outbox.put(left)
