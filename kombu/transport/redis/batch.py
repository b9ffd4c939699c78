"""A batch: many messages, put in one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.redis.parcel import Parcel
    from kombu.transport.redis.putting import PuttingChannel

__all__ = ("Gathered", "PublishBatch")


class Gathered(NamedTuple):
    """One message of a batch.

    Attributes:
        parcel: The message, and where it is to go.
        again: Publishes it anew, if the topology has changed meanwhile.
    """

    parcel: Parcel
    again: Callable[[], Any]


class PublishBatch:
    """Gathers what one thread publishes.

    A message that is delayed, or for a queue with a limit, is put at once.

    Arguments:
        channel: The channel.
        max_size: Messages after which to put what was gathered.
    """

    def __init__(self, channel: PuttingChannel, max_size: int) -> None:
        self._channel = channel
        self._max_size = max_size
        self._gathered: list[Gathered] = []

    def __repr__(self) -> str:
        count = f"{len(self._gathered)} of {self._max_size} messages"
        return f"<{type(self).__name__}: {count} by {self._channel!r}>"

    def publish(self, message: dict[str, Any], **kwargs: Any) -> None:
        """Publish the envelope *message* as the channel's ``basic_publish`` does."""
        with self._channel.gathering(self._gathered):
            self._channel.basic_publish(message, **kwargs)
        if len(self._gathered) >= self._max_size:
            self.flush()

    def flush(self) -> None:
        """Put what was gathered.

        Raises:
            ServerLost: The server can not be reached; the messages are kept, and some
                of them may have been put.
        """
        if self._gathered:
            gathered = list(self._gathered)
            self._channel.put_gathered(gathered)
            del self._gathered[: len(gathered)]

    def discard(self) -> None:
        """Forget what was gathered."""
        self._gathered.clear()

    def close(self) -> None:
        """Forget what was gathered and not put."""
        self._gathered.clear()
