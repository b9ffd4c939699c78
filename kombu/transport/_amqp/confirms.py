"""What was published on a channel and is not confirmed yet.

The broker numbers what is published on a channel by its order, and says for each
number, or for all up to one, whether it has the message.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.log import get_logger
from kombu.transport._amqp.errors import (
    ConfirmTimeout,
    MessageNacked,
    Unconfirmed,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Confirmation", "Confirmations", "Publication", "timeout_error")

logger = get_logger(__name__)


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
            if self._callbacks:
                self._tell()

    def _tell(self) -> None:
        # Two threads may do so at a time: each is told by one of them.
        while self._callbacks:
            with suppress(IndexError):
                callback, on_error = self._callbacks.pop(0)
                self._call(callback, on_error)

    def _call(self, callback: Any, on_error: Any) -> None:
        try:
            if self.error is None:
                callback(self)
            elif on_error is not None:
                on_error(self.error)
        except Exception:
            # Whoever reads is not to suffer, nor those who are told next.
            logger.exception("A callback of %r failed", self)


class Confirmations:
    """The confirmations of one channel, by number.

    Publishing threads add to it in the order of sending; one thread, which reads,
    settles.
    """

    __slots__ = ("_first", "_waited_for", "failures", "last", "outstanding")

    def __init__(self) -> None:
        #: The number of what was published last, and all below ``_first`` are settled.
        self.last = 0
        self._first = 1
        #: Up to this number somebody has waited in vain.
        self._waited_for = 0
        self.outstanding: dict[int, Confirmation] = {}
        #: Errors of messages that nobody waits for.
        self.failures: list[BaseException] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.outstanding)} outstanding>"

    def __len__(self) -> int:
        return len(self.outstanding)

    def add(self, confirmation: Confirmation) -> None:
        """Note what is published next."""
        self.last += 1
        self.outstanding[self.last] = confirmation

    def take_back(self) -> None:
        """Undo the last :meth:`add`: it was not published after all."""
        self.outstanding.pop(self.last, None)
        self.last -= 1

    def settle(self, number: int, multiple: bool, nacked: bool) -> None:
        """Note what the broker says of *number*, and of those before if *multiple*."""
        pop = self.outstanding.pop
        if not multiple:
            confirmation = pop(number, None)
            if confirmation is not None:
                self._settle(confirmation, nacked)
            return
        last = min(number or self.last, self.last)
        for each in range(self._first, last + 1):
            confirmation = pop(each, None)
            if confirmation is not None:
                self._settle(confirmation, nacked)
        self._first = max(self._first, last + 1)

    def _settle(self, confirmation: Confirmation, nacked: bool) -> None:
        error = confirmation.returned
        if nacked:
            error = confirmation.publication.refusal()
        if error is not None and not confirmation.is_watched:
            self.failures.append(error)
        confirmation.settle(error)

    def has_settled(self, number: int) -> bool:
        """Return whether all up to *number* are settled."""
        first, outstanding = self._first, self.outstanding
        while first <= number and first not in outstanding:
            first += 1
        self._first = max(self._first, first)
        return first > number

    @property
    def is_waited_for(self) -> bool:
        """Whether there is something to wait for, and nobody has done so in vain."""
        newest = max(tuple(self.outstanding), default=0)
        return bool(self.failures) or newest > self._waited_for

    def give_up_waiting(self) -> None:
        """Wait no more for what is outstanding: it was in vain."""
        self._waited_for = self.last

    def note_return(
        self, exchange: str, routing_key: str, error: BaseException, body: Any = None
    ) -> bool:
        """Note that a message was returned; its acknowledgement comes after that.

        Returns:
            Whether it is one of these.
        """
        possible = [
            confirmation
            for confirmation in tuple(self.outstanding.values())
            if confirmation.publication.mandatory
            and confirmation.returned is None
            and confirmation.publication.exchange == exchange
            and confirmation.publication.routing_key == routing_key
        ]
        for confirmation in possible:
            if _is_same(confirmation.publication.message.body, body):
                confirmation.returned = error
                return True
        if possible:
            possible[0].returned = error
        return bool(possible)

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
        failures = []
        while self.failures:
            with suppress(IndexError):
                failures.append(self.failures.pop(0))
        if failures:
            raise Unconfirmed(failures)


def _is_same(sent: Any, returned: Any) -> bool:
    """Return whether two bodies, each text or bytes, are the same."""
    if isinstance(sent, str):
        sent = sent.encode(errors="replace")
    if isinstance(returned, str):
        returned = returned.encode(errors="replace")
    return bool(sent == returned)


def timeout_error(
    publication: Publication | None, timeout: float | None
) -> ConfirmTimeout:
    """Return the error of a message that was not confirmed within *timeout*."""
    name = publication.name if publication else "what was published"
    return ConfirmTimeout(
        f"the broker did not confirm {name} within {timeout:g} s: "
        "it may have it, or not"
    )
