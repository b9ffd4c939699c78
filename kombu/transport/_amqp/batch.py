"""A batch: many messages, sent as one, and then confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import BatchPublishError
from kombu.transport._amqp.confirms import Publication

if TYPE_CHECKING:
    from kombu.transport._amqp.confirms import Confirmation

__all__ = ("Batch",)


class Batch:
    """Collects what is published, for one thread.

    Arguments:
        channel: The channel to publish by.
        max_size: Messages after which to send.
        timeout: Seconds to wait for confirmations, unless more are asked for; None
            for no limit.
    """

    def __init__(self, channel: Any, max_size: int, timeout: float | None) -> None:
        self._channel = channel
        self._max_size = max_size
        self._timeout = timeout
        self._waiting: list[tuple[Publication, bool]] = []
        #: The longest that was asked for.
        self._asked: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._waiting)} of {self._max_size}>"

    def publish(
        self,
        message: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        confirm_timeout: float | None = None,
        **options: Any,
    ) -> None:
        """Add a message; send all if there are enough."""
        publication = Publication(message, exchange or "", routing_key or "", mandatory)
        self._waiting.append((publication, immediate))
        if confirm_timeout is not None:
            self._asked = max(self._asked or 0.0, confirm_timeout)
        if len(self._waiting) >= self._max_size:
            self.flush()

    def flush(self) -> None:
        """Send what was collected, and wait until the broker has it.

        Raises:
            BatchPublishError: It does not have some of it; the text names them.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        sent: list[Confirmation] = self._channel.publish_many(waiting)
        self._channel.wait_for_confirms(
            self._timeout if self._asked is None else self._asked,
            lambda: all(c.is_done for c in reversed(sent)),
        )
        errors = [confirmation.error for confirmation in sent if confirmation.error]
        if errors:
            raise BatchPublishError(
                f"{len(errors)} of {len(sent)} messages were not published: {errors[0]}"
            ) from errors[0]

    def discard(self) -> None:
        """Forget what was not sent yet."""
        self._waiting.clear()

    def close(self) -> None:
        """End the batch."""
        self._waiting.clear()
