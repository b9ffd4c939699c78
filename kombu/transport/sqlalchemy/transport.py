"""The transport: one database, and who is woken when there are messages."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from kombu.exceptions import DriverNotInstalled
from kombu.transport import virtual
from kombu.transport._capabilities import leased_abilities
from kombu.transport._options import COMMON_OPTIONS, VIRTUAL_OPTIONS
from kombu.transport.sqlalchemy._sql_options import ENGINE_OPTIONS, SQL_OPTIONS
from kombu.transport.sqlalchemy.channel import Channel
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu.transport.sqlalchemy._broker import SqlBroker
    from kombu.transport.sqlalchemy._watching import Watcher
    from kombu.transport.sqlalchemy.models import Models
    from kombu.transport.virtual.records import RecordStore

__all__ = ("Transport",)

#: Seconds between looks into a database of which nobody tells us anything.
_BLIND_INTERVAL = 0.1

_NOT_FOR_THE_ENGINE = frozenset(
    option.name for option in (*COMMON_OPTIONS, *VIRTUAL_OPTIONS, *SQL_OPTIONS)
)


class Transport(virtual.Transport):
    """The SQLAlchemy transport."""

    Channel = Channel

    can_parse_url = True
    default_port = 0
    driver_type = "sql"
    driver_name = "sqlalchemy"

    options = (*SQL_OPTIONS, *ENGINE_OPTIONS)

    implements = virtual.Transport.implements.extend(
        asynchronous=True, batch_publish=True, abilities=leased_abilities
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._opening = threading.Lock()
        self._broker: SqlBroker | None = None
        self._watcher: Watcher | None = None
        self._watcher_pid = os.getpid()

    def driver_version(self) -> str:
        """Return the version of SQLAlchemy; N/A without it."""
        try:
            import sqlalchemy
        except ImportError:
            return "N/A"
        return str(sqlalchemy.__version__)

    # -- the database ----------------------------------------------------------------

    @property
    def broker(self) -> SqlBroker:
        """The database, opened when it is first asked for."""
        broker = self._broker
        if broker is None:
            with self._opening:
                broker = self._broker or self._open()
                self._broker = broker
        return broker

    def _open(self) -> SqlBroker:
        try:
            from kombu.transport.sqlalchemy._broker import SqlBroker
        except ModuleNotFoundError as exc:
            if exc.name is None or exc.name.partition(".")[0] != "sqlalchemy":
                raise
            raise DriverNotInstalled(
                "SQLAlchemy is not installed: pip install 'kombu[sqlalchemy]'"
            ) from exc
        options = self.client.transport_options or {}
        broker = SqlBroker(
            self.client.hostname,
            {n: v for n, v in options.items() if n not in self._own_option_names()},
            options.get("queue_tablename") or "kombu_queue",
            options.get("message_tablename") or "kombu_message",
            options.get("sqlite_synchronous") or "FULL",
            options.get("notify", True),
        )
        is_told = broker.database.kind in ("sqlite", "postgresql")
        if options.get("polling_interval") is None and not is_told:
            self.polling_interval = _BLIND_INTERVAL
        return broker

    def _own_option_names(self) -> frozenset[str]:
        channel = self.Channel
        described = {option.name for option in channel.options}
        return _NOT_FOR_THE_ENGINE.union(described, channel.from_transport_options)

    @cached_property
    def models(self) -> Models:
        """The tables as models of SQLAlchemy's ORM."""
        from kombu.transport.sqlalchemy.models import Models

        return Models.of(self.broker.tables)

    def _make_records(self) -> RecordStore:
        return self.broker.records

    def establish_connection(self) -> Any:
        """Connect to the database, making its tables if need be.

        Raises:
            DatabaseLost: It can not be reached.
            DatabaseRefused: The tables can not be made, or lack columns that the
                user may not add.
        """
        # Whether it is still there: the pool's connections may be old.
        self.broker.records.version()
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        """Close all channels, and the connections to the database."""
        try:
            super().close_connection(connection)
        finally:
            self._stop_watching()
            if self._broker is not None:
                self._broker.close()

    # -- waking ------------------------------------------------------------------------

    def wake_consumers_of(self, queues: Iterable[str]) -> None:
        """Wake who waits for messages of *queues* here."""
        callbacks = self._callbacks
        if callbacks and any(queue in callbacks for queue in queues):
            self.wake()

    def _add_consumer(self, queue: str, channel: Any) -> None:
        super()._add_consumer(queue, channel)
        self._watch()

    def _watch(self) -> None:
        with self._lock:
            is_ours = self._watcher_pid == os.getpid()
            if self._watcher is None or not is_ours:
                from kombu.transport.sqlalchemy._watching import watcher_of

                # A child does not have its parent's thread.
                self._watcher = watcher_of(self, self.broker)
                self._watcher_pid = os.getpid()

    def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and self._watcher_pid == os.getpid():
            watcher.stop()
