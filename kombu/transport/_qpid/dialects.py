"""What a broker calls queues and exchanges, and what it lets be declared.

AMQP 1.0 knows addresses; what they mean, each broker says for itself.  A dialect says
it of one product; this is the one of a broker of which nothing is known: an address is
the name of a queue, and there are no exchanges but the one without a name, whose
routing keys are names of queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import proton

from kombu.exceptions import AbilityNotOffered
from kombu.transport._qpid.abilities import GENERIC
from kombu.transport._qpid.links import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kombu.transport._capabilities import Implements
    from kombu.transport._qpid.errors import Condition

__all__ = ("Declared", "Dialect", "ExchangeSpec", "QueueSpec", "Target", "not_declared")


class Target(NamedTuple):
    """Where a message is sent.

    Attributes:
        address: Address of the link.
        to: What the message itself has as its address.
        subject: What the message has as its subject.
        capabilities: What the link asks the broker for.
        durable: Whether what the address stands for outlives the broker.
    """

    address: str | None
    to: str | None = None
    subject: str | None = None
    capabilities: tuple[str, ...] = ()
    durable: bool = False

    def __str__(self) -> str:
        return repr(self.address)


class QueueSpec(NamedTuple):
    """A queue as it is declared."""

    name: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: Mapping[str, Any]


class ExchangeSpec(NamedTuple):
    """An exchange as it is declared."""

    name: str
    type: str
    durable: bool
    auto_delete: bool
    arguments: Mapping[str, Any]


class Declared(NamedTuple):
    """What is answered to the declaration of a queue."""

    queue: str
    message_count: int
    consumer_count: int


def not_declared(product: str, what: str, remedy: str) -> NoReturn:
    """Raise that *product* does not let *what* be declared.

    Raises:
        AbilityNotOffered: Always.
    """
    raise AbilityNotOffered(
        f"{product} can not {what} by AMQP 1.0: {remedy}, and connect with the "
        "transport option declare_policy='passive'"
    )


class Dialect:
    """What a broker calls things.

    Arguments:
        connection: The connection to it.
    """

    product = "the broker"
    #: What it offers.
    implements: Implements = GENERIC
    #: What a link to a queue asks for: brokers that make queues by themselves
    #: (Artemis) make topics otherwise.
    capabilities: tuple[str, ...] = ("queue",)
    #: Whether credit can be taken back.
    can_drain = True
    #: Of the times that messages carry.
    timestamps_per_second = 1

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @staticmethod
    def hostname(virtual_host: str) -> str | None:
        """Return what the broker wants as the host of a connection; None: nothing."""
        return None if virtual_host in ("", "/") else virtual_host

    def close(self) -> None:
        """Forget what is the library's: the connection ends."""

    # -- addresses -----------------------------------------------------------------------

    def target(self, exchange: str, routing_key: str, mandatory: bool) -> Target:
        """Return where a message is sent."""
        if exchange:
            return Target(exchange, subject=routing_key)
        return Target(routing_key, capabilities=self.capabilities)

    def source(self, queue: str) -> str:
        """Return the address of a queue."""
        return queue

    def reply_address(self, queue: str) -> str:
        """Return what a message has as its reply-to."""
        return queue

    def reply_queue(self, address: str) -> str:
        """Return the queue that the reply-to of a message means."""
        return address

    def origin(
        self,
        to: str | None,
        subject: str | None,
        exchange: str | None,
        routing_key: str | None,
    ) -> tuple[str, str | None]:
        """Return exchange and routing key of a message; None: that of its queue.

        Arguments:
            to: Its address.
            subject: Its subject.
            exchange: What it says by itself of its exchange.
            routing_key: What it says by itself of its routing key.
        """
        if routing_key is not None:
            return exchange or "", routing_key
        return exchange or "", subject

    # -- outcomes ------------------------------------------------------------------------

    def is_unroutable(self, state: int, condition: Condition | None) -> bool:
        """Whether an outcome means that a message reached no queue."""
        return condition is not None and condition.name == "amqp:not-found"

    def refusal(self, queue: str) -> Callable[[Any], None]:
        """Return what refuses a message of *queue*."""
        return _reject

    def give_back(self, delivery: Any) -> None:
        """Have a message delivered again."""
        delivery.local.failed = True
        delivery.local.undeliverable = False
        delivery.update(proton.Delivery.MODIFIED)

    def is_redelivered(self, message: Any) -> bool:
        """Whether a message says that it was delivered before."""
        return bool(message.delivery_count > 0)

    # -- declaring -------------------------------------------------------------------------

    def declare_queue(self, channel: Any, queue: QueueSpec) -> Declared:
        """Declare a queue: brokers that make queues as they are used make it now."""
        return self.find_queue(channel, queue.name)

    def find_queue(self, channel: Any, name: str) -> Declared:
        """Return what is known of a queue.

        Raises:
            NotFound: There is none.
        """
        probe(channel, self.source(name), self.capabilities)
        return Declared(name, 0, 0)

    def delete_queue(
        self, channel: Any, name: str, if_unused: bool, if_empty: bool
    ) -> int:
        """Delete a queue; return how many messages it had."""
        not_declared(self.product, f"delete queue {name!r}", "delete it at the broker")

    def purge_queue(self, channel: Any, name: str) -> int:
        """Delete the messages of a queue that nobody has; return how many.

        They are taken, as a consumer does: what others have is not touched.
        """
        return int(channel.take_all(name))

    def declare_exchange(self, channel: Any, exchange: ExchangeSpec) -> None:
        """Declare an exchange."""
        not_declared(
            self.product, f"declare exchange {exchange.name!r}", "declare it otherwise"
        )

    def find_exchange(self, channel: Any, name: str) -> None:
        """See that there is an exchange.

        Raises:
            NotFound: There is none.
        """
        channel.probe_target(self.target(name, "", False))

    def delete_exchange(self, channel: Any, name: str, if_unused: bool) -> None:
        """Delete an exchange."""
        not_declared(self.product, f"delete exchange {name!r}", "delete it otherwise")

    def bind(
        self,
        channel: Any,
        destination: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any],
        to_exchange: bool = False,
    ) -> None:
        """Bind a queue, or exchange, to an exchange."""
        not_declared(
            self.product, f"bind {destination!r} to {exchange!r}", "bind it otherwise"
        )

    def unbind(
        self,
        channel: Any,
        destination: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any],
        to_exchange: bool = False,
    ) -> None:
        """Undo :meth:`bind`."""
        not_declared(
            self.product,
            f"unbind {destination!r} from {exchange!r}",
            "unbind it otherwise",
        )

    def ask_for(self, transport: Any, queue: QueueSpec) -> None:
        """Say what *queue* asks for that there is not."""
        for argument in queue.arguments:
            ability = ARGUMENTS.get(argument)
            if ability is not None:
                transport.ask(ability)
        if queue.exclusive:
            transport.ask("exclusive")
        if queue.auto_delete:
            transport.ask("auto_delete")


