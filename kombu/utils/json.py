"""JSON as this library writes and reads it.

Beyond what JSON has, it carries bytes, dates, times, decimals, UUIDs and any
type registered by :func:`register_type`, each in an object of two keys::

    {"__type__": "date", "__value__": "2024-02-29"}

Before kombu 5.3 such values were written as bare strings.  Reading accepts
both; :func:`write_plain_types` goes back to writing strings, for clients that
do not know the objects.

Speed: the C encoder is built once and called directly.  Reading uses the
plain C scanner, unless the text holds two underscores in a row, or an escape
that could hide them: only then can it contain one of these objects.
"""

from __future__ import annotations

import json
from json.decoder import JSONDecoder
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    EncoderT = Callable[[Any], Any]
    DecoderT = Callable[[Any], Any]

    # Found by __getattr__, which fills them at the first use.
    _encoders: dict[type, tuple[str | None, EncoderT]]
    _decoders: dict[str, DecoderT]

__all__ = (
    "JSONEncoder",
    "dumps",
    "loads",
    "object_hook",
    "register_type",
    "write_plain_types",
    "write_typed_values",
)

#: How each type is written: its marker (None for a bare value) and encoder.
_encoders_by_type: dict[type, tuple[str | None, EncoderT]] = {}
#: How the value of each marker is read.
_decoders_by_marker: dict[str, DecoderT] = {}
#: Whether the types of the library are registered, which is done when needed.
_has_default_types = False


class JSONEncoder(json.JSONEncoder):
    """Encodes the registered types, and objects with a ``__json__()`` method.

    Subclass it and pass the class as ``dumps(..., cls=...)`` to encode more.
    """

    def default(self, o: Any) -> Any:
        """Return what is written for *o*, for which JSON has no form.

        Raises:
            TypeError: If its type is not registered.
        """
        to_json = getattr(o, "__json__", None)
        if to_json is not None:
            return to_json()
        if type(o) is bytes and bytes not in _encoders_by_type:
            return _encode_bytes(o)
        found = _find_encoder(o)
        if found is not None:
            marker, encode = found
            return encode(o) if marker is None else _as(marker, encode(o))
        if isinstance(o, bytes):
            return _encode_bytes(o)
        return super().default(o)


def _as(t: str, v: Any) -> dict[str, Any]:
    """Return the object that stands for a value of a registered type."""
    return {"__type__": t, "__value__": v}


def _find_encoder(o: Any) -> tuple[str | None, EncoderT] | None:
    """Find the registration that is nearest to the class of *o*."""
    if not _has_default_types:
        _register_default_types()
    for base in type(o).__mro__:
        found = _encoders_by_type.get(base)
        if found is not None:
            return found
    # Abstract classes are no part of the method resolution order.
    for registered in reversed(_encoders_by_type):
        if isinstance(o, registered):
            return _encoders_by_type[registered]
    return None


def _encode_bytes(o: bytes) -> dict[str, Any]:
    try:
        return _as("bytes", o.decode("utf-8"))
    except UnicodeDecodeError:
        from binascii import b2a_base64

        return _as("base64", b2a_base64(o, newline=False).decode("ascii"))


def object_hook(o: dict[str, Any]) -> Any:
    """Return the value that a JSON object stands for, or else the object.

    Raises:
        ValueError: If its ``__type__`` is not registered.
    """
    if len(o) != 2 or "__type__" not in o or "__value__" not in o:
        return o
    if not _has_default_types:
        _register_default_types()
    marker = o["__type__"]
    decode = _decoders_by_marker.get(marker) if isinstance(marker, str) else None
    if decode is None:
        raise ValueError(
            f"Unsupported type {marker!r} in JSON: register it by "
            "kombu.utils.json.register_type()"
        )
    return decode(o["__value__"])


