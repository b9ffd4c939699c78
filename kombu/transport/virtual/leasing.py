"""The storage hooks of a store whose messages are claimed, not given away.

A store that has them makes loss impossible: between being taken and being
acknowledged a message is in the store's *in-flight record*, with the owner
that has it in hand and the number of its deliveries.  An owner is a connection
of this library; it renews its lease in the store, and when it is dead and the
lease has run out, any peer puts back what it had.

Its channel derives from :class:`kombu.transport.virtual.LeasedChannel` and supplies
all of these hooks but ``_renew``, ``_set_aside``, ``_guard`` and ``_store_time``,
which it may; its transport returns a
:class:`~kombu.transport.virtual.records.RecordStore` from ``_make_records``.  The
kernel does the rest: prefetch, acknowledgement, dead-lettering, limits, delay.  No
transport overrides ``basic_ack``.

The hooks **must** be safe to call from several threads: one of the kernel's
own renews and sweeps while another one consumes.  Each is **one atomic step**
of the store for each message that it concerns: whenever the process is killed,
a message is either ready, or in flight, or gone, and never two of these.

Order: a queue hands out messages of a higher rank first (see
``_rank``; most queues have but one), and within a rank in the order in which
they came; what is released comes before what has never been claimed.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from kombu.transport.virtual.claims import Claim, delivery_count, redelivered
from kombu.transport.virtual.storage import AbstractChannel, Empty
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

__all__ = ("BROKER", "CLIENT", "STORE", "LeaseHooks")

#: The process of the consumer holds what is unsettled (the classic hooks).
CLIENT = "client"

#: The store holds it, leased to an owner (the hooks of this module).
STORE = "store"

#: The broker holds it, under a lock of its own that has to be renewed: these
#: hooks, but for ``_reap``, which is the broker's.
BROKER = "broker"


class LeaseHooks(AbstractChannel):
    """The hooks; by themselves they do what can be done by the classic ones.

    Without a record in the store a claim is a message that was taken from it:
    the process holds it, and it is lost with the process.
    """

    #: Who holds what is delivered and not settled: :data:`CLIENT`,
    #: :data:`STORE` or :data:`BROKER`.
    holding = CLIENT

    #: Seconds that a lease lasts; renewed every quarter of it.
    visibility_timeout: float = 60.0

    #: Most messages claimed at once when the prefetch limit allows more.
    claim_limit = 32

    #: Acknowledgements gathered before they are sent; 1 for each at once.
    settle_limit = 1

    #: Seconds for which claiming is put off after the last claim, while more than half of
    #: what the prefetch limit allows is in hand: each claim costs a look into the store.
    refill_pause = 0.0

    connection: Any

    @property
    def owner(self) -> str:
        """Who claims: the id of the connection, which no other ever has."""
        return self.connection.owner  # type: ignore[no-any-return]

    # -- claiming --------------------------------------------------------------

    def _claim(self, queues: Sequence[str], limit: int) -> list[Claim]:
        """Move up to *limit* ready messages to the in-flight record.

        They become claims of :attr:`owner`, whose lease the kernel has seen to.
        Messages that are not yet due (``x-deliver-at``) are not ready.

        Arguments:
            queues: Names; to be served in this order, each getting its share
                where all have enough.
            limit: Most messages.

        Returns:
            The claims, those of a queue in its order; empty if there are none.
        """
        claims: list[Claim] = []
        for queue in queues:
            with suppress(Empty):
                while len(claims) < limit:
                    envelope = self._get(queue)
                    claims.append(
                        Claim(queue, envelope, None, delivery_count(envelope))
                    )
        return claims

    def _claim_next(self, queue: str) -> Claim | None:
        """Claim the next ready message of *queue*; return None if there is none."""
        claims = self._claim((queue,), 1)
        return claims[0] if claims else None

    def _claim_expired(self, queue: str, limit: int) -> list[Claim]:
        """Claim up to *limit* ready messages of *queue* that have expired.

        At least those at its head; a store that finds others may do so.
        """
        return []

    def _settle(self, claims: Sequence[Claim]) -> None:
        """Remove *claims* from the in-flight record: they are done with.

        A claim that the owner has lost meanwhile is left alone.
        """

    def _send_settled(self) -> None:
        """Send what ``_settle`` has kept back, to go together with something else."""

    def _release(self, claims: Sequence[Claim]) -> None:
        """Put *claims* back to the head of their queues.

        The first of a queue is the next one delivered.  The number of
        deliveries becomes ``claim.deliveries_when_released``.  Claims that the
        owner has lost, or whose queue was deleted, are left alone.
        """
        for claim in reversed(claims):
            envelope = claim.envelope
            if claim.was_delivered:
                envelope = redelivered(envelope, claim.deliveries_when_released)
            self._put_back(claim.queue, envelope)

    def _move(self, claim: Claim, copies: Sequence[tuple[str, Any]]) -> None:
        """Settle *claim*, and put *copies* into other queues: dead-lettering.

        In one step where the store can; otherwise never so that the message is
        in none of the queues.

        Arguments:
            claim: The claim.
            copies: Pairs of a queue's name and an envelope.
        """
        for queue, envelope in copies:
            self._put(queue, envelope)
        self._settle([claim])

    def _set_aside(self, claim: Claim) -> None:
        """Discard *claim*, which can not be read and nobody wants.

        A store whose messages can be looked at may keep it aside.
        """
        self._settle([claim])

    # -- leases ------------------------------------------------------------------

    def _renew(self, claims: Collection[Claim]) -> None:
        """Renew what the store itself keeps of the lease of *claims*.

        The kernel has the lease of :attr:`owner` renewed by the record store,
        before the first claim and every quarter of ``visibility_timeout``; that
        is all there is to do where claims go by their owner.

        Arguments:
            claims: What this channel has in hand, for stores that keep a
                deadline for each.
        """

    def _reap(self) -> Collection[str]:
        """Put back the claims of owners whose lease has run out, all of them.

        It is the lease in the transport's own record store that counts.  They go
        to the head of their queues, with one delivery more.  Such an owner is
        forgotten in the same step: when it lives after all, what it claims
        from then on is a new lease.

        Returns:
            Names of the queues that have got messages.
        """
        return ()

    # -- time ----------------------------------------------------------------------

    def _store_time(self) -> float:
        """Return the time by the store's clock, in seconds since 1970."""
        return waiting.wall_clock()

    def _next_due(self, queues: Iterable[str]) -> float | None:
        """Return when the next thing happens in *queues* by itself.

        That is: a resting message becomes due (one that is due already is
        ready, and does not count), or a ready one expires (at least the one at
        the head; that may have passed).  By the store's clock; None if nothing
        will.
        """
        return None

    def _cancel_delayed(self, queue: str, message_id: str) -> bool:
        """Remove a resting message from *queue*.

        Arguments:
            queue: Name.
            message_id: Its property ``message_id``.

        Returns:
            Whether there was one.
        """
        return False

    # -- limits ----------------------------------------------------------------------

    def _size_bytes(self, queue: str) -> int:
        """Return how many bytes the ready messages of *queue* take."""
        return 0

    def _guard(self, queue: str) -> AbstractContextManager[Any]:
        """Return a lock on *queue*, held while its limits are looked at.

        A store without one admits more than a limit says while several publish.
        """
        return nullcontext()

    def _rank(self, queue: str, envelope: Any) -> int:
        """Return the rank of *envelope* in *queue*: what is higher comes first.

        The kernel's: 0 in most queues; by the priority where ``x-max-priority``
        (or the option ``priority_mode``) says so.
        """
        return 0
