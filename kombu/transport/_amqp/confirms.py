"""What was published on a channel and is not confirmed yet.

The broker numbers what is published on a channel by its order, and says for each
number, or for all up to one, whether it has the message.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport._amqp.errors import (
    ConfirmTimeout,
    MessageNacked,
    Unconfirmed,
    name_of,
)
from kombu.utils._forking import process

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Confirmation", "Confirmations", "Outbox", "Publication", "outbox_of")


class Publication(NamedTuple):
    """A message as it was published: enough to do it again."""

    message: Any
    exchange: str
    routing_key: str
    mandatory: bool

    @property
    def name(self) -> str:
        """What it is called in errors."""
        return name_of(self.message.properties, self.exchange, self.routing_key)

    def refusal(self) -> MessageNacked:
        """Return the error that the broker did not take it."""
        queues = [] if self.exchange else [self.routing_key]
        return MessageNacked(self.name, queues, self.message.properties)


class Confirmation:
    """Whether the broker has a message: a promise that is kept later.

    Attributes:
        publication: What was published.
        error: Why the broker does not have it; None if it has, or nothing is known.
        is_done: Whether it is known.
    """

    __slots__ = (
        "_callbacks",
        "channel",
        "error",
        "is_done",
        "is_watched",
        "publication",
        "returned",
    )

    def __init__(self, publication: Publication, channel: Any) -> None:
        self.publication = publication
        self.channel = channel
        self.error: BaseException | None = None
        self.returned: BaseException | None = None
        self.is_done = False
        #: Whether somebody is told of an error, who then is to deal with it.
        self.is_watched = False
        self._callbacks: list[tuple[Any, Any]] = []

    def __repr__(self) -> str:
        state = (
            "waiting" if not self.is_done else "failed" if self.error else "confirmed"
        )
        return f"<{type(self).__name__}: {state}, {self.publication.name}>"

    @property
    def is_confirmed(self) -> bool:
        """Whether the broker has the message."""
        return self.is_done and self.error is None

    #: As promises of vine have it.
    @property
    def ready(self) -> bool:
        """Whether it is known what became of the message."""
        return self.is_done

    @property
    def failed(self) -> bool:
        """Whether the broker does not have the message."""
        return self.error is not None

    def then(
        self,
        callback: Callable[[Confirmation], Any],
        on_error: Callable[[BaseException], Any] | None = None,
    ) -> Confirmation:
        """Have *callback* called once the message is confirmed, or now.

        They are called by whoever reads from the connection, and must not wait.

        Arguments:
            callback: Called with this.
            on_error: Called with the error instead.
        """
        self.is_watched = self.is_watched or on_error is not None
        self._callbacks.append((callback, on_error))
        if self.is_done:
            self._tell()
        return self

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the broker has the message.

        Arguments:
            timeout: Seconds to wait; without limit if not given.

        Raises:
            MessageNacked: It could not take it.
            UnroutableError: It is mandatory, and reached no queue.
            ConfirmTimeout: It did not say so in time.
            ConnectionError: The connection was lost before.
        """
        self.is_watched = True
        if not self.is_done:
            self.channel.wait_for_confirms(timeout, lambda: self.is_done, self)
        if self.error is not None:
            raise self.error

    def settle(self, error: BaseException | None = None) -> None:
        """Note what became of the message."""
        if not self.is_done:
            self.error = error
            self.is_done = True
            self._tell()

    def _tell(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback, on_error in callbacks:
            if self.error is None:
                callback(self)
            elif on_error is not None:
                on_error(self.error)


class Confirmations:
    """The confirmations of one channel, by number.

    Publishing threads add to it in the order of sending; one thread, which reads,
    settles.
    """

    __slots__ = ("_last", "failures", "outstanding")

    def __init__(self) -> None:
        self._last = 0
        self.outstanding: dict[int, Confirmation] = {}
        #: Errors of messages that nobody waits for.
        self.failures: list[BaseException] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.outstanding)} outstanding>"

    def __len__(self) -> int:
        return len(self.outstanding)

    def add(self, confirmation: Confirmation) -> None:
        """Note what is published next."""
        self._last += 1
        self.outstanding[self._last] = confirmation

    def take_back(self) -> None:
        """Undo the last :meth:`add`: it was not published after all."""
        self.outstanding.pop(self._last, None)
        self._last -= 1

    def settle(self, number: int, multiple: bool, nacked: bool) -> None:
        """Note what the broker says of *number*, and of those before if *multiple*."""
        outstanding = self.outstanding
        if not multiple:
            confirmation = outstanding.pop(number, None)
            if confirmation is not None:
                self._settle(confirmation, nacked)
            return
        while outstanding:
            first = next(iter(outstanding))
            if first > number and number:
                return
            self._settle(outstanding.pop(first), nacked)

    def _settle(self, confirmation: Confirmation, nacked: bool) -> None:
        error = confirmation.returned
        if nacked:
            error = confirmation.publication.refusal()
        if error is not None and not confirmation.is_watched:
            self.failures.append(error)
        confirmation.settle(error)

    def note_return(
        self, exchange: str, routing_key: str, error: BaseException
    ) -> bool:
        """Note that a message was returned; its acknowledgement comes after that.

        Returns:
            Whether it is one of these.
        """
        for confirmation in self.outstanding.values():
            publication = confirmation.publication
            if (
                publication.mandatory
                and confirmation.returned is None
                and publication.exchange == exchange
                and publication.routing_key == routing_key
            ):
                confirmation.returned = error
                return True
        return False

    def give_up(self) -> list[Confirmation]:
        """Return what is outstanding, which nobody will settle any more."""
        left = list(self.outstanding.values())
        self.outstanding = {}
        return left

    def raise_failures(self) -> None:
        """Raise what went wrong with messages that nobody waits for.

        Raises:
            Unconfirmed: There are some; they are told but once.
        """
        if self.failures:
            failures, self.failures = self.failures, []
            raise Unconfirmed(failures)


class Outbox:
    """What was lost with its connection before it was confirmed.

    Messages that nobody waits for are published again by the next connection that
    the same :class:`~kombu.Connection` makes: some may then be there twice, none is
    lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Confirmation] = deque()
        #: A child process leaves to its parent what its parent has published.
        self.pid = process.pid

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._waiting)} to publish again>"

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, confirmations: list[Confirmation]) -> None:
        """Keep *confirmations*, in their order."""
        with self._lock:
            self._waiting.extend(confirmations)

    def take(self) -> list[Confirmation]:
        """Return all there are; they are not kept any more."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken


_outboxes: weakref.WeakKeyDictionary[Any, Outbox] = weakref.WeakKeyDictionary()
_outboxes_lock = threading.Lock()


def outbox_of(client: Any) -> Outbox:
    """Return the outbox of the connection *client*."""
    with _outboxes_lock:
        outbox = _outboxes.get(client)
        if outbox is None or outbox.pid != process.pid:
            outbox = _outboxes[client] = Outbox()
        return outbox


def timeout_error(
    publication: Publication | None, timeout: float | None
) -> ConfirmTimeout:
    """Return the error of a message that was not confirmed within *timeout*."""
    name = publication.name if publication else "what was published"
    return ConfirmTimeout(
        f"the broker did not confirm {name} within {timeout:g} s: "
        "it may have it, or not"
    )
