"""RabbitMQ 3 with its plug-in ``rabbitmq_amqp1_0``.

The plug-in makes queues when a link is opened to them, durable or not, and nothing
else: exchanges, bindings and queues with arguments have to be declared by another
protocol.  Seen with 3.10:

* an error ends the session;
* the end of a link is answered as if it was to be taken up again; what was on its way
  then stays in nobody's hands until the session ends;
* a message that reaches no queue is accepted;
* ``modified`` is not obeyed: the message waits for the end of the session;
* headers of AMQP 0-9-1 are dropped, and application properties are for clients of
  AMQP 1.0 alone;
* names of exchanges and queues have to be ASCII;
* taking back credit from a classic queue breaks the session;
* times are passed on without a change of their unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import proton

from kombu.exceptions import AbilityNotOffered
from kombu.transport._qpid.abilities import RABBITMQ
from kombu.transport._qpid.dialects import (
    Declared,
    Dialect,
    ExchangeSpec,
    QueueSpec,
    Target,
    not_declared,
    probe,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("RabbitMQDialect",)

_REMEDY = "declare it by amqp:// or RabbitMQ's management"


def is_rabbitmq(properties: Mapping[str, Any]) -> bool:
    """Whether a broker that says *properties* of itself is RabbitMQ 3."""
    version = str(properties.get("version", ""))
    return properties.get("product") == "RabbitMQ" and version.startswith("3.")


class RabbitMQDialect(Dialect):
    """What RabbitMQ 3 calls things."""

    product = "RabbitMQ's plug-in"
    implements = RABBITMQ
    capabilities = ()
    can_drain = False
    timestamps_per_second = 1000

    @staticmethod
    def hostname(virtual_host: str) -> str | None:
        """Return what names a virtual host."""
        return None if virtual_host in ("", "/") else f"vhost:{virtual_host}"

    def target(self, exchange: str, routing_key: str, mandatory: bool) -> Target:
        """Return where a message is sent."""
        if exchange:
            return Target(f"/exchange/{_escaped(exchange)}", subject=routing_key)
        return Target(self.source(routing_key))

    def source(self, queue: str) -> str:
        """Return the address of a queue that exists."""
        return f"/amq/queue/{_escaped(queue)}"

    def reply_address(self, queue: str) -> str:
        """Return what AMQP 0-9-1 shows as the plain name."""
        return f"/queue/{_escaped(queue)}"

    def reply_queue(self, address: str) -> str:
        """Return the name, if the address is one of a queue."""
        for prefix in ("/queue/", "/amq/queue/"):
            if address.startswith(prefix):
                return address[len(prefix) :].replace("%2F", "/")
        return address

    def give_back(self, delivery: Any) -> None:
        """Have a message delivered again."""
        delivery.update(proton.Delivery.RELEASED)

    def is_redelivered(self, message: Any) -> bool:
        """Whether it was sent to somebody else before."""
        return not message.first_acquirer

    # -- declaring -------------------------------------------------------------------------

    def declare_queue(self, channel: Any, queue: QueueSpec) -> Declared:
        """Make a queue, if it is a plain one.

        Raises:
            PreconditionFailed: It exists and is different.
            AbilityNotOffered: It has arguments, or is exclusive, or deletes itself.
        """
        wanted = [name for name in ("exclusive", "auto_delete") if getattr(queue, name)]
        wanted += list(queue.arguments)
        if wanted:
            raise AbilityNotOffered(
                f"RabbitMQ's plug-in can not declare queue {queue.name!r} with "
                f"{', '.join(wanted)}: {_REMEDY}, and connect with the transport "
                "option declare_policy='passive'"
            )
        address = f"/queue/{_escaped(queue.name)}"
        probe(channel, address, (), queue.durable)
        return Declared(queue.name, 0, 0)

    def delete_queue(
        self, channel: Any, name: str, if_unused: bool, if_empty: bool
    ) -> int:
        """Not possible."""
        not_declared(self.product, f"delete queue {name!r}", "delete it by amqp://")

    def declare_exchange(self, channel: Any, exchange: ExchangeSpec) -> None:
        """See whether it exists: no more is possible."""
        not_declared(self.product, f"declare exchange {exchange.name!r}", _REMEDY)

    def bind(self, channel: Any, destination: str, exchange: str, *rest: Any) -> None:
        """Not possible."""
        not_declared(self.product, f"bind {destination!r} to {exchange!r}", _REMEDY)


def _escaped(name: str) -> str:
    """Return *name* as a part of an address: nothing but a slash is escaped."""
    return name.replace("/", "%2F")
