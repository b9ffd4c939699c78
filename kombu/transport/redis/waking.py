"""The part of the transport that waits for messages, and is woken when there are some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport.redis.options import LONGEST_WAIT
from kombu.transport.redis.ordering import OrderingTransport
from kombu.transport.redis.routine import Routine
from kombu.transport.virtual.storage import Empty, EmptyInCallback
from kombu.utils import waiting
from kombu.utils.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu.transport.redis.lookout import Lookout
    from kombu.transport.virtual.claims import Claim

__all__ = ("WakingTransport",)

#: Seconds between looks where there is no connection to wait by.
_BLIND_INTERVAL = 0.1

#: Seconds after which it is looked again in any case.
_LONGEST_PAUSE = 60.0

#: Seconds for which nothing that is to be done can come without our noticing it.
_CALM = 0.2


class _Calm(NamedTuple):
    """That there is nothing to do for a while.

    Attributes:
        until: The moment until which this is not asked again.
        signs: By what a change is noticed.
        ends_at: When there may be something to do; None if there will not be.
    """

    until: float
    signs: tuple[Any, ...]
    ends_at: float | None


class WakingTransport(OrderingTransport):
    """The part of the transport that waits for messages."""

    polling_interval = None
    is_woken_by_store = True

    #: What was known when it was last asked what there is to do.
    _calm: _Calm | None = None

    #: How to wait again, where that is all there is to do.
    _routine: Routine | None = None

    #: The queues that the next wait is for.
    _awaited: tuple[str, ...] = ()

    # -- looks that can be saved --------------------------------------------------

    def are_known_to_be_empty(self, queues: Sequence[str]) -> bool:
        """Return whether a look into *queues* would find nothing."""
        broker = self.broker
        bell = broker.bell() if self._callbacks else None
        if bell is None or not bell.watches(queues):
            return False
        return not broker.claims.is_something_due()

    def has_looked(self, found: bool) -> None:
        """Note that it was looked for messages, and whether there were some."""
        bell = self.broker.bell() if self._callbacks else None
        if bell is not None:
            if found and bell.was_silent:
                bell.hurry()
            bell.was_silent = False

    def _idle(self) -> float | None:
        turnout = self._turnout
        pause = self._pause()
        put_off = self._put_off()
        if put_off:
            # What is acknowledged meanwhile goes together, too.
            self._awaited = ()
            return put_off if pause is None else min(pause, put_off)
        queues = self._awaited = self._queues_to_wait_for()
        if not queues or self._lookout() is None:
            self.broker.server.flush()  # else the wait does that
        if pause is not None:
            pause = min(pause, _LONGEST_PAUSE)
        if not self._callbacks:
            return pause
        if not queues:
            # Others are served, or there is no room: this may change elsewhere.
            return LONGEST_WAIT if pause is None else min(pause, LONGEST_WAIT)
        bell = self.broker.bell()
        if bell is None:
            return _BLIND_INTERVAL if pause is None else min(pause, _BLIND_INTERVAL)
        if self.broker.fanout.has_arrivals():
            return 0.0
        bell.arm(queues)
        self._routine = self._make_routine(queues, turnout)
        if self.broker.server.is_cluster:
            # What rings while nobody listens is not kept.
            pause = LONGEST_WAIT if pause is None else min(pause, LONGEST_WAIT)
        return pause

    def _pause(self) -> float | None:
        """Do what is due; return the seconds until there may be more to do.

        If that was asked for just now, and nothing has changed, it is still so.
        """
        now = waiting.monotonic()
        topology = self.topology
        version = None if topology is None else topology.version
        signs = (version, self.broker.claims.next_due)
        if self._calm is not None and now < self._calm.until:
            calm = self._calm
            if calm.signs == signs:
                self._settle()
                return None if calm.ends_at is None else calm.ends_at - now
        pause = super()._idle()
        self._calm = None
        if pause is None or pause > _CALM:
            ends_at = None if pause is None else now + pause
            self._calm = _Calm(now + _CALM, signs, ends_at)
        return pause

    def _queues_to_wait_for(self) -> tuple[str, ...]:
        queues: dict[str, None] = {}
        for channel in self._leasing_channels():
            if channel._is_flowing:
                active = tuple(channel._active_queues)
                room = channel._qos.room()
                queues.update(dict.fromkeys(channel._claimable(active, room)))
        return tuple(queues)

    def _make_routine(self, queues: tuple[str, ...], turnout: int) -> Routine | None:
        """Return how to wait for *queues* again, if that is all there is to do.

        Arguments:
            queues: The queues.
            turnout: Number of changes of consumers that they take into account.
        """
        calm, channel, lookout = self._calm, self._consuming_alone, self._lookout()
        version = None if channel is None else channel._known_version()
        if calm is None or calm.ends_at is not None or lookout is None or not version:
            return None
        return Routine(
            calm.until, turnout, self.broker, lookout, channel, queues, version
        )

    # -- waiting -------------------------------------------------------------------

    def drain_events(
        self, connection: Any, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Deliver one message (see the kernel's transport)."""
        if timeout is not None and timeout <= 0:
            self._look_in_any_case()
        elif self._routine is not None:
            deadline = Deadline(timeout)
            if self._wait_as_before(self._routine, timeout):
                return
            timeout = deadline.remaining()
        super().drain_events(connection, timeout, **kwargs)

    def _wait_as_before(self, routine: Routine, seconds: float | None) -> bool:
        """Wait for a message, and deliver it; return whether there was one.

        Arguments:
            routine: What is known to be done.
            seconds: How long to wait at most.
        """
        if not routine.holds(self):
            return False
        channel = routine.channel
        if channel._qos._settled:
            channel._qos.flush()
        order = self._order(channel)
        if order is None or len(order.queues) != len(routine.queues):
            return False

        def receive(claims: list[Claim]) -> None:
            self._receive(channel, claims)

        routine.lookout.wait(routine.queues, order, receive, seconds, self._waiter)
        if self._is_closed:
            self._raise_closed()
        if not channel._claimed:
            return False
        try:
            channel.drain_events()
        except Empty:
            return False
        except EmptyInCallback as exc:
            raise exc.error from None
        if channel._claimed:
            self._pass_on()
        return True

    def on_readable(self, fileno: Any = None, loop: Any = None) -> None:
        """Deliver what is there, without waiting; the arguments have no effect."""
        self._look_in_any_case()
        super().on_readable(fileno, loop)

    def _drain_any(self, timeout: float | None) -> Any:
        channel = self._consuming_alone
        if channel is None or not self._delivers_directly:
            return super()._drain_any(timeout)
        # The others have nothing to deliver.
        return channel.drain_events(timeout=timeout)

    def _look_in_any_case(self) -> None:
        # A look is saved where the wait that follows tells what has come.
        if self._broker is not None:
            self._broker.claims.forget_what_is_empty()

    def _wait(self, remaining: float | None) -> None:
        lookout = self._lookout()
        queues = () if lookout is None else self._awaited
        if lookout is None or not queues:
            super()._wait(remaining)
            return
        channel = self._consuming_alone
        order = None if channel is None else self._order(channel)

        def receive(claims: list[Claim]) -> None:
            self._receive(channel, claims)

        if not lookout.wait(queues, order, receive, remaining, self._waiter):
            self.broker.server.flush()
            pause = _BLIND_INTERVAL
            super()._wait(pause if remaining is None else min(remaining, pause))

    def _lookout(self) -> Lookout | None:
        return None if self._broker is None else self._broker.lookout()

    def _flush(self) -> None:
        super()._flush()
        if self._broker is not None:
            self._broker.server.flush()

    def _pass_on(self) -> None:
        # Other threads look often while they can not wait.
        if self._lookout() is None or any(
            one._claimed for one in self._leasing_channels()
        ):
            super()._pass_on()

    def wake(self) -> None:
        """End the wait for messages: there may be some."""
        super().wake()
        lookout = self._lookout()
        if lookout is not None:
            lookout.wake()

    def _end_wait(self) -> None:
        """Have no thread wait, and no claim be under way, while we close."""
        lookout = self._lookout()
        if lookout is not None:
            lookout.end()

    # -- event loop ------------------------------------------------------------------

    @property
    def is_in_loop(self) -> bool:
        """Whether an event loop has messages delivered."""
        return self._loop_consumer is not None

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have *loop* deliver messages as they come."""
        super().register_with_event_loop(connection, loop)
        if self._broker is not None:
            # Another thread may have waited: from now on it gets the one of a loop.
            self._broker.change_bell()
            self.wake()

    def _stop_loop(self) -> None:
        was_in_loop = self.is_in_loop
        super()._stop_loop()
        if was_in_loop and self._broker is not None:
            self._broker.change_bell()
