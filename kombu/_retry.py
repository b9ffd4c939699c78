"""Trying again after the broker was lost: the loop behind ``ensure``.

A try that fails drops the connection, moves on to the next broker if there
are several, connects, gives the object that is used the new channel, and
calls the function again.  Failed connects count as tries, so that limits do
not multiply, and it is a loop, so that any number of tries needs one stack.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.utils import waiting
from kombu.utils.functional import fxrange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu._lifecycle import Lifecycle

__all__ = ("Ensured", "Ensuring", "Retrying", "Revival")

logger = get_logger("kombu.connection")

Errors = tuple[type[BaseException], ...]


class Retrying(threading.local):
    """Whether the calling thread is within a function that is retried."""

    is_active = False


class Ensured:
    """A function that is called again when the broker was lost.

    Arguments: see :meth:`kombu.Connection.ensure`.
    """

    def __init__(
        self,
        connection: Any,
        obj: Any,
        fun: Callable[..., Any],
        errback: Callable[[BaseException, float], Any] | None,
        max_retries: int | None,
        intervals: tuple[float, float, float],
        on_revive: Callable[[Any], Any] | None,
        retry_errors: Errors,
    ) -> None:
        self.connection = connection
        self.obj = obj
        self.fun = fun
        self.errback = errback
        self.max_retries = max_retries
        self.intervals = intervals
        self.on_revive = on_revive
        self.retry_errors = retry_errors
        name = getattr(fun, "__name__", type(fun).__name__)
        self.__name__ = f"{name}(ensured)"
        self.__doc__ = fun.__doc__
        self.__module__ = getattr(fun, "__module__", __name__)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        retrying = self.connection._retrying
        was_active = retrying.is_active
        retrying.is_active = True
        # Nearly every call succeeds at once: nothing is made ready for errors.
        try:
            return self.fun(*args, **kwargs)
        except Exception as exc:
            with self.connection._reraise_as_library_errors():
                return self._recover(exc, args, kwargs)
        finally:
            retrying.is_active = was_active

    def _recover(
        self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        start, step, longest = self.intervals
        pauses = fxrange(start, longest, step, repeatlast=True)
        failures = 0
        try:
            while True:
                self._check_worthwhile(error, failures)
                # The first failure is often but a connection that was stale.
                pause = next(pauses) if failures else 0
                logger.debug("ensure: error %r, trying again in %ss", error, pause)
                if self.errback is not None:
                    self.errback(error, pause)
                if pause:
                    waiting.sleep(pause)
                failures = self._repair(error, failures + 1)
                try:
                    return self.fun(*args, **kwargs)
                except Exception as exc:
                    error = exc
        finally:
            # It refers to this frame by its traceback: no cycle is to stay.
            del error

    def _check_worthwhile(self, error: Exception, failures: int) -> None:
        """Raise *error* unless another try is allowed, and may help."""
        connection: Lifecycle = self.connection
        caught = (
            *connection.recoverable_connection_errors,
            *connection.recoverable_channel_errors,
            *self.retry_errors,
        )
        is_spent = self.max_retries is not None and failures >= self.max_retries
        if is_spent or not isinstance(error, caught) or is_final(error):
            raise error

    def _repair(self, error: Exception, failures: int) -> int:
        """Replace what *error* has broken; return the count of failures."""
        connection = self.connection
        if isinstance(error, connection.recoverable_connection_errors):
            failures = self._reconnect(failures)
            self._revive()
        elif isinstance(error, connection.recoverable_channel_errors):
            connection._forget_default_channel()
            self._revive()
        return failures

    def _reconnect(self, failures: int) -> int:
        """Connect anew; return the count of failures with those of connecting."""
        count = failures

        def on_error(exc: BaseException, pause: float) -> None:
            nonlocal count
            count += 1
            if self.errback is not None:
                self.errback(exc, pause)

        connection = self.connection
        connection.collect()
        connection.maybe_switch_next()
        left = None if self.max_retries is None else self.max_retries - failures
        connection._ensure_connection(
            on_error,
            left,
            *self.intervals,
            reraise_as_library_errors=False,
        )
        return count

    def _revive(self) -> None:
        channel = self.connection.default_channel
        self.obj.revive(channel)
        if self.on_revive is not None:
            self.on_revive(channel)


class Ensuring:
    """The part of a connection that calls functions as often as needed."""

    _retrying: Retrying

    def ensure(
        self,
        obj: Any,
        fun: Callable[..., Any],
        errback: Callable[[BaseException, float], Any] | None = None,
        max_retries: int | None = None,
        interval_start: float = 1,
        interval_step: float = 1,
        interval_max: float = 1,
        on_revive: Callable[[Any], Any] | None = None,
        retry_errors: tuple[type[BaseException], ...] | None = None,
    ) -> Callable[..., Any]:
        """Return a function that calls *fun*, again if the broker is lost.

        Arguments:
            obj: What *fun* works with; its ``revive(channel)`` is called when
                there is a new channel.
            fun: The function.
            errback: Called with ``(error, seconds to wait)`` for each failure.
            max_retries: Most further calls, failed connects included; without
                limit if unset.
            interval_start: Seconds to wait before the second further call;
                the first one follows at once.
            interval_step: What the wait grows by.
            interval_max: Longest wait.
            on_revive: Called with the new channel.
            retry_errors: Further errors after which to call again, without
                connecting anew.

        Returns:
            The function; it raises :exc:`OperationalError` in the end.
        """
        return Ensured(
            self,
            obj,
            fun,
            errback,
            max_retries,
            (interval_start, interval_step, interval_max),
            on_revive,
            tuple(retry_errors or ()),
        )

    def autoretry(
        self, fun: Callable[..., Any], channel: Any = None, **ensure_options: Any
    ) -> Callable[..., Any]:
        """Return a function that calls *fun* with a ``channel``, as often as needed.

        Arguments:
            fun: Called with the arguments given, and ``channel=``.
            channel: Channel to begin with.
            **ensure_options: Arguments of :meth:`ensure`.

        Returns:
            A function that returns ``(what fun returns, the channel used)``.
        """
        revival = Revival(self, channel)

        def call(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
            current = revival.current()
            return fun(*args, channel=current, **kwargs), current

        call.__name__ = getattr(fun, "__name__", type(fun).__name__)
        call.__doc__ = fun.__doc__
        return self.ensure(revival, call, **ensure_options)


class Revival:
    """Holds the channel of a function that is retried by ``autoretry``."""

    __slots__ = ("_connection", "channel")

    def __init__(self, connection: Any, channel: Any) -> None:
        self._connection = connection
        self.channel = channel

    def revive(self, channel: Any) -> None:
        """Use the new *channel*."""
        self.channel = channel

    def current(self) -> Any:
        """Return the channel to use, opened if need be."""
        if self.channel is None:
            self.channel = self._connection.default_channel
        return self.channel


def is_final(error: BaseException) -> bool:
    """Return whether trying again would only bring the same *error*."""
    from amqp import exceptions

    return isinstance(
        error,
        (
            exceptions.IrrecoverableChannelError,
            exceptions.IrrecoverableConnectionError,
        ),
    )


def failover_intervals(
    connection: Lifecycle,
    errback: Callable[[BaseException, float], Any] | None,
) -> Callable[[BaseException, Iterator[float], int], float]:
    """Return what to do after a failed connect, for the retry engine.

    The next broker is tried at once; only after a whole round is there a
    pause.
    """

    def on_error(exc: BaseException, intervals: Iterator[float], retries: int) -> float:
        is_round = connection.completes_cycle(retries)
        pause = next(intervals) if is_round else 0.0
        if errback is not None:
            errback(exc, pause)
        connection.maybe_switch_next()
        return pause

    return on_error
