"""Prefetch, and the messages delivered but not yet settled.

This strategy holds unsettled messages in the process of the consumer, for
stores that give messages away when asked.  What is unsettled is put back when
the channel is closed, and when the interpreter exits.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

__all__ = ("QoS",)

logger = get_logger(__name__)


class QoS:
    """What a channel has delivered, and whether it may deliver more.

    Arguments:
        channel: The channel.
        prefetch_count: Most messages unsettled at a time; 0 for no limit.
    """

    #: Most messages unsettled at a time; 0 for no limit.
    prefetch_count = 0

    #: Whether to put back what is unsettled when the channel closes.
    restore_at_shutdown = True

    # Set for each instance; named here for transports that look them up.
    _delivered: Any = None
    _dirty: Any = None

    def __init__(self, channel: Any, prefetch_count: int = 0) -> None:
        self.channel = channel
        self.prefetch_count = prefetch_count or 0
        # By delivery tag, in the order of delivery.
        self._delivered = {}
        # Tags that are settled, but not yet removed from the former: a way
        # of working that some transports follow.
        self._dirty = set()
        self._pid = os.getpid()
        self._restores_at_exit = False

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self._delivered) - len(self._dirty)} "
            f"unsettled, prefetch {self.prefetch_count or 'unlimited'}>"
        )

    def can_consume(self) -> bool:
        """Return whether another message may be delivered."""
        limit = self.prefetch_count
        return not limit or len(self._delivered) - len(self._dirty) < limit

    def can_consume_max_estimate(self) -> int | None:
        """Return how many more may be delivered; :const:`None` if unlimited."""
        limit = self.prefetch_count
        if not limit:
            return None
        return max(limit - (len(self._delivered) - len(self._dirty)), 0)

    def append(self, message: Any, delivery_tag: Any) -> None:
        """Note that *message* was delivered."""
        if self._dirty:
            self._flush()
        self._delivered[delivery_tag] = message
        if not self._restores_at_exit:
            self._restores_at_exit = True
            if self.channel.do_restore:
                restore_at_exit(self)

    def get(self, delivery_tag: Any) -> Any:
        """Return the unsettled message *delivery_tag*.

        Raises:
            KeyError: It is not known, or settled.
        """
        return self._delivered[delivery_tag]

    def ack(self, delivery_tag: Any) -> None:
        """Note that the message *delivery_tag* is done with."""
        self._delivered.pop(delivery_tag, None)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Note that the message was refused; put it back if *requeue*."""
        message = self._delivered.get(delivery_tag)
        if message is not None:
            if requeue:
                self.channel._restore_at_beginning(message)
            else:
                self.channel._discard_message(message)
        self._delivered.pop(delivery_tag, None)

    def tags_up_to(self, delivery_tag: Any) -> list[Any]:
        """Return what was delivered before *delivery_tag*, and itself."""
        tags: list[Any] = []
        for tag in tuple(self._delivered):
            tags.append(tag)
            if tag == delivery_tag:
                return tags
        return [delivery_tag]

    def flush(self) -> None:
        """Do what was put off; here nothing is."""

    def _flush(self) -> None:
        while self._dirty:
            self._delivered.pop(self._dirty.pop(), None)

    def restore_unacked(self) -> None:
        """Put everything that is unsettled back, in the order it was in.

        What can not be put back stays unsettled, and the log says why.
        """
        self._flush()
        tags = list(self._delivered)
        channel = self.channel
        restore = channel._restore
        if channel._restores_at_head:
            # Each goes to the head of its queue, so the last one goes first.
            restore = channel._restore_at_beginning
            tags.reverse()
        for tag in tags:
            message = self._delivered.get(tag)
            if message is None:
                continue
            try:
                restore(message)
            except Exception:
                logger.exception("Cannot restore message %r", tag)
            else:
                self._delivered.pop(tag, None)

    def restore_unacked_once(self, stderr: TextIO | None = None) -> None:
        """Put back what is unsettled, when the channel closes or at exit.

        Arguments:
            stderr: Where to tell of it, besides the log.
        """
        self._flush()
        if not self.channel.do_restore or not self.restore_at_shutdown:
            return
        # A forked child has a copy of what its parent holds.
        if not self._delivered or self._pid != os.getpid():
            return
        text = f"Restoring {len(self._delivered)} unacknowledged message(s)"
        logger.debug(text)
        if stderr is not None:
            print(text, file=stderr)
        self.restore_unacked()
        if self._delivered:
            self._dump(self._delivered.values())

    def _dump(self, messages: Iterable[Any]) -> None:
        from kombu.utils.div import emergency_dump_state

        emergency_dump_state([message.serializable() for message in messages])

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Put back what others left unsettled, in stores that keep it."""


def restore_at_exit(qos: QoS) -> None:
    """Have *qos* put back what is unsettled when the interpreter exits."""
    import atexit

    reference = weakref.ref(qos)

    def restore() -> None:
        alive = reference()
        if alive is None or alive.channel.closed:
            return
        try:
            alive.restore_unacked_once()
        except Exception as exc:
            # The store may be away; nobody is left who could be told otherwise.
            logger.warning("Could not put back what is unsettled at exit: %s", exc)

    atexit.register(restore)
    # Not at exit: finalizers run before what was registered earlier.
    weakref.finalize(qos, atexit.unregister, restore).atexit = False
