"""The channel: the kernel's hooks, over the server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.transport._options import VIRTUAL_OPTIONS
from kombu.transport.redis.batch import Gathered, PublishBatch
from kombu.transport.redis.compat import CompatChannel
from kombu.transport.redis.options import REDIS_OPTIONS
from kombu.transport.redis.parcel import Parcel
from kombu.transport.virtual.claims import deliver_at
from kombu.transport.virtual.leased import LeasedChannel
from kombu.transport.virtual.ranks import KOMBU
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from kombu.transport.redis.broker import RedisBroker
    from kombu.transport.virtual.attending import ConsumerRecord
    from kombu.transport.virtual.claims import Claim
    from kombu.transport.virtual.policies import QueuePolicy

__all__ = ("Channel",)

#: How often a message is routed anew while the topology changes all the time.
_TRIES = 50


class TopologyChanged(KombuError):
    """The bindings that a message was routed by are not those of the server."""


class Channel(CompatChannel, LeasedChannel):
    """A channel to a Redis server."""

    __module__ = "kombu.transport.redis"

    supports_fanout = True
    supports_batch_publish = True
    do_restore = True
    priority_mode = KOMBU

    #: Acknowledgements that are sent together.
    settle_limit = 100

    options = (
        *(option for option in VIRTUAL_OPTIONS if option.name != "priority_mode"),
        *REDIS_OPTIONS,
    )

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._gathered = threading.local()
        self._is_durable = connection.settings.fanout == "durable"

    @property
    def _broker(self) -> RedisBroker:
        connection = self.connection
        return connection._broker or connection.broker  # type: ignore[no-any-return]

    # -- topology ------------------------------------------------------------------

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

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self._broker.queues.has_messages(queue)

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self._broker.fanout.end(queue)
        self._broker.queues.delete(queue)

    def _purge(self, queue: str) -> int:
        return self._broker.queues.purge(queue)

    def _size(self, queue: str) -> int:
        return self._broker.queues.size(queue)

    def _redeclare(self, exchange: str) -> bool:
        topology = self.connection.topology
        before = topology.version
        self._refresh()
        # What others have bound meanwhile counts too.
        return super()._redeclare(exchange) or topology.version != before

    def _route(self, exchange: str, routing_key: str, headers: Any) -> Iterable[str]:
        if exchange in self.state.exchanges:
            return super()._route(exchange, routing_key, headers)
        # One that only old peers know, who keep its bindings and not its type.
        return self._broker.records.route_of_peers(exchange, routing_key)

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

    # -- fanout ------------------------------------------------------------------------

    def _delivers_by_itself(self, exchange: str) -> bool:
        if self._is_durable and self.typeof(exchange).type == "fanout":
            return False
        return super()._delivers_by_itself(exchange)

    def _put_fanout(
        self, exchange: str, message: Any, routing_key: str, **kwargs: Any
    ) -> None:
        """Publish *message* to those who listen to the fanout *exchange*."""
        text = pack(message).encode()
        count = self._broker.fanout.publish(exchange, routing_key, text)
        linked = self._queues_beyond(exchange, routing_key, message["headers"])
        if linked:
            self._put_into(linked, message)
        elif not count and kwargs.get("mandatory"):
            self._return(message, exchange, routing_key)

    def _queues_beyond(
        self, exchange: str, routing_key: str, headers: Any
    ) -> tuple[str, ...]:
        """Return the queues that a fanout *exchange* leads to by other exchanges."""
        links = self.state.exchange_bindings
        if not any(source == exchange for _, source, _ in links):
            return ()
        bound = {queue for _, _, queue in self.get_table(exchange)}
        found = self._routes(exchange, routing_key, headers)
        return tuple(queue for queue in found if queue not in bound)

    def _fanout_bindings(self, queue: str) -> list[tuple[str, str]]:
        if self._is_durable:
            return []
        return [
            (binding.exchange, binding.routing_key)
            for binding in self.state.queue_bindings(queue)
            if self.typeof(binding.exchange).type == "fanout"
        ]

    def _queue_bind(
        self, exchange: str, routing_key: str, pattern: Any, queue: str
    ) -> None:
        if queue in self.connection._callbacks:
            self._listen(queue)

    def _listen(self, queue: str) -> None:
        bindings = self._fanout_bindings(queue)
        if bindings:
            self._broker.fanout.listen(queue, bindings)

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> str:
        """Start a consumer (see the kernel's channel), and listen for its queue."""
        tag = super().basic_consume(queue, *args, **kwargs)
        try:
            self._listen(queue)
        except BaseException:
            self.basic_cancel(tag)
            raise
        return tag

    def _leave(self, record: ConsumerRecord) -> None:
        super()._leave(record)
        if record.queue not in self.connection._callbacks:
            self._broker.fanout.end(record.queue)

    # -- claims ------------------------------------------------------------------------

    def _claim(self, queues: Sequence[str], limit: int) -> list[Claim]:
        broker = self._broker
        claims = broker.fanout.take(queues, limit)
        if not claims and not self.connection.are_known_to_be_empty(queues):
            claims = self._claim_from_server(queues, limit)
            self.connection.has_looked(bool(claims))
        return claims

    def _claim_next(self, queue: str) -> Claim | None:
        broker = self._broker
        claims = broker.fanout.take((queue,), 1) or broker.claims.claim((queue,), 1)
        return claims[0] if claims else None

    def _claim_from_server(self, queues: Sequence[str], limit: int) -> list[Claim]:
        known = self._known_version()
        version = None if known is None else known.ours
        claims = self._broker.claims
        found = claims.claim(queues, limit, version)
        if version is None or claims.seen_version == version:
            return found
        # Another may have to be served: it is planned anew, and soon.
        self._refresh()
        self.connection.wake()
        return []

    def _claim_expired(self, queue: str, limit: int) -> list[Claim]:
        return self._broker.claims.claim_expired(queue, limit)

    def _settle(self, claims: Sequence[Claim]) -> None:
        self._broker.claims.settle(claims)

    def _release(self, claims: Sequence[Claim]) -> None:
        broker = self._broker
        broker.claims.release(claims, self._level)
        heard = [claim for claim in claims if claim.token is None]
        if heard:
            broker.fanout.put_back(reversed(heard))
            self.connection.wake()

    def _move(self, claim: Claim, copies: Sequence[tuple[str, Any]]) -> None:
        if claim.token is None:
            for queue, envelope in copies:
                self._put(queue, envelope)
            return
        texts = [
            (queue, self._level(queue, envelope), pack(envelope))
            for queue, envelope in copies
        ]
        self._broker.claims.move(claim.token, claim.queue, texts)

    def _set_aside(self, claim: Claim) -> None:
        text = claim.envelope
        if claim.token is not None and isinstance(text, (str, bytes)):
            data = text.encode() if isinstance(text, str) else text
            self._broker.queues.set_aside(claim.queue, data)
        self._settle((claim,))

    def _renew(self, claims: Collection[Claim]) -> None:
        self._broker.claims.extend(claims)

    def _reap(self) -> Collection[str]:
        return self._broker.lost.put_back(tuple(self.state.queues))

    def _in_turn(self, queues: Sequence[str]) -> list[str]:
        order = self.connection.settings.order
        if order == "sorted":
            return sorted(queues)
        return list(queues) if order == "priority" else super()._in_turn(queues)

    # -- time --------------------------------------------------------------------------

    def _store_time(self) -> float:
        return self._broker.time()

    def _next_due(self, queues: Iterable[str]) -> float | None:
        claims = self._broker.claims
        queues = tuple(queues)
        # What was looked into is empty, or full of what there is no room for: in some
        # queues that can die.
        known = claims.were_looked_into(queues).difference(self._mortal_queues())
        others = [queue for queue in queues if queue not in known]
        due = claims.next_due
        moments = [] if due is None else [due]
        if others:
            moment = self._broker.queues.next_due(others)
            if moment is not None:
                moments.append(moment)
        return min(moments, default=None)

    def _cancel_delayed(self, queue: str, message_id: str) -> bool:
        return self._broker.puts.cancel(queue, message_id)


def _id_of(message: Any) -> str:
    """Return by what a resting message can be found again."""
    properties = message["properties"]
    return str(properties.get("message_id") or properties["delivery_tag"])
