"""Getting single messages on a channel, and all that a queue has.

A link that a message is got by stays open for the next; of many, those opened first
are closed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import proton

from kombu.utils import waiting

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from kombu.transport._qpid.links import Incoming

__all__ = ("SECONDS_ON_THE_WAY", "Getting")

#: Links that are kept open on a channel.
_MOST_GETTERS = 50

#: Seconds that a message may need to come after its credit was answered.
SECONDS_ON_THE_WAY = 0.1


class Getting:
    """The part of a channel that gets messages one by one."""

    make_usable: Callable[[], Any]
    wait_for: Callable[..., None]
    open_link: Callable[..., None]
    drop_link: Callable[..., None]
    put_back: Callable[[int], None]
    note_delivery: Callable[[Incoming, Any, bool], int]
    accept_if_unsettled: Callable[[int], None]
    _connection_in_use: Callable[[], Any]
    _message: Callable[[int, bytes, str, str], Any]
    _receiver: Callable[..., Incoming]
    _rpc_lock: threading.RLock

    def _begin_getting(self) -> None:
        self._getters: dict[tuple[str, bool], Incoming] = {}
        self._got: dict[Incoming, tuple[int, bytes]] = {}

    def lose_getters(self) -> None:
        """Forget all: the session is over.  The lock is held."""
        self._getters.clear()
        self._got.clear()

    def is_getter(self, link: Incoming) -> bool:
        """Whether *link* stays open to get messages by."""
        return link in self._getters.values()

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """Return the next message of *queue*, or None.

        Raises:
            NotFound: There is no such queue.
        """
        connection = self.make_usable()
        with self._rpc_lock:
            link = self._getter(queue, no_ack)
            if connection.dialect.can_drain:
                self._ask(link)
            elif not self._ask_in_time(link):
                self._close_getter((queue, no_ack))
            with connection.lock:
                found = self._got.pop(link, None)
            if found is None:
                return None
        tag, data = found
        if no_ack:
            self.accept_if_unsettled(tag)
        return self._message(tag, data, "", queue)

    def _ask(self, link: Incoming) -> None:
        """Wait until a message has come, or the broker has none."""
        connection = self._connection_in_use()
        with connection.lock:
            link.ask(1)
        connection.flush()
        self.wait_for(
            lambda: link in self._got or link.is_drained or not link.is_usable,
            link.what,
        )

    def _ask_in_time(self, link: Incoming) -> bool:
        """Do so with a broker that can not take back credit.

        It answers the credit, and sends a message that it has right after that.

        Returns:
            Whether a message has come; if not, the link is to be closed: one that comes
            later is given back.
        """
        connection = self._connection_in_use()
        with connection.lock:
            seen = link.flows
            link.granted += 1
            link.endpoint.flow(1)
        connection.flush()
        self.wait_for(
            lambda: link in self._got or link.flows != seen or not link.is_usable,
            link.what,
        )
        with suppress(TimeoutError):
            connection.wait_until(
                lambda: link in self._got or not link.is_usable,
                waiting.monotonic() + SECONDS_ON_THE_WAY,
            )
        return link in self._got

    def _getter(self, queue: str, no_ack: bool) -> Incoming:
        key = queue, no_ack
        link = self._getters.get(key)
        if link is not None and link.is_usable:
            return link
        link = self._receiver(queue, no_ack, self._on_got)
        self.open_link(link)
        self._getters[key] = link
        for other in list(self._getters)[:-_MOST_GETTERS]:
            self._close_getter(other)
        return link

    def take_all(self, queue: str) -> int:
        """Take all that is ready in *queue*; return how many there were."""
        connection = self.make_usable()
        count = 0
        if not connection.dialect.can_drain:
            while self.basic_get(queue, no_ack=True) is not None:
                count += 1
            return count

        def take(link: Incoming, delivery: Any, data: bytes, is_settled: bool) -> None:
            nonlocal count
            count += 1
            if not is_settled:
                delivery.update(proton.Delivery.ACCEPTED)
                link.on_settled()
            delivery.settle()

        with self._rpc_lock:
            link = self._receiver(queue, True, take)
            self.open_link(link)
            before = -1
            while count != before and link.is_usable:
                before = count
                with connection.lock:
                    link.ask(link.window)
                connection.flush()
                self.wait_for(lambda: link.is_quiet, f"purging {queue!r}")
            with connection.lock:
                self.drop_link(link)
            connection.flush()
            self.wait_for(lambda: link.is_ended, f"purging {queue!r}")
        return count

    def _close_getter(self, key: tuple[str, bool]) -> None:
        link = self._getters.pop(key)
        connection = self._connection_in_use()
        with connection.lock:
            if not link.unsettled:
                self.drop_link(link)
        connection.flush()

    def close_getters(self, queue: str) -> None:
        """Close what ``basic_get`` left open for *queue*."""
        for key in [key for key in self._getters if key[0] == queue]:
            self._close_getter(key)

    def _on_got(
        self, link: Incoming, delivery: Any, data: bytes, is_settled: bool
    ) -> None:
        tag = self.note_delivery(link, delivery, is_settled)
        if link.is_closed:
            self.put_back(tag)
        else:
            self._got[link] = tag, data
