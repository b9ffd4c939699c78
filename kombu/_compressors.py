"""The compression methods that this library knows, one function per direction.

The libraries are imported at the first call.  Parts of the standard library
may be missing too, where Python was built without them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("METHODS", "Method", "how_to_install", "is_usable")

#: Modules any of which can do the work, by preference.
_BROTLI_MODULES = ("brotli", "brotlicffi")
_ZSTD_MODULES = ("zstandard", "compression.zstd", "backports.zstd")


class Method(NamedTuple):
    """A compression method."""

    content_type: str
    aliases: tuple[str, ...]
    compress: Callable[[Any], bytes]
    decompress: Callable[[Any], bytes]
    #: It can be used if one of these modules is there.
    modules: tuple[str, ...]
    #: Extra of this distribution that brings one; none for parts of Python.
    extra: str | None = None


def _zlib_compress(body: Any) -> bytes:
    import zlib

    return zlib.compress(body)


def _zlib_decompress(body: Any) -> bytes:
    import zlib

    return zlib.decompress(body)


def _bz2_compress(body: Any) -> bytes:
    import bz2

    return bz2.compress(body)


def _bz2_decompress(body: Any) -> bytes:
    import bz2

    return bz2.decompress(body)


def _lzma_compress(body: Any) -> bytes:
    import lzma

    return lzma.compress(body)


def _lzma_decompress(body: Any) -> bytes:
    import lzma

    return lzma.decompress(body)


def _brotli_compress(body: Any) -> bytes:
    compressed: bytes = _first_of(_BROTLI_MODULES).compress(body)
    return compressed


def _brotli_decompress(body: Any) -> bytes:
    restored: bytes = _first_of(_BROTLI_MODULES).decompress(body)
    return restored


def _zstd_compress(body: Any) -> bytes:
    compressed: bytes = _first_of(_ZSTD_MODULES).compress(body)
    return compressed


def _zstd_decompress(body: Any) -> bytes:
    zstd = _first_of(_ZSTD_MODULES)
    if zstd.__name__ != "zstandard":
        restored: bytes = zstd.decompress(body)
        return restored
    # Its one-step function wants the size in the frame, which not all write.
    stream = zstd.ZstdDecompressor().decompressobj()
    restored = stream.decompress(body)
    if not stream.eof:
        raise zstd.ZstdError("compressed data ended before the end of the frame")
    return restored


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except ImportError:  # its parent is missing
        return False


def _first_of(modules: tuple[str, ...]) -> Any:
    """Import the first of *modules* that is installed."""
    from importlib import import_module

    for module in modules:
        if _is_there(module):
            return import_module(module)
    raise ImportError(f"None of these modules is installed: {', '.join(modules)}")


METHODS = (
    Method(
        "application/x-gzip",
        ("gzip", "zlib"),
        _zlib_compress,
        _zlib_decompress,
        ("zlib",),
    ),
    Method(
        "application/x-bz2",
        ("bzip2", "bzip"),
        _bz2_compress,
        _bz2_decompress,
        ("_bz2",),
    ),
    Method(
        "application/x-brotli",
        ("brotli",),
        _brotli_compress,
        _brotli_decompress,
        _BROTLI_MODULES,
        "brotli",
    ),
    Method(
        "application/x-lzma",
        ("lzma", "xz"),
        _lzma_compress,
        _lzma_decompress,
        ("_lzma",),
    ),
    Method(
        "application/zstd",
        ("zstd", "zstandard"),
        _zstd_compress,
        _zstd_decompress,
        _ZSTD_MODULES,
        "zstd",
    ),
)
_BY_TYPE = {method.content_type: method for method in METHODS}
#: Methods found usable; looking for a module takes long.
_usable: set[str] = set()


def is_usable(content_type: str) -> bool:
    """Return whether a method can be used; others than ours always can."""
    if content_type in _usable or content_type not in _BY_TYPE:
        return True
    if any(map(_is_there, _BY_TYPE[content_type].modules)):
        _usable.add(content_type)
        return True
    return False


def how_to_install(content_type: str, name: str) -> str:
    """Say what is needed for a method that can not be used."""
    method = _BY_TYPE[content_type]
    if method.extra is None:
        return (
            f"Compression {name!r} can not be used: this Python was built without "
            f"the module {method.modules[0].lstrip('_')}"
        )
    return (
        f"Compression {name!r} needs the package {method.modules[0]}: "
        f"pip install 'kombu[{method.extra}]'"
    )