def dumps(
    s: Any,
    _dumps: Callable[..., str] = json.dumps,
    cls: type[json.JSONEncoder] | None = None,
    default_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> str:
    """Write *s* as JSON.

    Args:
        s: The value.
        _dumps: Replaces :func:`json.dumps`.
        cls: Encoder class; :class:`JSONEncoder` if None.
        default_kwargs: Options of :func:`json.dumps`.
        **kwargs: More of them, which go first.

    Returns:
        Text of ASCII characters, unless told otherwise.

    Raises:
        TypeError: If a value, or a key, has no form in JSON.
        ValueError: If a container holds itself.
    """
    if kwargs or default_kwargs or cls is not None or _dumps is not json.dumps:
        options = {**(default_kwargs or {}), **kwargs}
        return _dumps(s, cls=JSONEncoder if cls is None else cls, **options)
    try:
        return _encode(s)
    except RecursionError:
        # Too deep, or a circle: the slow way tells these apart.
        return _dumps(s, cls=JSONEncoder)


def loads(
    s: Any,
    _loads: Callable[..., Any] = json.loads,
    decode_bytes: bool = True,
    object_hook: Callable[[dict[str, Any]], Any] | None = object_hook,
) -> Any:
    """Read JSON.

    Args:
        s: Text, or bytes in UTF-8.
        _loads: Replaces :func:`json.loads`.
        decode_bytes: Whether bytes are decoded here; otherwise
            :func:`json.loads` does it, which finds out the encoding.
        object_hook: Called for each JSON object, returns what to use instead.
            By default it makes the registered types; None leaves all as it is.

    Raises:
        ValueError: If *s* is no JSON, or holds a type that is not registered.
        UnicodeDecodeError: If *s* is not in UTF-8.
    """
    if decode_bytes and type(s) is bytes:
        s = s.decode()
    elif type(s) is not str:
        if isinstance(s, memoryview):
            s = s.tobytes()
        if decode_bytes and isinstance(s, (bytes, bytearray)):
            s = s.decode("utf-8")
    if (
        object_hook is not _default_hook
        or _loads is not _standard_loads
        or not isinstance(s, str)
    ):
        return _loads(s, object_hook=object_hook)
    # "\u005f" is an underscore too.
    scan = _scan_typed if "__" in s or "\\u005" in s else _scan_plain
    try:
        value, end = scan(s, 0)
    except StopIteration:
        end = -1
    if end == len(s):
        return value
    # White space around the value, or an error: let the standard library see.
    return _loads(s, object_hook=object_hook)


def _identity(value: Any) -> Any:
    return value


def register_type(
    t: type,
    marker: str | None,
    encoder: EncoderT,
    decoder: DecoderT = _identity,
) -> None:
    """Say how values of a type are written to JSON and read back.

    The registration holds for subclasses too, unless they, or a class between,
    have one of their own.  A later one replaces an earlier one, and those that
    the library has itself.

    Args:
        t: The type.
        marker: Name of the type in JSON; if None, what *encoder* returns is
            written as it is, and is not turned back when read.
        encoder: Returns something that JSON has a form for.
        decoder: Makes the value again from what *encoder* returned.
    """
    if not _has_default_types:
        _register_default_types()
    _encoders_by_type[t] = (marker, encoder)
    if marker is not None:
        _decoders_by_marker[marker] = decoder


def write_plain_types(*types: type) -> None:
    """Write dates, times, decimals and UUIDs as bare strings.

    That is how kombu wrote them before 5.3: a date has the form of a datetime,
    UTC is ``Z``.  The receiver gets strings.  Both forms are always read.

    Args:
        *types: Any of datetime, date, time, Decimal and UUID; all if none is
            given.

    Raises:
        ValueError: If one of them has no plain form.
    """
    from kombu.utils import _json_types

    plain = _json_types.plain_encoders()
    unknown = [t.__name__ for t in types if t not in plain]
    if unknown:
        raise ValueError(
            f"no plain form of {', '.join(unknown)} is known: use "
            "register_type(type, None, encoder)"
        )
    for t in types or plain:
        register_type(t, None, plain[t])


def write_typed_values() -> None:
    """Write dates, times, decimals and UUIDs so that they are read as such.

    That is the default; it undoes :func:`write_plain_types`.
    """
    _register_default_types()


def _register_default_types() -> None:
    """Register what the library can write; imports uuid, decimal, datetime."""
    global _has_default_types
    from kombu.utils import _json_types

    _has_default_types = True
    for t, marker, encoder, decoder in _json_types.typed_codecs():
        _encoders_by_type[t] = (marker, encoder)
        _decoders_by_marker[marker] = decoder
    _decoders_by_marker.setdefault("bytes", _json_types.decode_bytes)
    _decoders_by_marker.setdefault("base64", _json_types.decode_base64)


def _default(o: Any) -> Any:
    return _shared_encoder.default(o)


def _make_encode() -> Callable[[Any], str]:
    """Build a function that writes JSON as ``JSONEncoder().encode`` does."""
    c_make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
    if c_make_encoder is None:  # no C code, as in PyPy
        return _shared_encoder.encode
    try:
        # Without the dictionary by which circles are found: one is needed per
        # call.  A circle ends in a RecursionError, see dumps.
        write = c_make_encoder(
            None,
            _default,
            encode_basestring_ascii,
            None,
            ": ",
            ", ",
            False,
            False,
            True,
        )
        write([], 0)
    except TypeError:  # a Python that builds it in another way
        return _shared_encoder.encode

    def encode(o: Any) -> str:
        return "".join(write(o, 0))

    return encode


def _make_scan(decoder: Any) -> Callable[[str, int], tuple[Any, int]]:
    """Return the function of a decoder that reads one value at an index."""
    scan: Callable[[str, int], tuple[Any, int]] = decoder.scan_once
    return scan


_shared_encoder = JSONEncoder()
_encode = _make_encode()
_default_hook = object_hook
_standard_loads = json.loads
_scan_plain = _make_scan(JSONDecoder())
_scan_typed = _make_scan(JSONDecoder(object_hook=object_hook))


def __getattr__(name: str) -> Any:
    if name in ("_encoders", "_decoders"):
        if not _has_default_types:
            _register_default_types()
        return _encoders_by_type if name == "_encoders" else _decoders_by_marker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
