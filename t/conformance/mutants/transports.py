"""Transports that break one promise each, made from the memory transport.

:data:`MUTANTS` has, for each, the tests that are to find it out.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from kombu.transport import memory
from kombu.transport.virtual.claims import EXPIRES_AT, redelivered, with_properties
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.message import Message
from kombu.transport.virtual.state import BrokerState
from kombu.transport.virtual.sweeper import Sweeper

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("MUTANTS", "Unbroken")

#: Tests that find a transport out, by its class.
MUTANTS: dict[type[memory.Transport], tuple[str, ...]] = {}


class Unbroken(memory.Transport):
    """Keeps every promise."""


def found_by(*tests: str) -> Callable[[type], type]:
    """Register a mutant: a transport, or a channel of one that is else sound."""

    def register(kind):
        if issubclass(kind, memory.Channel):
            transport = type(kind.__name__, (memory.Transport,), {"Channel": kind})
            transport.__doc__ = kind.__doc__
        else:
            transport = kind
        MUTANTS[transport] = tests
        return kind

    return register


# -- publishing and routing ----------------------------------------------------------


@found_by("TestConcurrency::test_threads_publish_on_one_connection")
class LosesOneInAHundred(memory.Channel):
    """Drops one message in a hundred."""

    numbers = count(1)

    def _put_into(self, queues, message):
        if next(self.numbers) % 100:
            super()._put_into(queues, message)


@found_by("TestDelivery::test_published_message_is_got")
class PutsTwice(memory.Channel):
    """Stores what is published twice, as after a retry."""

    def _put_into(self, queues, message):
        super()._put_into([*queues] * 2, message)


@found_by("TestMessage::test_bytes_of_any_size")
class CutsBodies(memory.Channel):
    """Keeps 64 KiB of a body, as a column of text may."""

    def _put_into(self, queues, message):
        super()._put_into(queues, {**message, "body": message["body"][:65535]})


@found_by("TestMessage::test_copies_do_not_share_what_a_consumer_changes")
class SharesCopies(memory.Channel):
    """Gives all queues the same headers."""

    class Message(Message):
        __slots__ = ()

        def __init__(self, payload, channel=None, **kwargs):
            super().__init__(payload, channel, **kwargs)
            self.headers = payload["headers"]


@found_by("TestRouting::test_topic_exchange_matches_words")
class WantsAWordForHash(memory.Channel):
    """Lets ``#`` stand for one word or more, not for none."""

    def queue_bind(self, queue, exchange=None, routing_key="", *args, **kwargs):
        if self.typeof(exchange).type == "topic":
            routing_key = routing_key.replace("#", "*.#")
        super().queue_bind(queue, exchange, routing_key, *args, **kwargs)


@found_by("TestRouting::test_fanout_exchange_ignores_the_routing_key")
class FansOutToOne(memory.Channel):
    """Gives a message to one of the queues that it is for."""

    def _put_into(self, queues, message):
        super()._put_into([*queues][:1], message)


@found_by("TestTopology::test_stranger_publishes_to_the_exchange")
class KnowsButItsOwn(memory.Transport):
    """Knows the topology that it declared itself, and no other."""

    def __init__(self, client, **kwargs):
        super().__init__(client, **kwargs)
        self.state = BrokerState()


# -- consuming -------------------------------------------------------------------------


@found_by("TestDelivery::test_messages_are_consumed_in_order")
class LosesOrder(memory.Channel):
    """Delivers what came last first."""

    def _claim_next(self, queue):
        self.broker.queue(queue).envelopes.rotate(1)
        return super()._claim_next(queue)


@found_by("TestDelivery::test_waiting_consumer_is_woken_by_another_connection")
class NeverWakes(memory.Transport):
    """Leaves who waits asleep."""

    def wake(self):
        pass


@found_by("TestEventLoop::test_what_waits_is_delivered")
class IgnoresTheLoop(memory.Transport):
    """Does nothing in an event loop."""

    def register_with_event_loop(self, connection, loop):
        pass


