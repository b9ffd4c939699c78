"""What the arguments of queues ask for: expiry, delay, limits, dead-lettering.

Written once, over the hooks that put, claim, settle and move.  A message is
given its moments (when it is due, when it expires) as it is published; whoever
takes one from a store looks at them, and so do the sweeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import PublishRefused
from kombu.log import get_logger
from kombu.transport.virtual.claims import (
    DELIVER_AT,
    EXPIRES_AT,
    Claim,
    expires_at,
    with_properties,
)
from kombu.transport.virtual.death import (
    DELIVERY_LIMIT,
    EXPIRED,
    MAX_LENGTH,
    REJECTED,
    after_death,
    is_cycle,
)
from kombu.transport.virtual.declaring import DeclaringChannel
from kombu.transport.virtual.moments import deliver_at_of, time_to_live_of
from kombu.transport.virtual.policies import REJECT_PUBLISH_DLX
from kombu.transport.virtual.ranks import AMQP, rank_by_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kombu.transport.virtual.policies import QueuePolicy

__all__ = ("PolicingChannel",)

logger = get_logger(__name__)

#: Messages that one look at a queue buries at most.
BATCH = 100


class PolicingChannel(DeclaringChannel):
    """The part of a virtual channel that keeps the policies of queues."""

    #: ``amqp``: by ``x-max-priority``, what is higher first; ``kombu``: as
    #: kombu's Redis transport, by :attr:`priority_steps`, what is lower first.
    priority_mode = AMQP

    #: What is asked for by the arguments of those queues that ask for something.
    _policies: dict[str, QueuePolicy]

    #: Priorities told apart in kombu's mode.
    priority_steps: Sequence[int] = (0, 3, 6, 9)

    def _rank(self, queue: str, envelope: Any) -> int:
        try:
            priority = int(envelope["properties"]["priority"])
        except (TypeError, ValueError, LookupError):
            priority = 0
        if self.priority_mode != AMQP:
            return rank_by_steps(priority, self.priority_steps)
        policy = self._policies.get(queue)
        if policy is None or not policy.max_priority:
            return 0
        return min(max(priority, 0), policy.max_priority)

    # -- putting ---------------------------------------------------------------

    def _with_moments(
        self, message: dict[str, Any], policy: QueuePolicy | None, now: float
    ) -> dict[str, Any]:
        """Return *message* for a queue of *policy*, with when it expires."""
        live = time_to_live_of(message)
        if policy is not None and policy.message_ttl is not None:
            live = policy.message_ttl if live is None else min(live, policy.message_ttl)
        if live is None:
            return message
        begins = message["properties"].get(DELIVER_AT) or int(now * 1000)
        return with_properties(  # type: ignore[no-any-return]
            message, **{EXPIRES_AT: begins + live}
        )

    def _with_delay(self, message: dict[str, Any], now: float) -> dict[str, Any]:
        """Return *message* with when it is due, if it asks for a delay."""
        moment = deliver_at_of(message, now)
        if moment is None:
            return message
        self._ask("delay")
        changes: dict[str, Any] = {}
        if self._offers("delay") and moment > now:
            changes[DELIVER_AT] = int(moment * 1000)
        if "deliver_at" in message["properties"]:
            changes["deliver_at"] = None
        return with_properties(message, **changes)  # type: ignore[no-any-return]

    def _put_by_policy(
        self, queues: Iterable[str], message: dict[str, Any], options: dict[str, Any]
    ) -> None:
        """Put *message* into *queues*, each by its own policy.

        Raises:
            PublishRefused: One of them is full; the others have it.
        """
        now = self._store_time()
        message = self._with_delay(message, now)
        refused = []
        for queue in queues:
            policy = self._policies.get(queue)
            copy = self._with_moments(message, policy, now)
            if policy is None or not policy.has_limit:
                self._put(queue, copy, **options)
            elif not self._put_limited(queue, copy, policy, options):
                refused.append(queue)
        if refused:
            raise PublishRefused(refused, message["properties"])

    def _put_limited(
        self,
        queue: str,
        message: dict[str, Any],
        policy: QueuePolicy,
        options: dict[str, Any],
    ) -> bool:
        """Put *message* into a queue with a limit; return whether it took it."""
        with self._guard(queue):
            is_taken = not (policy.refuses and self._is_full(queue, policy, message))
            if is_taken:
                self._put(queue, message, **options)
                self._trim(queue, policy)
        if not is_taken and policy.overflow == REJECT_PUBLISH_DLX:
            self._bury_unclaimed(queue, message, MAX_LENGTH)
        return is_taken

    def _is_full(
        self, queue: str, policy: QueuePolicy, message: dict[str, Any]
    ) -> bool:
        most, most_bytes = policy.max_length, policy.max_length_bytes
        if most is not None and self._size(queue) >= most:
            return True
        return (
            most_bytes is not None
            and self._size_bytes(queue) + len(message["body"] or "") > most_bytes
        )

    def _trim(self, queue: str, policy: QueuePolicy) -> None:
        """Bury what stands at the head of *queue* and is too much."""
        if policy.refuses:
            return
        if policy.max_length is not None:
            excess = self._size(queue) - policy.max_length
            if excess > 0:
                self._bury_head(queue, excess)
        most_bytes = policy.max_length_bytes
        while most_bytes is not None and self._size_bytes(queue) > most_bytes:
            if not self._bury_head(queue, 1):
                return

    def _bury_head(self, queue: str, count: int) -> int:
        self._hold_lease()
        return self._bury_all(self._claim([queue], count), MAX_LENGTH)

    def _bury_all(self, claims: Sequence[Claim], reason: str) -> int:
        """Bury *claims*, and return how many there were; nothing stays in hand."""
        left = list(claims)
        try:
            while left:
                self._bury(left[0], reason)
                del left[0]
        except BaseException:
            self._release(left)
            raise
        return len(claims)

    def cancel_delayed(self, queue: str, message_id: str) -> bool:
        """Take back a message of *queue* that is not due yet.

        Arguments:
            queue: Name of the queue.
            message_id: Its property ``message_id``.

        Returns:
            Whether there was one.

        Raises:
            AbilityNotOffered: The transport keeps no delayed messages.
        """
        if not self._offers("delay"):
            from kombu.exceptions import AbilityNotOffered

            raise AbilityNotOffered(
                f"{self!r} keeps no delayed messages that could be taken back"
            )
        self._check_exclusive(queue, "Channel.cancel_delayed")
        return self._cancel_delayed(queue, message_id)

    # -- dying -----------------------------------------------------------------

    def _is_dead(self, claim: Claim) -> str | None:
        """Return why *claim* must not be delivered; None if it may be."""
        moment = expires_at(claim.envelope)
        if moment is not None and self._store_time() >= moment:
            return EXPIRED
        if claim.deliveries and self._is_over_limit(claim.queue, claim.deliveries):
            return DELIVERY_LIMIT
        return None

    def _is_over_limit(self, queue: str, deliveries: int) -> bool:
        policy = self._policies.get(queue)
        limit = None if policy is None else policy.delivery_limit
        return limit is not None and deliveries > limit

    def _bury(self, claim: Claim, reason: str) -> None:
        """Have *claim* dead-lettered if its queue says so, or else discarded."""
        policy = self._policies.get(claim.queue)
        exchange = None if policy is None else policy.dead_letter_exchange
        if policy is None or exchange is None:
            is_bad = reason == REJECTED and not isinstance(claim.envelope, dict)
            (self._set_aside if is_bad else self._discard)(claim)
            return
        dead = self._dead_letter(claim.queue, claim.envelope, reason, policy)
        if self._delivers_by_itself(exchange):
            key = dead["properties"]["delivery_info"]["routing_key"]
            self.typeof(exchange).deliver(dead, exchange, key)
            self._discard(claim)
            return
        copies = self._copies_of_dead(exchange, dead)
        if not copies:
            logger.warning(
                "a dead letter of queue %r (%s) reaches no queue by exchange %r",
                claim.queue,
                reason,
                exchange,
            )
            self._discard(claim)
            return
        self._move(claim, copies)
        for queue, _ in copies:
            limited = self._policies.get(queue)
            if limited is not None and limited.has_limit:
                self._trim(queue, limited)

    def _discard(self, claim: Claim) -> None:
        self._settle((claim,))

    def _bury_unclaimed(self, queue: str, envelope: Any, reason: str) -> None:
        """Dead-letter a message that is in no queue."""
        policy = self._policies.get(queue)
        if policy is None or policy.dead_letter_exchange is None:
            return
        dead = self._dead_letter(queue, envelope, reason, policy)
        for name, copy in self._copies_of_dead(policy.dead_letter_exchange, dead):
            self._put(name, copy)

    def _dead_letter(
        self, queue: str, envelope: Any, reason: str, policy: QueuePolicy
    ) -> dict[str, Any]:
        key = policy.dead_letter_routing_key
        if key is None:
            key = _routing_key_of(envelope, queue)
        exchange = policy.dead_letter_exchange or ""
        return after_death(envelope, queue, reason, exchange, key, self._store_time())

    def _copies_of_dead(
        self, exchange: str, dead: dict[str, Any]
    ) -> list[tuple[str, Any]]:
        """Return the queues that a dead letter reaches, each with its envelope."""
        key, headers = (
            dead["properties"]["delivery_info"]["routing_key"],
            dead["headers"],
        )
        queues = self._route(exchange, key, headers) if exchange else (key,)
        now = self._store_time()
        return [
            (queue, self._with_moments(dead, self._policies.get(queue), now))
            for queue in queues
            if not is_cycle(queue, headers)
        ]

    # -- time goes by ------------------------------------------------------------

    def _mortal_queues(self) -> list[str]:
        """Return the queues in which messages die by themselves."""
        return [
            name
            for name, policy in tuple(self._policies.items())
            if policy.message_ttl is not None
            or policy.dead_letter_exchange is not None
            or policy.has_limit
        ]

    def _bury_what_is_due(self) -> None:
        """Bury what has expired, and what a limit does not allow any more."""
        for queue in self._mortal_queues():
            self._bury_expired(queue)
            policy = self._policies.get(queue)
            if policy is not None and policy.has_limit:
                with self._guard(queue):
                    self._trim(queue, policy)

    def _bury_expired(self, queue: str) -> None:
        """Bury what has expired in *queue*."""
        count = BATCH
        while count == BATCH:
            count = self._bury_all(self._claim_expired(queue, BATCH), EXPIRED)

    # -- supplied by other parts of the channel ---------------------------------------

    def _route(
        self, exchange: str, routing_key: str, headers: Mapping[str, Any]
    ) -> Iterable[str]:
        raise NotImplementedError

    def _delivers_by_itself(self, exchange: str) -> bool:
        raise NotImplementedError


def _routing_key_of(envelope: Any, queue: str) -> str:
    try:
        return str(envelope["properties"]["delivery_info"]["routing_key"])
    except (TypeError, LookupError):
        return queue
