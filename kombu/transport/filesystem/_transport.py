"""The transport over folders: its files' clock, records, and who wakes it."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from kombu.transport._capabilities import leased_abilities
from kombu.transport.filesystem._channel import DEFAULTS, Channel
from kombu.transport.filesystem._claims import Claims
from kombu.transport.filesystem._clock import StoreClock, clocks
from kombu.transport.filesystem._errors import raise_unusable
from kombu.transport.filesystem._folders import Folders
from kombu.transport.filesystem._store import MessageStore
from kombu.transport.filesystem._watching import Watcher
from kombu.transport.filesystem.records import FileRecords
from kombu.transport.virtual.state import BrokerState
from kombu.transport.virtual.transport import Transport as VirtualTransport

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Transport",)


def _waker(transport: Transport) -> Callable[[], None]:
    """Return what wakes *transport*, and does not keep it alive."""
    found = weakref.ref(transport)

    def wake() -> None:
        transport = found()
        if transport is not None:
            transport.wake()

    return wake


class Transport(VirtualTransport):
    """The filesystem transport."""

    Channel = Channel

    #: kombu 5.7's name; what is declared is in the store, for all to read.
    global_state: Any = BrokerState()

    default_port = 0
    driver_type = "filesystem"
    driver_name = "filesystem"
    is_woken_by_store = True
    polling_interval = 1.0
    knows_all_consumers = True
    knows_all_options = True

    implements = VirtualTransport.implements.extend(
        asynchronous=True,
        abilities=leased_abilities,
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        options = {**DEFAULTS, **(client.transport_options or {})}
        self._folders = Folders.of(
            options["data_folder_in"],
            options["data_folder_out"],
            options["control_folder"],
            options["processed_folder"],
        )
        self._options = options
        self._opened: MessageStore | None = None
        self._opening = threading.Lock()
        self._claims: dict[str, Claims] = {}
        super().__init__(client, **kwargs)
        self._watcher = Watcher(self._folders.watched, _waker(self))
        weakref.finalize(self, self._watcher.stop)

    def driver_version(self) -> str:
        """Return the version: there is no driver, and so none."""
        return "N/A"

    # -- the store ---------------------------------------------------------------

    @property
    def store(self) -> MessageStore:
        """The messages; their folders are made when it is first asked for.

        Raises:
            RecoverableConnectionError: They can not be made, or written to.
        """
        store = self._opened
        if store is None:
            store = self._open()
        return store

    def _open(self) -> MessageStore:
        with self._opening:
            if self._opened is None:
                try:
                    self._opened = MessageStore(
                        self._folders,
                        self._clock(),
                        is_durable=bool(self._options["fsync"]),
                        stores_processed=bool(self._options["store_processed"]),
                    )
                except OSError as exc:
                    raise_unusable(exc)
            return self._opened

    def _clock(self) -> StoreClock:
        """Return the clock of the folders, which are made first.

        Raises:
            OSError: They can not be made.
        """
        self._folders.make()
        try:
            return clocks.of(f"{self._folders.ready}.tmp")
        except OSError:
            return clocks.of(f"{self._folders.out}.tmp")

    def claims_of(self, owner: str) -> Claims:
        """Return what *owner* has in hand."""
        found = self._claims.get(owner)
        if found is None:
            found = self._claims[owner] = Claims(self.store, owner)
        return found

    def _make_records(self) -> FileRecords:
        return FileRecords(self._folders, self.store.clock)

    # -- waking --------------------------------------------------------------------

    def _add_consumer(self, queue: str, channel: Any) -> None:
        self.store  # noqa: B018  (makes the folders)
        self._watcher.start()
        super()._add_consumer(queue, channel)

    def close_connection(self, connection: Any) -> None:
        """Close all channels, and watch no longer."""
        self._watcher.stop()
        super().close_connection(connection)
