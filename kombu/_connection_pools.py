"""Pools of connections, and of the channels of one connection."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu._connection import Connection
from kombu.exceptions import ChannelLimitExceeded, ConnectionLimitExceeded
from kombu.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("ChannelPool", "ConnectionPool", "PooledConnection")


class PooledConnection(Connection):
    """A connection that leaving its ``with`` block gives back to its pool."""

    __module__ = "kombu.connection"

    def __init__(self, pool: ConnectionPool, **kwargs: Any) -> None:
        self._pool = pool
        super().__init__(**kwargs)

    def __enter__(self) -> PooledConnection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if len(exc_info) > 1 and self._is_lost_by(exc_info[1]):
            # Whoever gets it next is to connect anew, to the next broker if need be.
            self.collect()
        self._pool.release(self)

    def _is_lost_by(self, error: object) -> bool:
        """Return whether *error*, raised in the block, is that of a lost broker."""
        # One of the system's may be the block's own: transports by which these come
        # know themselves whether their connection is lost.
        if error is None or isinstance(error, OSError):
            return False
        return isinstance(error, self.recoverable_connection_errors)

    def _class_of_copies(self) -> type[Connection]:
        # Copies belong to no pool.
        return Connection


class ConnectionPool(Resource):
    """Connections to one broker.

    Arguments:
        connection: What they are clones of.
        limit: Most connections in use at a time.
    """

    __module__ = "kombu.connection"

    LimitExceeded = ConnectionLimitExceeded
    close_after_fork = True

    def __init__(
        self, connection: Connection, limit: int | None = None, **kwargs: Any
    ) -> None:
        self.connection = connection
        super().__init__(limit=limit, **kwargs)

    def new(self) -> PooledConnection:
        """Make a connection, which connects when it is first used."""
        options = self.connection._info(resolve=False)
        connection = PooledConnection(self, **dict(options))
        connection._inherit(self.connection)
        return connection

    def setup(self) -> None:
        """Connect those that are to be there from the start."""
        super().setup()
        for connection in self._idle:
            connection.connect()

    def prepare(self, resource: Any) -> Any:
        """Drop what *resource* holds if it can no longer be used."""
        resource._debug("acquired")
        resource._discard_if_lost()
        return resource

    @contextmanager
    def acquire_channel(self, block: bool = False) -> Iterator[tuple[Connection, Any]]:
        """Return a context with a connection and its default channel.

        Arguments:
            block: Wait if all connections are in use.
        """
        with self.acquire(block=block) as connection:
            yield connection, connection.default_channel

    def release_resource(self, resource: Any) -> None:
        """Have what was published by *resource* settled, where the broker confirms it.

        What fails is logged by the transport, as it is on closing.
        """
        flush_published = getattr(resource._connection, "flush_published", None)
        if flush_published is not None:
            flush_published()
        resource._debug("released")

    def close_resource(self, resource: Any) -> None:
        """Close *resource*."""
        resource._close()

    def collect_resource(self, resource: Any, socket_timeout: float = 0.1) -> None:
        """Drop *resource* without a word to the broker."""
        resource.collect(socket_timeout)


class ChannelPool(Resource):
    """Channels of one connection.

    Arguments:
        connection: The connection.
        limit: Most channels in use at a time.
    """

    __module__ = "kombu.connection"

    LimitExceeded = ChannelLimitExceeded

    def __init__(
        self, connection: Connection, limit: int | None = None, **kwargs: Any
    ) -> None:
        self.connection = connection
        super().__init__(limit=limit, **kwargs)

    def new(self) -> Any:
        """Open a channel."""
        return self.connection.channel()

    def prepare(self, channel: Any) -> Any:
        """Return *channel*, or an open one in its place."""
        is_open = getattr(channel, "connection", None) is not None
        return channel if is_open else self.new()
