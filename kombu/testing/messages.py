"""Records what an application publishes, so that a test can look at it.

.. code-block:: python

    with CapturedMessages("memory://shop", Exchange("orders", "topic")) as captured:
        place_order("memory://shop", number=7)
        captured.assert_published(body={"number": 7}, routing_key="books.paid")

It is a subscriber of its own: for an exchange, and for a queue that is bound
to one, a temporary queue gets a copy, and what consumes beside it misses
nothing.  Of a queue that is reached by its name alone the messages are taken.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kombu.message import Message

__all__ = ("CapturedMessage", "CapturedMessages")

#: Seconds between two looks while a message is waited for.
_PAUSE = 0.005

#: Characters of a body that failures show.
_SHOWN = 200

_ANY: Any = type("Any", (), {"__repr__": lambda self: "any"})()


class CannotCapture(KombuError, ValueError):
    """An exchange of which no queue can get everything."""


class CapturedMessage(NamedTuple):
    """A message that was published.

    Attributes:
        body: The decoded body; the raw one if it can not be decoded.
        routing_key: Its routing key.
        exchange: Name of the exchange that it was published to.
        headers: Its headers.
        properties: Its properties.
        content_type: MIME type of the body.
        content_encoding: Character set of the body, or ``binary``.
        source: Name of the exchange or queue that was watched.
    """

    body: Any
    routing_key: str
    exchange: str
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]
    content_type: str | None
    content_encoding: str | None
    source: str

    def __str__(self) -> str:
        """Describe it in a line."""
        headers = f" headers={dict(self.headers)!r}" if self.headers else ""
        body = repr(self.body)
        if len(body) > _SHOWN:
            body = f"{body[:_SHOWN]}..."
        return f"{self.exchange or '(unnamed)'} -> {self.routing_key!r}{headers} {body}"


class CapturedMessages:
    """Records what is published from now on; a context manager.

    Arguments:
        connection: A connection, which is cloned, or a URL.
        *sources: What to watch: exchanges, queues, or names of queues.
        patience: Seconds that the assertions wait for messages; brokers that
            are not in memory take a moment.
        accept: Content types to decode; all that are safe if not given.

    Raises:
        ValueError: An exchange routes by keys, and no queue can get all:
            watch queues that are bound to it.
    """

    def __init__(
        self,
        connection: Connection | str,
        *sources: Exchange | Queue | str,
        patience: float = 0.0,
        accept: Iterable[str] | None = None,
    ) -> None:
        self.patience = patience
        self._accept = accept
        self._connection: Connection = (
            Connection(connection)
            if isinstance(connection, str)
            else connection.clone()
        )
        self._captured: list[CapturedMessage] = []
        self._queues: list[tuple[str, Queue]] = []
        for source in sources:
            self._watch(source)

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self._queues)
        return f"<{type(self).__name__}: {len(self._captured)} of {names}>"

    def __enter__(self) -> CapturedMessages:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.captured)

    def close(self) -> None:
        """Watch no more; what was recorded stays."""
        self._fetch()
        self._queues.clear()
        self._connection.close()

    # -- watching ------------------------------------------------------------------

    def _watch(self, source: Exchange | Queue | str) -> None:
        channel = self._connection.default_channel
        if isinstance(source, Exchange):
            queue = Queue("", source, _key_for_all(source), exclusive=True)
        elif isinstance(source, str):
            queue = Queue(source, no_declare=True)
        elif source.bindings or (source.exchange is not None and source.exchange.name):
            queue = Queue(
                "",
                source.exchange,
                source.routing_key,
                bindings=source.bindings,
                binding_arguments=source.binding_arguments,
                exclusive=True,
            )
        else:
            queue = source
        bound = queue(channel)
        bound.declare()
        self._queues.append((source if isinstance(source, str) else source.name, bound))

    def _fetch(self) -> None:
        for source, queue in self._queues:
            while True:
                message = queue.channel.basic_get(queue.name, no_ack=True)
                if message is None:
                    break
                python = queue.channel.message_to_python(message)
                self._captured.append(self._record(python, source))

    def _record(self, message: Message, source: str) -> CapturedMessage:
        from kombu.serialization import prepare_accept_content

        message.accept = prepare_accept_content(self._accept)
        try:
            if message.errors:
                message._reraise_error()
            body = message.decode()
        except Exception:
            # Whether it can be decoded, the test may want to know by itself.
            body = message.body
        info = message.delivery_info
        return CapturedMessage(
            body,
            info.get("routing_key") or "",
            info.get("exchange") or "",
            message.headers,
            message.properties,
            message.content_type,
            message.content_encoding,
            source,
        )

    # -- looking -------------------------------------------------------------------

    @property
    def captured(self) -> list[CapturedMessage]:
        """What was published so far, in order for each source."""
        self._fetch()
        return list(self._captured)

    def clear(self) -> None:
        """Forget what was published so far."""
        self._fetch()
        self._captured.clear()

    def matching(
        self,
        body: Any = _ANY,
        routing_key: str = _ANY,
        exchange: str = _ANY,
        headers: Mapping[str, Any] = _ANY,
        properties: Mapping[str, Any] = _ANY,
        source: str = _ANY,
    ) -> list[CapturedMessage]:
        """Return the messages of which all that is given is true.

        Arguments:
            body: The decoded body.
            routing_key: The routing key.
            exchange: Name of the exchange.
            headers: Headers that it has, perhaps among others.
            properties: Properties that it has, perhaps among others.
            source: Name of the exchange or queue that was watched.
        """
        exact = {
            "body": body,
            "routing_key": routing_key,
            "exchange": exchange,
            "source": source,
        }
        wanted = {name: value for name, value in exact.items() if value is not _ANY}
        return [
            message
            for message in self.captured
            if all(getattr(message, name) == value for name, value in wanted.items())
            and _has(message.headers, headers)
            and _has(message.properties, properties)
        ]

    def assert_published(
        self, body: Any = _ANY, *, count: int | None = None, **wanted: Any
    ) -> list[CapturedMessage]:
        """Fail unless such a message was published.

        Arguments:
            body: The decoded body; any if not given.
            count: How many there must be; at least one if not given.
            **wanted: Further arguments of :meth:`matching`.

        Returns:
            The messages.

        Raises:
            AssertionError: There are fewer, or more; it lists what there is.
        """
        ends = time.monotonic() + self.patience
        found = self.matching(body, **wanted)
        while len(found) < (1 if count is None else count):
            if time.monotonic() >= ends:
                break
            time.sleep(_PAUSE)
            found = self.matching(body, **wanted)
        is_right = bool(found) if count is None else len(found) == count
        if not is_right:
            if body is not _ANY:
                wanted = {"body": body, **wanted}
            raise AssertionError(self._explain(wanted, count, len(found)))
        return found

    def assert_nothing_published(self, **wanted: Any) -> None:
        """Fail if such a message, or any at all, was published.

        Arguments:
            **wanted: Arguments of :meth:`matching`.
        """
        found = self.matching(**wanted)
        if found:
            raise AssertionError(self._explain(wanted, 0, len(found)))

    def _explain(self, wanted: Mapping[str, Any], count: int | None, found: int) -> str:
        number = "at least one message" if count is None else f"{count} messages"
        details = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
        lines = [
            f"expected {number} with {details or 'any content'}, found {found}; ",
        ]
        if not self._captured:
            return lines[0] + "nothing was published"
        lines[0] += f"published were {len(self._captured)}:"
        lines += [
            f"  {place}. {message}" for place, message in enumerate(self._captured, 1)
        ]
        return "\n".join(lines)


def _has(actual: Mapping[str, Any], wanted: Any) -> bool:
    if wanted is _ANY:
        return True
    return all(name in actual and actual[name] == wanted[name] for name in wanted)


def _key_for_all(exchange: Exchange) -> str:
    """Return the routing key by which a queue gets all that *exchange* routes."""
    keys = {"topic": "#", "fanout": "", "headers": ""}
    try:
        return keys[exchange.type]
    except KeyError:
        raise CannotCapture(
            f"no queue can get everything from the {exchange.type} exchange "
            f"{exchange.name!r}: watch the queues that are bound to it"
        ) from None
