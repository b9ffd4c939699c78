"""Declaring, binding and deleting of queues on a virtual channel."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.log import get_logger
from kombu.transport.virtual.exchanges import ExchangesChannel
from kombu.transport.virtual.policies import ARGUMENTS
from kombu.transport.virtual.records import USE
from kombu.transport.virtual.state import QueueRecord
from kombu.utils.identity import unique_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kombu.transport.virtual._table import Row

__all__ = ("DeclaringChannel", "queue_declare_ok_t")

logger = get_logger(__name__)


#: How often the use of a queue is noted in the time that it may be without.
_NOTES_PER_LIFE = 10


class queue_declare_ok_t(NamedTuple):
    """What the broker answers to a queue declaration."""

    queue: str
    message_count: int
    consumer_count: int


@cache
def _takes_binding(function: Any) -> bool:
    """Return whether a ``_delete`` hook takes a binding beside the queue."""
    import inspect

    try:
        inspect.signature(function).bind("self", "queue", "", "", "", "")
    except TypeError:
        return False
    return True


class DeclaringChannel(ExchangesChannel):
    """The part of a virtual channel that declares."""

    #: When we noted last that a queue was used, by its name.
    _uses: dict[str, float]

    def queue_declare(
        self, queue: str | None = None, passive: bool = False, **kwargs: Any
    ) -> queue_declare_ok_t:
        """Declare a queue.

        Arguments:
            queue: Its name; made up if empty.
            passive: Only check that it is there.
            **kwargs: ``durable``, ``exclusive``, ``auto_delete``,
                ``arguments``, ``nowait``.

        Raises:
            NotFound: It is to be there, and is not.
            ResourceLocked: It is exclusive to another connection.
        """
        queue = queue or f"amq.gen-{unique_id()}"
        self._refresh()
        if passive or not self._may_take_over(kwargs.get("exclusive", False)):
            self._check_exclusive(queue, "Channel.queue_declare")
        if passive:
            if queue not in self.state.queues and not self._has_queue(queue):
                self._raise_no_queue(queue)
        else:
            self._declare_queue(queue, **kwargs)
        self._bury_expired(queue)
        return queue_declare_ok_t(
            queue, self._size(queue), self._count_consumers(queue)
        )

    def _bury_expired(self, queue: str) -> None:
        """See to it that what has expired in *queue* does not count."""

    def _declare_queue(self, queue: str, **kwargs: Any) -> None:
        record = QueueRecord(
            queue,
            durable=kwargs.get("durable", False),
            exclusive=kwargs.get("exclusive", False),
            auto_delete=kwargs.get("auto_delete", False),
            arguments=kwargs.get("arguments"),
            owner=self.owner,
        )
        self._ask_for(record)
        if record.exclusive:
            self._hold_lease()
        self._new_queue(queue, **kwargs)
        # Only now: it may have gone meanwhile, with the last of its consumers.
        self._refresh()
        topology = self.connection.topology
        known = self.state.queues.get(queue)
        if known is None and topology is not None and not topology.add_queue(record):
            topology.refresh(self)  # somebody was faster
        declared = self.state.queue_declare(record)
        if declared is not record:
            if self._may_take_over(record.exclusive):
                self._take_over(declared)
            self._check_exclusive(queue, "Channel.queue_declare")
            self._check_arguments(declared, record)
        self._queue_was_used(queue)

    @property
    def _is_strict(self) -> bool:
        return getattr(self.connection.client, "strict", None) is True

    def _may_take_over(self, is_exclusive: bool) -> bool:
        """Return whether a declaration gets an exclusive queue that is another one's.

        Where processes share a store, its owner may have been killed, and the lease not
        have run out: who starts again under the same name must not have to wait.
        """
        is_shared = self.connection.topology is not None
        return is_exclusive and is_shared and not self._is_strict

    def _take_over(self, declared: QueueRecord) -> None:
        if declared.owner in (None, self.owner):
            return
        logger.info(
            "Queue %r was exclusive to another connection: taking it over",
            declared.name,
        )
        self.connection.attendance.forget(declared.name, declared.owner)
        declared.owner = self.owner
        topology = self.connection.topology
        if topology is not None:
            topology.write_queue(declared)

    def _ask_for(self, record: QueueRecord) -> None:
        """Note what the declaration *record* asks of the transport."""
        if record.exclusive:
            self._ask("exclusive")
        elif record.auto_delete:
            self._ask("auto_delete")
        for name in record.arguments:
            if name in ARGUMENTS:
                self._ask(ARGUMENTS[name][2])

    def _check_arguments(self, declared: QueueRecord, record: QueueRecord) -> None:
        """Refuse other arguments than the queue has, if the connection is strict.

        Otherwise the queue stays as it is.
        """
        if not self._is_strict:
            return
        for name in ARGUMENTS:
            found, asked = declared.arguments.get(name), record.arguments.get(name)
            if found != asked:
                from kombu.exceptions import PreconditionFailed

                raise PreconditionFailed(
                    f"PRECONDITION_FAILED - inequivalent arg {name!r} for queue "
                    f"{record.name!r} in vhost {self._virtual_host()!r}: received "
                    f"{asked!r} but current is {found!r}; delete the queue, or "
                    "declare it as it is",
                    (50, 10),
                    "Channel.queue_declare",
                )

    def _count_consumers(self, queue: str) -> int:
        return len(self.connection.attendance.consumers(queue))

    def _raise_no_queue(self, queue: str) -> None:
        from kombu.exceptions import NotFound

        raise NotFound(
            f"NOT_FOUND - no queue {queue!r} in vhost {self._virtual_host()!r}",
            (50, 10),
            "Channel.queue_declare",
        )

    def _check_exclusive(self, queue: str, method: str) -> None:
        record = self.state.queues.get(queue)
        if record is None or record.owner in (None, self.owner):
            return
        from kombu.exceptions import ResourceLocked

        raise ResourceLocked(
            f"RESOURCE_LOCKED - queue {queue!r} in vhost {self._virtual_host()!r} "
            "is exclusive to another connection",
            (50, 10),
            method,
        )

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Bind *queue* to *exchange* by *routing_key*.

        Raises:
            NotFound: The exchange does not exist.
            ResourceLocked: The queue is exclusive to another connection.
        """
        self._refresh()
        self._check_exclusive(queue, "Channel.queue_bind")
        exchange = exchange or "amq.direct"
        state = self.state
        if exchange not in state.exchanges:
            if not exchange.startswith("amq."):
                self._raise_no_exchange(exchange)
            self._declare_internal(exchange)
        row = self.typeof(exchange).prepare_bind(
            queue, exchange, routing_key, arguments
        )
        if state.binding_declare(queue, exchange, routing_key, arguments, row):
            self._store_binding(exchange, row)
            topology = self.connection.topology
            if topology is not None:
                topology.add_binding(exchange, queue, False, routing_key, arguments)

    def _store_binding(self, exchange: str, row: Row) -> None:
        if self.supports_fanout:
            self._queue_bind(exchange, *row)

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Undo :meth:`queue_bind`; nothing happens if there is no such binding.

        Raises:
            ResourceLocked: The queue is exclusive to another connection.
        """
        self._check_exclusive(queue, "Channel.queue_unbind")
        self._unbind(queue, exchange or "amq.direct", routing_key, arguments)

    def queue_delete(
        self,
        queue: str,
        if_unused: bool = False,
        if_empty: bool = False,
        **kwargs: Any,
    ) -> int:
        """Delete *queue*, its messages and its bindings.

        Arguments:
            queue: Its name.
            if_unused: Only if it has no consumers.
            if_empty: Only if it has no messages.
            **kwargs: Options that the storage hook gets.

        Returns:
            How many messages were deleted with it.

        Raises:
            ResourceLocked: It is exclusive to another connection.
        """
        self._refresh()
        self._check_exclusive(queue, "Channel.queue_delete")
        size = self._size(queue)
        if if_empty and size:
            return 0
        if if_unused and self._count_consumers(queue):
            return 0
        self._delete_queue(queue, **kwargs)
        return size

    def _delete_queue(self, queue: str, **kwargs: Any) -> None:
        state = self.state
        bindings = list(state.queue_bindings(queue))
        if bindings:
            for exchange, routing_key, arguments in bindings:
                row = self.typeof(exchange).prepare_bind(
                    queue, exchange, routing_key, arguments
                )
                self._delete(queue, exchange, *row, **kwargs)
        elif _takes_binding(type(self)._delete):
            self._delete(queue, "", "", "", queue, **kwargs)
        else:
            self._delete(queue, **kwargs)
        state.queue_delete(queue)
        topology = self.connection.topology
        if topology is not None:
            topology.remove_queue(queue)
        for exchange in {binding.exchange for binding in bindings}:
            self._delete_unused_exchange(exchange)
        self._forget_declaration("forget_queue", queue)

    def queue_purge(self, queue: str, **kwargs: Any) -> int:
        """Remove all messages from *queue*, and return how many there were.

        Raises:
            ResourceLocked: It is exclusive to another connection.
        """
        self._refresh()
        self._check_exclusive(queue, "Channel.queue_purge")
        return self._purge(queue)

    def _hold_lease(self) -> None:
        """Have the owner of this connection be known to live."""
        self.connection._hold_lease()

    def _queue_was_used(self, queue: str) -> None:
        """Note that *queue* was declared or read, if it expires without use."""
        policy = self.state.policies.get(queue)
        if policy is None or policy.expires is None:
            return
        now = self._store_time()
        noted = self._uses.get(queue, 0.0)
        if not noted <= now < noted + policy.expires / 1000 / _NOTES_PER_LIFE:
            self._uses[queue] = now
            self.connection.records.write(USE, queue, {"at": now})

    def after_reply_message_received(self, queue: str) -> None:
        """Delete the reply queue *queue*, which has served."""
        self.queue_delete(queue)
