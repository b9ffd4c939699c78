"""The channel of a virtual transport."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.transport._options import VIRTUAL_OPTIONS
from kombu.transport._queue_arguments import to_rabbitmq_queue_arguments
from kombu.transport.base import StdChannel
from kombu.transport.virtual.claiming import ClaimingChannel
from kombu.transport.virtual.consuming import polls_by_hook, restores_at_head
from kombu.transport.virtual.leased_qos import BrokerHeldQoS, LeasedQoS
from kombu.transport.virtual.leasing import BROKER, CLIENT, STORE
from kombu.transport.virtual.publishing import (
    PublishingChannel,
    takes_options,
    uses_routing_table,
)
from kombu.transport.virtual.qos import QoS

if TYPE_CHECKING:
    from kombu.transport._options import Option

__all__ = ("Channel",)


class Channel(PublishingChannel, ClaimingChannel, StdChannel):
    """A channel over a store.

    Transports subclass this and supply the hooks of
    :class:`~kombu.transport.virtual.storage.AbstractChannel`.

    Arguments:
        connection: The transport.
    """

    #: Names of transport options that become attributes of the channel.
    from_transport_options: tuple[str, ...] = (
        "body_encoding",
        "deadletter_queue",
        "priority_mode",
        "visibility_timeout",
    )

    #: Options of its own, for documents and to find misspelt ones.
    options: tuple[Option, ...] = VIRTUAL_OPTIONS

    # Numbers for tags: no longer used here, but by some transports.
    _delivery_tags = count(1)

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__()
        self.connection = connection
        self._uses = {}
        self.closed = False
        self.events = defaultdict(set)
        self.exchange_types = {
            name: kind(self) for name, kind in type(self).exchange_types.items()
        }
        self.channel_id = self._get_free_channel_id()
        options = connection.client.transport_options or {}
        for name in self.from_transport_options:
            if name in options:
                setattr(self, name, options[name])
        self._begin_leasing()
        self._routes = self.state.routes.route
        self._policies = self.state.policies
        self._selective = self.state.selective
        self._shares_topology = connection.topology is not None
        self._claims_singly = (
            self.claim_limit == self.settle_limit == 1 and not self._shares_topology
        )
        self._lacks_priority = not self._offers("priority")
        self._puts_without_options = not takes_options(type(self)._put)
        self._exchange_types_changed()
        kind: Any = type(self)
        self._polls_by_hook = polls_by_hook(kind)
        self._restores_at_head = restores_at_head(kind)

    def _begin_leasing(self) -> None:
        """Choose who holds what is delivered, as the transport declares it."""
        self._leases = self.holding != CLIENT
        if not self._leases:
            return
        if self.QoS is QoS:
            self.QoS = _QOS_OF_HOLDER[self.holding]
        self._qos = self.QoS(self)
        self._claimed = self._qos.claimed
        self._threads = self.connection._threads

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self._records)} consumers"
        return f"<{type(self).__module__}.{type(self).__name__} {self.channel_id}: {state}>"

    def __enter__(self) -> Channel:
        return self

    def prepare_queue_arguments(
        self, arguments: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Turn options of :class:`~kombu.Queue` into arguments, as RabbitMQ's."""
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    def _exchange_types_changed(self) -> None:
        self._uses_routing_table = uses_routing_table(self)

    def _get_free_channel_id(self) -> int:
        return self.connection._take_channel_id()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Cancel the consumers, and put back what is not settled.

        May be called more than once.
        """
        if self.closed:
            return
        self.closed = True
        try:
            for tag in tuple(self._consumers):
                self.basic_cancel(tag)
            if self._qos is not None:
                self._qos.restore_unacked_once()
        finally:
            if self._cycle is not None:
                self._cycle.close()
                self._cycle = None
            if self.connection is not None:
                self.connection.close_channel(self)


#: Strategies for what is delivered and not settled, by who holds it.
_QOS_OF_HOLDER: dict[str, Any] = {STORE: LeasedQoS, BROKER: BrokerHeldQoS}
