"""The leases of a connection to a virtual broker: who it is, and that it lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from kombu.log import get_logger
from kombu.transport import base
from kombu.transport._options import InvalidTransportOption
from kombu.transport.virtual.attendance import Attendance
from kombu.transport.virtual.foreign_records import ForeignRecords
from kombu.transport.virtual.keeper import Keeper
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.sweeper import SWEEPS_PER_LEASE, Sweeper
from kombu.transport.virtual.topology import SharedTopology
from kombu.utils import waiting
from kombu.utils._flusher import Flusher
from kombu.utils.identity import unique_id
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu.transport.virtual.records import RecordStore
    from kombu.transport.virtual.state import BrokerState

__all__ = ("LeasingTransport",)

logger = get_logger(__name__)

#: Seconds that closing waits for acknowledgements that are being sent.
_PATIENCE = 1.0


class LeasingTransport(base.Transport):
    """The part of a virtual transport that owns what its channels have in hand.

    Arguments:
        client: The :class:`~kombu.Connection` that this serves.

    Attributes:
        owner: Id of this connection, which no other ever has.
    """

    Channel: Any

    state: BrokerState

    #: The open channels.
    channels: Any

    #: What is done as time goes by; made with the first lease.
    _sweeper: Sweeper | None = None
    _keeper: Keeper | None = None

    #: Sends acknowledgements that were gathered; made with the first of them.
    _flusher: Flusher | None = None

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.owner = unique_id()
        self._lock = threading.RLock()
        # The threads that consume, by their ids: while one of them lives, so
        # does the owner.
        self._threads: dict[int, threading.Thread] = {}
        # When the lease was renewed last, and until when others may be at work on what
        # we have lost because that was too late.
        self._renewed_at: float | None = None
        self._lapses_until = 0.0

    # -- records ---------------------------------------------------------------

    def _make_records(self) -> RecordStore:
        """Return the records that the store keeps for all processes.

        Those of a store that keeps none are this connection's alone.
        """
        return LocalRecords()

    @cached_property
    def own_records(self) -> RecordStore:
        """The records in the transport's own store."""
        return self._make_records()

    @cached_property
    def records(self) -> RecordStore:
        """The records of topology and consumers: its own, or a topology store's."""
        address = (self.client.transport_options or {}).get("topology_store")
        if not address:
            return self.own_records  # type: ignore[no-any-return]
        return ForeignRecords(address, self._scope())

    def _scope(self) -> str:
        """Return what tells this broker from others in a topology store."""
        client = self.client
        host = f"{client.hostname or ''}:{client.port or ''}"
        return f"{self._name_for_users()}://{host}/{client.virtual_host or ''}"

    @cached_property
    def topology(self) -> SharedTopology | None:
        """Topology shared with other processes, where records can be."""
        if isinstance(self.records, LocalRecords):
            return None
        return SharedTopology(self.records, self.state, self._queue_was_deleted)

    @cached_property
    def attendance(self) -> Attendance:
        """Who consumes from which queue."""
        return Attendance(self.records)

    # -- leases ----------------------------------------------------------------

    @property
    def visibility_timeout(self) -> float:
        """Seconds that a lease lasts."""
        given = (self.client.transport_options or {}).get("visibility_timeout")
        seconds = self.Channel.visibility_timeout if given is None else given
        if not isinstance(seconds, (int, float)) or not seconds > 0:
            raise InvalidTransportOption(
                f"visibility_timeout must be a number of seconds, more than 0: "
                f"{seconds!r} is not"
            )
        return seconds

    def _hold_lease(self) -> None:
        """Have the owner be known to live, as long as this thread does."""
        thread = threading.current_thread()
        with self._lock:
            self._threads[threading.get_ident()] = thread
        self._renew()
        if self._keeper is None and self._needs_keeper():
            with self._lock:
                if self._keeper is None:
                    interval = self.visibility_timeout / SWEEPS_PER_LEASE
                    self._keeper = Keeper(self, interval)

    def _is_late(self) -> bool:
        """Return whether the lease has run out for want of being renewed."""
        if self._renewed_at is None or self._keeper is None:
            return False
        return waiting.monotonic() - self._renewed_at > self.visibility_timeout

    def _has_lapsed(self) -> bool:
        """Return whether others may have taken us for dead just now."""
        return self._is_late() or waiting.monotonic() < self._lapses_until

    def _raise_lapsed(self, queues: Iterable[str]) -> NoReturn:
        """Raise that others have deleted *queues*, since they have taken us for dead."""
        from kombu.exceptions import RecoverableConnectionError

        raise RecoverableConnectionError(
            "this connection did not show for longer than its lease "
            "(visibility_timeout), and its queues were deleted: "
            f"{', '.join(sorted(queues))}"
        )

    def _others_may_be_served(self) -> None:
        """Is called when a consumer no longer stands before others."""

    def _needs_keeper(self) -> bool:
        """Return whether leases end unless they are renewed."""
        return not (
            isinstance(self.records, LocalRecords)
            and isinstance(self.own_records, LocalRecords)
        )

    def _renew(self) -> None:
        seconds = self.visibility_timeout
        was_alive = self.own_records.renew(self.owner, seconds)
        if self.records is not self.own_records:
            was_alive &= self.records.renew(self.owner, seconds)
        for channel in self._leasing_channels():
            channel._renew(channel._qos.in_hand())
        if self._is_late() or (self._renewed_at is not None and not was_alive):
            self._lapses_until = waiting.monotonic() + seconds
        self._renewed_at = waiting.monotonic()
        if not was_alive:
            for channel in tuple(self.channels):
                enter_again = getattr(channel, "_enter_again", None)
                if enter_again is not None:
                    enter_again()

    def _flush_soon(self) -> None:
        """Have acknowledgements that were gathered be sent before long."""
        flusher = self._flusher
        if flusher is None:
            with self._lock:
                flusher = self._flusher
                if flusher is None:
                    flusher = self._flusher = Flusher(self)
        flusher.soon()

    def _flush(self) -> None:
        """Send all acknowledgements that were gathered."""
        self._settle()

    def _settle(self) -> None:
        for channel in self._leasing_channels():
            channel._qos.flush()

    def _leasing_channels(self) -> list[Any]:
        # A transport may have channels of another making altogether.
        channels = tuple(self.channels)
        return [one for one in channels if getattr(one, "_leases", False)]

    def _keep(self) -> None:
        """Renew the leases and sweep; called by the keeper again and again."""
        with self._lock:
            for ident, thread in tuple(self._threads.items()):
                if not thread.is_alive():
                    del self._threads[ident]
        # Consumers whose thread has died are dead: what they hold goes to others.
        if self._threads:
            self._renew_or_lose()
        self._sweeper_of_own().sweep()

    def _renew_or_lose(self) -> None:
        alive = self.own_records.live_owners()
        if self.owner not in alive:
            logger.warning(
                "The lease of this connection has run out: what it had in hand "
                "goes to others"
            )
            for channel in self._leasing_channels():
                channel._qos.lose()
        self._renew()

    def _sweeper_of_own(self) -> Sweeper:
        with self._lock:
            if self._sweeper is None:
                is_in_turn = not self._needs_keeper()
                self._sweeper = Sweeper(self.Channel(self), is_in_turn)
            return self._sweeper

    def _idle(self) -> float | None:
        """Do what is due while no message comes.

        Returns:
            Seconds until there may be more to do; None if there will not be.
        """
        self._settle()
        leasing = self._leasing_channels()
        if not leasing:
            return None
        leasing[0]._refresh_lightly()
        pause = self._sweeper_of_own().idle()
        put_off = self._put_off()
        if put_off and (pause is None or put_off < pause):
            return put_off
        return pause

    def _put_off(self) -> float:
        """Return the seconds for which a channel puts off claiming; 0 if none does."""
        pauses = [channel._qos.put_off() for channel in self._leasing_channels()]
        return min(filter(None, pauses), default=0.0)

    def _stop_keeping(self) -> None:
        """Renew and sweep no more."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
        flusher, self._flusher = self._flusher, None
        if flusher is not None:
            flusher.stop(_PATIENCE)

    def _retire(self) -> None:
        """Give up the leases, and let go of the records."""
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.close()
        for name in ("records", "own_records"):
            records = self.__dict__.pop(name, None)
            if records is not None:
                try:
                    records.retire(self.owner)
                except Exception as exc:
                    # The lease will run out; what went wrong before is to be heard.
                    logger.info("Could not give up the lease: %s", exc)
                records.close()
        for name in ("topology", "attendance"):
            self.__dict__.pop(name, None)
        self._threads.clear()

    # -- supplied by the transport -------------------------------------------------

    def _name_for_users(self) -> str:
        raise NotImplementedError

    def _queue_was_deleted(self, queue: str) -> None:
        raise NotImplementedError
