"""Declaring on a channel: what the broker lets be declared, by the words of AMQP 0-9-1.

What a queue that exists with other arguments means is a matter of policy, as in the
``amqp`` transport: an error (``strict``), to be used as it is (``adopt``), or nothing is
ever made, only looked for (``passive``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu import exceptions
from kombu.log import get_logger
from kombu.transport._amqp.declaring import check_policy
from kombu.transport._qpid.dialects import Declared, ExchangeSpec, QueueSpec
from kombu.transport.base import to_rabbitmq_queue_arguments
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._qpid.dialects import Target

__all__ = ("Declaring",)

logger = get_logger(__name__)


class Declaring:
    """The part of a channel that declares."""

    dialect: Any
    make_usable: Callable[[], Any]
    _open_sender: Callable[[Target], Any]

    def _policy(self, policy: str | None) -> str:
        return check_policy(policy or self.make_usable().options.declare_policy)

    # -- queues --------------------------------------------------------------------------

    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
        policy: str | None = None,
        **kwargs: Any,
    ) -> Declared:
        """Declare a queue.

        Arguments:
            queue: Its name; made up if empty.
            passive: Only look for it.
            durable: Whether it outlives the broker.
            exclusive: Whether it is for this connection alone.
            auto_delete: Whether it goes with its last consumer.
            nowait: Has no effect.
            arguments: Further properties, as RabbitMQ calls them.
            policy: What to do if it is different; ``declare_policy`` if not given.
            **kwargs: Have no effect.

        Returns:
            Name, number of messages and number of consumers, where they are known.

        Raises:
            NotFound: It is only looked for, and not there.
            PreconditionFailed: It exists and is different.
            AbilityNotOffered: The broker can't be asked for it by AMQP 1.0.
        """
        connection = self.make_usable()
        policy = self._policy(policy)
        dialect = self.dialect
        if passive or policy == "passive":
            return dialect.find_queue(self, queue)  # type: ignore[no-any-return]
        spec = QueueSpec(
            queue or f"amq.gen-{uuid()}",
            bool(durable),
            bool(exclusive),
            bool(auto_delete),
            arguments or {},
        )
        dialect.ask_for(connection.transport, spec)
        try:
            return dialect.declare_queue(self, spec)  # type: ignore[no-any-return]
        except exceptions.PreconditionFailed:
            if policy != "adopt":
                raise
            logger.info("%r exists and is different: using it as it is", queue)
            return dialect.find_queue(self, queue)  # type: ignore[no-any-return]

    def prepare_queue_arguments(
        self, arguments: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Turn options of a queue into arguments of RabbitMQ."""
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    def queue_delete(
        self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any
    ) -> int:
        """Delete a queue; return how many messages it had.

        Arguments:
            queue: Its name.
            if_unused: Only if it has no consumers.
            if_empty: Only if it has no messages.
            **kwargs: Have no effect.
        """
        self.make_usable()
        return int(self.dialect.delete_queue(self, queue, if_unused, if_empty))

    def queue_purge(self, queue: str, **kwargs: Any) -> int:
        """Delete the messages of a queue that nobody has; return how many."""
        self.make_usable()
        return int(self.dialect.purge_queue(self, queue))

    # -- exchanges -----------------------------------------------------------------------

    def exchange_declare(
        self,
        exchange: str = "",
        type: str = "direct",
        durable: bool = False,
        passive: bool = False,
        auto_delete: bool = False,
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
        policy: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Declare an exchange; arguments as for :meth:`queue_declare`.

        Raises:
            NotFound: It is only looked for, and not there.
            PreconditionFailed: It exists and is of another type.
            AbilityNotOffered: The broker can't be asked for it by AMQP 1.0.
        """
        connection = self.make_usable()
        if not exchange:
            return
        if passive or self._policy(policy) == "passive":
            self.dialect.find_exchange(self, exchange)
            return
        if "alternate-exchange" in (arguments or {}):
            connection.transport.ask("alternate_exchange")
        spec = ExchangeSpec(
            exchange, type, bool(durable), bool(auto_delete), arguments or {}
        )
        try:
            self.dialect.declare_exchange(self, spec)
        except exceptions.PreconditionFailed:
            if self._policy(policy) != "adopt":
                raise

    def exchange_delete(
        self, exchange: str, if_unused: bool = False, **kwargs: Any
    ) -> None:
        """Delete an exchange."""
        self.make_usable()
        self.dialect.delete_exchange(self, exchange, if_unused)

    def probe_target(self, target: Target) -> None:
        """See that there is something at *target*.

        Raises:
            NotFound: There is not.
        """
        connection = self.make_usable()
        sender = self._open_sender(target)
        with connection.lock:
            self.drop_link(sender)  # type: ignore[attr-defined]
        connection.flush()

    # -- bindings ------------------------------------------------------------------------

    def queue_bind(
        self,
        queue: str,
        exchange: str,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Bind a queue to an exchange.

        With the policy ``passive`` it is taken for granted that it is bound.
        """
        self._bind(queue, exchange, routing_key, arguments, False)

    def exchange_bind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Bind the exchange *destination* to *source*."""
        self._bind(destination, source, routing_key, arguments, True)

    def _bind(
        self,
        destination: str,
        exchange: str,
        routing_key: str,
        arguments: dict[str, Any] | None,
        to_exchange: bool,
    ) -> None:
        connection = self.make_usable()
        if self._policy(None) == "passive":
            return
        if to_exchange:
            connection.transport.ask("exchange_binding")
        self.dialect.bind(
            self, destination, exchange, routing_key or "", arguments or {}, to_exchange
        )

    def queue_unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Undo :meth:`queue_bind`."""
        self.make_usable()
        self.dialect.unbind(self, queue, exchange, routing_key or "", arguments or {})

    def exchange_unbind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Undo :meth:`exchange_bind`."""
        self.make_usable()
        self.dialect.unbind(
            self, destination, source, routing_key or "", arguments or {}, True
        )
