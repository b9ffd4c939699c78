"""A batch: many messages, put in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kombu.transport.sqlalchemy._puts import Row
    from kombu.transport.sqlalchemy.channel import Channel

__all__ = ("PublishBatch",)


class PublishBatch:
    """Gathers what one thread publishes; all of it is put, or nothing.

    A message for a queue with a limit on its length is put at once: what is in the
    queue must be known before.

    Arguments:
        channel: The channel.
        max_size: Messages after which to put what was gathered.
    """

    def __init__(self, channel: Channel, max_size: int) -> None:
        self._channel = channel
        self._max_size = max_size
        self._rows: list[Row] = []

    def __repr__(self) -> str:
        count = f"{len(self._rows)} of {self._max_size} messages"
        return f"<{type(self).__name__}: {count} by {self._channel!r}>"

    def publish(self, message: dict[str, Any], **options: Any) -> None:
        """Publish the envelope *message* as the channel's ``basic_publish`` does."""
        with self._channel.gathering(self._rows):
            self._channel.basic_publish(message, **options)
        if len(self._rows) >= self._max_size:
            self.flush()

    def flush(self) -> None:
        """Put what was gathered.

        Raises:
            DatabaseLost: The database can not be reached; the messages are kept.
        """
        if self._rows:
            self._channel.put_rows(self._rows)
            self._rows.clear()

    def discard(self) -> None:
        """Forget what was gathered."""
        self._rows.clear()

    def close(self) -> None:
        """Forget what was gathered and not put."""
        self._rows.clear()
