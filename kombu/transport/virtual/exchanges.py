"""Declaring, binding and deleting of exchanges on a virtual channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from kombu.exceptions import KombuError
from kombu.transport.virtual._headers import check_arguments
from kombu.transport.virtual._table import BindingTable
from kombu.transport.virtual.exchange import STANDARD_EXCHANGE_TYPES, ExchangeType
from kombu.transport.virtual.leasing import LeaseHooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kombu.transport.virtual._table import Row
    from kombu.transport.virtual.state import BrokerState

__all__ = ("ExchangesChannel", "NotEquivalentError")


class NotEquivalentError(KombuError):
    """An exchange was declared before in another way."""


class ExchangesChannel(LeaseHooks):
    """The part of a virtual channel that knows exchanges."""

    #: Class by name of the exchange types that can be declared.
    exchange_types: Any = dict(STANDARD_EXCHANGE_TYPES)

    #: Whether ``_queue_bind`` and ``_put_fanout`` are asked.
    supports_fanout = False

    #: Queue for messages that match no binding.
    deadletter_queue: str | None = None

    connection: Any

    #: Whether other processes may have changed the topology.
    _shares_topology = False

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

    def _refresh(self) -> None:
        """See to it that the state is what the store's records say."""
        if self.connection is None:
            self._raise_closed()
        topology = self.connection.topology
        if topology is not None:
            topology.refresh(self)

    def _refresh_lightly(self) -> None:
        """Do so before messages are published or claimed.

        A store that tells of changes with its other answers has less to do.
        """
        self._refresh()

    def _ask(self, ability: str) -> None:
        """Note that the application asks for *ability* (see ``Transport.ask``)."""
        self.connection.ask(ability)

    def _offers(self, ability: str) -> bool:
        return bool(self.connection.implements.offers(ability))

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
        self._refresh()
        state = self.state
        if passive:
            if exchange not in state.exchanges:
                self._raise_no_exchange(exchange)
            return
        if type in STANDARD_EXCHANGE_TYPES:
            self._ask(type)
        if arguments and "alternate-exchange" in arguments:
            self._ask("alternate_exchange")
        topology = self.connection.topology
        with state.lock:
            if exchange not in state.exchanges:
                self._check_type(type)
                self._exchange_types_changed()
                record = {
                    "type": type,
                    "durable": durable,
                    "auto_delete": auto_delete,
                    "arguments": arguments or {},
                    "table": BindingTable(),
                }
                if topology is None or topology.add_exchange(exchange, record):
                    state.exchange_declare(exchange, record)
                    return
        if topology is not None:
            topology.refresh(self)  # somebody was faster
        previous = state.exchanges.get(exchange)
        if previous is not None and not self.typeof(exchange).equivalent(
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
        self._refresh()
        state = self.state
        if if_unused and state.is_exchange_used(exchange):
            return
        for key, arguments in state.bindings_to(exchange):
            self._unbind(key.queue, exchange, key.routing_key, arguments)
        sources = {
            source for to, source, _ in tuple(state.exchange_bindings) if to == exchange
        }
        self._delete_exchange(exchange)
        for source in sources:
            self._delete_unused_exchange(source)
        self._forget_declaration("forget_exchange", exchange)

    def _delete_exchange(self, exchange: str) -> None:
        self.state.exchange_delete(exchange)
        topology = self.connection.topology
        if topology is not None:
            topology.remove_exchange(exchange)

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
        self._refresh()
        self._ask("exchange_binding")
        state = self.state
        with state.lock:
            for name in (source, destination):
                if name not in state.exchanges:
                    self._raise_no_exchange(name)
            if state.exchanges[source]["type"] == "headers":
                check_arguments(arguments)
            state.exchange_binding_declare(destination, source, routing_key, arguments)
        topology = self.connection.topology
        if topology is not None:
            topology.add_binding(source, destination, True, routing_key, arguments)

    def exchange_unbind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        """Undo :meth:`exchange_bind`; nothing happens if there is no such binding."""
        self._refresh()
        if self.state.exchange_binding_delete(
            destination, source, routing_key, arguments
        ):
            self._binding_was_removed(source, destination, True, routing_key)

    def _binding_was_removed(
        self, source: str, destination: str, is_exchange: bool, routing_key: str
    ) -> None:
        topology = self.connection.topology
        if topology is not None:
            topology.remove_bindings(source, destination, is_exchange, routing_key)
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

    def _declare_internal(self, exchange: str) -> None:
        """Declare an exchange that every broker has, as ``amq.topic``."""
        type = exchange.removeprefix("amq.")
        if type == "match":
            type = "headers"
        if type not in self.exchange_types:
            self._raise_no_exchange(exchange)
        self.exchange_declare(exchange, type, durable=True)

    def _unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> None:
        self._refresh()
        row = self.typeof(exchange).prepare_bind(
            queue, exchange, routing_key, dict(arguments or {})
        )
        was_bound = self.state.binding_delete(queue, exchange, routing_key, arguments)
        self._queue_unbind(exchange, *row)
        if was_bound:
            self._binding_was_removed(exchange, queue, False, routing_key)

    def _delete_unused_exchange(self, exchange: str) -> None:
        record = self.state.exchanges.get(exchange)
        if (
            record is not None
            and record["auto_delete"]
            and not self.state.is_exchange_used(exchange)
        ):
            self._delete_exchange(exchange)

    def _forget_declaration(self, how: str, name: str) -> None:
        """Have the next ``maybe_declare`` of *name* declare it again."""
        declared = getattr(self.connection.client, "declared_entities", None)
        forget = getattr(declared, how, None)
        if forget is not None:
            forget(name)
