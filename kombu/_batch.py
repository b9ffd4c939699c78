"""Publishing in batches: many messages, one round trip.

What is published within the ``with`` block goes into a batch that the channel
keeps, where it has one; it is sent when full, and when the block is left.
Other channels publish at once, which for them costs the same.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ("Batches",)


_lock = threading.Lock()


class Batches:
    """The batches of a producer, one for each thread that has one open."""

    __slots__ = ("_local", "count")

    def __init__(self) -> None:
        self._local = threading.local()
        #: How many are open, in all threads: a quick look before the right one.
        self.count = 0

    @property
    def is_open(self) -> bool:
        """Whether the calling thread is within a batch."""
        return getattr(self._local, "depth", 0) > 0

    def open(self, max_size: int) -> AbstractContextManager[None]:
        """Collect what this thread publishes; blocks within it join in.

        Arguments:
            max_size: Messages after which to send.

        Raises:
            ValueError: *max_size* is no positive integer.
        """
        if isinstance(max_size, bool) or not isinstance(max_size, int) or max_size < 1:
            raise ValueError("max_size must be a positive integer")
        return self._collecting(max_size)

    @contextmanager
    def _collecting(self, max_size: int) -> Iterator[None]:
        local = self._local
        local.depth = getattr(local, "depth", 0) + 1
        if local.depth == 1:
            local.max_size, local.batch, local.channel = max_size, None, None
        with _lock:
            self.count += 1
        try:
            yield
        except BaseException:
            self._leave("discard")
            raise
        else:
            self._leave("flush")
        finally:
            with _lock:
                self.count -= 1

    def _leave(self, action: str) -> None:
        local = self._local
        local.depth -= 1
        if local.depth:
            return
        batch, local.batch, local.channel = local.batch, None, None
        if batch is not None:
            try:
                getattr(batch, action)()
            finally:
                batch.close()

    def publish(self, channel: Any, message: Any, **options: Any) -> Any:
        """Publish *message* by the batch, or at once if *channel* has none."""
        local = self._local
        if local.channel is not channel:
            self._begin(channel)
        if local.batch is None:
            return channel.basic_publish(message, **options)
        return local.batch.publish(message, **options)

    def _begin(self, channel: Any) -> None:
        local = self._local
        # The producer has a new channel: what the lost one held is sent by it
        # or not at all, and that must be known before more is taken.
        previous, local.batch = local.batch, None
        if previous is not None:
            try:
                previous.flush()
            finally:
                previous.close()
        local.channel = channel
        if getattr(channel, "supports_batch_publish", False):
            local.batch = channel.create_publish_batch(max_size=local.max_size)
