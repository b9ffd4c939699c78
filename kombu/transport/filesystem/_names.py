"""Names of message files: what can be known of a message without opening it.

::

    <stamp>_<notes>_<unique>.<queue>.msg

    stamp   when it came, in microseconds since 1970: 14 hexadecimal digits
    notes   each absent if it says nothing, all numbers hexadecimal:
            r<rank> or n<rank below 0>, t<times delivered>, x<expires at, ms>
    unique  12 hexadecimal digits

Names sort as messages came.  Of any file, kombu 5.7 looks at nothing but what
comes after the first dot, which is ``<queue>.msg``.  It names its own
``<milliseconds since boot>_<uuid>.<queue>.msg``: such a *foreign* name says
nothing of when it came, so that the file's time of change has to.

A queue whose name no file can have (5.7 fails there) is quoted as in URLs and
ends with ``.msgq``; if it is too long even so, ``.msgh`` comes after a hash of it.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote

__all__ = ("FileName", "queue_of", "quoted", "suffix_in", "suffix_of", "unquoted")

#: Most bytes that file systems take for a name.
LONGEST_NAME = 255

#: Most bytes of a queue's name as it is.  What comes before it takes 47 at most,
#: which is what 5.7 itself needs, too.
LONGEST_QUEUE = LONGEST_NAME - 47 - len(".") - len(".msg")

#: Latest moments that names have room for: microseconds and milliseconds.
LATEST_STAMP = 16**14 - 1
LATEST_EXPIRY = 16**11 - 1

#: Most deliveries that are counted.
MOST_DELIVERIES = 16**3 - 1

_PLAIN, _QUOTED, _HASHED = ".msg", ".msgq", ".msgh"

_PREFIX = re.compile(
    r"([0-9a-f]{14})_"
    r"(?:(r|n)([0-9a-f]+))?(?:t([0-9a-f]+))?(?:x([0-9a-f]+))?_"
    r"([0-9a-f]{12})"
)

_UNFIT = re.compile(r'[<>:"\\|?*\x00-\x1f/]' if os.name == "nt" else r"[\x00/]")


class FileName(NamedTuple):
    """What a name of ours says.

    Attributes:
        stamp: When it came, in microseconds since 1970.
        unique: What tells it from others of that moment.
        suffix: The part from the first dot on: that of its queue.
        rank: What is higher comes first.
        deliveries: How often it was delivered before.
        expires: When it expires, in milliseconds since 1970; 0 for never.
    """

    stamp: int
    unique: str
    suffix: str
    rank: int = 0
    deliveries: int = 0
    expires: int = 0

    def delivered(self, times: int) -> FileName:
        """Return the name after so many deliveries."""
        return self._replace(deliveries=min(max(times, 0), MOST_DELIVERIES))

    def __str__(self) -> str:
        notes = ""
        if self.rank:
            notes = f"r{self.rank:x}" if self.rank > 0 else f"n{-self.rank:x}"
        if self.deliveries:
            notes += f"t{self.deliveries:x}"
        if self.expires:
            notes += f"x{self.expires:x}"
        return f"{self.stamp:014x}_{notes}_{self.unique}{self.suffix}"

    @classmethod
    def parse(cls, name: str) -> FileName | None:
        """Return what *name* says; None if it is foreign."""
        prefix, _, rest = name.partition(".")
        found = _PREFIX.fullmatch(prefix)
        if found is None:
            return None
        stamp, sign, rank, deliveries, expires, unique = found.groups()
        return cls(
            int(stamp, 16),
            unique,
            "." + rest,
            int(rank or "0", 16) * (-1 if sign == "n" else 1),
            int(deliveries or "0", 16),
            int(expires or "0", 16),
        )

    @classmethod
    def for_foreign(cls, name: str, changed_ns: int) -> FileName:
        """Return a name of ours for a file of another name.

        Arguments:
            name: Its name.
            changed_ns: When the file was changed, in nanoseconds since 1970.
        """
        digest = sha256(name.encode(errors="surrogateescape")).hexdigest()
        return cls(changed_ns // 1000, digest[:12], suffix_in(name) or "")


def suffix_in(name: str) -> str | None:
    """Return the suffix in *name*; None if it is not that of a message."""
    place = name.find(".")
    if place < 0 or not name.endswith((_PLAIN, _QUOTED, _HASHED)):
        return None
    suffix = name[place:]
    # ``q.msg`` has no prefix at all: 5.7 does not take it for a message.
    return suffix if suffix.count(".") > 1 else None


@lru_cache(maxsize=4096)
def suffix_of(queue: str) -> str:
    """Return what the names of all messages of *queue* end with."""
    if not _UNFIT.search(queue):
        try:
            if len(os.fsencode(queue)) <= LONGEST_QUEUE:
                return f".{queue}{_PLAIN}"
        except UnicodeEncodeError:
            pass  # no file can have that name: quoted below
    text = quote(queue, safe="", errors="surrogatepass")
    if len(text) < LONGEST_QUEUE:
        return f".{text}{_QUOTED}"
    return f".{_digest(queue)}{_HASHED}"


def queue_of(suffix: str) -> str | None:
    """Undo :func:`suffix_of`; None if the name was too long to be kept in it."""
    if suffix.endswith(_PLAIN):
        return suffix[1 : -len(_PLAIN)]
    if suffix.endswith(_QUOTED):
        return unquote(suffix[1 : -len(_QUOTED)], errors="surrogatepass")
    return None


def quoted(text: str, longest: int = 200) -> str:
    """Return a name of a file that stands for *text*, and for no other.

    Arguments:
        text: Any text.
        longest: Most characters of it; what is longer becomes a hash.
    """
    name = quote(text, safe="", errors="surrogatepass").replace(".", "%2E")
    return f"-{name}" if len(name) <= longest else f"h{_digest(text)}"


def unquoted(name: str) -> str:
    """Undo :func:`quoted` for what was short enough."""
    return unquote(name[1:], errors="surrogatepass")


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
