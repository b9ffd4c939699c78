"""The control files of kombu 5.7: ``<exchange>.exchange``, its bindings.

Each is a JSON array of rows ``[routing_key, pattern, queue]``, the newest first.  It
is read under a shared lock, and changed in place under an exclusive one, both on
the file itself.

A file is changed by a single write that is never shorter than what was
there (blanks fill it up), so that whoever reads it after a crash finds either the
old rows or the new ones.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH108, PTH110, PTH116

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kombu.log import get_logger
from kombu.transport.filesystem._folders import list_folder, remove_stale
from kombu.transport.filesystem._listing import Freshness
from kombu.transport.filesystem._locks import LOCK_EX, LOCK_SH, held
from kombu.utils.identity import unique_id
from kombu.utils.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.filesystem._clock import StoreClock

__all__ = ("BindingFiles", "exchange_queue_t")

logger = get_logger(__name__)

_ENDING = ".exchange"
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

#: Exchanges of other names are unknown to kombu 5.7.
_FIT = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9_.-]+")

#: Longest name that makes a file.
_LONGEST = 255 - len(_ENDING)


class exchange_queue_t(NamedTuple):
    """One row of a control file."""

    routing_key: str
    pattern: str
    queue: str


class BindingFiles:
    """The control files in a folder.

    Arguments:
        folder: Path, with a slash at its end.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._freshness = Freshness(folder)
        # Of the files, by exchange.
        self._paths: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._folder}>"

    @staticmethod
    def can_hold(exchange: str) -> bool:
        """Return whether an exchange of this name can have a file."""
        return len(exchange) <= _LONGEST and bool(_FIT.fullmatch(exchange))

    def _known(self) -> dict[str, str]:
        """Return the paths of the files by exchange."""
        if self._freshness.may_have_changed():
            self._paths = {
                name[: -len(_ENDING)]: self._folder + name
                for name in list_folder(self._folder)
                if name.endswith(_ENDING)
            }
        return self._paths

    def exchanges(self) -> list[str]:
        """Return the names of the exchanges that have a file."""
        return list(self._known())

    def version(self) -> tuple[object, ...]:
        """Return what differs when a file has changed.  Quick: it is asked often."""
        return tuple(map(_state_of, self._known().values()))

    def tidy(self, clock: StoreClock) -> None:
        """Remove what writers, killed since, have left behind."""
        remove_stale(self._folder, clock, ending=".tmp")

    # -- reading ---------------------------------------------------------------

    def read(self, exchange: str) -> list[exchange_queue_t]:
        """Return the rows of *exchange*; none if there is no file."""
        try:
            descriptor = os.open(self._path(exchange), os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return []
        try:
            with held(descriptor, LOCK_SH):
                return self._rows(exchange, _read_all(descriptor))
        finally:
            os.close(descriptor)

    def _path(self, exchange: str) -> str:
        return f"{self._folder}{exchange}{_ENDING}"

    def _rows(self, exchange: str, text: bytes) -> list[exchange_queue_t]:
        if not text.strip():
            return []  # made by a peer that has not written yet
        try:
            return [exchange_queue_t(*row) for row in loads(text)]
        except (ValueError, TypeError):
            logger.warning(
                "control file %s holds no bindings: it is read as empty, and "
                "written anew by the next binding",
                self._path(exchange),
            )
            return []

    # -- writing ---------------------------------------------------------------

    def add(self, exchange: str, row: exchange_queue_t) -> None:
        """Add *row*, unless it is there."""
        if not os.path.exists(self._path(exchange)) and self._begin(exchange, [row]):
            return
        self._change(exchange, lambda rows: rows if row in rows else [row, *rows])

    def remove(self, exchange: str, routing_key: str, queue: str) -> bool:
        """Remove the rows of a binding; return whether there were any."""
        removed: list[exchange_queue_t] = []

        def without(rows: list[exchange_queue_t]) -> list[exchange_queue_t]:
            pair = (routing_key, queue)
            removed.extend(row for row in rows if (row.routing_key, row.queue) == pair)
            return [row for row in rows if row not in removed]

        if os.path.exists(self._path(exchange)):
            self._change(exchange, without)
        return bool(removed)

    def _begin(self, exchange: str, rows: list[exchange_queue_t]) -> bool:
        """Make the file with its content; return whether that worked."""
        os.makedirs(self._folder, exist_ok=True)
        written = f"{self._folder}.{unique_id()}.tmp"
        try:
            descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o666)
            try:
                os.write(descriptor, dumps(rows).encode())
            finally:
                os.close(descriptor)
            os.link(written, self._path(exchange))
            return True
        except OSError:
            return False  # it is there by now; or there are no links here
        finally:
            with suppress(FileNotFoundError):
                os.unlink(written)

    def _change(
        self,
        exchange: str,
        change: Callable[[list[exchange_queue_t]], list[exchange_queue_t]],
    ) -> None:
        flags = os.O_RDWR | os.O_CREAT | _FLAGS
        descriptor = os.open(self._path(exchange), flags, 0o666)
        try:
            with held(descriptor, LOCK_EX):
                text = _read_all(descriptor)
                before = self._rows(exchange, text)
                after = change(before)
                if after != before or not text.strip():
                    _overwrite(descriptor, dumps(after).encode(), len(text))
        finally:
            os.close(descriptor)


def _state_of(path: str) -> tuple[str, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return path, found.st_mtime_ns, found.st_size


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, os.fstat(descriptor).st_size)


def _overwrite(descriptor: int, text: bytes, length: int) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.ljust(length))
    os.ftruncate(descriptor, len(text))