@found_by("TestPrefetch::test_the_rest_stays_in_the_store")
class IgnoresPrefetch(memory.Channel):
    """Delivers without limit."""

    def basic_qos(self, *args, **kwargs):
        pass


@found_by("TestPrefetch::test_the_rest_stays_in_the_store")
class TakesOneMore(memory.Channel):
    """Reserves one message more than it may."""

    def basic_qos(self, size=0, count=0, apply_global=False):
        super().basic_qos(size, count and count + 1, apply_global)


@found_by("TestConsumers::test_cancelled_consumer_gets_nothing_more")
class IgnoresCancel(memory.Channel):
    """Delivers to consumers that were cancelled."""

    def basic_cancel(self, consumer_tag):
        if self.closed:
            super().basic_cancel(consumer_tag)


@found_by("TestConsumers::test_consumer_count_follows")
class CountsTheCancelled(memory.Channel):
    """Leaks a consumer with each cancel."""

    def _leave(self, record):
        pass


@found_by("TestConsumers::test_cancelling_one_leaves_the_other")
class CancelsAll(memory.Channel):
    """Cancels all consumers of a queue, whichever is meant."""

    def basic_cancel(self, consumer_tag):
        record = self._records.get(consumer_tag)
        for other in tuple(self._by_queue.get(record.queue, ())) if record else ():
            super().basic_cancel(other.tag)


@found_by("TestPoison::test_garbage_in_the_store")
class SwallowsPoison(memory.Channel):
    """Drops what is no message, and tells nobody."""

    def _claim_next(self, queue):
        claim = super()._claim_next(queue)
        while claim is not None and not isinstance(claim.envelope, dict):
            self._settle([claim])
            claim = super()._claim_next(queue)
        return claim


@found_by("TestSingleActiveConsumer::test_one_consumer_gets_all")
class ServesAll(memory.Channel):
    """Serves every consumer of a queue that is to serve one."""

    def _is_served(self, queue):
        return True


@found_by("TestConsumerPriority::test_higher_gets_all_while_it_has_room")
class IgnoresConsumerPriority(memory.Channel):
    """Serves consumers in turn, whatever their priority."""

    def _rank_consumers_of(self, queue):
        pass


# -- settling --------------------------------------------------------------------------


@found_by("TestAcknowledgement::test_unsettled_message_comes_again")
class AcknowledgesEarly(memory.Channel):
    """Settles what it delivers."""

    def _claim_next(self, queue):
        claim = super()._claim_next(queue)
        if claim is not None:
            self._settle([claim])
        return claim


@found_by("TestAcknowledgement::test_acknowledged_message_does_not_come_again")
class ForgetsAcknowledgements(memory.Channel):
    """Keeps what was acknowledged in flight."""

    def basic_ack(self, delivery_tag, multiple=False):
        pass


@found_by("TestAcknowledgement::test_ack_of_several_settles_all_before")
class AcknowledgesOne(memory.Channel):
    """Acknowledges one message where several are meant."""

    def basic_ack(self, delivery_tag, multiple=False):
        super().basic_ack(delivery_tag)


@found_by("TestAcknowledgement::test_requeued_message_is_marked")
class ForgetsRedelivered(memory.Channel):
    """Marks nothing that was delivered before."""

    def _release(self, claims):
        for claim in claims:
            claim.was_delivered = False
        super()._release(claims)


@found_by("TestAcknowledgement::test_requeued_message_is_the_next")
class RequeuesToTheTail(memory.Channel):
    """Puts back to the end of the line."""

    def _put_back(self, queue, message):
        self._put(queue, message)


@found_by("TestRedelivery::test_they_go_to_the_queue_they_came_from")
class RequeuesThroughTheExchange(memory.Channel):
    """Publishes again what is put back: to every queue that is bound."""

    def _release(self, claims):
        for claim in claims:
            self._settle([claim])
            info = claim.envelope["properties"]["delivery_info"]
            for queue in self._lookup(info["exchange"], info["routing_key"]):
                self._put_back(queue, redelivered(claim.envelope))


