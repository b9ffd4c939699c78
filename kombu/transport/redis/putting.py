"""The part of the channel that puts messages: routed by what the server still holds for true."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.transport.redis.batch import Gathered, PublishBatch
from kombu.transport.redis.compat import CompatChannel
from kombu.transport.redis.parcel import Parcel
from kombu.transport.virtual.claims import deliver_at
from kombu.transport.virtual.leased import LeasedChannel
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kombu.transport.redis.broker import RedisBroker
    from kombu.transport.virtual.policies import QueuePolicy

__all__ = ("PuttingChannel",)

#: How often a message is routed anew while the topology changes all the time.
_TRIES = 50


class TopologyChanged(KombuError):
    """The bindings that a message was routed by are not those of the server."""


class PuttingChannel(CompatChannel, LeasedChannel):
    """A channel that puts messages."""

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._gathered = threading.local()

    @property
    def _broker(self) -> RedisBroker:
        connection = self.connection
        return connection._broker or connection.broker  # type: ignore[no-any-return]

    # -- versions of the topology ----------------------------------------------------

    def _refresh(self) -> None:
        super()._refresh()
        self._broker.claims.seen_version = None

    def _refresh_lightly(self) -> None:
        """Do nothing if the server has told of no change.

        A claim brings the version along, and a message is put by a script that looks
        whether it was routed by the right one.
        """
        version = self._known_version()
        seen = self._broker.claims.seen_version
        if version is None or (seen is not None and seen != version.ours):
            self._refresh()

    def _known_version(self) -> Any:
        """Return the version of the topology that we have; None for none."""
        topology = self.connection.topology
        if topology is None or not topology.records.is_checked_by_scripts:
            return None
        return topology.version

    # -- putting -------------------------------------------------------------------

    def _publish(self, *args: Any) -> None:
        for _ in range(_TRIES):
            try:
                super()._publish(*args)
                return
            except TopologyChanged:
                self._refresh()
        super()._publish(*args)

    def _level(self, queue: str, envelope: Any) -> int:
        return self.connection.level_of(queue, envelope)  # type: ignore[no-any-return]

    def _put(self, queue: str, message: Any) -> None:  # type: ignore[override]
        level = self._level(queue, message)
        moment = deliver_at(message)
        if moment is not None and moment > self._store_time():
            text = pack(message).encode()
            self._broker.puts.rest(queue, level, text, _id_of(message), moment)
        else:
            self._send(message, ((queue, level),), None)

    def _put_into(self, queues: Iterable[str], message: Any) -> None:
        targets = tuple([(queue, self._level(queue, message)) for queue in queues])
        self._send(message, targets, self._known_version())

    def _send(
        self, message: Any, targets: tuple[tuple[str, int], ...], version: Any
    ) -> None:
        info = message["properties"]["delivery_info"]
        exchange = info.get("exchange") or ""
        parcel = Parcel(pack(message).encode(), targets, exchange, version)
        gathered = getattr(self._gathered, "messages", None)
        if gathered is not None:
            again = self._publishing_again(message, exchange, info.get("routing_key"))
            gathered.append(Gathered(parcel, again))
        elif not self._broker.puts.put(parcel):
            raise TopologyChanged(exchange)

    def _put_by_policy(
        self, queues: Iterable[str], message: dict[str, Any], options: dict[str, Any]
    ) -> None:
        queues = tuple(queues)
        policies = [self._policies.get(queue) for queue in queues]
        ttls = {None if policy is None else policy.message_ttl for policy in policies}
        now = self._store_time()
        delayed = self._with_delay(message, now)
        is_limited = any(policy is not None and policy.has_limit for policy in policies)
        if len(ttls) == 1 and not is_limited and deliver_at(delayed) is None:
            # All queues get the same text, in one step.
            self._put_into(queues, self._with_moments(delayed, policies[0], now))
            return
        version = self._known_version()
        if version is not None:
            exchange = message["properties"]["delivery_info"].get("exchange") or ""
            if not self._broker.puts.is_current(exchange, version):
                raise TopologyChanged(exchange)
        super()._put_by_policy(queues, message, options)

    def _put_limited(
        self,
        queue: str,
        message: dict[str, Any],
        policy: QueuePolicy,
        options: dict[str, Any],
    ) -> bool:
        moment = deliver_at(message)
        if moment is not None and moment > self._store_time():
            self._put(queue, message)
            return True
        is_put = self._trim_and_put(queue, message, policy)
        if not is_put and policy.overflow == "reject-publish-dlx":
            self._bury_unclaimed(queue, message, "maxlen")
        return is_put

    def _trim(self, queue: str, policy: QueuePolicy) -> None:
        if not policy.refuses:
            self._trim_and_put(queue, None, policy)

    def _trim_and_put(self, queue: str, message: Any, policy: QueuePolicy) -> bool:
        level = 0 if message is None else self._level(queue, message)
        text = b"" if message is None else pack(message).encode()
        self._hold_lease()
        levels = self.connection.levels_of(queue)
        lease = self.visibility_timeout
        puts = self._broker.puts
        is_put, claims = puts.put_limited(queue, level, text, policy, lease, levels)
        self._bury_all(claims, "maxlen")
        return is_put

    # -- batches ---------------------------------------------------------------------

    def create_publish_batch(self, max_size: int = 100) -> PublishBatch:
        """Return a batch of up to *max_size* messages, put in one round trip."""
        return PublishBatch(self, max_size)

    @contextmanager
    def gathering(self, messages: list[Gathered]) -> Iterator[None]:
        """Have this thread add to *messages* what it would put."""
        self._gathered.messages = messages
        try:
            yield
        finally:
            self._gathered.messages = None

    def put_gathered(self, gathered: Sequence[Gathered]) -> None:
        """Put what was gathered, in one round trip."""
        for _ in range(_TRIES):
            parcels = [one.parcel for one in gathered]
            done = self._broker.puts.put_all(parcels)
            left = [
                one for one, is_put in zip(gathered, done, strict=True) if not is_put
            ]
            if not left:
                return
            # The topology has changed: they are routed anew.
            self._refresh()
            routed: list[Gathered] = []
            with self.gathering(routed):
                for one in left:
                    one.again()
            gathered = routed
        for one in gathered:
            one.again()

    def _publishing_again(self, message: Any, exchange: str, routing_key: Any) -> Any:
        others: Any = (False, None, None, {})
        return lambda: self._publish(message, exchange, routing_key, False, others)


def _id_of(message: Any) -> str:
    """Return by what a resting message can be found again."""
    properties = message["properties"]
    return str(properties.get("message_id") or properties["delivery_tag"])
