"""The memory transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import finalize

from kombu.transport import virtual
from kombu.transport._capabilities import EMULATED, Support, leased_abilities
from kombu.transport.memory._broker import DefaultBroker, brokers
from kombu.transport.memory._channel import Channel

if TYPE_CHECKING:
    from kombu.transport.virtual.local_records import LocalRecords

__all__ = ("Transport",)

#: Hosts that mean the broker without a name.
_DEFAULT_HOSTS = frozenset({None, "", "localhost"})


class Transport(virtual.Transport):
    """The in-memory transport."""

    __module__ = "kombu.transport.memory"

    Channel = Channel

    #: What the broker without a name knows of exchanges and queues.
    global_state: Any = DefaultBroker("state")

    polling_interval = None
    is_woken_by_store = True
    driver_type = "memory"
    driver_name = "memory"
    knows_all_consumers = True
    knows_all_options = True

    implements = virtual.Transport.implements.extend(
        asynchronous=True,
        abilities={
            **leased_abilities,
            "lease": Support(
                EMULATED, "a thread that died; the store is the process's"
            ),
            "shared_topology": Support(EMULATED, "within the process"),
        },
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        host = client.hostname
        self.broker = brokers.get("" if host in _DEFAULT_HOSTS else host)
        super().__init__(client, **kwargs)
        self.state = self.broker.state
        self.broker.transports.add(self)
        finalize(self, self.broker.forget, self.owner)
        if self.Channel._put is not Channel._put and self.polling_interval is None:
            # Where a subclass puts messages, nobody may wake us.
            self.polling_interval = virtual.Transport.polling_interval

    def _make_records(self) -> LocalRecords:
        return self.broker.records

    def _others_may_be_served(self) -> None:
        self.broker.wake_all()

    def _retire(self) -> None:
        super()._retire()
        self.broker.in_flight.pop(self.owner, None)

    def driver_version(self) -> str:
        """Return the version: there is no driver, and so none."""
        return "N/A"

    def _add_consumer(self, queue: str, channel: Any) -> None:
        with self.broker.lock:
            found = self.broker.queue(queue)
            if self not in found.waiters:
                found.waiters = (*found.waiters, self)
            super()._add_consumer(queue, channel)

    def _remove_consumer(self, queue: str, channel: Any) -> None:
        # Under one lock with the former, or one that comes meanwhile is lost.
        with self.broker.lock:
            super()._remove_consumer(queue, channel)
            found = self.broker.queues.get(queue)
            if found is not None and queue not in self._callbacks:
                found.waiters = tuple(w for w in found.waiters if w is not self)
