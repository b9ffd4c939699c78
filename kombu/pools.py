"""Pools that the whole process shares, by connection.

``connections[connection]`` is the pool of connections like *connection*, and
``producers[connection]`` the pool of producers on them.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from kombu.messaging import Producer
from kombu.resource import Resource
from kombu.utils.collections import EqualityDict, eqhash
from kombu.utils.compat import register_after_fork

__all__ = (
    "Connections",
    "PoolGroup",
    "ProducerPool",
    "Producers",
    "connections",
    "get_limit",
    "producers",
    "register_group",
    "reset",
    "set_limit",
)

_DEFAULT_LIMIT = 10


class _Limit:
    """The limit of all shared pools, and the groups that have it."""

    def __init__(self) -> None:
        self.value = _DEFAULT_LIMIT
        self.groups: list[PoolGroup] = []


_shared = _Limit()


class _UseGlobalLimit:
    """Stands for the limit of :func:`set_limit`."""

    def __repr__(self) -> str:
        return "<the limit of kombu.pools.set_limit>"


#: Limit of a group that is to have the one of :func:`set_limit`.
use_global_limit = _UseGlobalLimit()


class ProducerPool(Resource):
    """Producers, each with a connection of a pool while it is in use.

    Arguments:
        connections: The pool of connections.
        *args: Arguments of :class:`~kombu.resource.Resource`.
        Producer: Class of the producers.
        **kwargs: As *args*.
    """

    Producer: Any = Producer
    close_after_fork = True

    def __init__(
        self,
        connections: Any,
        *args: Any,
        Producer: Any = None,
        **kwargs: Any,
    ) -> None:
        self.connections = connections
        self.Producer = Producer or self.Producer
        super().__init__(*args, **kwargs)

    def _acquire_connection(self) -> Any:
        return self.connections.acquire(block=True)

    def create_producer(self) -> Any:
        """Make a producer on a connection of the pool."""
        connection = self._acquire_connection()
        try:
            return self.Producer(connection)
        except BaseException:
            connection.release()
            raise

    def new(self) -> Any:
        """Make a producer without a connection: :meth:`prepare` gives it one."""
        return self.Producer(None)

    def prepare(self, p: Any) -> Any:
        """Give the producer a connection, unless it has one."""
        if callable(p):
            p = p()
        if p._channel is None:
            connection = self._acquire_connection()
            try:
                p.revive(connection)
            except BaseException:
                connection.release()
                raise
        return p

    def release_resource(self, resource: Any) -> None:
        """Give the producer's connection back, once the broker has what it published.

        Raises:
            OperationalError: The broker did not take all, or did not say so in time.
        """
        try:
            wait_until_published = getattr(resource, "wait_until_published", None)
            if wait_until_published is not None:
                wait_until_published()
        finally:
            self._give_connection_back(resource)

    def _give_connection_back(self, resource: Any) -> None:
        connection = resource.__connection__
        resource.__connection__ = None
        resource._channel = None
        if connection is not None:
            connection.release()

    def release(self, resource: Any) -> None:
        """Take a producer back, and give its connection back."""
        if not self._limit:
            self.release_resource(resource)
            return
        super().release(resource)

    def close_resource(self, resource: Any) -> None:
        """Give the producer's connection back."""
        self.release_resource(resource)

    def collect_resource(self, resource: Any) -> None:
        """Drop the producer; its connection is the affair of its pool."""
        resource.__connection__ = None
        resource._channel = None


class PoolGroup(EqualityDict):
    """Pools by what they are for, each made when it is first asked for.

    Arguments:
        limit: Limit of the pools.
        close_after_fork: Whether a forked child begins with no pools.
    """

    def __init__(self, limit: Any = None, close_after_fork: bool = True) -> None:
        super().__init__()
        self.limit = limit
        self.close_after_fork = close_after_fork
        if self.close_after_fork:
            register_after_fork(self, PoolGroup.clear)

    def create(self, resource: Any, limit: int | None) -> Any:
        """Make the pool for *resource*."""
        raise NotImplementedError("PoolGroups must define ``create``")

    def __missing__(self, resource: Any) -> Any:
        limit = self.limit
        if limit is use_global_limit:
            limit = get_limit()
        pool = self.create(resource, limit)
        # Of two threads that make one at a time, both get the same.
        return dict.setdefault(self, eqhash(resource), pool)


class Connections(PoolGroup):
    """Pools of connections, by connection."""

    def create(self, connection: Any, limit: int | None) -> Any:
        """Make the pool of connections like *connection*."""
        return connection.Pool(limit=limit)


class Producers(PoolGroup):
    """Pools of producers, by connection."""

    def create(self, connection: Any, limit: int | None) -> Any:
        """Make the pool of producers on connections like *connection*."""
        return ProducerPool(connections[connection], limit=limit)


def register_group(group: PoolGroup) -> PoolGroup:
    """Have *group* follow :func:`set_limit` and :func:`reset`."""
    _shared.groups.append(group)
    return group


connections: Any = register_group(Connections(limit=use_global_limit))
producers: Any = register_group(Producers(limit=use_global_limit))


def _all_pools() -> chain[Any]:
    return chain.from_iterable(tuple(group.values()) for group in _shared.groups)


def get_limit() -> int:
    """Return the limit of the shared pools."""
    return _shared.value


def set_limit(
    limit: int | None,
    force: bool = False,
    reset_after: bool = False,
    ignore_errors: bool = False,
) -> int | None:
    """Set the limit of the shared pools, those there are and those to come.

    Arguments:
        limit: Most resources of a pool in use at a time.
        force: Shrink pools though resources are in use.
        reset_after: Close everything in the pools.
        ignore_errors: Shrink without closing what is in use.

    Returns:
        The limit.
    """
    limit = limit or 0
    if limit != _shared.value:
        _shared.value = limit
        for pool in _all_pools():
            pool.resize(
                limit, force=force, ignore_errors=ignore_errors, reset=reset_after
            )
    return limit


def reset(*args: Any, **kwargs: Any) -> None:
    """Close all shared pools, and forget them."""
    for pool in _all_pools():
        pool.force_close_all()
    for group in _shared.groups:
        group.clear()