@found_by("TestAcknowledgement::test_requeued_message_comes_again_to_anybody")
class RestoresTwice(memory.Channel):
    """Puts back two for one."""

    def _put_back(self, queue, message):
        super()._put_back(queue, message)
        super()._put_back(queue, message)


@found_by("TestRedelivery::test_they_come_back_to_the_head_in_order")
class RestoresInReverse(memory.Channel):
    """Puts back the last first."""

    def _release(self, claims):
        super()._release(claims[::-1])


@found_by("TestRedelivery::test_unsettled_messages_come_back_when_it_is_closed")
class RestoresNothing(memory.Channel):
    """Leaves what is unsettled where it is when it closes."""

    do_restore = False


# -- leases ----------------------------------------------------------------------------


class UnrenewedRecords(LocalRecords):
    """Leases begin, and are not renewed: neither by threads that live."""

    def renew(self, owner, seconds):
        with self._lock:
            if owner in self._owners:
                return True
            super().renew(owner, seconds)
            self._owners[owner].threads.clear()
            return False


@found_by(
    "TestLease::test_message_is_delivered_once_however_long_the_handler_takes",
    "TestLease::test_messages_in_hand_are_kept_while_nothing_is_waited_for",
)
class NeverRenews(memory.Transport):
    """Lets leases run out while the consumer lives."""

    def __init__(self, client, **kwargs):
        super().__init__(client, **kwargs)
        if not isinstance(self.broker.records, UnrenewedRecords):
            self.broker.records = UnrenewedRecords()


@found_by("TestKilledConsumer::test_message_of_a_killed_consumer_is_delivered_again")
class NeverReaps(memory.Channel):
    """Leaves to the dead what they had."""

    def _reap(self):
        return ()


@found_by("TestKilledConsumer::test_deliveries_are_counted")
class CountsNoDeathOfAConsumer(memory.Channel):
    """Puts back what the dead had as if it had not been delivered."""

    def _reap(self):
        for claims in tuple(self.broker.in_flight.values()):
            for claim in claims:
                claim.deliveries = 0
        return super()._reap()


@found_by("TestKilledConsumer::test_messages_come_back_to_the_head_in_order")
class ReapsToTheTail(memory.Channel):
    """Puts what the dead had at the end of the line."""

    def _reap(self):
        put_back, self._put_back = self._put_back, self._put
        try:
            return super()._reap()
        finally:
            self._put_back = put_back


@found_by(
    "TestTemporaryQueues::test_exclusive_queue_goes_with_an_owner_that_was_killed"
)
class KeepsQueuesOfTheDead(memory.Transport):
    """Leaves temporary queues behind."""

    def _sweeper_of_own(self):
        sweeper = super()._sweeper_of_own()
        sweeper.__class__ = _SparingSweeper
        return sweeper


class _SparingSweeper(Sweeper):
    def _forget_dead_consumers(self):
        pass


# -- policies --------------------------------------------------------------------------


@found_by("TestExpiry::test_expired_message_is_not_got")
class ExpiresNothing(memory.Channel):
    """Delivers what has expired."""

    def _with_moments(self, message, policy, now):
        return message


@found_by("TestExpiry::test_message_expires_in_a_queue_that_nobody_consumes")
class ExpiresOnlyWhatIsTaken(memory.Channel):
    """Looks at expiry when somebody takes the message, and no sooner."""

    def _claim_expired(self, queue, limit):
        return []


@found_by("TestQueueExpiry::test_unused_queue_goes")
class KeepsUnusedQueues(memory.Transport):
    """Takes queues for used that are not."""

    def _sweeper_of_own(self):
        sweeper = super()._sweeper_of_own()
        sweeper._expiring_queues = lambda: ()
        return sweeper


