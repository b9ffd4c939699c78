"""The channel of the filesystem transport: the store's hooks over files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport._options import VIRTUAL_OPTIONS, Option
from kombu.transport.filesystem._errors import translated
from kombu.transport.filesystem._locks import locked
from kombu.transport.filesystem._names import suffix_of
from kombu.transport.filesystem._reaping import Reaping
from kombu.transport.virtual.leased import LeasedChannel
from kombu.transport.virtual.ranks import AMQP
from kombu.transport.virtual.wire import pack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from kombu.transport.filesystem._claims import Claims
    from kombu.transport.filesystem._store import MessageStore
    from kombu.transport.virtual.claims import Claim

__all__ = ("Channel",)

FOLDER_OPTIONS = (
    Option(
        "data_folder_in", "str", "data_in", "", "Folder that messages are taken from."
    ),
    Option(
        "data_folder_out", "str", "data_out", "", "Folder that messages are put into."
    ),
    Option("control_folder", "str", "control", "", "Folder of what is declared."),
    Option(
        "store_processed",
        "bool",
        False,
        "",
        "Whether messages that are done with are kept.",
    ),
    Option("processed_folder", "str", "processed", "", "Folder that they are kept in."),
    Option(
        "fsync",
        "bool",
        False,
        "",
        "Whether a message must be on the disk before its publishing returns.",
    ),
)

#: What the options are if they are not given.
DEFAULTS: dict[str, Any] = {option.name: option.default for option in FOLDER_OPTIONS}


class Channel(LeasedChannel):
    """A channel to queues in folders."""

    supports_fanout = True

    options = (*VIRTUAL_OPTIONS, *FOLDER_OPTIONS)

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        # A subclass may want to see each message, and its options.
        self._puts_without_options = type(self)._put is Channel._put

    # -- the names of kombu 5.7 ------------------------------------------------

    @property
    def transport_options(self) -> Any:
        """The options of the connection."""
        return self.connection.client.transport_options

    def _option(self, name: str) -> Any:
        return (self.transport_options or {}).get(name, DEFAULTS[name])

    @property
    def data_folder_in(self) -> str:
        """Folder that messages are taken from."""
        return self._option("data_folder_in")  # type: ignore[no-any-return]

    @property
    def data_folder_out(self) -> str:
        """Folder that messages are put into."""
        return self._option("data_folder_out")  # type: ignore[no-any-return]

    @property
    def control_folder(self) -> str:
        """Folder of what is declared."""
        return self._option("control_folder")  # type: ignore[no-any-return]

    @property
    def processed_folder(self) -> str:
        """Folder of messages that are done with, if they are kept."""
        return self._option("processed_folder")  # type: ignore[no-any-return]

    @property
    def store_processed(self) -> bool:
        """Whether messages that are done with are kept."""
        return bool(self._option("store_processed"))

    @property
    def _store(self) -> MessageStore:
        return self.connection.store  # type: ignore[no-any-return]

    @property
    def _claims(self) -> Claims:
        return self.connection.claims_of(self.owner)  # type: ignore[no-any-return]

    # -- messages ----------------------------------------------------------------

    @translated
    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        self._put_data(queue, message, pack(message).encode())

    @translated
    def _put_into(self, queues: Iterable[str], message: Any) -> None:
        data = pack(message).encode()
        for queue in queues:
            self._put_data(queue, message, data)

    def _put_data(self, queue: str, message: Any, data: bytes) -> None:
        rank = self._rank(queue, message)
        path = self._store.put(queue, message, data, rank)
        if rank or self.priority_mode != AMQP:
            self._store.tell_ranked(path)

    @translated
    def _size(self, queue: str) -> int:
        return self._store.size(queue)

    @translated
    def _size_bytes(self, queue: str) -> int:
        return self._store.size_bytes(queue)

    @translated
    def _purge(self, queue: str) -> int:
        return self._store.purge(queue)

    @translated
    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        # What was declared here is known without asking; this is what was not.
        return self._store.has(queue) or self.connection.own_records.is_bound(queue)

    @translated
    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self._store.delete(queue)

    # -- claims --------------------------------------------------------------------

    @translated
    def _claim(self, queues: Sequence[str], limit: int) -> list[Claim]:
        store, claims = self._store, self._claims
        store.listing.catch_up()
        found: list[Claim] = []
        try:
            for place, queue in enumerate(queues):
                suffix = suffix_of(queue)
                store.wake_due(suffix)
                share = -(-(limit - len(found)) // (len(queues) - place))
                found += claims.take(queue, suffix, share)
            for queue in queues if len(queues) > 1 else ():
                found += claims.take(queue, suffix_of(queue), limit - len(found))
        except BaseException:
            claims.give_up(found)
            raise
        return found

    @translated
    def _claim_expired(self, queue: str, limit: int) -> list[Claim]:
        store, suffix = self._store, suffix_of(queue)
        store.listing.catch_up()
        store.wake_due(suffix)
        found: list[Claim] = []
        while len(found) < limit:
            head = store.listing.peek(suffix)
            if head is None or not 0 < head.expires <= store.clock.now() * 1000:
                break
            found += self._claims.take(queue, suffix, 1)
        return found

    @translated
    def _settle(self, claims: Sequence[Claim]) -> None:
        self._claims.settle(claims)

    @translated
    def _release(self, claims: Sequence[Claim]) -> None:
        self._claims.release(claims)

    @translated
    def _move(self, claim: Claim, copies: Sequence[tuple[str, Any]]) -> None:
        ranked = [(q, envelope, self._rank(q, envelope)) for q, envelope in copies]
        self._claims.move(claim, ranked)

    @translated
    def _set_aside(self, claim: Claim) -> None:
        self._claims.set_aside(claim)

    @translated
    def _reap(self) -> Collection[str]:
        records = self.connection.own_records
        queues = Reaping(self._store, self.owner).reap(records.bury)
        self._store.tidy()
        records.tidy()
        return queues

    # -- time, limits ----------------------------------------------------------------

    def _store_time(self) -> float:
        return self._store.clock.now()

    @translated
    def _next_due(self, queues: Iterable[str]) -> float | None:
        moments = []
        for queue in queues:
            suffix = suffix_of(queue)
            due = self._store.resting.next_due(suffix)
            head = self._store.listing.peek(suffix)
            if due is not None:
                moments.append(due)
            if head is not None and head.expires:
                moments.append(head.expires / 1000)
        return min(moments, default=None)

    @translated
    def _cancel_delayed(self, queue: str, message_id: str) -> bool:
        return self._store.cancel(queue, message_id)

    def _guard(self, queue: str) -> AbstractContextManager[Any]:
        return locked(self._store.lock_of(queue))
