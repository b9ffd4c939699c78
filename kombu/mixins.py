"""Programs that consume: connecting, reconnecting and stopping done for you."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.common import ignore_errors
from kombu.log import get_logger
from kombu.messaging import Consumer, Producer
from kombu.utils import waiting
from kombu.utils.encoding import safe_repr
from kombu.utils.limits import TokenBucket
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu.connection import Connection
    from kombu.message import Message

__all__ = ("ConsumerMixin", "ConsumerProducerMixin")

logger = get_logger(__name__)


class ConsumerMixin:
    """A program that consumes, and goes on after the broker was lost.

    Subclasses set :attr:`connection` and define :meth:`get_consumers`; call
    :meth:`run` to start, and set :attr:`should_stop` to stop.

    .. code-block:: python

        class Worker(ConsumerMixin):
            def __init__(self, connection):
                self.connection = connection

            def get_consumers(self, Consumer, channel):
                return [Consumer(queues=[queue], callbacks=[self.on_task])]

            def on_task(self, body, message):
                print(body)
                message.ack()
    """

    #: The connection; clones of it are used.
    connection: Connection

    #: Most tries to connect; none for no limit.
    connect_max_retries: int | None = None

    #: Set it to True to have :meth:`run` return.
    should_stop = False

    # -- to be defined, or overridden ------------------------------------------

    def get_consumers(
        self, Consumer: Callable[..., Consumer], channel: Any
    ) -> list[Consumer]:
        """Return the consumers.

        Arguments:
            Consumer: Makes a :class:`~kombu.Consumer` on *channel*.
            channel: The channel.
        """
        raise NotImplementedError("Subclass responsibility")

    def on_connection_revived(self) -> None:
        """Is called when there is a connection again."""

    def on_consume_ready(
        self, connection: Connection, channel: Any, consumers: Any, **kwargs: Any
    ) -> None:
        """Is called when the consumers are ready."""

    def on_consume_end(self, connection: Connection, channel: Any) -> None:
        """Is called when the consumers are cancelled."""

    def on_iteration(self) -> None:
        """Is called before each wait for an event."""

    def on_decode_error(self, message: Message, exc: BaseException) -> None:
        """Is called with a message that can not be decoded; it is dropped."""
        logger.error(
            "Can't decode message body: %r (type:%r encoding:%r raw:%r')",
            exc,
            message.content_type,
            message.content_encoding,
            safe_repr(message.body),
        )
        message.ack()

    def on_connection_error(self, exc: BaseException, interval: float) -> None:
        """Is called for each failed try to connect."""
        logger.warning(
            "Broker connection error, trying again in %s seconds: %r.", interval, exc
        )

    @contextmanager
    def extra_context(self, connection: Connection, channel: Any) -> Iterator[None]:
        """Return what to enter while the consumers are active."""
        yield

    # -- running -----------------------------------------------------------------

    def run(self, _tokens: int = 1, **kwargs: Any) -> None:
        """Consume until :attr:`should_stop` is set."""
        restart_limit = self.restart_limit
        while not self.should_stop:
            try:
                if restart_limit.can_consume(_tokens):
                    for _ in self.consume(limit=None, **kwargs):
                        pass
                else:
                    waiting.sleep(restart_limit.expected_time(_tokens))
            except self.connection.connection_errors:
                logger.warning(
                    "Connection to broker lost. Trying to re-establish the connection..."
                )
                logger.debug("The error was:", exc_info=True)

    @contextmanager
    def consumer_context(
        self, **kwargs: Any
    ) -> Iterator[tuple[Connection, Any, list[Consumer]]]:
        """Return a context with connection, channel and active consumers."""
        with self.Consumer() as (connection, channel, consumers):
            with self.extra_context(connection, channel):
                self.on_consume_ready(connection, channel, consumers, **kwargs)
                yield connection, channel, consumers

    def consume(
        self,
        limit: int | None = None,
        timeout: float | None = None,
        safety_interval: float = 1,
        **kwargs: Any,
    ) -> Iterator[None]:
        """Consume, one event for each step of the iterator.

        Arguments:
            limit: Most events; without limit if not given.
            timeout: Seconds without events after which to raise
                ``socket.timeout``.
            safety_interval: Seconds that a wait takes at most, to see whether
                to stop.
            **kwargs: Passed to :meth:`on_consume_ready`.
        """
        elapsed = 0.0
        with self.consumer_context(**kwargs) as (connection, _, _):
            for _ in range(limit) if limit else count():
                if self.should_stop:
                    break
                self.on_iteration()
                try:
                    connection.drain_events(timeout=safety_interval)
                except TimeoutError:
                    connection.heartbeat_check()
                    elapsed += safety_interval
                    if timeout and elapsed >= timeout:
                        raise
                except OSError:
                    if not self.should_stop:
                        raise
                else:
                    yield
                    elapsed = 0.0
        logger.debug("consume exiting")

    def maybe_conn_error(self, fun: Callable[..., Any]) -> Any:
        """Call *fun*, and do not mind that the connection is lost."""
        return ignore_errors(self.connection, fun)

    def create_connection(self) -> Connection:
        """Return a new connection."""
        clone: Connection = self.connection.clone()
        return clone

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        """Return a context with a connection, which is tried for."""
        with self.create_connection() as connection:
            connection.ensure_connection(
                self.on_connection_error, self.connect_max_retries
            )
            yield connection

    @contextmanager
    def Consumer(self) -> Iterator[tuple[Connection, Any, list[Consumer]]]:
        """Return a context with connection, channel and active consumers."""
        with self.establish_connection() as connection:
            self.on_connection_revived()
            logger.info("Connected to %s", connection.as_uri())
            channel = connection.default_channel
            cls = partial(Consumer, channel, on_decode_error=self.on_decode_error)
            with self._consume_from(*self.get_consumers(cls, channel)) as consumers:
                yield connection, channel, consumers
            logger.debug("Consumers cancelled")
            self.on_consume_end(connection, channel)
        logger.debug("Connection closed")

    @contextmanager
    def _consume_from(self, *consumers: Any) -> Iterator[list[Any]]:
        with ExitStack() as stack:
            yield [stack.enter_context(consumer) for consumer in consumers]

    @cached_property
    def restart_limit(self) -> TokenBucket:
        """How often to connect anew: once a second."""
        return TokenBucket(1)

    @cached_property
    def connection_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which the connection is lost."""
        return self.connection.connection_errors  # type: ignore[no-any-return]

    @cached_property
    def channel_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which the channel is lost."""
        return self.connection.channel_errors  # type: ignore[no-any-return]


class ConsumerProducerMixin(ConsumerMixin):
    """A :class:`ConsumerMixin` that publishes too.

    It has a connection of its own for that, :attr:`producer_connection`, so
    that publishing does not get into the way of consuming.
    """

    _producer_connection: Connection | None = None

    def on_consume_end(self, connection: Connection, channel: Any) -> None:
        """Close the connection for publishing."""
        if self._producer_connection is not None:
            self._producer_connection.close()
            self._producer_connection = None

    @property
    def producer(self) -> Producer:
        """A producer."""
        return Producer(self.producer_connection)

    @property
    def producer_connection(self) -> Connection:
        """The connection for publishing."""
        if self._producer_connection is None:
            connection = self.connection.clone()
            connection.ensure_connection(
                self.on_connection_error, self.connect_max_retries
            )
            self._producer_connection = connection
        return self._producer_connection
