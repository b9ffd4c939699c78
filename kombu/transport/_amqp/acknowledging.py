"""Acknowledgements that wait for company.

To send each by itself costs more than all else that there is to do for a small message.
While others wait to be delivered, more will be acknowledged soon: they go together, in
front of whatever is sent next, before a wait, and within 5 ms.  Where no message before
them is in hand, they are one frame ("multiple"), which spares the broker most of its work.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.frames import ack_frame
from kombu.utils._flusher import Flusher
from kombu.utils._forking import process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport._amqp.settled import SettledTags

__all__ = ("Ack", "GatheredAcks")

#: Seconds that one waits for others at most.
_PATIENCE = 0.005

#: A channel, what was settled on it since it was opened, and the tag.
Ack = tuple[Any, "SettledTags", int]

#: All that have gathered some.
_gathering: weakref.WeakSet[GatheredAcks] = weakref.WeakSet()


class GatheredAcks:
    """Acknowledgements of one connection that were not sent yet, in their order.

    Arguments:
        send: Sends frames, and these before them.
        most: Most that wait (``gathered_acks``).
    """

    def __init__(self, send: Callable[[tuple[()]], None], most: int) -> None:
        self._send = send
        self._most = most
        #: Those that wait.
        self.waiting: deque[Ack] = deque()
        self._pid = process.pid
        self._lock = threading.Lock()
        self._flusher: Flusher | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.waiting)} waiting>"

    def __len__(self) -> int:
        return len(self.waiting)

    def is_early(self, undelivered: int) -> bool:
        """Return whether one more had better wait.

        Arguments:
            undelivered: How many messages wait to be delivered.  What comes when there
                is room again is to be here before the last of them is.
        """
        count = len(self.waiting)
        return count < undelivered and count < self._most and self._pid == process.pid

    def put(self, channel: Any, settled: SettledTags, tag: int) -> None:
        """Keep the acknowledgement of *tag*, one of those that *settled* is about."""
        self.waiting.append((channel, settled, tag))
        (self._flusher or self._make_flusher()).soon()

    def _make_flusher(self) -> Flusher:
        with self._lock:
            if self._flusher is None:
                _gathering.add(self)
                self._flusher = Flusher(self, _PATIENCE)
            return self._flusher

    def take(self) -> list[Ack]:
        """Return those whose channel was not closed meanwhile; none is kept."""
        waiting, taken = self.waiting, []
        with suppress(IndexError):
            while waiting:
                ack = waiting.popleft()
                channel, settled, _ = ack
                if channel.settled is settled:
                    taken.append(ack)
        return taken

    def frames_of(self, acks: Sequence[Ack]) -> bytes:
        """Return frames for *acks*, which are sent before anything else is."""
        frames = []
        of_channel: dict[SettledTags, tuple[int, list[int]]] = {}
        for channel, settled, tag in acks:
            of_channel.setdefault(settled, (channel.channel_id, []))[1].append(tag)
        with self._lock:
            for settled, (number, tags) in of_channel.items():
                for tag in tags:
                    settled.add(tag)
                end = settled.all_up_to
                together = [tag for tag in tags if tag <= end]
                if together:
                    is_many = len(together) > 1
                    frames.append(ack_frame(number, max(together), is_many))
                frames += [ack_frame(number, tag, False) for tag in tags if tag > end]
        return b"".join(frames)

    def note(self, settled: SettledTags, tag: int, multiple: bool) -> None:
        """Note that *tag*, or all up to it, was settled by a frame that was sent.

        Not before: what is acknowledged together would overtake it.
        """
        with self._lock:
            if multiple:
                settled.add_up_to(tag)
            else:
                settled.add(tag)

    def put_back(self, acks: Sequence[Ack]) -> None:
        """Keep *acks*, which could not be sent, in front of the others."""
        self.waiting.extendleft(reversed(acks))

    def _flush(self) -> None:
        """Send them; called by the flusher."""
        if self.waiting and self._pid == process.pid:
            self._send(())

    def end(self) -> None:
        """Forget them: the connection is lost, and the messages come again."""
        self.waiting.clear()
        flusher, self._flusher = self._flusher, None
        if flusher is not None and self._pid == process.pid:
            flusher.stop()


@atexit.register
def _flush_all() -> None:
    for acks in tuple(_gathering):
        with suppress(Exception):  # then the messages come again
            acks._flush()
