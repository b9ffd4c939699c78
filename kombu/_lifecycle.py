"""Connecting, failing over and closing."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kombu import exceptions
from kombu._address import Address
from kombu._declared import DeclaredEntities
from kombu._retry import Ensuring, Retrying, failover_intervals
from kombu.log import get_logger
from kombu.transport import get_transport_cls
from kombu.utils.functional import retry_over_time
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu.transport.base import Transport

__all__ = ("Lifecycle",)

logger = get_logger("kombu.connection")

#: Options of transports that apply when the default channel is opened.
_FAILOVER_OPTIONS = {
    "errback": "errback",
    "callback": "callback",
    "max_retries": "max_retries",
    "interval_start": "interval_start",
    "interval_step": "interval_step",
    "interval_max": "interval_max",
    "connect_retries_timeout": "timeout",
}

#: Attributes that are kept for the class of the transport.
_ERRORS_OF_TRANSPORT = (
    "connection_errors",
    "channel_errors",
    "recoverable_connection_errors",
    "recoverable_channel_errors",
)


@lru_cache
def is_asked_for(name: str) -> bool:
    """Return whether the environment asks for a log of *name*.

    It is read but once: looking costs more than much of what is logged.
    """
    return bool(os.environ.get(name) or os.environ.get("KOMBU_LOG_DEBUG"))


class ConnectionClosed(exceptions.OperationalError, AttributeError):
    """A channel was asked of a connection that its owner has closed."""


class Lifecycle(Ensuring, Address):
    """The life of a :class:`~kombu.Connection`.

    The lock is held while a connection is made: threads that share it wait
    for the one that connects.
    """

    #: What was declared by this connection.
    declared_entities: DeclaredEntities = None  # type: ignore[assignment]

    _closed: bool | None = None
    _connection: Any = None
    _default_channel: Any = None
    _transport: Any = None

    def _begin(self) -> None:
        self.declared_entities = DeclaredEntities()
        self._retrying = Retrying()
        self._own_lock = threading.RLock()
        self._pid = self._lock_pid = os.getpid()

    @property
    def _lock(self) -> threading.RLock:
        """The lock; a child process has its own, as its parent's may be held."""
        if self._lock_pid != os.getpid():
            self._own_lock = threading.RLock()
            self._lock_pid = os.getpid()
        return self._own_lock

    def _debug(self, text: str, *args: Any) -> None:
        if is_asked_for("KOMBU_LOG_CONNECTION"):
            logger.debug("[Kombu connection:%#x] " + text, id(self), *args)

    # -- connecting ------------------------------------------------------------

    def get_transport_cls(self) -> type[Transport]:
        """Return the class of the transport."""
        transport_cls = self.transport_cls
        if not transport_cls or isinstance(transport_cls, str):
            return get_transport_cls(transport_cls)
        return transport_cls  # type: ignore[no-any-return]

    def create_transport(self) -> Transport:
        """Make a transport for this connection."""
        return self.get_transport_cls()(client=self)

    @property
    def transport(self) -> Any:
        """The transport, made when it is first needed."""
        if self._transport is None:
            with self._lock:
                if self._transport is None:
                    self._transport = self.create_transport()
        return self._transport

    @property
    def connected(self) -> bool:
        """True if there is a connection, and it can be used."""
        return (
            not self._closed
            and self._connection is not None
            and self._pid == os.getpid()
            and self.transport.verify_connection(self._connection)
        )

    @property
    def connection(self) -> Any:
        """What the transport calls its connection, made when first needed.

        :const:`None` once this connection is closed.
        """
        if self._closed:
            return None
        if not self.connected:
            return self._ensure_connection(
                max_retries=0 if self._retrying.is_active else 1,
                reraise_as_library_errors=False,
            )
        return self._connection

    @property
    def default_channel(self) -> Any:
        """The channel for whoever has none of his own, opened when needed.

        Raises:
            OperationalError: The broker can not be reached, as often as the
                transport options say.
        """
        if self._default_channel is not None and self.connected:
            return self._default_channel
        with self._lock:
            self._ensure_connection(**self._connect_options())
            if self._default_channel is None:
                self._default_channel = self.channel()
            return self._default_channel

    def channel(self) -> Any:
        """Open a channel."""
        self._debug("create channel")
        connection = self.connection
        if connection is None:
            raise ConnectionClosed(
                "the connection was closed: call connect() to open it again"
            )
        channel = self.transport.create_channel(connection)
        if is_asked_for("KOMBU_LOG_CHANNEL"):
            from kombu.utils.debug import Logwrapped

            return Logwrapped(
                channel, "kombu.channel", f"[Kombu channel:{channel.channel_id}] "
            )
        return channel

    def _connect_options(self) -> dict[str, Any]:
        """Return how often to try, for whoever wants the default channel."""
        if self._retrying.is_active:
            # Who calls us tries again, by limits of his own: two loops, one
            # within the other, would multiply.
            return {"max_retries": 0, "reraise_as_library_errors": False}
        return self._extract_failover_opts()

    def _extract_failover_opts(self) -> dict[str, Any]:
        options = self.transport_options
        found = {
            argument: options[name]
            for name, argument in _FAILOVER_OPTIONS.items()
            if name in options
        }
        found.setdefault("timeout", self.connect_timeout)
        return found

    def connect(self) -> Any:
        """Connect now, though nothing needs it yet."""
        self._closed = False
        return self._ensure_connection(max_retries=1, reraise_as_library_errors=False)

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Connect, trying until it works.

        Arguments:
            *args: The following, in this order.
            **kwargs: The following, by name.
            errback: Called with ``(error, seconds to wait)`` for each try
                that fails.
            max_retries: Most tries after the first; without limit if unset.
            interval_start: Seconds to wait after the first failure.
            interval_step: What the wait grows by.
            interval_max: Longest wait.
            callback: Called each second of a wait.
            reraise_as_library_errors: Raise :exc:`OperationalError` rather
                than the transport's errors.
            timeout: Seconds for it all.

        Returns:
            This connection.

        Raises:
            OperationalError: It did not work.
        """
        self._ensure_connection(*args, **kwargs)
        return self

    def _ensure_connection(
        self,
        errback: Callable[[BaseException, float], Any] | None = None,
        max_retries: int | None = None,
        interval_start: float = 2,
        interval_step: float = 2,
        interval_max: float = 30,
        callback: Callable[[], Any] | None = None,
        reraise_as_library_errors: bool = True,
        timeout: float | None = None,
    ) -> Any:
        with self._lock:
            if self.connected:
                return self._connection
            # Nearly always it works at once, and then nothing need be known
            # of errors: their classes take long to import.
            try:
                return self._connection_factory()
            except Exception as exc:
                factory = _raising_first(exc, self._connection_factory)
            guard: Any = (
                self._reraise_as_library_errors
                if reraise_as_library_errors
                else nullcontext
            )
            with guard():
                return retry_over_time(
                    factory,
                    self.recoverable_connection_errors,
                    (),
                    {},
                    failover_intervals(self, errback),
                    max_retries,
                    interval_start,
                    interval_step,
                    interval_max,
                    callback,
                    timeout=timeout,
                )

    def _connection_factory(self) -> Any:
        self._discard_if_lost()
        self._debug("establishing connection...")
        self._connection = self.transport.establish_connection()
        self._closed = False
        return self._connection

    def _discard_if_lost(self) -> None:
        """Drop a connection that can not be used, or is the parent process's."""
        if self._connection is not None and not self.connected:
            self.collect()
        self._pid = os.getpid()

    @contextmanager
    def _reraise_as_library_errors(
        self,
        ConnectionError: type[BaseException] = exceptions.OperationalError,
        ChannelError: type[BaseException] = exceptions.OperationalError,
    ) -> Iterator[None]:
        try:
            yield
        except (ConnectionError, ChannelError):
            raise
        except Exception as exc:
            if isinstance(exc, self.recoverable_connection_errors):
                raise ConnectionError(str(exc)) from exc
            if isinstance(exc, self.recoverable_channel_errors):
                raise ChannelError(str(exc)) from exc
            raise

    # -- errors of the transport ---------------------------------------------------

    @cached_property
    def connection_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which the connection is lost."""
        return tuple(self.get_transport_cls().connection_errors)

    @cached_property
    def channel_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which the channel is lost."""
        return tuple(self.get_transport_cls().channel_errors)

    @cached_property
    def recoverable_connection_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which it may work with a new connection."""
        errors = getattr(
            self.get_transport_cls(), "recoverable_connection_errors", None
        )
        if errors is None:
            return (*self.connection_errors, *self.channel_errors)
        return tuple(errors)

    @cached_property
    def recoverable_channel_errors(self) -> tuple[type[BaseException], ...]:
        """Errors after which it may work with a new channel."""
        return tuple(
            getattr(self.get_transport_cls(), "recoverable_channel_errors", ())
        )

    # -- failing over ------------------------------------------------------------

    def switch(self, conn_str: str) -> None:
        """Go over to another broker.

        Arguments:
            conn_str: Its URL or host.
        """
        self.close()
        self._closed = False
        self._use_host(conn_str)
        for name in _ERRORS_OF_TRANSPORT:  # which may be another one now
            self.__dict__.pop(name, None)

    def maybe_switch_next(self) -> None:
        """Go over to the next broker, if there are several."""
        if self.cycle is not None:
            self.switch(next(self.cycle))

    def completes_cycle(self, retries: int) -> bool:
        """Return whether all brokers were tried, after so many *retries*."""
        return not (retries + 1) % len(self.alt) if self.alt else True

    # -- closing -----------------------------------------------------------------

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def release(self) -> None:
        """Close the connection, or give it back to the pool that it is from."""
        self._close()

    close = release

    def _close(self) -> None:
        self._closed = True
        self._do_close_self()
        self._do_close_transport()
        self._debug("closed")

    def _do_close_self(self) -> None:
        self.declared_entities.clear()
        channel, self._default_channel = self._default_channel, None
        connection, self._connection = self._connection, None
        if self._pid != os.getpid():
            return
        if channel is not None:
            self.maybe_close_channel(channel)
        if connection is not None and self._transport is not None:
            try:
                self._transport.close_connection(connection)
            except self.connection_errors + (AttributeError, OSError):
                # It was lost already; there is nothing left to close.
                self._debug("lost before it was closed")

    def _do_close_transport(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.client = None

    def collect(self, socket_timeout: float | None = None) -> None:
        """Drop what is there without a word to the broker, which may be gone.

        Arguments:
            socket_timeout: Seconds that a transport may take for it.
        """
        transport = self._transport
        connection, self._connection = self._connection, None
        self._default_channel = None
        self.declared_entities.clear()
        if transport is not None and connection is not None:
            drop = getattr(transport, "_collect", None)
            if drop is None and self._pid == os.getpid():
                drop = transport.close_connection
            if drop is not None:
                with suppress(Exception):
                    drop(connection)
        self._do_close_transport()
        self._debug("collected")

    def maybe_close_channel(self, channel: Any) -> None:
        """Close *channel*; it does not matter if it is lost."""
        try:
            channel.close()
        except self.connection_errors + self.channel_errors:
            self._debug("channel was lost before it was closed")

    def revive(self, new_channel: Any) -> None:
        """Forget the default channel: the connection was made anew."""
        if self._default_channel and new_channel is not self._default_channel:
            self.maybe_close_channel(self._default_channel)
            self._default_channel = None

    def _forget_default_channel(self) -> None:
        channel, self._default_channel = self._default_channel, None
        if channel is not None:
            self.maybe_close_channel(channel)


def _raising_first(error: Exception, function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that raises *error* once, and then calls *function*."""
    errors = [error]

    def call() -> Any:
        if errors:
            raise errors.pop()
        return function()

    return call
