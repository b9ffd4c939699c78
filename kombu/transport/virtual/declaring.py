"""Declaring, binding and deleting of exchanges and queues on a virtual channel."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from kombu.exceptions import KombuError
from kombu.transport.virtual._headers import check_arguments
from kombu.transport.virtual._table import BindingTable
from kombu.transport.virtual.exchange import STANDARD_EXCHANGE_TYPES, ExchangeType
from kombu.transport.virtual.state import QueueRecord
from kombu.transport.virtual.storage import AbstractChannel
from kombu.utils.identity import unique_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kombu.transport.virtual._table import Row
    from kombu.transport.virtual.state import BrokerState

__all__ = ("DeclaringChannel", "NotEquivalentError", "queue_declare_ok_t")


class queue_declare_ok_t(NamedTuple):
    """What the broker answers to a queue declaration."""

    queue: str
    message_count: int
    consumer_count: int


class NotEquivalentError(KombuError):
    """An exchange was declared before in another way."""


@cache
def _takes_binding(function: Any) -> bool:
    """Return whether a ``_delete`` hook takes a binding beside the queue."""
    import inspect

    try:
        inspect.signature(function).bind("self", "queue", "", "", "", "")
    except TypeError:
        return False
    return True


class DeclaringChannel(AbstractChannel):
    """The part of a virtual channel that declares."""

    #: Class by name of the exchange types that can be declared.
    exchange_types: Any = dict(STANDARD_EXCHANGE_TYPES)

    #: Whether ``_queue_bind`` and ``_put_fanout`` are asked.
    supports_fanout = False

    #: Queue for messages that match no binding.
    deadletter_queue: str | None = None

    connection: Any

    @property
    def state(self) -> BrokerState:
        """What the broker knows of exchanges, queues and bindings.

        Raises:
            RecoverableConnectionError: The channel is closed.
        """
        try:
            return self.connection.state  # type: ignore[no-any-return]
        except AttributeError:
            if self.connection is None:
                self._raise_closed()
            raise

    def _raise_closed(self) -> NoReturn:
        from kombu.exceptions import RecoverableConnectionError

        raise RecoverableConnectionError(f"{self!r}: open another one")

    def _virtual_host(self) -> str:
        return self.connection.client.virtual_host or "/"

    # -- exchanges -----------------------------------------------------------

    def exchange_declare(
        self,
        exchange: str | None = None,
        type: str = "direct",
        durable: bool = False,
        auto_delete: bool = False,
        arguments: dict[str, Any] | None = None,
        nowait: bool = False,
        passive: bool = False,
    ) -> None:
        """Declare an exchange.

        Raises:
            NotFound: It is to be there (*passive*), and is not.
            NotEquivalentError: It is there with other settings.
        """
        type = type or "direct"
        exchange = exchange or f"amq.{type}"
        state = self.state
        if passive:
            if exchange not in state.exchanges:
                self._raise_no_exchange(exchange)
            return
        with state.lock:
            previous = state.exchanges.get(exchange)
            if previous is None:
                self._check_type(type)
                self._exchange_types_changed()
                state.exchange_declare(
                    exchange,
                    {
                        "type": type,
                        "durable": durable,
                        "auto_delete": auto_delete,
                        "arguments": arguments or {},
                        "table": BindingTable(),
                    },
                )
            elif not self.typeof(exchange).equivalent(
                previous, exchange, type, durable, auto_delete, arguments
            ):
                raise NotEquivalentError(
                    f"Cannot redeclare exchange {exchange!r} in vhost "
                    f"{self._virtual_host()!r} with different type, durable, "
                    "autodelete or arguments value."
                )

    def _check_type(self, type: str) -> None:
        if type not in self.exchange_types:
            from kombu.exceptions import PreconditionFailed

            raise PreconditionFailed(
                f"invalid exchange type {type!r}: known are "
                f"{', '.join(self.exchange_types)}",
                (40, 10),
                "Channel.exchange_declare",
            )

    def _exchange_types_changed(self) -> None:
        """Is called when an exchange is declared: its type may be a new one."""

    def _raise_no_exchange(self, exchange: str) -> None:
        from kombu.exceptions import NotFound

        raise NotFound(
            f"NOT_FOUND - no exchange {exchange!r} in vhost {self._virtual_host()!r}",
            (40, 10),
            "Channel.exchange_declare",
        )

    def exchange_delete(
        self, exchange: str, if_unused: bool = False, nowait: bool = False
    ) -> None:
        """Delete *exchange* and its bindings.

        Arguments:
            exchange: Its name.
            if_unused: Only if nothing is bound to it.
            nowait: Has no effect.
        """
        state = self.state
        if if_unused and state.is_exchange_used(exchange):
            return
        for key, arguments in state.bindings_to(exchange):
            self._unbind(key.queue, exchange, key.routing_key, arguments)
        sources = {
            source for to, source, _ in tuple(state.exchange_bindings) if to == exchange
        }
        state.exchange_delete(exchange)
        for source in sources:
            self._delete_unused_exchange(source)
        self._forget_declaration("forget_exchange", exchange)

    def exchange_bind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        """Have the exchange *destination* get what *source* routes by the key.

        Raises:
            NotFound: One of the exchanges does not exist.
        """
        state = self.state
        with state.lock:
            for name in (source, destination):
                if name not in state.exchanges:
                    self._raise_no_exchange(name)
            if state.exchanges[source]["type"] == "headers":
                check_arguments(arguments)
            state.exchange_binding_declare(destination, source, routing_key, arguments)

    def exchange_unbind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        """Undo :meth:`exchange_bind`; nothing happens if there is no such binding."""
        if self.state.exchange_binding_delete(
            destination, source, routing_key, arguments
        ):
            self._delete_unused_exchange(source)

    def typeof(self, exchange: str, default: str = "direct") -> ExchangeType:
        """Return the exchange type of *exchange*, or *default* if undeclared."""
        try:
            type = self.state.exchanges[exchange]["type"]
        except KeyError:
            type = default
        return self.exchange_types[type]  # type: ignore[no-any-return]

    def get_table(self, exchange: str) -> Iterable[Row]:
        """Return the binding table of *exchange*.

        Raises:
            KeyError: It is not declared.
        """
        return self.state.exchanges[exchange]["table"]  # type: ignore[no-any-return]

    def get_exchanges(self) -> list[str]:
        """Return the names of the declared exchanges."""
        return list(self.state.exchanges)

    def list_bindings(self) -> Iterator[tuple[str, str, str]]:
        """Return all bindings as ``(queue, exchange, routing_key)``."""
        return (
            (queue, exchange, routing_key)
            for exchange in self.get_exchanges()
            for routing_key, _, queue in self.get_table(exchange)
        )

    def get_bindings(self) -> list[dict[str, Any]]:
        """Return all bindings, as RabbitMQ's management interface does."""
        return [
            {"destination": queue, "source": exchange, "routing_key": routing_key}
            for queue, exchange, routing_key in self.list_bindings()
        ]

    # -- queues --------------------------------------------------------------

    def queue_declare(
        self, queue: str | None = None, passive: bool = False, **kwargs: Any
    ) -> queue_declare_ok_t:
        """Declare a queue.

        Arguments:
            queue: Its name; made up if empty.
            passive: Only check that it is there.
            **kwargs: ``durable``, ``exclusive``, ``auto_delete``,
                ``arguments``, ``nowait``.

        Raises:
            NotFound: It is to be there, and is not.
            ResourceLocked: It is exclusive to another connection.
        """
        queue = queue or f"amq.gen-{unique_id()}"
        state = self.state
        self._check_exclusive(queue, "Channel.queue_declare")
        if passive:
            if queue not in state.queues and not self._has_queue(queue):
                self._raise_no_queue(queue)
        else:
            self._new_queue(queue, **kwargs)
            record = QueueRecord(
                queue,
                durable=kwargs.get("durable", False),
                exclusive=kwargs.get("exclusive", False),
                auto_delete=kwargs.get("auto_delete", False),
                arguments=kwargs.get("arguments"),
                owner=self.connection,
            )
            if state.queue_declare(record) is not record:
                self._check_exclusive(queue, "Channel.queue_declare")
        declared = state.queues.get(queue)
        count = len(declared.consumers) if declared is not None else 0
        return queue_declare_ok_t(queue, self._size(queue), count)

    def _raise_no_queue(self, queue: str) -> None:
        from kombu.exceptions import NotFound

        raise NotFound(
            f"NOT_FOUND - no queue {queue!r} in vhost {self._virtual_host()!r}",
            (50, 10),
            "Channel.queue_declare",
        )

    def _check_exclusive(self, queue: str, method: str) -> None:
        record = self.state.queues.get(queue)
        if record is None or record.owner in (None, self.connection):
            return
        from kombu.exceptions import ResourceLocked

        raise ResourceLocked(
            f"RESOURCE_LOCKED - queue {queue!r} in vhost {self._virtual_host()!r} "
            "is exclusive to another connection",
            (50, 10),
            method,
        )

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Bind *queue* to *exchange* by *routing_key*.

        Raises:
            NotFound: The exchange does not exist.
            ResourceLocked: The queue is exclusive to another connection.
        """
        self._check_exclusive(queue, "Channel.queue_bind")
        exchange = exchange or "amq.direct"
        state = self.state
        if exchange not in state.exchanges:
            if not exchange.startswith("amq."):
                self._raise_no_exchange(exchange)
            self._declare_internal(exchange)
        row = self.typeof(exchange).prepare_bind(
            queue, exchange, routing_key, arguments
        )
        if state.binding_declare(queue, exchange, routing_key, arguments, row):
            self._store_binding(exchange, row)

    def _store_binding(self, exchange: str, row: Row) -> None:
        if self.supports_fanout:
            self._queue_bind(exchange, *row)

    def _declare_internal(self, exchange: str) -> None:
        """Declare an exchange that every broker has, as ``amq.topic``."""
        type = exchange.removeprefix("amq.")
        if type == "match":
            type = "headers"
        if type not in self.exchange_types:
            self._raise_no_exchange(exchange)
        self.exchange_declare(exchange, type, durable=True)

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Undo :meth:`queue_bind`; nothing happens if there is no such binding.

        Raises:
            ResourceLocked: The queue is exclusive to another connection.
        """
        self._check_exclusive(queue, "Channel.queue_unbind")
        self._unbind(queue, exchange or "amq.direct", routing_key, arguments)

    def _unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> None:
        row = self.typeof(exchange).prepare_bind(
            queue, exchange, routing_key, dict(arguments or {})
        )
        was_bound = self.state.binding_delete(queue, exchange, routing_key, arguments)
        self._queue_unbind(exchange, *row)
        if was_bound:
            self._delete_unused_exchange(exchange)

    def _delete_unused_exchange(self, exchange: str) -> None:
        record = self.state.exchanges.get(exchange)
        if (
            record is not None
            and record["auto_delete"]
            and not self.state.is_exchange_used(exchange)
        ):
            self.state.exchange_delete(exchange)

    def queue_delete(
        self,
        queue: str,
        if_unused: bool = False,
        if_empty: bool = False,
        **kwargs: Any,
    ) -> int:
        """Delete *queue*, its messages and its bindings.

        Arguments:
            queue: Its name.
            if_unused: Only if it has no consumers.
            if_empty: Only if it has no messages.
            **kwargs: Options that the storage hook gets.

        Returns:
            How many messages were deleted with it.

        Raises:
            ResourceLocked: It is exclusive to another connection.
        """
        self._check_exclusive(queue, "Channel.queue_delete")
        size = self._size(queue)
        record = self.state.queues.get(queue)
        if if_empty and size:
            return 0
        if if_unused and record is not None and record.consumers:
            return 0
        self._delete_queue(queue, **kwargs)
        return size

    def _delete_queue(self, queue: str, **kwargs: Any) -> None:
        state = self.state
        bindings = list(state.queue_bindings(queue))
        if bindings:
            for exchange, routing_key, arguments in bindings:
                row = self.typeof(exchange).prepare_bind(
                    queue, exchange, routing_key, arguments
                )
                self._delete(queue, exchange, *row, **kwargs)
        elif _takes_binding(type(self)._delete):
            self._delete(queue, "", "", "", queue, **kwargs)
        else:
            self._delete(queue, **kwargs)
        state.queue_bindings_delete(queue)
        state.queues.pop(queue, None)
        for exchange in {binding.exchange for binding in bindings}:
            self._delete_unused_exchange(exchange)
        self._forget_declaration("forget_queue", queue)

    def _forget_declaration(self, how: str, name: str) -> None:
        """Have the next ``maybe_declare`` of *name* declare it again."""
        declared = getattr(self.connection.client, "declared_entities", None)
        forget = getattr(declared, how, None)
        if forget is not None:
            forget(name)

    def queue_purge(self, queue: str, **kwargs: Any) -> int:
        """Remove all messages from *queue*, and return how many there were.

        Raises:
            ResourceLocked: It is exclusive to another connection.
        """
        self._check_exclusive(queue, "Channel.queue_purge")
        return self._purge(queue)

    def after_reply_message_received(self, queue: str) -> None:
        """Delete the reply queue *queue*, which has served."""
        self.queue_delete(queue)
