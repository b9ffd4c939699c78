"""Declaring exchanges, queues and bindings on a channel.

One thread at a time waits for an answer on a channel.  What a queue that exists with
other arguments means is a matter of policy:

=========== ====================================================================
``strict``  an error, which names the queue and the argument that differs
``adopt``   the queue is used as it is
``passive`` queues and exchanges are never made, only looked for
=========== ====================================================================
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError, PreconditionFailed
from kombu.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("POLICIES", "Declaring", "check_policy")

logger = get_logger(__name__)

POLICIES = ("strict", "adopt", "passive")


class InvalidPolicy(KombuError, ValueError):
    """A policy of declarations that there is not."""


def check_policy(policy: str) -> str:
    """Return *policy* if it is one.

    Raises:
        InvalidPolicy: It is not.
    """
    if policy not in POLICIES:
        raise InvalidPolicy(
            f"declare_policy must be one of {', '.join(POLICIES)}, not {policy!r}"
        )
    return policy


def _one_at_a_time(name: str) -> Callable[..., Any]:
    """Return the method *name* of :mod:`amqp`, as only one thread at a time calls it."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._rpc_lock:
            self.make_usable()
            return getattr(super(Declaring, self), name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Call ``{name}`` of the broker, and wait for the answer."
    return call


class Declaring:
    """The part of a channel that declares."""

    make_usable: Any
    _rpc_lock: Any

    exchange_bind = _one_at_a_time("exchange_bind")
    exchange_unbind = _one_at_a_time("exchange_unbind")
    exchange_delete = _one_at_a_time("exchange_delete")
    queue_bind = _one_at_a_time("queue_bind")
    queue_unbind = _one_at_a_time("queue_unbind")
    queue_delete = _one_at_a_time("queue_delete")
    queue_purge = _one_at_a_time("queue_purge")
    flow = _one_at_a_time("flow")
    basic_recover = _one_at_a_time("basic_recover")
    tx_select = _one_at_a_time("tx_select")
    tx_commit = _one_at_a_time("tx_commit")
    tx_rollback = _one_at_a_time("tx_rollback")

    def queue_declare(
        self, queue: str = "", *args: Any, policy: str | None = None, **kwargs: Any
    ) -> Any:
        """Declare a queue.

        Arguments:
            queue: Its name; the broker gives it one if empty.
            *args: Further arguments of :mod:`amqp`.
            policy: What to do if it exists and is different; the option
                ``declare_policy`` if not given.
            **kwargs: Further arguments of :mod:`amqp`.

        Returns:
            Name, number of messages and number of consumers.

        Raises:
            PreconditionFailed: It exists and is different.
        """
        return self._declare("queue_declare", policy, queue, *args, **kwargs)

    def exchange_declare(
        self,
        exchange: str,
        type: str = "direct",
        *args: Any,
        policy: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Declare an exchange; arguments as for :meth:`queue_declare`."""
        return self._declare(
            "exchange_declare", policy, exchange, type, *args, **kwargs
        )

    def _declare(
        self, method: str, policy: str | None, name: str, *args: Any, **kwargs: Any
    ) -> Any:
        declare = functools.partial(getattr(super(), method), name, *args, **kwargs)
        with self._rpc_lock:
            connection = self.make_usable()
            policy = check_policy(policy or connection.options.declare_policy)
            if policy == "passive" and name:
                return declare(passive=True)
            try:
                return declare()
            except PreconditionFailed:
                if policy != "adopt":
                    raise
                logger.info("%r exists and is different: using it as it is", name)
                self.make_usable()
                return declare(passive=True)