@found_by("TestDelay::test_resting_message_is_not_got")
class DeliversDelayedAtOnce(memory.Channel):
    """Takes no notice of delays."""

    def _with_delay(self, message, now):
        return message


@found_by("TestDelay::test_one_wait_ends_when_a_message_is_due")
class SleepsThroughDelays(memory.Channel):
    """Does not look up when a message is due."""

    def _next_due(self, queues):
        return None


@found_by("TestMaxLength::test_oldest_message_gives_way")
class IgnoresMaxLength(memory.Channel):
    """Lets queues grow."""

    def _trim(self, queue, policy):
        pass


@found_by("TestMaxLength::test_full_queue_refuses_what_is_published")
class RefusesInSilence(memory.Channel):
    """Drops what a full queue refuses, and tells nobody."""

    def _put_limited(self, queue, message, policy, options):
        super()._put_limited(queue, message, policy, options)
        return True


@found_by("TestDeadLetter::test_rejected_message_is_dead_lettered")
class LosesDeadLetters(memory.Channel):
    """Takes dead letters out of their queue, and puts them nowhere."""

    def _move(self, claim, copies):
        self._settle([claim])


@found_by("TestDeadLetter::test_death_is_told_of_in_full")
class TellsOfNoDeath(memory.Channel):
    """Writes no ``x-death``."""

    def _dead_letter(self, *args):
        dead = super()._dead_letter(*args)
        del dead["headers"]["x-death"]
        return dead


@found_by("TestDeadLetter::test_dead_letter_does_not_expire_again")
class LetsTheDeadDieAgain(memory.Channel):
    """Leaves dead letters their expiration."""

    def _dead_letter(self, queue, envelope, *args):
        dead = super()._dead_letter(queue, envelope, *args)
        moment = envelope["properties"].get(EXPIRES_AT)
        return with_properties(dead, **{EXPIRES_AT: moment}) if moment else dead


@found_by("TestDeliveryLimit::test_requeued_too_often")
class IgnoresDeliveryLimit(memory.Channel):
    """Delivers for ever."""

    def _is_over_limit(self, queue, deliveries):
        return False


@found_by("TestPriority::test_higher_comes_first")
class IgnoresPriority(memory.Channel):
    """Keeps plain order."""

    def _rank(self, queue, envelope):
        return 0


@found_by("TestPriority::test_within_a_priority_order_is_kept")
class MixesUpPriorities(memory.Channel):
    """Knows two priorities: none, and some."""

    def _rank(self, queue, envelope):
        return min(super()._rank(queue, envelope), 1)


# -- declaring -------------------------------------------------------------------------


@found_by("TestPrefetch::test_the_rest_stays_in_the_store")
class CountsWhatIsInFlight(memory.Channel):
    """Counts messages in hand as if they waited."""

    def _size(self, queue):
        flying = sum(
            claim.queue == queue
            for claims in tuple(self.broker.in_flight.values())
            for claim in tuple(claims)
        )
        return super()._size(queue) + flying


@found_by("TestDeclaration::test_purge_leaves_what_is_in_hand")
class PurgesWhatIsInFlight(memory.Channel):
    """Purges messages that consumers have in hand."""

    def _purge(self, queue):
        for claims in tuple(self.broker.in_flight.values()):
            for claim in tuple(claims):
                if claim.queue == queue:
                    claims.pop(claim)
        return super()._purge(queue)


@found_by("TestDeclaration::test_exclusive_queue_is_locked_for_others")
class SharesExclusiveQueues(memory.Channel):
    """Lets a second owner in."""

    def _check_exclusive(self, queue, method):
        pass


@found_by("TestDeclaration::test_declaring_again_keeps_the_messages")
class EmptiesDeclaredQueues(memory.Channel):
    """Empties a queue that is declared again."""

    def _new_queue(self, queue, **kwargs):
        self._purge(queue)
        super()._new_queue(queue, **kwargs)
