"""Compressing message bodies.

Each method has a MIME type, which the message carries in its header
``compression``, and short names.  The library that does the work is imported
when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu import _compressors
from kombu.exceptions import DecodeError, KombuError
from kombu.utils.encoding import ensure_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    CodecT = Callable[[Any], bytes]

__all__ = (
    "CompressionNotInstalled",
    "compress",
    "decompress",
    "encoders",
    "get_decoder",
    "get_encoder",
    "register",
)

_aliases: dict[str, str] = {}
_encoders: dict[str, CodecT] = {}
_decoders: dict[str, CodecT] = {}


class CompressionNotInstalled(KombuError, KeyError):
    """The compression method is unknown, or its package is missing."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def register(
    encoder: CodecT | None,
    decoder: CodecT | None,
    content_type: str,
    aliases: Iterable[str] | None = None,
) -> None:
    """Add a compression method, or replace it.

    Args:
        encoder: Compresses bytes.
        decoder: Restores them.
        content_type: MIME type of the method.
        aliases: Its short names.
    """
    if encoder is not None or content_type not in _encoders:
        _encoders[content_type] = encoder  # type: ignore[assignment]
    if decoder is not None or content_type not in _decoders:
        _decoders[content_type] = decoder  # type: ignore[assignment]
    _aliases.update((alias, content_type) for alias in aliases or ())


def encoders() -> list[str]:
    """Return the MIME types of the methods that can be used here."""
    return [name for name in _encoders if _compressors.is_usable(name)]


def _resolve(t: str, known: dict[str, CodecT]) -> tuple[CodecT, str]:
    content_type = _aliases.get(t, t)
    try:
        found = known[content_type]
    except KeyError:
        names = ", ".join(sorted({*_aliases, *_encoders}))
        raise CompressionNotInstalled(
            f"No compression method {t!r} is known. There are: {names}. "
            "Others are added by kombu.compression.register()"
        ) from None
    if not _compressors.is_usable(content_type):
        raise CompressionNotInstalled(_compressors.how_to_install(content_type, t))
    return found, content_type


def get_encoder(t: str) -> tuple[CodecT, str]:
    """Return the function that compresses, and the MIME type.

    Args:
        t: MIME type or short name.

    Raises:
        CompressionNotInstalled: If the method is unknown, or the package that
            it needs is missing; it is a :exc:`KeyError` too.
    """
    return _resolve(t, _encoders)


def get_decoder(t: str) -> CodecT:
    """Return the function that restores compressed bytes.

    Args:
        t: MIME type or short name.

    Raises:
        CompressionNotInstalled: As :func:`get_encoder`.
    """
    return _resolve(t, _decoders)[0]


def compress(body: bytes | str, content_type: str) -> tuple[bytes, str]:
    """Compress a body.

    Args:
        body: Bytes, or text, which is encoded as UTF-8.
        content_type: MIME type or short name of the method.

    Returns:
        The compressed bytes and the MIME type.

    Raises:
        CompressionNotInstalled: As :func:`get_encoder`.
    """
    encoder, content_type = get_encoder(content_type)
    return encoder(ensure_bytes(body)), content_type


def decompress(body: bytes, content_type: str) -> bytes:
    """Restore a compressed body.

    Args:
        body: The compressed bytes.
        content_type: MIME type or short name of the method.

    Raises:
        CompressionNotInstalled: As :func:`get_encoder`.
        DecodeError: If the body is damaged; the error of the library that
            does the work is its cause, and it is of that class too.
    """
    decoder = get_decoder(content_type)
    try:
        return decoder(body)
    except KombuError:
        raise
    except Exception as exc:
        raise _damaged(exc, content_type) from exc


def _damaged(exc: Exception, content_type: str) -> DecodeError:
    """Return an error that is caught as DecodeError and as what *exc* is."""
    text = f"Could not decompress a body of type {content_type}: {exc}"
    try:
        return _damage_class(type(exc))(text)
    except TypeError:  # classes that can not be combined, or want more arguments
        return _Damaged(text)


class _Damaged(DecodeError):
    """A compressed body is damaged."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The combined classes are made on the fly and can not be found by name.
        return (DecodeError, self.args)


def _damage_class(raw: type[Exception]) -> type[_Damaged]:
    if raw not in _damage_classes:
        _damage_classes[raw] = type("DecodeError", (_Damaged, raw), {})
    return _damage_classes[raw]


_damage_classes: dict[type[Exception], type[_Damaged]] = {}

for _method in _compressors.METHODS:
    register(
        _method.compress, _method.decompress, _method.content_type, _method.aliases
    )
del _method
