"""Sentinel: the server is the master of a group, which sentinels name.

``sentinel://host:port;sentinel://host2:port2/database``, with the transport option
``master_name``.  Database and login are those of the first URL; a login of the
sentinels' own goes into ``sentinel_kwargs``.  The sentinels are asked at each
connection, so that a failover is followed by whoever connects again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport._options import InvalidTransportOption
from kombu.transport.redis.channel import Channel
from kombu.transport.redis.hosts import ManyHosts
from kombu.transport.redis.options import SENTINEL_OPTIONS
from kombu.transport.redis.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.redis.link import Link

__all__ = ("SentinelChannel", "SentinelTransport")

DEFAULT_SENTINEL_PORT = 26379


class SentinelChannel(Channel):
    """A channel to the master of a group."""

    __module__ = "kombu.transport.redis"

    #: Whether the channels of releases before 5.4 are spoken, too.
    sentinel_fanout_compat = False

    options = (*Channel.options, *SENTINEL_OPTIONS)
    from_transport_options = (
        *Channel.from_transport_options,
        "master_name",
        "min_other_sentinels",
        "sentinel_kwargs",
        "sentinel_fanout_compat",
    )


class SentinelTransport(ManyHosts, Transport):
    """The Redis transport, by way of Sentinel."""

    __module__ = "kombu.transport.redis"

    Channel = SentinelChannel
    default_port = DEFAULT_SENTINEL_PORT

    def _master_name(self) -> str:
        name = self._options().get("master_name")
        if not name:
            raise MissingMasterName(
                "'master_name' transport option must be specified: the name of the "
                "group that the sentinels watch"
            )
        return str(name)

    def _link_maker(self) -> Callable[[], Link]:
        from redis import sentinel as driver

        from kombu.transport.redis.link import Link

        options = self._options()
        parameters = self.parameters
        name = self._master_name()
        arguments = parameters.arguments
        timeouts = ("socket_timeout", "socket_connect_timeout")
        for_sentinels = {key: arguments[key] for key in timeouts}
        make: Any = driver.Sentinel
        sentinel = make(
            self._hosts(),
            int(options.get("min_other_sentinels") or 0),
            {**for_sentinels, **(options.get("sentinel_kwargs") or {})},
        )
        # It is what connections ask for the address each time they are opened.
        make = driver.SentinelConnectionPool
        pool = make(name, sentinel, ssl=parameters.uses_tls, **arguments)
        where = f"Redis, master {name!r}, database {parameters.database}"
        return lambda: Link(
            pool.make_connection, where, parameters.secret, parameters.busy_wait
        )

    def _compat_prefix(self) -> str | None:
        if not self._options().get("sentinel_fanout_compat"):
            return None
        prefix = self._options().get("fanout_prefix", True)
        # They did not fill in the number of the database.
        return "/{db}." if prefix is True else str(prefix or "")

    def client_of_driver(self) -> Any:
        """Return a client of redis-py for the master."""
        from redis import sentinel as driver

        parameters = self.parameters
        arguments = parameters.arguments
        kwargs = self._options().get("sentinel_kwargs")
        make: Any = driver.Sentinel
        sentinel = make(self._hosts(), sentinel_kwargs=kwargs, **arguments)
        return sentinel.master_for(self._master_name())


class MissingMasterName(InvalidTransportOption):
    """The option ``master_name`` is not given."""
