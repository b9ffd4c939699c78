"""How bodies are written into the envelope."""

from __future__ import annotations

from base64 import b64decode, b64encode

__all__ = ("Base64", "Base64Text")


class Base64Text(str):
    """Text that is known to be base64: nothing in it has to be escaped."""

    __slots__ = ()


class Base64:
    """Bodies as base64 text (RFC 4648): what peers expect by default."""

    def encode(self, s: str | bytes) -> str:
        """Return *s* (text as UTF-8) in base64."""
        data = s.encode() if isinstance(s, str) else s
        return Base64Text(b64encode(data), "ascii")

    def decode(self, s: str | bytes) -> bytes:
        """Return what :meth:`encode` was given, as bytes."""
        return b64decode(s)
