"""The folders of a connection, and how a file comes into one all at once.

==========================  ====================================================
In ``data_folder_in``
==========================  ====================================================
``<name>.<queue>.msg``      ready messages
``.claimed/<owner>/``       messages in flight
``.claimed/<owner>.lease``  changed *in the future*: when the owner's lease ends
``.reaping/<id>/``          what a dead owner had, on its way back
``.delayed/<queue>.msg/``   messages not yet due, by minute and second
``.released``               names of files that came to a head (see the listing)
``.bad/``                   what can not be read
==========================  ====================================================

``data_folder_out`` has ready and delayed messages too, and ``.locks/``.  Both have
``.tmp/``, where files are written before they get their name.  None of these
names is that of a message for kombu 5.7.
"""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH100, PTH103, PTH108, PTH116, PTH118, PTH208

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kombu.transport.filesystem._clock import StoreClock

__all__ = (
    "Folders",
    "list_folder",
    "read_file",
    "remove_stale",
    "sync_folder",
    "write_file",
)

_EXTRA_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _EXTRA_FLAGS
_READ = os.O_RDONLY | _EXTRA_FLAGS

#: Seconds after which a temporary file is one that its writer has left.
STALE = 3600

#: Bytes read at once: most messages are shorter.
WHOLE_FILE = 65536


class Folders(NamedTuple):
    """Paths of the folders, each with a slash at its end.

    Attributes:
        ready: ``data_folder_in``.
        out: ``data_folder_out``.
        control: ``control_folder``.
        processed: ``processed_folder``.
    """

    ready: str
    out: str
    control: str
    processed: str

    @classmethod
    def of(cls, data_in: str, data_out: str, control: str, processed: str) -> Folders:
        """Return the folders of those paths, which may be relative."""
        return cls(
            *(
                os.path.join(os.path.abspath(path), "")
                for path in (data_in, data_out, control, processed)
            )
        )

    @property
    def claimed(self) -> str:
        """Where each owner has a folder of what it has in hand."""
        return f"{self.ready}.claimed/"

    @property
    def reaping(self) -> str:
        """Where folders of dead owners are emptied."""
        return f"{self.ready}.reaping/"

    @property
    def bad(self) -> str:
        """Where is kept what can not be read."""
        return f"{self.ready}.bad/"

    @property
    def releases(self) -> str:
        """The file that lists what came to the head of a queue."""
        return f"{self.ready}.released"

    @property
    def locks(self) -> str:
        """Where the locks of queues are."""
        return f"{self.out}.locks/"

    @property
    def records(self) -> str:
        """Where records of topology and consumers are."""
        return f"{self.control}.kombu/"

    @property
    def watched(self) -> tuple[str, ...]:
        """The folders whose changes may mean that there is something to do."""
        return self.ready, f"{self.ready}.delayed/", self.records

    def make(self) -> None:
        """Make the folders, as far as they are missing.

        Who only publishes may not be allowed to write into the folder that others
        consume from, and the other way round: one of the two is enough.

        Raises:
            OSError: It can not be done.
        """
        errors = []
        for folder in {self.ready, self.out}:
            try:
                _make_data_folder(folder)
            except OSError as exc:
                errors.append(exc)
        if len(errors) == len({self.ready, self.out}):
            raise errors[0]
        os.makedirs(self.records, exist_ok=True)


def _make_data_folder(folder: str) -> None:
    for name in (".tmp", ".delayed", ".claimed", ".reaping"):
        os.makedirs(f"{folder}{name}", exist_ok=True)


def write_file(folder: str, data: bytes, name: str, *, durably: bool = False) -> str:
    """Write *data* into a new temporary file, and return its path.

    Arguments:
        folder: A data folder, in whose ``.tmp`` it is written.
        data: The content.
        name: What the file is called there; nobody else gives that name.
        durably: Wait until it is on the disk.

    Raises:
        OSError: It can not be done; nothing is left of the file.
    """
    path = f"{folder}.tmp/{name}"
    try:
        descriptor = os.open(path, _NEW, 0o666)
    except FileNotFoundError:
        os.makedirs(f"{folder}.tmp", exist_ok=True)
        descriptor = os.open(path, _NEW, 0o666)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
        if durably:
            os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(path)
        raise
    os.close(descriptor)
    return path


def read_file(path: str) -> bytes:
    """Return the content of the file *path*.

    Raises:
        OSError: It can not be read.
    """
    descriptor = os.open(path, _READ)
    try:
        data = os.read(descriptor, WHOLE_FILE)
        if len(data) < WHOLE_FILE:
            return data
        parts = [data]
        while data:
            data = os.read(descriptor, 16 * WHOLE_FILE)
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def list_folder(folder: str) -> list[str]:
    """Return the names in *folder*; none if it is none."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove_stale(folder: str, clock: StoreClock, ending: str = "") -> None:
    """Remove files that their writers, killed since, have left in *folder*.

    Arguments:
        folder: Path, with a slash at its end.
        clock: The clock of its file system.
        ending: What the names of such files end with.
    """
    oldest = clock.now() - STALE
    for name in list_folder(folder):
        if name.endswith(ending):
            with suppress(OSError):  # a folder; or removed meanwhile
                if os.stat(folder + name).st_mtime < oldest:
                    os.unlink(folder + name)


def sync_folder(folder: str) -> None:
    """Wait until what was renamed into *folder* is on the disk, where that works."""
    if os.name == "nt":  # pragma: no cover
        return  # a folder can not be opened there
    descriptor = os.open(folder, _READ)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
