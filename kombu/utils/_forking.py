"""Callbacks that run in the child after a fork."""

from __future__ import annotations

import os
import weakref
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("process", "register_after_fork")


class _Process:
    """The running process; asking for its id is not a system call each time."""

    def __init__(self) -> None:
        self.pid = os.getpid()


process = _Process()

_Callback = tuple["weakref.ref[Any]", "Callable[[Any], Any]"]

#: Callbacks in order of registration; an entry goes when its object does.
_callbacks: dict[int, _Callback] = {}
_keys = count()


def register_after_fork(obj: Any, func: Callable[[Any], Any]) -> None:
    """Call ``func(obj)`` in every child process that is forked from this one.

    All kinds of fork count: :func:`os.fork`, :mod:`multiprocessing`, billiard.
    Where there is no fork, as on Windows, nothing is ever called.

    Args:
        obj: Kept by a weak reference: when it is gone, nothing is called.
        func: Called in the order of registration.  An error that it raises
            is logged and does not reach the child.

    Raises:
        TypeError: If no weak reference to *obj* can be made.
    """
    key = next(_keys)

    # The dictionary is an argument since, when the interpreter ends, objects
    # may outlive the names of this module.
    def forget(_: Any, callbacks: dict[int, _Callback] = _callbacks) -> None:
        callbacks.pop(key, None)

    _callbacks[key] = (weakref.ref(obj, forget), func)


def _run_after_fork() -> None:
    process.pid = os.getpid()
    for reference, func in list(_callbacks.values()):
        obj = reference()
        if obj is None:
            continue
        try:
            func(obj)
        except Exception:
            import logging

            logging.getLogger(__name__).exception("Callback after fork: %r", func)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_run_after_fork)
