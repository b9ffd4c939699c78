"""Describes what an event loop watches, for people who look into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.utils.eventio import ERR, READ, WRITE
from kombu.utils.functional import reprcall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kombu.asynchronous.hub import Hub

__all__ = (
    "callback_for",
    "repr_active",
    "repr_events",
    "repr_flag",
    "repr_readers",
    "repr_writers",
)


def repr_flag(flag: int) -> str:
    """Return *flag* as letters: ``R``, ``W``, and ``!`` for errors."""
    return "{}{}{}".format(
        "R" if flag & READ else "",
        "W" if flag & WRITE else "",
        "!" if flag & ERR else "",
    )


def _rcb(handler: Any) -> str:
    if handler is None:
        return "<missing>"
    if isinstance(handler, str):
        return handler
    callback, args = handler
    name = getattr(callback, "__name__", None)
    return reprcall(name, args=args) if name else repr(callback)


def repr_active(h: Hub) -> str:
    """Return all that hub *h* watches, in one line."""
    return ", ".join(repr_readers(h) + repr_writers(h))


def repr_events(h: Hub, events: Iterable[tuple[int, int]] | None) -> str:
    """Return what a poll of hub *h* returned, in one line."""
    return ", ".join(
        f"{_rcb(callback_for(h, fd, flag, '(GONE)'))}({fd})->{repr_flag(flag)}"
        for fd, flag in events or ()
    )


def repr_readers(h: Hub) -> list[str]:
    """Return a line for each reader of hub *h*."""
    return [
        f"({fd}){_rcb(handler)}->{repr_flag(READ | ERR)}"
        for fd, handler in h.readers.items()
    ]


def repr_writers(h: Hub) -> list[str]:
    """Return a line for each writer of hub *h*."""
    return [
        f"({fd}){_rcb(handler)}->{repr_flag(WRITE)}"
        for fd, handler in h.writers.items()
    ]


def callback_for(h: Hub, fd: int, flag: int, *default: Any) -> Any:
    """Return who is called when *fd* is ready as *flag* says.

    Returns:
        A pair of callback and arguments, or *default*; :const:`None` for
        flags other than reading and writing.

    Raises:
        KeyError: Nobody is, and no default was given.
    """
    tables: list[Any] = []
    if flag & READ:
        tables.append(h.readers)
    if flag & WRITE:
        tables.append(h.writers)
    for table in tables:
        if fd in table:
            return table[fd]
    if not tables:
        return None
    if default:
        return default[0]
    raise KeyError(fd)
