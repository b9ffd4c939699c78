"""A channel: a session of AMQP 1.0, with the links that its operations need.

A session that the broker has ended, because of something that was wrong, is begun
again when the channel is used next; consumers and unacknowledged messages are gone
with the old one.  Delivery tags go on counting: those from before are known to be
stale, and their messages come again.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from amqp import exceptions as amqp_errors

from kombu.exceptions import OperationalError
from kombu.transport._amqp.errors import ConnectionLost
from kombu.transport._qpid.consuming import Consuming
from kombu.transport._qpid.declaring import Declaring
from kombu.transport._qpid.errors import channel_error
from kombu.transport._qpid.publishing import Publishing
from kombu.transport.base import StdChannel
from kombu.utils import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport._qpid.errors import Condition
    from kombu.transport._qpid.links import Link

__all__ = ("Channel",)


class Channel(Publishing, Consuming, Declaring, StdChannel):
    """A channel.

    Arguments:
        connection: The connection.
        channel_id: Its number.
    """

    def __init__(self, connection: Any, channel_id: int) -> None:
        self.connection: Any = connection
        self.channel_id = channel_id
        #: The session of the library, once it is needed.
        self.session: Any = None
        self._lost: BaseException | None = None
        #: One thread at a time waits for an answer.
        self._rpc_lock = threading.RLock()
        #: Who is called with what was returned.
        self.events: dict[str, set[Any]] = {"basic_return": set()}
        self._begin_publishing()
        self._begin_consuming()

    def __repr__(self) -> str:
        state = "closed" if self.connection is None else "open"
        return f"<{type(self).__name__}: {self.channel_id} {state}>"

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self.connection is not None and self._lost is None

    @property
    def dialect(self) -> Any:
        """What the broker calls things."""
        return self._connection_in_use().dialect

    # -- life --------------------------------------------------------------------------

    def _connection_in_use(self) -> Any:
        connection = self.connection
        if connection is None:
            raise self._lost or ConnectionLost("the channel is closed")
        return connection

    def raise_if_lost(self) -> None:
        """Raise why the broker has ended the session, if nobody knows yet."""
        error = self._lost
        if error is not None and self.connection is not None:
            self._lost = None
            raise error.with_traceback(None)

    def make_usable(self) -> Any:
        """Begin a session if there is none.

        Returns:
            The connection.

        Raises:
            ChannelError: The broker has ended it, and nobody knows yet.
        """
        connection = self._connection_in_use()
        if self._lost is not None:
            self.raise_if_lost()
        if self.session is None:
            with connection.lock:
                if self.session is None:
                    session = connection.engine.connection.session()
                    session.open()
                    self.session = session
        return connection

    def on_session_ended(self, condition: Condition) -> None:
        """Note that the broker has ended the session.  The lock is held."""
        error = channel_error(condition, "the broker has ended the session")
        self.lose_consumers()
        self._forget_session()
        self.lose_confirmations(error)
        self._lost = error

    def _forget_session(self) -> None:
        session, self.session = self.session, None
        connection = self.connection
        if connection is not None:
            for name in [
                name
                for name, link in connection.links.items()
                if link.endpoint.session == session
            ]:
                link = connection.links.pop(name)
                link.is_closed = link.is_ended = True
        if session is not None:
            session.close()

    def on_connection_lost(self, error: BaseException) -> None:
        """Note that the connection is lost: what is not confirmed may be lost too."""
        self._lost = ConnectionLost(f"the connection was lost: {error}")
        self.lose_consumers()
        self.keep_unconfirmed(error)
        self.session = None

    def collect(self) -> None:
        """Forget the connection, and all that is the library's."""
        connection, self.connection = self.connection, None
        if connection is not None:
            self.lose_consumers()
            self.lose_senders()
        self.session = None

    def close(self) -> None:
        """Close the channel, once what was published on it is confirmed."""
        connection = self.connection
        if connection is None:
            return
        if connection.connected and self._lost is None:
            self.flush_before_close()
            self.end_session()
        with connection.lock:
            connection.channels.pop(self.channel_id, None)
            connection.take_deliveries(self)
            self._lost = None
            self.collect()

    def end_session(self) -> None:
        """End the session: what is not settled goes back to its queue.

        The answer says that the broker has dealt with all acknowledgements.
        """
        connection = self.connection
        if connection is not None:
            with suppress(OSError, amqp_errors.AMQPError, OperationalError):
                self._end_session(connection)

    def _end_session(self, connection: Any) -> None:
        from proton import Endpoint

        session = self.session
        if session is None:
            return
        with connection.lock:
            has_begun = bool(session.state & Endpoint.REMOTE_ACTIVE)
            self.give_back_what_was_not_seen()
            self._forget_session()
        connection.flush()
        if not has_begun:
            return  # the broker does not know of it, or has sent nothing by it
        deadline = waiting.monotonic() + connection.options.close_timeout
        connection.wait_until(
            lambda: bool(session.state & Endpoint.REMOTE_CLOSED), deadline
        )

    def tell(self) -> None:
        """Tell what nobody has asked for: returned messages, cancelled consumers.

        Raises:
            ChannelError: The broker has ended the session, and nobody knows yet.
        """
        self.tell_of_returns()
        self.tell_of_cancelled()
        self.raise_if_lost()

    # -- waiting -----------------------------------------------------------------------

    def wait_for(
        self, is_done: Callable[[], bool], what: str, timeout: float | None = None
    ) -> None:
        """Wait until *is_done*, or the broker has ended the session.

        Arguments:
            is_done: Called, under the lock, whenever something has come.
            what: What is waited for, for people.
            timeout: Seconds to wait; ``read_timeout`` if not given.

        Raises:
            ChannelError: The broker has ended the session.
            OperationalError: It did not answer in time.
        """
        connection = self._connection_in_use()
        longest = connection.options.read_timeout if timeout is None else timeout
        deadline = None if longest is None else waiting.monotonic() + longest
        try:
            connection.wait_until(lambda: self._lost is not None or is_done(), deadline)
        except TimeoutError as exc:
            raise OperationalError(
                f"the broker did not answer within {longest:g} s: {what} (read_timeout)"
            ) from exc
        finally:
            connection.announce_deliveries()
        self.raise_if_lost()

    def open_link(self, link: Link) -> None:
        """Open *link*, and wait until the broker has.

        Raises:
            ChannelError: It refuses; NotFound if there is no such thing.
        """
        connection = self._connection_in_use()
        with connection.lock:
            connection.links[link.endpoint.name] = link
            link.endpoint.open()
        connection.flush()
        try:
            self.wait_for(lambda: link.is_settled, link.what)
            if link.condition is not None:
                raise channel_error(link.condition, link.what)
        except BaseException:
            with connection.lock:
                self.drop_link(link)
            raise

    def drop_link(self, link: Link) -> None:
        """End *link* on our side.  The lock is held.

        It is forgotten when the broker has ended it too: what it has sent meanwhile is
        given back.
        """
        if self.session is not None and not link.is_closed:
            link.close()
