"""Text and bytes: conversions that never fail on a value of another type.

The ``safe_*`` functions are for logging: whatever they are given, they return
a printable string and do not raise.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO, overload

__all__ = (
    "bytes_to_str",
    "default_encode",
    "default_encoding",
    "ensure_bytes",
    "from_utf8",
    "get_default_encoding_file",
    "safe_repr",
    "safe_str",
    "set_default_encoding_file",
    "str_to_bytes",
)

#: Encodings that can hold some of Unicode only; text is shown as UTF-8 then.
_NARROW_ENCODINGS = frozenset({"ascii", "ansi_x3.4-1968", "us-ascii", "646"})

#: File whose encoding is used for safe strings, set by
#: :func:`set_default_encoding_file`.
default_encoding_file: TextIO | None = None


def set_default_encoding_file(file: TextIO | None) -> None:
    """Set the file whose encoding :func:`default_encoding` reports."""
    global default_encoding_file
    default_encoding_file = file


def get_default_encoding_file() -> TextIO | None:
    """Return the file set by :func:`set_default_encoding_file`."""
    return default_encoding_file


def default_encoding(file: TextIO | None = None) -> str:
    """Return the encoding of *file*, or of the interpreter.

    Args:
        file: An open file; the one set as default if None.
    """
    file = file or default_encoding_file
    encoding = getattr(file, "encoding", None) or sys.getfilesystemencoding()
    return "utf-8" if encoding.lower() in _NARROW_ENCODINGS else encoding


@overload
def str_to_bytes(s: str) -> bytes: ...
@overload
def str_to_bytes(s: bytes) -> bytes: ...
@overload
def str_to_bytes(s: Any) -> Any: ...
def str_to_bytes(s: Any) -> Any:
    """Encode *s* as UTF-8 if it is text, else return it as it is."""
    return s.encode() if isinstance(s, str) else s


@overload
def bytes_to_str(s: str) -> str: ...
@overload
def bytes_to_str(s: bytes) -> str: ...
@overload
def bytes_to_str(s: Any) -> Any: ...
def bytes_to_str(s: Any) -> Any:
    """Decode *s* from UTF-8 if it is bytes, else return it as it is.

    Bytes that are no UTF-8 become U+FFFD.
    """
    return s.decode(errors="replace") if isinstance(s, bytes) else s


def ensure_bytes(s: Any) -> Any:
    """Encode *s* as UTF-8 if it is text, else return it as it is."""
    return str_to_bytes(s)


def from_utf8(s: Any, *args: Any, **kwargs: Any) -> Any:
    """Return *s* as it is: text needs no decoding."""
    return s


def default_encode(obj: Any) -> Any:
    """Return *obj* as it is: text needs no encoding."""
    return obj


def safe_str(s: Any, errors: str = "replace") -> str:
    """Return *s* as text; never raises.

    Bytes are decoded as UTF-8, and what is neither text nor bytes is shown by
    its ``repr``.

    Args:
        s: Anything.
        errors: How :meth:`bytes.decode` treats bytes that are no UTF-8.
    """
    if isinstance(s, bytes):
        return s.decode(errors=errors)
    return _safe_str(s, errors) if isinstance(s, str) else safe_repr(s, errors)


def safe_repr(o: Any, errors: str = "replace") -> str:
    """Return ``repr(o)``, or a description of *o* if that raises."""
    try:
        return repr(o)
    except Exception:
        return _safe_str(o, errors)


def _safe_str(s: Any, errors: str = "replace") -> str:
    """Return ``str(s)``, or a description of *s* if that raises."""
    try:
        return s if type(s) is str else str(s)
    except Exception as exc:
        return f"<Unrepresentable {type(s)!r}: {_describe(exc)}>"


def _describe(exc: BaseException) -> str:
    """Show an error whose own ``repr`` may be broken too."""
    try:
        return repr(exc)
    except Exception:
        return type(exc).__name__
