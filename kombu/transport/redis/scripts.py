"""The scripts that run in the server: each a file in ``lua/``, whose header lists its keys."""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from pathlib import Path

from kombu.transport.redis.resp import Part, part

__all__ = ("Script", "script")

_FOLDER = Path(__file__).parent / "lua"


class Script:
    """One script, ready to be called.

    Arguments:
        name: Name of its file, without the ending.
        rings_by_channel: Whether those who wait are woken by a message on a
            channel, as in a cluster.
    """

    __slots__ = ("by_digest", "by_text", "name")

    def __init__(self, name: str, rings_by_channel: bool) -> None:
        flag = "true" if rings_by_channel else "false"
        files = ("common.lua", f"{name}.lua")
        parts = [(_FOLDER / file).read_text(encoding="utf-8") for file in files]
        text = "\n".join([f"local rings_by_channel = {flag}", *parts])
        self.name = name
        self.by_text = part("EVAL", text)
        # The server's name for it (EVALSHA), not a safeguard.
        digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.by_digest = part("EVALSHA", digest)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"

    def call(
        self, keys: Part, *arguments: Part, whole: bool = False
    ) -> tuple[Part, ...]:
        """Return the parts of a command that runs it.

        Arguments:
            keys: Its keys.
            *arguments: The rest.
            whole: Whether to send the text: the server does not know it yet.
        """
        begin = self.by_text if whole else self.by_digest
        return (begin, part(keys.number), keys, *arguments)


@cache
def script(name: str, rings_by_channel: bool = False) -> Script:
    """Return the script *name*."""
    return Script(name, rings_by_channel)
