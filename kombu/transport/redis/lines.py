"""The connections of one transport to one server: as many as threads need at once."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kombu.exceptions import ConnectionLimitExceeded
from kombu.transport.redis.errors import ServerLost, is_lost
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport.redis.link import Link, Lot

__all__ = ("Lines", "Quota")

#: Seconds that a thread waits for a connection of which there are too many.
_PATIENCE = 30.0


class Quota:
    """How many connections there may be, of all kinds together.

    Arguments:
        limit: The number (``max_connections``).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.used} of {self.limit} used>"

    def take(self) -> bool:
        """Take one; return whether there was one left."""
        with self._lock:
            if self.used >= self.limit:
                return False
            self.used += 1
            return True

    def give(self, count: int = 1) -> None:
        """Give back *count*."""
        with self._lock:
            self.used = max(self.used - count, 0)


class Lines:
    """Links that threads take in turn.

    A forked child opens its own: those of its parent are left alone.

    Arguments:
        make_link: Returns a link that is not open yet.
        quota: How many there may be.
    """

    def __init__(self, make_link: Callable[[], Link], quota: Quota) -> None:
        self._make_link = make_link
        self._quota = quota
        #: Called before commands are sent: what has gathered meanwhile is posted.
        self.gather: Callable[[], None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[Link] = deque()
        self._unposted: deque[Lot] = deque()
        self._made = 0
        self._freed = threading.Condition(threading.Lock())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._idle)} of {self._made} idle>"

    def exchange(self, data: bytes, count: int, is_repeatable: bool) -> list[Any]:
        """Send commands, and return their replies; errors among them too.

        Arguments:
            data: The commands.
            count: How many they are.
            is_repeatable: Whether it does no harm if they are run twice: they are
                tried again when a connection turns out to be lost.

        Raises:
            ServerLost: The server can not be reached.
        """
        if self.gather is not None:
            self.gather()
        link = self._take()
        try:
            replies = self._exchange(link, data, count, is_repeatable)
            for reply in replies:
                if isinstance(reply, Exception) and is_lost(reply):
                    # It has another role now, and so may the other connections.
                    self._end(link)
                    self._drop_idle()
                    break
            return replies
        except BaseException:
            self._end(link)
            raise
        finally:
            self._give(link)

    def post(self, data: bytes, count: int) -> None:
        """Have commands be sent with the next ones, or by :meth:`flush`.

        They are sent again if the connection is lost before they were answered.

        Arguments:
            data: Commands that do no harm if they are run twice.
            count: How many they are.
        """
        self._unposted.append((data, count))

    def take_posted(self) -> Sequence[Lot]:
        """Return what was posted and not sent, for another link to send.

        What turns out to be lost with it is to be handed to :meth:`keep_posted`.
        """
        if self.gather is not None:
            self.gather()
        return self._take_posted() if self._unposted else ()

    def _take_posted(self) -> list[Lot]:
        unposted = self._unposted
        if len(unposted) == 1:  # as a rule
            try:
                return [unposted.popleft()]
            except IndexError:  # another thread was faster
                return []
        lots = []
        with suppress(IndexError):
            while unposted:
                lots.append(unposted.popleft())
        return lots

    def flush(self) -> None:
        """Send what was posted, and do not wait until it was carried out.

        Raises:
            ServerLost: The server can not be reached.
        """
        if self.gather is not None:
            self.gather()
        if not self._unposted:
            return
        link = self._take()
        try:
            self._flush(link)
        except BaseException:
            self._end(link)
            raise
        finally:
            self._give(link)

    def _flush(self, link: Link) -> None:
        was_proven = link.is_proven
        try:
            link.post(self._take_posted())
        except ServerLost:
            self.keep_posted(link)
            self._drop_idle()
            if not was_proven:
                raise
            link.post(self._take_posted())

    def _end(self, link: Link) -> None:
        """Close a link on which replies may come that nobody is to take for its own."""
        self.keep_posted(link)
        link.close()

    def keep_posted(self, link: Link) -> None:
        """Remember commands of which nobody knows whether they were carried out."""
        self._unposted.extend(link.posted)
        link.posted.clear()

    def _exchange(
        self, link: Link, data: bytes, count: int, is_repeatable: bool
    ) -> list[Any]:
        was_proven = link.is_proven
        try:
            lots = self._take_posted() if self._unposted else ()
            return link.exchange(data, count, lots)
        except ServerLost:
            self.keep_posted(link)
            # Those that wait were made at the same time, and have the same fate.
            self._drop_idle()
            if not was_proven or not (is_repeatable or link.sent_nothing):
                raise
            return link.exchange(data, count, self._take_posted())

    def _take(self) -> Link:
        if self._pid != os.getpid():
            self._begin()
            self._quota.used = 0
        try:
            return self._idle.pop()
        except IndexError:
            return self._make_or_wait()

    def _make_or_wait(self) -> Link:
        end = waiting.monotonic() + _PATIENCE
        with self._freed:
            while True:
                if self._idle:
                    return self._idle.pop()
                if self._quota.take():
                    self._made += 1
                    return self._make_link()
                left = end - waiting.monotonic()
                if left <= 0:
                    raise ConnectionLimitExceeded(
                        f"all {self._quota.limit} connections are in use: raise the "
                        "transport option max_connections"
                    )
                waiting.wait_on(self._freed, left)

    def _give(self, link: Link) -> None:
        self._idle.append(link)
        if self._made > 1:
            with self._freed:
                self._freed.notify()

    def _drop_idle(self, is_well: bool = False) -> None:
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was faster
                return
            if is_well:
                link.finish()
            else:
                self._end(link)
            with self._freed:
                self._made -= 1
                self._quota.give()
                self._freed.notify()

    def close(self) -> None:
        """Close the links that nobody uses, when what was posted has been sent."""
        if self._pid == os.getpid():
            with suppress(ServerLost):
                self.flush()
            self._drop_idle(is_well=True)
