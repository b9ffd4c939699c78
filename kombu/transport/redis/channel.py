"""The channel: the kernel's hooks, over the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport._options import VIRTUAL_OPTIONS
from kombu.transport.redis.driver_connections import DriverConnection
from kombu.transport.redis.options import MOST_SETTLED, REDIS_OPTIONS
from kombu.transport.redis.putting import PuttingChannel
from kombu.transport.virtual.ranks import KOMBU
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from kombu.transport.virtual.attending import ConsumerRecord
    from kombu.transport.virtual.claims import Claim

__all__ = ("Channel",)


class Channel(PuttingChannel):
    """A channel to a Redis server."""

    __module__ = "kombu.transport.redis"

    #: Classes of the connections to the server, for subclasses to replace.
    connection_class: Any = DriverConnection("Connection")
    connection_class_ssl: Any = DriverConnection("SSLConnection")

    supports_fanout = True
    supports_batch_publish = True
    do_restore = True
    priority_mode = KOMBU
    refill_pause = 0.002
    settle_limit = MOST_SETTLED

    options = (
        *(option for option in VIRTUAL_OPTIONS if option.name != "priority_mode"),
        *REDIS_OPTIONS,
    )

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._is_durable = connection.settings.fanout == "durable"

    # -- topology ------------------------------------------------------------------

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
            self._broker.claims.ring_again((record.queue,))

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
        if not self.closed:
            self.connection._flush_soon()

    def _send_settled(self) -> None:
        if self.connection is not None:
            self._broker.server.flush()

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
