"""Asks a broker by its management node ``$management``: requests, and their answers.

There is one session for it on a connection, with a queue for answers that the broker
makes and deletes.  One request at a time waits for its answer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import proton

from kombu.transport._qpid.links import Incoming, Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Answer", "Management")

_NODE = "$management"


class Answer(NamedTuple):
    """What the broker answers.

    Attributes:
        status: As in HTTP.
        text: What it says of an error.
        body: What was asked for.
    """

    status: int
    text: str
    body: Any

    @property
    def is_success(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300


class Management:
    """The management node of a connection.

    Arguments:
        connection: The connection.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._channel: Any = None
        self._sender: Outgoing | None = None
        self._receiver: Incoming | None = None
        self._last = 0
        self._answers: dict[str, Answer] = {}

    def __repr__(self) -> str:
        state = "open" if self._receiver is not None else "not used"
        return f"<{type(self).__name__}: {state}>"

    def forget(self) -> None:
        """Forget the links: the connection ends."""
        self._channel = self._sender = self._receiver = None

    def ask(
        self, properties: Mapping[str, Any], body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Send a request, and wait for the answer.

        Arguments:
            properties: What to do, and to what.
            body: Attributes.

        Raises:
            OperationalError: There was no answer in time.
        """
        with self._lock:
            sender, receiver = self._links()
            self._last += 1
            number = str(self._last)
            message = proton.Message(
                properties=dict(properties),
                body=dict(body or {}),
                correlation_id=number,
                reply_to=receiver.endpoint.remote_source.address,
            )
            data = message.encode()
            connection = self._connection
            with connection.lock:
                receiver.grant()
                sender.send(number, data, True)
            connection.flush()
            self._channel.wait_for(
                lambda: number in self._answers or not receiver.is_usable,
                f"management: {properties.get('operation')}",
            )
            return self._answers.pop(number, Answer(500, "the link was closed", None))

    def _links(self) -> tuple[Outgoing, Incoming]:
        sender, receiver = self._sender, self._receiver
        if (
            sender is None
            or receiver is None
            or not (sender.is_usable and receiver.is_usable)
        ):
            sender, receiver = self._open()
        return sender, receiver

    def _open(self) -> tuple[Outgoing, Incoming]:
        connection = self._connection
        if self._channel is None:
            self._channel = connection.channel()
        channel = self._channel
        channel.make_usable()
        with connection.lock:
            source = channel.session.receiver(connection.new_link_name())
            source.source.dynamic = True
            source.snd_settle_mode = proton.Link.SND_SETTLED
            what = "opening the queue of management's answers"
            receiver = Incoming(source, what, 10, False, self._on_answer)
            target = channel.session.sender(connection.new_link_name())
            target.target.address = _NODE
            sender = Outgoing(target, "opening the management node", _ignore)
        channel.open_link(receiver)
        channel.open_link(sender)
        self._sender, self._receiver = sender, receiver
        return sender, receiver

    def _on_answer(
        self, link: Incoming, delivery: Any, data: bytes, is_settled: bool
    ) -> None:
        """Take in an answer.  The lock is held."""
        if not is_settled:
            delivery.update(proton.Delivery.ACCEPTED)
        delivery.settle()
        link.unsettled = 0
        message = proton.Message()
        message.decode(data)
        said = {str(key): value for key, value in (message.properties or {}).items()}
        body = message.body
        self._answers[str(message.correlation_id)] = Answer(
            int(said.get("statusCode", 500)),
            str(said.get("statusDescription") or ""),
            None if isinstance(body, memoryview) else body,
        )


def _ignore(tag: str, state: int, condition: Any) -> None:
    """Requests are sent settled: nothing is told of them."""
