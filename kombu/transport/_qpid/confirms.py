"""What was published on a channel and whose outcome is not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu.transport._amqp.errors import Unconfirmed

if TYPE_CHECKING:
    from kombu.transport._amqp.confirms import Confirmation
    from kombu.transport._qpid.links import Outgoing

__all__ = ("Outcomes",)


class Outcomes:
    """The confirmations of one channel, by the tag of their delivery.

    All is called under the lock of the connection.
    """

    __slots__ = ("_last", "_outstanding", "failures")

    def __init__(self) -> None:
        self._last = 0
        self._outstanding: dict[str, tuple[Confirmation, Outgoing]] = {}
        #: Errors of messages that nobody waits for.
        self.failures: list[BaseException] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} outstanding>"

    def __len__(self) -> int:
        return len(self._outstanding)

    def next_tag(self) -> str:
        """Return a tag that no delivery of the channel has had."""
        self._last += 1
        return str(self._last)

    def add(self, tag: str, confirmation: Confirmation, link: Outgoing) -> None:
        """Note what is sent by *link*."""
        self._outstanding[tag] = confirmation, link

    def pop(self, tag: str) -> Confirmation | None:
        """Return what is known by *tag*, and forget it."""
        confirmation, _ = self._outstanding.pop(tag, (None, None))
        return confirmation

    def settle(self, confirmation: Confirmation, error: BaseException | None) -> None:
        """Note what became of a message."""
        if error is not None and not confirmation.is_watched:
            self.failures.append(error)
        confirmation.settle(error)

    def of_link(self, link: Outgoing) -> list[Confirmation]:
        """Return what was sent by *link*, which nobody will settle any more."""
        tags = [tag for tag, (_, by) in self._outstanding.items() if by is link]
        return [self._outstanding.pop(tag)[0] for tag in tags]

    def is_used(self, link: Outgoing) -> bool:
        """Whether something is outstanding that was sent by *link*."""
        return any(by is link for _, by in self._outstanding.values())

    def give_up(self) -> list[Confirmation]:
        """Return what is outstanding, which nobody will settle any more."""
        left = [confirmation for confirmation, _ in self._outstanding.values()]
        self._outstanding = {}
        return left

    def raise_failures(self) -> None:
        """Raise what went wrong with messages that nobody waits for.

        Raises:
            Unconfirmed: There are some; they are told but once.
        """
        if self.failures:
            failures, self.failures = self.failures, []
            raise Unconfirmed(failures)
