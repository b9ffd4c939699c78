"""One server, or a master that Sentinel names: what it is asked, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redis import exceptions as redis_errors

from kombu.transport.redis.errors import refused
from kombu.transport.redis.lines import Lines, Quota
from kombu.transport.redis.resp import Part, command, part, word
from kombu.transport.redis.scripts import script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kombu.transport.redis.link import Link, Lot
    from kombu.transport.redis.resp import Argument

__all__ = ("Request", "Server")


class Request(NamedTuple):
    """One script to be run, or a plain command.

    Attributes:
        name: Name of the script, or of the command if there are no keys.
        keys: The keys of the script.
        arguments: Its arguments, or those of the command.
        slot_key: A key that says which node of a cluster has them.
        is_plain: Whether it is a command.
        data: It as it is sent, where that was made before.
    """

    name: str
    keys: Part
    arguments: Part
    slot_key: str
    is_plain: bool = False
    data: bytes = b""

    @classmethod
    def plain(cls, name: str, key: str, *arguments: Argument) -> Request:
        """Return a request that is the command *name* on *key*."""
        return cls(name, part(key), part(*arguments), key, True)

    def packed(self, rings_by_channel: bool, whole: bool = False) -> bytes:
        """Return it as it is sent."""
        if self.data and not whole:
            return self.data
        if self.is_plain:
            (number, keys), (count, arguments) = self.keys, self.arguments
            name = word(self.name).data
            return b"*%d\r\n%b%b%b" % (1 + number + count, name, keys, arguments)
        called = script(self.name, rings_by_channel)
        return command(*called.call(self.keys, self.arguments, whole=whole))


class Server:
    """A server.

    Arguments:
        make_link: Returns a link to it that is not open yet.
        quota: How many connections there may be.
        where: The server, for people.
    """

    #: Whether keys are spread over nodes.
    is_cluster = False

    def __init__(self, make_link: Callable[[], Link], quota: Quota, where: str) -> None:
        self._lines = Lines(make_link, quota)
        self._where = where
        self.make_link = make_link
        self.quota = quota

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._where}>"

    def run(self, request: Request, is_repeatable: bool = True) -> Any:
        """Have one request carried out, and return the reply.

        Arguments:
            request: The request.
            is_repeatable: Whether it does no harm if it is carried out twice.

        Raises:
            ServerLost: The server can not be reached, or is none any more.
            ServerRefused: It refuses.
        """
        return self.run_all((request,), is_repeatable)[0]

    def run_all(
        self, requests: Sequence[Request], is_repeatable: bool = True
    ) -> list[Any]:
        """Have requests carried out in one round trip, and return the replies.

        Raises:
            ServerLost: The server can not be reached, or is none any more.
            ServerRefused: It refuses one of them; the others were carried out.
        """
        packed = [one.packed(self.is_cluster) for one in requests]
        data = packed[0] if len(packed) == 1 else b"".join(packed)
        replies = self._lines.exchange(data, len(requests), is_repeatable)
        unknown = [
            place
            for place, reply in enumerate(replies)
            if isinstance(reply, redis_errors.NoScriptError)
        ]
        if unknown:
            again = [requests[place] for place in unknown]
            found = self._run_wholly(again, is_repeatable)
            for place, reply in zip(unknown, found, strict=True):
                replies[place] = reply
        for place, reply in enumerate(replies):
            if isinstance(reply, Exception):
                raise refused(reply, self._where, requests[place].name) from reply
        return replies

    def _run_wholly(
        self, requests: Sequence[Request], is_repeatable: bool
    ) -> list[Any]:
        """Have scripts run that the server did not know; each is told to it once."""
        told: set[str] = set()
        data = b""
        for one in requests:
            data += one.packed(self.is_cluster, whole=one.name not in told)
            told.add(one.name)
        return self._lines.exchange(data, len(requests), is_repeatable)

    def post_all(self, requests: Sequence[Request]) -> None:
        """Have plain commands carried out with what is sent next, or by :meth:`flush`.

        Arguments:
            requests: What does no harm if it is carried out twice.
        """
        packed = [one.packed(self.is_cluster) for one in requests]
        self._lines.post(b"".join(packed), len(requests))

    def call_before_sending(self, gather: Callable[[], None]) -> None:
        """Have *gather* post what has gathered, whenever commands are about to be sent."""
        self._lines.gather = gather

    def flush(self) -> None:
        """Send what was posted, without waiting until it was carried out.

        Raises:
            ServerLost: The server can not be reached.
        """
        self._lines.flush()

    def take_posted(self) -> Sequence[Lot]:
        """Return what was posted and not sent, for a link of the caller's to send.

        If that link is lost, :meth:`keep_posted` is to be called.
        """
        return self._lines.take_posted()

    def keep_posted(self, link: Link) -> None:
        """Send again what was posted by *link*, which was lost."""
        self._lines.keep_posted(link)

    def run_packed(self, data: bytes) -> Any:
        """Have one command carried out, once; return the reply, be it an error.

        Raises:
            ServerLost: The server can not be reached.
        """
        return self._lines.exchange(data, 1, False)[0]

    def run_after(self, error: Exception, request: Request) -> Any:
        """Return the reply to *request*, which was answered by *error* at first.

        Raises:
            ServerLost: The server can not be reached, or is none any more.
            ServerRefused: It refuses.
        """
        if isinstance(error, redis_errors.NoScriptError):
            (reply,) = self._run_wholly((request,), False)
            if not isinstance(reply, Exception):
                return reply
            error = reply
        raise refused(error, self._where, request.name) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._lines.close()
