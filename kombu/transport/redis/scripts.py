"""The scripts that run in the server: each a file in ``lua/``, whose header lists its keys.

A script names in its first line the functions of ``lua/lib/`` that it uses, as do those
functions; it is sent with them, and with nothing else: the server makes each function
anew whenever the script runs.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from pathlib import Path

from kombu.transport.redis.resp import Part, part

__all__ = ("Script", "script")

_FOLDER = Path(__file__).parent / "lua"
_USES = "-- uses: "


class Script:
    """One script, ready to be called.

    Arguments:
        name: Name of its file, without the ending.
        rings_by_channel: Whether those who wait are woken by a message on a
            channel, as in a cluster.
    """

    __slots__ = ("by_digest", "by_text", "name")

    def __init__(self, name: str, rings_by_channel: bool) -> None:
        files = _with_uses(_FOLDER / f"{name}.lua", [])
        flag = "true" if rings_by_channel else "false"
        parts = [_text_of(file) for file in files]
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


def _text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _with_uses(file: Path, found: list[Path]) -> list[Path]:
    """Return *found*, with *file* and before it what it uses, each once."""
    first = _text_of(file).partition("\n")[0]
    if first.startswith(_USES):
        for name in first.removeprefix(_USES).split(", "):
            used = _FOLDER / "lib" / f"{name}.lua"
            if used not in found:
                _with_uses(used, found)
    found.append(file)
    return found


@cache
def script(name: str, rings_by_channel: bool = False) -> Script:
    """Return the script *name*."""
    return Script(name, rings_by_channel)
