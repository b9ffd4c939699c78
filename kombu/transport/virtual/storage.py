"""What a virtual transport is asked for: the storage hooks.

A transport **must** supply ``_get``, ``_put``, ``_purge`` and ``_size``.  It
**should** supply ``_has_queue`` and ``_delete``, and ``_put_back`` where its
store can insert at the head of a queue.  It **may** supply the others.

Messages are envelopes (see :mod:`kombu.transport.virtual.message`), which the
store keeps as they are.  ``_put`` may declare ``**kwargs``: it then also gets
the options that the message was published with.
"""

from __future__ import annotations

from queue import Empty
from typing import Any

__all__ = ("AbstractChannel", "Empty", "EmptyInCallback")


class EmptyInCallback(Exception):
    """Carries a ``queue.Empty`` that a consumer's callback raised.

    Within the virtual layer that error means that a store has no message; a
    callback's own must reach whoever waits for events.
    """

    def __init__(self, error: Empty) -> None:
        super().__init__(error)
        self.error = error


class AbstractChannel:
    """The storage hooks, with what is done where a store has none."""

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """Take the next envelope from *queue*, without waiting.

        Raises:
            queue.Empty: There is none.
        """
        raise NotImplementedError("Virtual channels must implement _get")

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        """Append the envelope *message* to *queue*, creating it if need be."""
        raise NotImplementedError("Virtual channels must implement _put")

    def _purge(self, queue: str) -> int:
        """Remove all envelopes from *queue*, and return how many there were."""
        raise NotImplementedError("Virtual channels must implement _purge")

    def _size(self, queue: str) -> int:
        """Return how many envelopes wait in *queue*."""
        return 0

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        """Remove *queue* with all that is in it.

        Arguments:
            queue: Its name.
            *args: Exchange, routing key, pattern and queue of a binding.  It
                is called once for each binding, and once if there is none.
            **kwargs: Options of the deletion.
        """
        self._purge(queue)

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        """Create *queue*; *kwargs* are the options of its declaration."""

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        """Return whether *queue* exists."""
        return True

    def _put_back(self, queue: str, message: Any) -> None:
        """Insert an envelope that was taken from *queue* at its head again."""
        self._put(queue, message)

    def _put_fanout(
        self, exchange: str, message: Any, routing_key: str, **kwargs: Any
    ) -> None:
        """Put *message* into all queues bound to the fanout *exchange*."""
        for queue in self._lookup(exchange, routing_key):  # type: ignore[attr-defined]
            self._put(queue, message, **kwargs)

    def _queue_bind(
        self, exchange: str, routing_key: str, pattern: Any, queue: str
    ) -> None:
        """Note a new binding in the store (if ``supports_fanout`` is true)."""

    def _queue_unbind(
        self, exchange: str, routing_key: str, pattern: Any, queue: str
    ) -> None:
        """Remove a binding from the store."""

    def _poll(self, cycle: Any, callback: Any, timeout: float | None = None) -> Any:
        """Take one envelope from any of the queues that are consumed from.

        Arguments:
            cycle: ``cycle.get(callback)`` tries each queue in turn.
            callback: Called with the envelope and the name of the queue.
            timeout: Seconds that a wait in the store may take.

        Raises:
            queue.Empty: There is none.
        """
        return cycle.get(callback)

    def _get_and_deliver(self, queue: str, callback: Any) -> None:
        """Take the next envelope from *queue*, and call *callback* with it."""
        callback(self._get(queue), queue)
