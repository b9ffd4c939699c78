"""Saving the state of a process that is about to be lost."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("emergency_dump_state",)


def emergency_dump_state(
    state: Any,
    open_file: Callable[..., IO[Any]] = open,
    dump: Callable[..., Any] | None = None,
    stderr: IO[str] | None = None,
) -> str:
    """Write *state* into a new temporary file that is not deleted.

    It is pickled if that works, else shown as text.

    Args:
        state: Anything, for example messages that could not be restored.
        open_file: Opens the file: ``open_file(path, mode)``.
        dump: Writes the state: ``dump(state, file, protocol=0)``;
            :func:`pickle.dump` by default.
        stderr: Where to say what happened; the log by default.

    Returns:
        Path of the file.
    """
    import os
    import pickle
    from tempfile import mkstemp

    write = dump or pickle.dump
    descriptor, path = mkstemp()
    os.close(descriptor)
    _say(f"EMERGENCY DUMP STATE TO FILE -> {path} <-", stderr)
    try:
        # Protocol 0 is ASCII: it can be read and mended by hand.
        with open_file(path, "wb") as file:
            write(state, file, protocol=0)
    except Exception as exc:
        _say(f"Cannot pickle state: {exc!r}. Fallback to pformat.", stderr)
        with open_file(path, "wb") as file:
            _write_as_text(state, file)
    return path


def _write_as_text(state: Any, file: IO[Any]) -> None:
    from pprint import pformat

    text = pformat(state)
    try:
        file.write(text.encode("utf-8", errors="backslashreplace"))
    except TypeError:  # *open_file* has opened it for text
        file.write(text)


def _say(text: str, stderr: IO[str] | None) -> None:
    if stderr is not None:
        stderr.write(f"{text}\n")
        return
    import logging

    logging.getLogger(__name__).error(text)
