"""One connection to a server, by redis-py's; used by one thread at a time.

Commands are sent as bytes that were made before, several at once where there are
several, and replies are read in one go.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from redis import exceptions as redis_errors

from kombu.log import get_logger
from kombu.transport.redis.errors import ServerLost
from kombu.utils import waiting
from kombu.utils._spin import Spin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("Link", "Lot")

#: Commands, and how many they are.
Lot = tuple[bytes, int]

logger = get_logger(__name__)

#: Seconds without use after which it is looked whether the server has hung up.
_REST = 1.0

#: Most lots of commands that are sent before a reply is read.
_MOST_POSTED = 64


#: What the driver raises when a connection is lost.
_LOST = (redis_errors.RedisError, OSError)


class Link:
    """A connection that is opened when it is used, and again when it was lost.

    Each time by another connection of redis-py: the server may have another address
    then, and the password be another one.

    Arguments:
        make_connection: Returns a connection of redis-py that is not open yet.
        where: The server, for people.
        secret: What the text of an error must not show.
        busy_wait: Seconds that an answer is looked for before its thread sleeps.
    """

    def __init__(
        self,
        make_connection: Callable[[], Any],
        where: str,
        secret: str | None = None,
        busy_wait: float = 0.0,
    ) -> None:
        self._make_connection = make_connection
        self._connection: Any = None
        self._where = where
        self._secret = secret
        # Returns whether something can be read, without waiting.
        self._peek: Callable[[], bool] = lambda: False
        self._reply_spin = Spin(busy_wait)
        self._wait_spin = Spin(busy_wait)
        self._used_at = 0.0
        #: Commands whose replies were not read yet, and their number.
        self.posted: list[Lot] = []
        #: Whether something was answered since it was opened.
        self.is_proven = False
        #: Whether the last commands were not even sent, when it was lost.
        self.sent_nothing = True

    def __repr__(self) -> str:
        state = "proven" if self.is_proven else "new"
        return f"<{type(self).__name__}: to {self._where}, {state}>"

    def exchange(
        self, data: bytes, count: int, before: Sequence[Lot] = ()
    ) -> list[Any]:
        """Send commands, and return their replies.

        An error that the server answers with is returned, not raised.

        Arguments:
            data: The commands.
            count: How many they are.
            before: What is posted in front of them.

        Raises:
            ServerLost: The connection could not be made, or was lost.
        """
        self.send(data, before)
        used = self._connection
        try:
            self._reply_spin.until(self._peek)
        except Exception as exc:
            self._raise_if_lost(used, exc)
            raise
        if self.posted:
            self.read_posted()
        return [self.read() for _ in range(count)]

    def post(self, lots: Sequence[Lot]) -> None:
        """Send commands whose replies are read later.

        Arguments:
            lots: The commands.

        Raises:
            ServerLost: The connection could not be made, or was lost.
        """
        self.send(b"", lots)
        if len(self.posted) >= _MOST_POSTED:
            self.read_posted()

    def read_posted(self) -> None:
        """Read the replies to what was posted.

        Raises:
            ServerLost: The connection was lost.
        """
        while self.posted:
            for _ in range(self.posted[0][1]):
                reply = self.read()
                if isinstance(reply, Exception):
                    logger.warning("%s refuses what was sent: %s", self._where, reply)
            del self.posted[0]

    def finish(self) -> None:
        """Read what is owed to us, so that nothing is lost, and disconnect."""
        with suppress(ServerLost):
            self.read_posted()
        self.close()

    def send(self, data: bytes, before: Sequence[Lot] = ()) -> None:
        """Send commands.

        Arguments:
            data: The commands.
            before: What is posted in front of them.

        Raises:
            ServerLost: The connection could not be made, or was lost.
        """
        now = waiting.monotonic()
        is_owed = bool(self.posted)
        if before:
            self.posted += before  # whatever happens now, it is not forgotten
            data = b"".join([lot for lot, _ in before]) + data
        self.sent_nothing = True
        try:
            is_rested = self.is_proven and now - self._used_at > _REST
            if is_rested and not is_owed and self._has_hung_up():
                self._raise_lost(ConnectionResetError("the server has hung up"))
            self._used_at = now
            connection = self._connection
            if connection is None:
                connection = self._make_connection()
                connection.connect()
                self._connection = connection
                self._peek = partial(self._has_come, connection)
            self.sent_nothing = False
            connection.send_packed_command([data])
        except _LOST as exc:
            self._raise_lost(exc)

    def _has_hung_up(self) -> bool:
        # Nothing is to be answered: what can be read is the end.
        return bool(self._open_connection().can_read(timeout=0))

    def _open_connection(self) -> Any:
        connection = self._connection
        if connection is None:
            raise redis_errors.ConnectionError("it was closed meanwhile")
        return connection

    def read(self) -> Any:
        """Return the next reply; an error of the server is returned, too.

        Raises:
            ServerLost: The connection was lost.
        """
        used = self._connection
        try:
            reply = (used or self._open_connection()).read_response(True)
        except redis_errors.ConnectionError as exc:
            if isinstance(exc, redis_errors.BusyLoadingError):
                return exc
            self._raise_lost(exc)
        except redis_errors.ResponseError as exc:
            self.is_proven = True
            return exc
        except Exception as exc:
            self._raise_if_lost(used, exc)
            raise
        self.is_proven = True
        return reply

    def can_read(self, seconds: float) -> bool:
        """Wait for something to be read; return whether there is something.

        Raises:
            ServerLost: The connection was lost.
        """
        used = self._connection
        try:
            connection = self._open_connection()
            if seconds and self._wait_spin.until(self._peek, seconds):
                return True
            return self._has_come(connection, seconds)
        except Exception as exc:
            self._raise_if_lost(used, exc)
            raise

    def _has_come(self, connection: Any, seconds: float = 0.0) -> bool:
        """Return whether something can be read, or it is of no use to wait for it.

        What a signal handler or another thread closes meanwhile, the driver connects
        anew when it is asked: it has to be closed again.
        """
        if self._connection is not connection:
            return True
        has_come = bool(connection.can_read(timeout=seconds))
        if self._connection is not connection:
            connection.disconnect()
            return True
        return has_come

    def _raise_if_lost(self, used: Any, error: Exception) -> None:
        """Raise that it was lost if *error*, by which *used* has failed, means that.

        If it was closed meanwhile, the driver shows that in many ways.
        """
        if isinstance(error, _LOST) or self._connection is not used:
            self._raise_lost(error)

    def close(self) -> None:
        """Disconnect; who reads in another thread gets an error."""
        self.is_proven = False
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*_LOST):
                connection.disconnect()

    def _raise_lost(self, error: Exception) -> NoReturn:
        self.close()
        text = str(error)
        if self._secret:
            text = text.replace(self._secret, "**")
        kind = type(error).__name__
        raise ServerLost(
            f"{self._where} can not be reached: {text} ({kind})"
        ) from error
