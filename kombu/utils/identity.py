"""Unique ids that cost next to nothing, for delivery tags and the like.

An id looks as a UUID does, but is a random prefix of the process followed by
a counter: no system call per id.  It is unique, not unguessable; names that
nobody may guess come from :func:`kombu.utils.uuid.uuid`.
"""

from __future__ import annotations

import os
from itertools import count

__all__ = ("unique_id",)

#: Random part of every id made by this process: ``8-4-4-4-`` hex digits.
_prefix: str = ""
#: Gives the last 12 hex digits; ``next`` on it is atomic.
_numbers: count[int] = count(1)


def _begin() -> None:
    """Take a new prefix: at import, and in the child of every fork."""
    global _prefix, _numbers
    digits = os.urandom(10).hex()
    # Version and variant as in UUID version 4, so that strict parsers agree.
    _prefix = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-"
    _numbers = count(1)


def unique_id() -> str:
    """Return an id of 36 characters that no other call will ever return.

    Safe to call from any thread, and in processes forked at any time.
    """
    return f"{_prefix}{next(_numbers):012x}"


_begin()
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin)
