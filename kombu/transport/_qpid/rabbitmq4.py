"""RabbitMQ 4, which speaks AMQP 1.0 of its own accord, by its addresses "v2".

Written from its documentation: no RabbitMQ 4 was at hand to try it with.  What it lets
be declared by its node ``/management`` is not asked for: declare by another protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import proton

from kombu.transport._qpid.abilities import RABBITMQ_4
from kombu.transport._qpid.dialects import (
    Declared,
    Dialect,
    QueueSpec,
    Target,
    not_declared,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kombu.transport._qpid.errors import Condition

__all__ = ("RabbitMQ4Dialect",)

_QUEUES = "/queues/"


def is_rabbitmq4(properties: Mapping[str, Any]) -> bool:
    """Whether a broker that says *properties* of itself is RabbitMQ 4 or later."""
    major = str(properties.get("version", "")).partition(".")[0]
    is_rabbitmq = properties.get("product") == "RabbitMQ"
    return is_rabbitmq and major.isdecimal() and int(major) >= 4


class RabbitMQ4Dialect(Dialect):
    """What RabbitMQ 4 calls things."""

    product = "RabbitMQ 4"
    implements = RABBITMQ_4
    capabilities = ()

    @staticmethod
    def hostname(virtual_host: str) -> str | None:
        """Return what names a virtual host."""
        return None if virtual_host in ("", "/") else f"vhost:{virtual_host}"

    def target(self, exchange: str, routing_key: str, mandatory: bool) -> Target:
        """Return where a message is sent: to an exchange, by what it says itself."""
        if not exchange:
            return Target(self.source(routing_key))
        to = f"/exchanges/{_escaped(exchange)}"
        return Target(None, to=f"{to}/{_escaped(routing_key)}" if routing_key else to)

    def source(self, queue: str) -> str:
        """Return the address of a queue."""
        return f"{_QUEUES}{_escaped(queue)}"

    def reply_address(self, queue: str) -> str:
        """Return the address of a queue."""
        return self.source(queue)

    def reply_queue(self, address: str) -> str:
        """Return the name, if the address is one of a queue."""
        if address.startswith(_QUEUES):
            return unquote(address[len(_QUEUES) :])
        return address

    def is_unroutable(self, state: int, condition: Condition | None) -> bool:
        """Whether it was released: that is what it does with what it can't route."""
        return bool(state == proton.Delivery.RELEASED)

    def find_exchange(self, channel: Any, name: str) -> None:
        """See that there is an exchange.

        Raises:
            NotFound: There is none.
        """
        channel.probe_target(Target(f"/exchanges/{_escaped(name)}"))

    def declare_queue(self, channel: Any, queue: QueueSpec) -> Declared:
        """Not possible."""
        not_declared(
            self.product, f"declare queue {queue.name!r}", "declare it by amqp://"
        )


def _escaped(name: str) -> str:
    return quote(name, safe="")
