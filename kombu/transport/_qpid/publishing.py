"""Publishing on a channel, and learning what became of it.

There is a link for each address that is published to; those that were not used for
long are closed when there are many.  A message whose outcome is wanted is settled by
the broker, all others by ourselves as they are sent.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import proton

from kombu import exceptions
from kombu.transport._amqp.batch import Batch
from kombu.transport._amqp.confirms import Confirmation, Publication
from kombu.transport._amqp.errors import ConnectionBlocked
from kombu.transport._amqp.message import Outgoing as OutgoingMessage
from kombu.transport._qpid.confirming import Confirming
from kombu.transport._qpid.errors import channel_error
from kombu.transport._qpid.links import Outgoing
from kombu.transport._qpid.messages import encode
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._qpid.dialects import Target

__all__ = ("Publishing", "put_symbols")

_PERSISTENT = 2

#: What may become of a message.
_OUTCOMES = (
    "amqp:accepted:list",
    "amqp:rejected:list",
    "amqp:released:list",
    "amqp:modified:list",
)

#: Links that are kept open on a channel.
_MOST_LINKS = 200


class Publishing(Confirming):
    """The part of a channel that publishes."""

    channel_id: int
    session: Any
    open_link: Callable[..., None]
    drop_link: Callable[..., None]

    def _begin_publishing(self) -> None:
        self._begin_confirming()
        self._senders: OrderedDict[Any, Outgoing] = OrderedDict()
        self._senders_lock = threading.RLock()

    def lose_senders(self) -> None:
        """Forget all links: the session is over."""
        self._senders.clear()

    # -- messages ----------------------------------------------------------------------

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> OutgoingMessage:
        """Return a message to be published."""
        return OutgoingMessage(
            body,
            priority=priority,
            content_type=content_type,
            content_encoding=content_encoding,
            application_headers=headers,
            **(properties or {}),
        )

    @property
    def supports_batch_publish(self) -> bool:
        """Whether it sends many messages at once, and then waits for all."""
        connection = self.connection
        return connection is not None and bool(connection.options.confirms)

    def create_publish_batch(self, max_size: int = 1000) -> Batch:
        """Return a batch of up to *max_size* messages."""
        return Batch(self, max_size, self._options.confirm_timeout)

    # -- publishing --------------------------------------------------------------------

    def basic_publish(
        self,
        message: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
        **kwargs: Any,
    ) -> Confirmation | None:
        """Publish a message.

        Arguments:
            message: The message, made by :meth:`prepare_message`.
            exchange: Name of the exchange.
            routing_key: Routing key.
            mandatory: Have it returned if it reaches no queue, where the broker can.
            immediate: Has no effect: AMQP 1.0 has no such thing.
            timeout: Seconds that the broker may give no credit.
            confirm_timeout: Seconds to wait for the outcome; by default this does
                not wait for it, unless ``confirm_publish`` is on.
            **kwargs: Have no effect.

        Returns:
            The confirmation, for persistent messages; None where there is none.

        Raises:
            ConnectionBlocked: The broker gives no credit.
            Unconfirmed: Messages before were not taken; this one is not sent.
            MessageNacked: The broker did not take it.
            ConfirmTimeout: It did not say so in time.
            NotFound: There is no such exchange.
        """
        connection = self.make_usable()
        options = connection.options
        if mandatory:
            connection.transport.ask("mandatory")
        waits = options.confirm_each or confirm_timeout is not None
        is_raising = mandatory and not self.events["basic_return"]
        is_persistent = message.properties.get("delivery_mode") == _PERSISTENT
        has_outcome = mandatory or (options.confirms and (waits or is_persistent))
        publication = Publication(message, exchange or "", routing_key or "", mandatory)
        self._outcomes.raise_failures()
        self._publish_again(connection)
        confirmation = Confirmation(publication, self)
        confirmation.is_watched = waits or is_raising
        self._publish(connection, publication, has_outcome, timeout, confirmation)
        if not has_outcome:
            return None
        if waits or is_raising:
            limit = options.confirm_timeout if is_raising else None
            confirmation.wait(limit if confirm_timeout is None else confirm_timeout)
        elif len(self._outcomes) >= options.confirm_window:
            self._make_room(options.confirm_window)
        self.tell_of_returns()
        return confirmation

    def basic_publish_confirm(self, *args: Any, **kwargs: Any) -> Any:
        """Publish a message, and wait until the broker has it."""
        kwargs.setdefault("confirm_timeout", self._options.confirm_timeout)
        return self.basic_publish(*args, **kwargs)

    def _publish(
        self,
        connection: Any,
        publication: Publication,
        has_outcome: bool,
        timeout: float | None = None,
        confirmation: Confirmation | None = None,
    ) -> Confirmation:
        """Send a message; return its confirmation."""
        found = confirmation or Confirmation(publication, self)
        message, exchange, routing_key, mandatory = publication
        target = self.dialect.target(exchange, routing_key, mandatory)
        data = encode(message, target, self.dialect, exchange, routing_key)
        try:
            while not self._send(target, data, found if has_outcome else None, timeout):
                pass  # the link was lost meanwhile
        except exceptions.NotFound:
            if exchange:
                raise
            self._note_unroutable(found, mandatory)
            return found
        was_watched, found.is_watched = found.is_watched, True
        # If that fails our caller knows: nobody else is to publish it again.
        connection.flush(timeout)
        with connection.lock:
            found.is_watched = was_watched
            if found.error is not None and not was_watched:
                self._outcomes.failures.append(found.error)
        return found

    def _send(
        self,
        target: Target,
        data: bytes,
        confirmation: Confirmation | None,
        timeout: float | None,
    ) -> bool:
        """Hand *data* to the link to *target*; return whether it took it."""
        connection = self.make_usable()
        sender = self._sender(target)
        self._wait_for_credit(connection, sender, timeout)
        with connection.lock:
            if not sender.is_usable or not sender.has_credit:
                return False
            tag = self._outcomes.next_tag()
            if confirmation is not None:
                self._outcomes.add(tag, confirmation, sender)
            sender.send(tag, data, confirmation is None)
            return True

    def _sender(self, target: Target) -> Outgoing:
        """Return the link to *target*, opened if need be."""
        key = target.address, target.capabilities, target.durable
        with self._senders_lock:
            sender = self._senders.get(key)
            if sender is not None and sender.is_usable:
                self._senders.move_to_end(key)
                return sender
            sender = self._open_sender(target)
            self._senders[key] = sender
            if len(self._senders) > _MOST_LINKS:
                self._close_idle_sender()
            return sender

    def _open_sender(self, target: Target) -> Outgoing:
        connection = self.make_usable()
        with connection.lock:
            endpoint = self.session.sender(connection.new_link_name())
            endpoint.target.address = target.address
            endpoint.target.durability = 2 if target.durable else 0
            put_symbols(endpoint.target.capabilities, target.capabilities)
            endpoint.source.address = endpoint.name
            # What is not named here, some brokers end the link for.
            put_symbols(endpoint.source.outcomes, _OUTCOMES)
            endpoint.snd_settle_mode = proton.Link.SND_MIXED
            sender = Outgoing(endpoint, f"publishing to {target}", self._on_outcome)
            sender.on_lost = self._on_sender_lost
        self.open_link(sender)
        return sender

    def _close_idle_sender(self) -> None:
        connection = self._connection_in_use()
        with connection.lock:
            for key, sender in self._senders.items():
                if not self._outcomes.is_used(sender) and not sender.has_unsent:
                    del self._senders[key]
                    self.drop_link(sender)
                    return

    def _wait_for_credit(
        self, connection: Any, sender: Outgoing, timeout: float | None
    ) -> None:
        with connection.lock:
            if sender.has_credit:
                return
        longest = connection.options.blocked_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        try:
            connection.wait_until(
                lambda: not sender.is_usable or sender.has_credit, deadline
            )
        except TimeoutError as exc:
            raise ConnectionBlocked(
                f"the broker takes no messages for {sender.what}: free its memory, "
                "disk or queue, or raise blocked_timeout"
            ) from exc
        finally:
            connection.announce_deliveries()
        if not sender.is_usable:
            self.make_usable()
            if sender.condition is not None:
                raise channel_error(sender.condition, sender.what)

    def publish_many(
        self, publications: list[tuple[Publication, bool]]
    ) -> list[Confirmation]:
        """Send messages; return their confirmations."""
        connection = self.make_usable()
        self._publish_again(connection)
        made = []
        for publication, _ in publications:
            confirmation = Confirmation(publication, self)
            confirmation.is_watched = True
            self._publish(connection, publication, True, None, confirmation)
            made.append(confirmation)
        return made


def put_symbols(data: Any, names: tuple[str, ...]) -> None:
    """Write *names* into *data* as an array of symbols; nothing if there are none."""
    if not names:
        return
    data.put_array(False, proton.Data.SYMBOL)
    data.enter()
    for name in names:
        data.put_symbol(proton.symbol(name))
    data.exit()
