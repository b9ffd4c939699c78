"""One topology for all processes: exchanges, queues and bindings as records.

=========  ==================  ======================================================
Kind       Name                Value
=========  ==================  ======================================================
exchange   its name            ``type``, ``durable``, ``auto_delete``, ``arguments``
queue      its name            ``durable``, ``exclusive``, ``auto_delete``,
                               ``arguments``, ``owner`` (of an exclusive one),
                               ``is_ranked`` (its consumers have priorities)
binding    what it binds, as   ``source``, ``destination``, ``is_exchange``,
           JSON                ``routing_key``, ``arguments``; group: the source
consumer   owner, channel and  ``queue``, ``owner``, ``priority``, ``since``,
           tag                 ``has_room``; group: the queue
use        a queue's name      ``at``: when it was last used
=========  ==================  ======================================================

The state of a connection is a copy of the first three, read again whenever the
version of the records has changed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kombu.transport.virtual._table import BindingTable
from kombu.transport.virtual.records import BINDING, EXCHANGE, QUEUE
from kombu.transport.virtual.state import QueueRecord
from kombu.utils.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kombu.transport.virtual.records import RecordStore
    from kombu.transport.virtual.state import BrokerState

__all__ = ("SharedTopology", "binding_record")

Record = dict[str, Any]


def binding_record(
    source: str,
    destination: str,
    is_exchange: bool,
    routing_key: str,
    arguments: Mapping[str, Any] | None,
) -> tuple[str, Record]:
    """Return name and value of the record of a binding; its group is *source*."""
    arguments = dict(sorted((arguments or {}).items()))
    name = dumps([source, destination, is_exchange, routing_key, arguments])
    return name, {
        "source": source,
        "destination": destination,
        "is_exchange": is_exchange,
        "routing_key": routing_key,
        "arguments": arguments,
    }


def _exchange_value(record: Mapping[str, Any]) -> Record:
    names = ("type", "durable", "auto_delete", "arguments")
    return {name: record.get(name) for name in names}


def _queue_value(record: QueueRecord) -> Record:
    return {
        "durable": record.durable,
        "exclusive": record.exclusive,
        "auto_delete": record.auto_delete,
        "arguments": record.arguments,
        "owner": record.owner,
        "is_ranked": record.is_ranked,
    }


def _queue_of(name: str, value: Record) -> QueueRecord:
    record = QueueRecord(
        name,
        durable=value["durable"],
        exclusive=value["exclusive"],
        auto_delete=value["auto_delete"],
        arguments=value["arguments"],
        owner=value["owner"],
    )
    record.is_ranked = bool(value.get("is_ranked"))
    return record


class SharedTopology:
    """Keeps the state of a connection and the records of its store alike.

    Arguments:
        records: The records.
        state: The state.
        on_queue_gone: Called with the name of a queue that was deleted by
            somebody else.
    """

    def __init__(
        self,
        records: RecordStore,
        state: BrokerState,
        on_queue_gone: Callable[[str], None],
    ) -> None:
        self.records = records
        self._state = state
        self._on_queue_gone = on_queue_gone
        self._lock = threading.RLock()
        self._version: object = None
        # The records as they were read last, by name.
        self._exchanges: dict[str, Record] = {}
        self._queues: dict[str, Record] = {}
        self._bindings: dict[str, Record] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: version {self._version!r} of {self.records!r}>"

    @property
    def version(self) -> object:
        """The version that the state has been brought to; None if to none."""
        return self._version

    # -- reading ---------------------------------------------------------------

    def refresh(self, channel: Any) -> None:
        """Take over what has changed in the records, if anything has.

        Arguments:
            channel: Channel whose exchange types make rows of bindings.
        """
        version = self.records.version()
        if version == self._version:
            return
        with self._lock:
            exchanges = self.records.read(EXCHANGE)
            queues = self.records.read(QUEUE)
            bindings = self.records.read(BINDING)
            with self._state.lock:
                self._take_exchanges(exchanges)
                gone = self._take_queues(queues)
                self._take_bindings(bindings, channel)
            self._version = version
        for name in gone:
            self._on_queue_gone(name)

    def _take_exchanges(self, found: dict[str, Record]) -> None:
        state = self._state
        for name, value in self._exchanges.items():
            if found.get(name) != value:
                state.exchange_delete(name)
                self._forget_bindings(name)
        for name, value in found.items():
            if name not in state.exchanges:
                state.exchange_declare(name, {**value, "table": BindingTable()})
        self._exchanges = found

    def _forget_bindings(self, exchange: str) -> None:
        self._bindings = {
            name: value
            for name, value in self._bindings.items()
            if exchange != value["source"]
            and not (value["is_exchange"] and exchange == value["destination"])
        }

    def _take_queues(self, found: dict[str, Record]) -> list[str]:
        state = self._state
        gone = [name for name in self._queues if name not in found]
        for name in gone:
            state.queue_delete(name)
        for name, value in found.items():
            if self._queues.get(name) == value:
                continue
            state.queue_update(_queue_of(name, value))
        self._queues = found
        return gone

    def _take_bindings(self, found: dict[str, Record], channel: Any) -> None:
        state = self._state
        for name, value in self._bindings.items():
            if name not in found:
                self._unbind(value)
        taken = {}
        for name, value in found.items():
            # One from an exchange that no record tells of waits until there is
            # a declaration: its type is not known.
            if value["source"] not in state.exchanges:
                continue
            taken[name] = value
            if name not in self._bindings:
                self._bind(value, channel)
        self._bindings = taken

    def _bind(self, value: Record, channel: Any) -> None:
        source, destination = value["source"], value["destination"]
        key, arguments = value["routing_key"], value["arguments"]
        if value["is_exchange"]:
            self._state.exchange_binding_declare(destination, source, key, arguments)
        else:
            kind = channel.typeof(source)
            row = kind.prepare_bind(destination, source, key, arguments)
            self._state.binding_declare(destination, source, key, arguments, row)

    def _unbind(self, value: Record) -> None:
        source, destination = value["source"], value["destination"]
        key, arguments = value["routing_key"], value["arguments"]
        if value["is_exchange"]:
            self._state.exchange_binding_delete(destination, source, key, arguments)
        else:
            self._state.binding_delete(destination, source, key, arguments)

    # -- writing ---------------------------------------------------------------

    def add_exchange(self, name: str, record: Mapping[str, Any]) -> bool:
        """Record an exchange; return whether there was none of that name."""
        self._version = None  # bindings may have waited for it
        value = _exchange_value(record)
        is_added = self.records.add(EXCHANGE, name, value)
        if is_added:
            # Noted at once: others may remove it before we read again.
            self._exchanges[name] = value
        return is_added

    def remove_exchange(self, name: str) -> None:
        """Remove the record of an exchange, and those of what is bound to it."""
        for binding in self.records.read(BINDING, name):
            self.records.remove(BINDING, binding, name)
        for binding, value in self.records.read(BINDING).items():
            if value["is_exchange"] and value["destination"] == name:
                self.records.remove(BINDING, binding, value["source"])
        self.records.remove(EXCHANGE, name)

    def add_queue(self, record: QueueRecord) -> bool:
        """Record a queue; return whether there was none of that name."""
        value = _queue_value(record)
        is_added = self.records.add(QUEUE, record.name, value)
        if is_added:
            self._queues[record.name] = value
        return is_added

    def write_queue(self, record: QueueRecord) -> None:
        """Record what has changed of a queue."""
        self.records.write(QUEUE, record.name, _queue_value(record))

    def remove_queue(self, name: str) -> None:
        """Remove the record of a queue, and those of its bindings."""
        for binding, value in self.records.read(BINDING).items():
            if not value["is_exchange"] and value["destination"] == name:
                self.records.remove(BINDING, binding, value["source"])
        self.records.remove(QUEUE, name)

    def add_binding(
        self,
        source: str,
        destination: str,
        is_exchange: bool,
        routing_key: str,
        arguments: Mapping[str, Any] | None,
    ) -> None:
        """Record a binding."""
        name, value = binding_record(
            source, destination, is_exchange, routing_key, arguments
        )
        self.records.add(BINDING, name, value, group=source)
        self._bindings[name] = value

    def remove_bindings(
        self, source: str, destination: str, is_exchange: bool, routing_key: str
    ) -> None:
        """Remove the records of bindings that the state has no longer."""
        state = self._state
        for name, value in self.records.read(BINDING, source).items():
            same = (value["destination"], value["is_exchange"], value["routing_key"])
            if same != (destination, is_exchange, routing_key):
                continue
            arguments = value["arguments"] or None
            if is_exchange:
                left = state.exchange_bindings.get((destination, source, routing_key))
                is_left = arguments in (left or ())
            else:
                is_left = any(
                    binding[:2] == (source, routing_key)
                    and (binding.arguments or None) == arguments
                    for binding in state.queue_bindings(destination)
                )
            if not is_left:
                self.records.remove(BINDING, name, source)
