"""What a virtual broker knows: its exchanges, queues and bindings."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport.virtual._table import BindingTable, Row
from kombu.transport.virtual.policies import QueuePolicy
from kombu.transport.virtual.routing import Destination, RoutingTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ("BrokerState", "QueueRecord", "binding_key_t", "queue_binding_t")


class binding_key_t(NamedTuple):
    """What makes a binding unique."""

    queue: str
    exchange: str
    routing_key: str


class queue_binding_t(NamedTuple):
    """One binding of a queue."""

    exchange: str
    routing_key: str
    arguments: Mapping[str, Any] | None


class _Variant(NamedTuple):
    arguments: Mapping[str, Any] | None
    row: Row

    def has(self, arguments: Mapping[str, Any] | None) -> bool:
        """Return whether it is the one with *arguments*; none are as empty ones."""
        return (self.arguments or None) == (arguments or None)


class QueueRecord:
    """A declared queue.

    Attributes:
        owner: Id of the connection that an exclusive queue belongs to.
        policy: What its arguments ask for; None if it is nothing.
        is_ranked: Whether consumers of it have priorities.
        consumers: Consumers of the queue in this process, as ``(channel, tag)``.
    """

    __slots__ = (
        "arguments",
        "auto_delete",
        "consumers",
        "durable",
        "exclusive",
        "is_ranked",
        "name",
        "owner",
        "policy",
    )

    def __init__(
        self,
        name: str,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
        owner: str | None = None,
    ) -> None:
        self.name = name
        self.durable = durable
        self.exclusive = exclusive
        self.auto_delete = auto_delete
        self.arguments = dict(arguments or {})
        self.owner = owner if exclusive else None
        self.policy = QueuePolicy.of(name, arguments)
        self.is_ranked = False
        self.consumers: set[tuple[Any, str]] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name} ({len(self.consumers)} consumers)>"

    def take_over(self, other: QueueRecord) -> None:
        """Become what *other* says, but for the consumers."""
        for name in self.__slots__:
            if name != "consumers":
                setattr(self, name, getattr(other, name))


class BrokerState:
    """Exchanges, queues and bindings of one virtual host.

    Arguments:
        exchanges: Exchanges to begin with.

    Attributes:
        exchanges: ``type``, ``durable``, ``auto_delete``, ``arguments`` and
            the ``table`` of rows ``(routing_key, pattern, queue)``, by name.
        bindings: Arguments by :class:`binding_key_t`.
        queue_index: The keys of a queue's bindings, by its name.
        queues: The declared queues by name.
        policies: What is asked for by the arguments of those that ask for
            something, by name.
        selective: Names of those that serve some consumers before others.
        routes: Where messages go.
        lock: Held while any of these change.
    """

    # Set for each instance; named here for those who look them up.
    exchanges: dict[str, dict[str, Any]] = None  # type: ignore[assignment]
    bindings: dict[binding_key_t, Any] = None  # type: ignore[assignment]
    queue_index: defaultdict[str, set[binding_key_t]] = None  # type: ignore[assignment]

    def __init__(self, exchanges: dict[str, dict[str, Any]] | None = None) -> None:
        self.exchanges = {} if exchanges is None else exchanges
        self.bindings = {}
        # A queue may be bound by one key with several sets of arguments.
        self._variants: dict[binding_key_t, list[_Variant]] = {}
        self.queue_index = defaultdict(set)
        self.queues: dict[str, QueueRecord] = {}
        # The policies of those queues that have one.
        self.policies: dict[str, QueuePolicy] = {}
        self.selective: set[str] = set()
        # Each set of arguments by (destination, source, routing key).
        self.exchange_bindings: dict[
            tuple[str, str, str], list[Mapping[str, Any] | None]
        ] = {}
        self.routes = RoutingTable()
        self.lock = threading.RLock()
        for name, record in self.exchanges.items():
            self._route_exchange(name, record)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self.exchanges)} exchanges, "
            f"{len(self.queues)} queues, {len(self.bindings)} bindings>"
        )

    def after_fork(self) -> None:
        """Make a forked child's copy usable: connections were the parent's."""
        self.lock = threading.RLock()
        self.routes.after_fork()
        for record in self.queues.values():
            record.owner = None
            record.consumers.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.exchanges.clear()
            self.bindings.clear()
            self._variants.clear()
            self.queue_index.clear()
            self.queues.clear()
            self.policies.clear()
            self.selective.clear()
            self.exchange_bindings.clear()
            self.routes.clear()

    # -- exchanges -----------------------------------------------------------

    def exchange_declare(self, name: str, record: dict[str, Any]) -> None:
        """Add the exchange *name*."""
        with self.lock:
            self.exchanges[name] = record
            self._route_exchange(name, record)

    def _route_exchange(self, name: str, record: Mapping[str, Any]) -> None:
        arguments = record.get("arguments") or {}
        self.routes.declare(name, record["type"], arguments.get("alternate-exchange"))

    def exchange_delete(self, name: str) -> None:
        """Remove the exchange *name* and all bindings from and to it."""
        with self.lock:
            self.exchanges.pop(name, None)
            self.routes.delete(name)
            for key in [key for key in self.bindings if key.exchange == name]:
                self._forget(key)
            for pair in [pair for pair in self.exchange_bindings if name in pair[:2]]:
                self.exchange_binding_delete(*pair)

    def exchange_binding_declare(
        self,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> None:
        """Bind the exchange *destination* to the exchange *source*."""
        with self.lock:
            key = (destination, source, routing_key)
            variants = self.exchange_bindings.setdefault(key, [])
            if (arguments or None) not in variants:
                variants.append(arguments or None)
                to = Destination(destination, is_exchange=True)
                self.routes.bind(source, routing_key, arguments, to)

    def exchange_binding_delete(
        self,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> bool:
        """Undo :meth:`exchange_binding_declare`.

        Arguments:
            destination: The exchange that is bound.
            source: The one that it is bound to.
            routing_key: Key or pattern.
            arguments: As for :meth:`binding_delete`.

        Returns:
            Whether there was such a binding.
        """
        with self.lock:
            key = (destination, source, routing_key)
            variants = self.exchange_bindings.pop(key, [])
            same = [arguments or None] if (arguments or None) in variants else variants
            to = Destination(destination, is_exchange=True)
            for variant in same:
                self.routes.unbind(source, routing_key, variant, to)
            rest = [variant for variant in variants if variant not in same]
            if rest:
                self.exchange_bindings[key] = rest
                # Indexes that do not look at arguments have lost these too.
                for variant in rest:
                    self.routes.bind(source, routing_key, variant, to)
            return bool(variants)

    def is_exchange_used(self, name: str) -> bool:
        """Return whether anything is bound to the exchange *name*."""
        with self.lock:
            return any(key.exchange == name for key in self.bindings) or any(
                source == name for _, source, _ in self.exchange_bindings
            )

    # -- queues ----------------------------------------------------------------

    def queue_declare(self, record: QueueRecord) -> QueueRecord:
        """Add a queue, and return it; or the one of its name that is there."""
        with self.lock:
            found = self.queues.setdefault(record.name, record)
            if found is record:
                self._index(record)
            return found

    def queue_update(self, record: QueueRecord) -> None:
        """Take over what *record* says of a queue, which may be declared already."""
        with self.lock:
            found = self.queues.setdefault(record.name, record)
            if found is not record:
                found.take_over(record)
            self._index(found)

    def _index(self, record: QueueRecord) -> None:
        name, policy = record.name, record.policy
        self.policies.pop(name, None)
        self.selective.discard(name)
        if policy is not None:
            self.policies[name] = policy
        if record.is_ranked or (policy is not None and policy.single_active_consumer):
            self.selective.add(name)

    def queue_delete(self, name: str) -> None:
        """Remove the queue *name* and its bindings."""
        with self.lock:
            self.queue_bindings_delete(name)
            self.queues.pop(name, None)
            self.policies.pop(name, None)
            self.selective.discard(name)

    # -- bindings of queues --------------------------------------------------

    def has_binding(self, queue: str, exchange: str, routing_key: str) -> bool:
        """Return whether there is such a binding."""
        return (queue, exchange, routing_key) in self.bindings

    def binding_declare(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
        row: Row | None = None,
    ) -> bool:
        """Add a binding, unless it is there.

        Arguments:
            queue: Name of the queue.
            exchange: Name of the exchange.
            routing_key: Key or pattern.
            arguments: Arguments of the binding.
            row: Row for the exchange's table, if not the plain one.

        Returns:
            Whether it was added.
        """
        key = binding_key_t(queue, exchange, routing_key)
        variant = _Variant(arguments, row or (routing_key, None, queue))
        with self.lock:
            variants = self._variants.setdefault(key, [])
            if any(known.has(arguments) for known in variants):
                return False
            variants.append(variant)
            self.bindings[key] = arguments
            self.queue_index[queue].add(key)
            record = self.exchanges.get(exchange)
            if record is not None:
                record.setdefault("table", BindingTable()).append(variant.row)
                self._route_exchange(exchange, record)
                self.routes.bind(exchange, routing_key, arguments, Destination(queue))
            return True

    def binding_delete(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove a binding, if it is there.

        Arguments:
            queue: Name of the queue.
            exchange: Name of the exchange.
            routing_key: Key or pattern.
            arguments: Remove but the binding with these, if there is one;
                else whatever binds the queue by the key.

        Returns:
            Whether there was such a binding.
        """
        key = binding_key_t(queue, exchange, routing_key)
        with self.lock:
            variants = tuple(self._variants.get(key, ()))
            same = [variant for variant in variants if variant.has(arguments)]
            for variant in same or variants:
                self._forget_variant(key, variant)
            return bool(variants)

    def _forget(self, key: binding_key_t) -> None:
        for variant in tuple(self._variants.get(key, ())):
            self._forget_variant(key, variant)

    def _forget_variant(self, key: binding_key_t, variant: _Variant) -> None:
        queue, exchange, routing_key = key
        variants = self._variants[key]
        variants.remove(variant)
        record = self.exchanges.get(exchange)
        if record is not None and variant.row in record.get("table", ()):
            record["table"].remove(variant.row)
        self.routes.unbind(exchange, routing_key, variant.arguments, Destination(queue))
        if variants:
            # Indexes that do not look at arguments have lost the others too.
            for rest in variants:
                self.routes.bind(
                    exchange, routing_key, rest.arguments, Destination(queue)
                )
            self.bindings[key] = variants[-1].arguments
            return
        del self._variants[key], self.bindings[key]
        keys = self.queue_index[queue]
        keys.discard(key)
        if not keys:
            del self.queue_index[queue]

    def queue_bindings(self, queue: str) -> Iterator[queue_binding_t]:
        """Return the bindings of *queue*."""
        return (
            queue_binding_t(key.exchange, key.routing_key, variant.arguments)
            for key in tuple(self.queue_index.get(queue, ()))
            for variant in tuple(self._variants.get(key, ()))
        )

    def bindings_to(
        self, exchange: str
    ) -> list[tuple[binding_key_t, Mapping[str, Any] | None]]:
        """Return what binds queues to *exchange*, with the arguments."""
        with self.lock:
            return [
                (key, variant.arguments)
                for key, variants in self._variants.items()
                if key.exchange == exchange
                for variant in variants
            ]

    def queue_bindings_delete(self, queue: str) -> None:
        """Remove all bindings of *queue*."""
        with self.lock:
            for key in tuple(self.queue_index.get(queue, ())):
                self._forget(key)
