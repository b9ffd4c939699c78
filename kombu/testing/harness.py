"""The harness: what the conformance suite needs to know of a transport.

A transport's conformance file supplies the URL, and overrides what only its
broker can do: :meth:`Harness.put_raw`, :meth:`Harness.kill_broker`,
:meth:`Harness.start_broker`; and, if other processes can not reach it, how consumers
are killed (:attr:`Harness.killable_kind`).

Every name is unique to the harness, so that tests can run in parallel and
against a broker that others use; what was made is deleted in the end.  Waits
end as soon as what they wait for is true, and fail after ``patience`` seconds.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import NotFound, ResourceLocked
from kombu.messaging import Consumer, Producer
from kombu.testing._processes import Processes
from kombu.transport._capabilities import ABILITIES, EMULATED
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kombu.message import Message
    from kombu.testing._killable import KillableConsumer
    from kombu.testing.proxy import FaultProxy

__all__ = ("Harness",)

_HERE = "127.0.0.1"


class Harness(Processes):
    """A transport under test; a context manager that cleans up.

    Arguments:
        url: URL of the broker.
        transport_options: Options for every connection.
        patience: Seconds after which a wait fails.
        idle: Seconds without an event after which nothing more is expected.
        transport: Class or name of the transport, if the URL does not tell.

    Attributes:
        connection: A connection for whatever needs none of its own.
        gathered_acks: Most acknowledgements of a consumer that its store may not know
            of yet; they are lost if it is killed.
    """

    #: Whether one prefetch limit can be set for a whole channel.
    has_channel_prefetch = True

    #: Messages published where a test wants many of them.
    many = 10_000

    def __init__(
        self,
        url: str,
        transport_options: Mapping[str, Any] | None = None,
        *,
        patience: float = 5.0,
        idle: float = 0.05,
        transport: Any = None,
    ) -> None:
        self.url = url
        self.transport = transport
        self.transport_options = dict(transport_options or {})
        self.patience = patience
        self.gathered_acks = 0
        self.idle = idle
        self._begin()

    def _begin(self) -> None:
        self._prefix = f"kombu-test-{uuid()[:13]}"
        self._connections: list[Connection] = []
        self._queues: dict[str, Queue] = {}
        self._exchanges: dict[str, Exchange] = {}
        self._connection: Connection | None = None
        self._killables: list[KillableConsumer] = []
        self._numbers = count(1)

    def __repr__(self) -> str:
        address = Connection(self.url).as_uri()
        return f"<{type(self).__name__}: {address} {self._prefix}>"

    def __enter__(self) -> Harness:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.cleanup()

    def twin(self) -> Harness:
        """Return another harness for the same broker, with names of its own."""
        twin = copy.copy(self)
        twin._begin()
        return twin

    # -- what the transport offers -----------------------------------------------

    @property
    def transport_name(self) -> str:
        """Name of the transport, for people."""
        return str(self._transport_class().driver_type)

    def _transport_class(self) -> Any:
        return Connection(self.url, transport=self.transport).get_transport_cls()

    def supports(self, ability: str) -> bool:
        """Return whether the transport says that it offers *ability*."""
        return bool(self._transport_class().implements.support(ability))

    def emulates(self, ability: str) -> bool:
        """Return whether it is this library, not the broker, that offers *ability*."""
        level: str = self._transport_class().implements.support(ability).level
        return level == EMULATED

    def require(self, *abilities: str) -> None:
        """Skip the test unless the transport offers all of *abilities*."""
        for ability in abilities:
            if not self.supports(ability):
                self.skip(f"no {ability!r} ({ABILITIES[ability]})")

    def skip(self, reason: str) -> NoReturn:
        """Skip the test, naming the transport and the *reason*."""
        import pytest

        pytest.skip(f"{self.transport_name}: {reason}")

    # -- what only the broker's own harness can do --------------------------------

    def kill_broker(self) -> None:
        """Stop the broker at once; overridden where that is possible."""
        self.skip("this harness can not kill its broker")

    def start_broker(self) -> None:
        """Start the broker that was killed, with the messages it had."""
        self.skip("this harness can not start its broker")

    def put_raw(self, queue: str, data: Any) -> None:
        """Put *data*, which is no envelope, into the store of *queue*."""
        self.skip("this harness can not write into the store")

    def fault_proxy(self) -> FaultProxy:
        """Return a proxy in front of the broker, to be entered; or skip the test."""
        from kombu.testing.proxy import FaultProxy

        connection = Connection(self.url, transport=self.transport)
        defaults = connection.transport.default_connection_params
        port = connection.port or defaults.get("port")
        if not port:
            self.skip("no TCP address that a fault proxy could stand for")
        return FaultProxy(connection.hostname or _HERE, port, patience=self.patience)

    # -- connections -----------------------------------------------------------------

    def connect(self, url: str | None = None, **options: Any) -> Connection:
        """Return a new connection, which is closed in the end.

        Arguments:
            url: Where to connect to, if not to the harness's own URL.
            **options: Further arguments of :class:`~kombu.Connection`.
        """
        options = {"transport_options": dict(self.transport_options), **options}
        connection = Connection(url or self.url, transport=self.transport, **options)
        self._connections.append(connection)
        return connection

    def forget(self, connection: Connection) -> None:
        """Hold no reference to *connection*, which is closed."""
        self._connections.remove(connection)

    @property
    def connection(self) -> Connection:
        """The connection of those who need none of their own."""
        if self._connection is None:
            self._connection = self.connect()
        return self._connection

    # -- entities --------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """Return a name that is *name* for this test alone."""
        return f"{self._prefix}.{name}"

    def exchange(
        self,
        name: str = "exchange",
        type: str = "direct",
        *,
        connection: Connection | None = None,
        **options: Any,
    ) -> Exchange:
        """Return a declared exchange.

        Arguments:
            name: Begin of its name.
            type: Type.
            connection: Connection to declare it by.
            **options: Further arguments of :class:`~kombu.Exchange`.
        """
        options = {"durable": False, "delivery_mode": "transient", **options}
        exchange = Exchange(self.unique(name), type, **options)
        self._exchanges[exchange.name] = exchange
        bound = exchange((connection or self.connection).default_channel)
        bound.declare()
        return bound

    def queue(
        self,
        name: str = "queue",
        exchange: Any = None,
        routing_key: str = "",
        *,
        connection: Connection | None = None,
        **options: Any,
    ) -> Queue:
        """Return a declared queue.

        Arguments:
            name: Begin of its name.
            exchange: Exchange to bind it to, if any, or bindings.
            routing_key: Routing key to bind it by.
            connection: Connection to declare it by.
            **options: Further arguments of :class:`~kombu.Queue`.
        """
        queue = self.undeclared_queue(name, exchange, routing_key, **options)
        bound = queue((connection or self.connection).default_channel)
        bound.declare()
        return bound

    def undeclared_queue(
        self,
        name: str = "queue",
        exchange: Any = None,
        routing_key: str = "",
        **options: Any,
    ) -> Queue:
        """Return a queue as :meth:`queue` does, not declared, nor bound to a channel."""
        queue = Queue(self.unique(name), exchange, routing_key, **options)
        self._queues[queue.name] = queue
        return queue

    def exists(self, queue: Queue | str) -> bool:
        """Return whether the broker has *queue*."""
        with self.connect() as connection:
            channel = connection.channel()
            try:
                channel.queue_declare(queue=_name_of(queue), passive=True)
            except NotFound:
                return False
            except ResourceLocked:
                return True
            return True

    def size(self, queue: Queue | str) -> int:
        """Return how many messages are ready in *queue*."""
        channel = self.connection.channel()
        try:
            answer = channel.queue_declare(queue=_name_of(queue), passive=True)
            return int(answer.message_count)
        finally:
            channel.close()

    # -- messages --------------------------------------------------------------------

    def producer(
        self, connection: Connection | None = None, **options: Any
    ) -> Producer:
        """Return a producer on a channel of its own."""
        return Producer((connection or self.connection).channel(), **options)

    def publish(
        self,
        body: Any,
        to: Queue | Exchange | None = None,
        routing_key: str = "",
        *,
        connection: Connection | None = None,
        **options: Any,
    ) -> None:
        """Publish *body* to a queue, or to an exchange by a routing key.

        Arguments:
            body: The body.
            to: The queue or exchange; none for the exchange without a name.
            routing_key: Routing key, for an exchange.
            connection: Connection to publish by.
            **options: Further arguments of :meth:`kombu.Producer.publish`.
        """
        if isinstance(to, Queue):
            routing_key, to = to.name, None
        Producer((connection or self.connection).default_channel).publish(
            body,
            exchange="" if to is None else to.name,
            routing_key=routing_key,
            **options,
        )

    def get(self, queue: Queue, **options: Any) -> Message:
        """Wait for the next message of *queue*, and take it.

        Arguments:
            queue: The queue, which is bound to a channel.
            **options: Arguments of :meth:`kombu.Queue.get`.
        """
        found: list[Message] = []

        def has_come() -> bool:
            message = queue.get(**options)
            if message is not None:
                found.append(message)
            return bool(found)

        self.settle(has_come, what=f"a message in {queue.name}")
        return found[0]

    def take(self, queue: Queue, count: int) -> list[Any]:
        """Wait for *count* messages, take them, and see that there are no more.

        Returns:
            The decoded bodies, in the order of the queue.
        """
        bodies = [self.get(queue, no_ack=True).payload for _ in range(count)]
        extra = queue.get(no_ack=True)
        if extra is not None:
            raise AssertionError(
                f"{count} messages were expected in {queue.name}; "
                f"beside {bodies!r} there is {extra.payload!r}"
            )
        return bodies

    def consume_all(
        self,
        queues: Queue | Iterable[Queue],
        count: int,
        timeout: float | None = None,
        *,
        connection: Connection | None = None,
        no_ack: bool = False,
        **options: Any,
    ) -> list[Message]:
        """Consume until *count* messages have come; acknowledge each.

        Arguments:
            queues: Queue or queues.
            count: How many to wait for.
            timeout: Seconds to wait; ``patience`` if not given.
            connection: Connection to consume by; a new one if not given.
            no_ack: Have them acknowledged by the broker.
            **options: Further arguments of :class:`~kombu.Consumer`.
        """
        received: list[Message] = []

        def on_message(message: Message) -> None:
            received.append(message)
            if not no_ack:
                message.ack()

        connection = connection or self.connect()
        channel = connection.channel()
        with Consumer(
            channel,
            [queues] if isinstance(queues, Queue) else list(queues),
            on_message=on_message,
            no_ack=no_ack,
            **options,
        ):
            self.drain(
                connection,
                lambda: len(received) >= count,
                timeout,
                what=f"{count} messages",
            )
        channel.close()
        return received

    # -- the end ---------------------------------------------------------------------

    def cleanup(self) -> None:
        """Kill the consumers, close the connections, delete what was declared."""
        self._kill_all()
        for connection in self._connections:
            with suppress(Exception):
                # Some were broken on purpose.
                connection.close()
        self._connections.clear()
        self._connection = None
        with suppress(Exception), self.connect() as connection:
            self._delete_entities(connection)
        self._connections.clear()

    def _delete_entities(self, connection: Connection) -> None:
        for entities in (self._queues, self._exchanges):
            for entity in entities.values():
                # It may be gone, which closes the channel of some brokers.
                with suppress(Exception), connection.channel() as channel:
                    entity(channel).delete()
            entities.clear()


def _name_of(queue: Queue | str) -> str:
    return queue.name if isinstance(queue, Queue) else queue