#: What an argument of a queue asks for.
ARGUMENTS = {
    "x-max-priority": "priority",
    "x-message-ttl": "message_ttl",
    "x-expires": "queue_expires",
    "x-dead-letter-exchange": "dead_letter",
    "x-dead-letter-routing-key": "dead_letter",
    "x-delivery-limit": "delivery_limit",
    "x-max-length": "max_length",
    "x-max-length-bytes": "max_length",
    "x-overflow": "max_length",
    "x-single-active-consumer": "single_active_consumer",
}


def probe(
    channel: Any, address: str, capabilities: tuple[str, ...], durable: bool = False
) -> None:
    """Open a link from *address*, and close it again.

    Raises:
        NotFound: There is no such thing.
    """
    from kombu.transport._qpid.publishing import put_symbols

    connection = channel.make_usable()
    with connection.lock:
        endpoint = channel.session.receiver(connection.new_link_name())
        endpoint.source.address = address
        endpoint.source.durability = 2 if durable else 0
        put_symbols(endpoint.source.capabilities, capabilities)
        endpoint.target.address = endpoint.name
        link = Incoming(endpoint, f"looking for {address!r}", 0, False, _ignore)
    channel.open_link(link)
    with connection.lock:
        channel.drop_link(link)
    connection.flush()
    channel.wait_for(lambda: link.is_ended, link.what)


def _ignore(link: Incoming, delivery: Any, data: bytes, is_settled: bool) -> None:
    """Nothing comes: there is no credit."""


def _reject(delivery: Any) -> None:
    delivery.update(proton.Delivery.REJECTED)
