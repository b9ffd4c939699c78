"""Names of kombu 5.7's channel that applications and other packages use."""

from __future__ import annotations

from typing import Any

from kombu.transport.virtual.base import Channel as BaseChannel

__all__ = ("CompatChannel",)

PRIORITY_STEPS = [0, 3, 6, 9]


class CompatChannel(BaseChannel):
    """Attributes that options set, and a client of redis-py for whoever wants one."""

    connection: Any

    sep = "\x06\x16"
    ack_emulation = True
    unacked_key = "unacked"
    unacked_index_key = "unacked_index"
    unacked_mutex_key = "unacked_mutex"
    unacked_mutex_expire = 300
    unacked_restore_limit: int | None = None
    unacked_restore_interval = 10
    unacked_restore_throttle = 10
    fanout_prefix: bool | str = True
    fanout_patterns = True
    global_keyprefix = ""
    keyprefix_queue = "_kombu.binding.%s"
    keyprefix_binding_permanent = "_kombu.binding_permanent.%s"
    keyprefix_binding_deadlines = "_kombu.binding_deadlines"
    keyprefix_fanout = "/{db}."
    priority_steps: Any = tuple(PRIORITY_STEPS)
    queue_order_strategy = "round_robin"
    max_connections = 10
    socket_timeout: float | None = 5.0
    socket_connect_timeout: float | None = None
    socket_keepalive: bool | None = True
    socket_keepalive_options: Any = None
    health_check_interval = 25
    retry_on_timeout: bool | None = None
    client_name: str | None = None

    from_transport_options = (
        *BaseChannel.from_transport_options,
        "sep",
        "ack_emulation",
        "unacked_key",
        "unacked_index_key",
        "unacked_mutex_key",
        "unacked_mutex_expire",
        "unacked_restore_limit",
        "unacked_restore_interval",
        "unacked_restore_throttle",
        "fanout_prefix",
        "fanout_patterns",
        "global_keyprefix",
        "socket_timeout",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_keepalive_options",
        "queue_order_strategy",
        "max_connections",
        "health_check_interval",
        "retry_on_timeout",
        "priority_steps",
        "client_name",
    )

    @property
    def client(self) -> Any:
        """A client of redis-py for the same server; none of ours uses it."""
        return self.connection.client_of_driver()

    def conn_or_acquire(self, client: Any = None) -> Any:
        """Return a context that gives *client*, or :attr:`client`."""
        from contextlib import nullcontext

        return nullcontext(client or self.client)

    @property
    def pool(self) -> Any:
        """The connection pool of :attr:`client`."""
        return self.client.connection_pool

    @property
    def subclient(self) -> Any:
        """A client of redis-py for PUB/SUB; none of ours uses it."""
        return self.client.pubsub()

    @property
    def active_queues(self) -> set[str]:
        """Names of the queues that are consumed from."""
        return set(self._active_queues)

    def priority(self, n: int) -> int:
        """Return the step of priority that *n* falls into."""
        return max((step for step in self.priority_steps if step <= n), default=0)

    def _q_for_pri(self, queue: str, pri: int) -> str:
        """Return the list of *queue* for the priority *pri*."""
        level = self.priority(pri)
        return f"{queue}{self.sep}{level}" if level else queue
