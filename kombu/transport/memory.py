"""The in-memory transport: a broker inside the process.

``memory://`` is one broker for the whole process; ``memory://name`` is one of
that name, which shares nothing with the others.  A broker lives as long as the
process.

It can be used from many threads.  A consumer that waits is woken by the
publisher; nothing is polled.  Messages are kept as they are, without encoding.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from kombu.transport import virtual
from kombu.transport._capabilities import EMULATED, Support
from kombu.transport.virtual.state import BrokerState
from kombu.transport.virtual.storage import Empty
from kombu.utils.compat import register_after_fork

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Channel", "MemoryBroker", "Transport")

#: Hosts that mean the broker without a name.
_DEFAULT_HOSTS = frozenset({None, "", "localhost"})


class MemoryQueue:
    """The envelopes of one queue, and who waits for them."""

    __slots__ = ("envelopes", "name", "waiters")

    def __init__(self, name: str) -> None:
        self.name = name
        self.envelopes: deque[Any] = deque()
        # A tuple that is replaced, not changed: publishers read it unlocked.
        self.waiters: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}, {len(self.envelopes)} messages>"

    def wake(self) -> None:
        """Tell those who wait that there may be an envelope."""
        for waiter in self.waiters:
            waiter.wake()

    def was_deleted(self) -> None:
        """Tell those who wait that there will be none."""
        for waiter in self.waiters:
            waiter._queue_was_deleted(self.name)


class MemoryBroker:
    """Queues and topology of one broker.

    Arguments:
        name: Its name; empty for the one that has none.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.state = BrokerState()
        self.queues: dict[str, MemoryQueue] = {}
        self.lock = threading.RLock()
        register_after_fork(self, MemoryBroker._after_fork)

    def _after_fork(self) -> None:
        """Make a forked child's copy usable: its threads are gone.

        The messages stay; consumers and owners were the parent's, and so may
        be a thread that held a lock.
        """
        self.lock = threading.RLock()
        for queue in self.queues.values():
            queue.waiters = ()
        self.state.after_fork()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name or '(unnamed)'}, {self.state!r}>"

    def queue(self, name: str) -> MemoryQueue:
        """Return the queue *name*, made if need be."""
        found = self.queues.get(name)
        if found is None:
            with self.lock:
                found = self.queues.setdefault(name, MemoryQueue(name))
        return found

    def clear(self) -> None:
        """Forget all queues, messages and declarations.

        Who consumes is told, as when a queue is deleted.
        """
        with self.lock:
            queues = tuple(self.queues.values())
            self.queues.clear()
            self.state.clear()
        for queue in queues:
            queue.was_deleted()


class _Brokers:
    """The brokers of this process by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, MemoryBroker] = {}
        self._lock = threading.Lock()
        register_after_fork(self, _Brokers._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def get(self, name: str = "") -> MemoryBroker:
        with self._lock:
            broker = self._by_name.get(name)
            if broker is None:
                broker = self._by_name[name] = MemoryBroker(name)
            return broker


brokers = _Brokers()


class _DefaultBroker:
    """Class attribute that reads the broker without a name, or the instance's."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        broker = brokers.get() if instance is None else instance.broker
        return getattr(broker, self._name)


class Channel(virtual.Channel):
    """A channel to a broker in this process."""

    supports_fanout = True
    do_restore = True

    #: Messages are kept as they are.
    body_encoding = None

    #: The broker's queues by name.
    queues: Any = _DefaultBroker("queues")

    #: Callbacks by event.
    events: Any = defaultdict(set)

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        self.broker: MemoryBroker = connection.broker
        super().__init__(connection, **kwargs)
        # A subclass may want to see each message, and its options.
        self._puts_without_options = type(self)._put is Channel._put

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self.broker.queue(queue)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return queue in self.broker.queues

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        found = self.broker.queue(queue)
        found.envelopes.append(message)
        if found.waiters:
            found.wake()

    def _put_back(self, queue: str, message: Any) -> None:
        found = self.broker.queues.get(queue)
        # A queue that was deleted takes what came from it along.
        if found is not None:
            found.envelopes.appendleft(message)
            found.wake()

    def _put_into(self, queues: Iterable[str], message: Any) -> None:
        # As _put for each, without the calls.
        known = self.broker.queues
        for name in queues:
            queue = known.get(name) or self.broker.queue(name)
            queue.envelopes.append(message)
            if queue.waiters:
                queue.wake()

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return self.broker.queues[queue].envelopes.popleft()
        except (KeyError, IndexError):
            raise Empty() from None

    def _size(self, queue: str) -> int:
        found = self.broker.queues.get(queue)
        return 0 if found is None else len(found.envelopes)

    def _purge(self, queue: str) -> int:
        found = self.broker.queues.get(queue)
        count = 0
        while found is not None and found.envelopes:
            try:
                found.envelopes.popleft()
            except IndexError:
                break
            count += 1
        return count

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self.broker.queues.pop(queue, None)

    def after_reply_message_received(self, queue: str) -> None:
        """Leave the reply queue *queue* to be used again."""

    def _delete_queue(self, queue: str, **kwargs: Any) -> None:
        found = self.broker.queues.get(queue)
        super()._delete_queue(queue, **kwargs)
        if found is not None:
            found.was_deleted()


class Transport(virtual.Transport):
    """The in-memory transport."""

    Channel = Channel

    #: What the broker without a name knows of exchanges and queues.
    global_state: Any = _DefaultBroker("state")

    polling_interval = None
    is_woken_by_store = True
    driver_type = "memory"
    driver_name = "memory"
    knows_all_consumers = True
    knows_all_options = True

    implements = virtual.Transport.implements.extend(
        asynchronous=True,
        abilities=dict.fromkeys(
            ("auto_delete", "cancel_notice", "requeue_to_head"), Support(EMULATED)
        ),
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        host = client.hostname
        self.broker = brokers.get("" if host in _DEFAULT_HOSTS else host)
        super().__init__(client, **kwargs)
        self.state = self.broker.state
        if self.Channel._put is not Channel._put and self.polling_interval is None:
            # Where a subclass puts messages, nobody may wake us.
            self.polling_interval = virtual.Transport.polling_interval

    def driver_version(self) -> str:
        """Return the version: there is no driver, and so none."""
        return "N/A"

    def _add_consumer(self, queue: str, channel: Any) -> None:
        with self.broker.lock:
            found = self.broker.queue(queue)
            if self not in found.waiters:
                found.waiters = (*found.waiters, self)
            super()._add_consumer(queue, channel)

    def _remove_consumer(self, queue: str, channel: Any) -> None:
        # Under one lock with the former, or one that comes meanwhile is lost.
        with self.broker.lock:
            super()._remove_consumer(queue, channel)
            found = self.broker.queues.get(queue)
            if found is not None and queue not in self._callbacks:
                found.waiters = tuple(w for w in found.waiters if w is not self)
