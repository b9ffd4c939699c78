"""Turning Python objects into message bodies and back.

Each serializer has a name, used when sending, and a content type, which the
message carries and by which the receiver finds the decoder.

Safety: pickle and yaml, and whatever else may run code or eat memory, are
refused when received, unless enabled or asked for by ``accept``.  What is
refused is never decoded, not even in part.

The serializers that installed packages offer, in the entry point group
``kombu.serializers``, are looked for only when an unknown one is asked for.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu import _serializers
from kombu._serializers import (
    PICKLE_PROTOCOL,
    pickle_loads,
    raw_encode,
    unpickle,
)
from kombu.exceptions import (
    ContentDisallowed,
    DecodeError,
    EncodeError,
    SerializerNotInstalled,
)
from kombu.utils import json as _json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from contextlib import AbstractContextManager

    EncoderT = Callable[[Any], Any]
    DecoderT = Callable[[Any], Any]

__all__ = (
    "SKIP_DECODE",
    "TRUSTED_CONTENT",
    "SerializerRegistry",
    "codec",
    "disable_insecure_serializers",
    "dumps",
    "enable_insecure_serializers",
    "loads",
    "parenthesize_alias",
    "pickle",
    "pickle_loads",
    "pickle_protocol",
    "prepare_accept_content",
    "raw_encode",
    "register",
    "register_json",
    "register_msgpack",
    "register_pickle",
    "register_yaml",
    "registry",
    "unpickle",
    "unregister",
)

#: Content encodings of bodies that are no text.
SKIP_DECODE = frozenset({"binary", "ascii-8bit"})
#: Content types without a decoder: always accepted, as nothing can happen.
TRUSTED_CONTENT = frozenset({"application/data", "application/text"})
#: Content types for which no plug-in is looked for.
_PLAIN_CONTENT = TRUSTED_CONTENT | {"text/plain", "application/octet-stream"}

#: Protocol of the pickles that are written.
pickle_protocol = PICKLE_PROTOCOL

_ENTRY_POINT_GROUP = "kombu.serializers"
#: Tells "not given" from None.
NOTSET: Any = object()


class _UnknownSerializer(SerializerNotInstalled, KeyError):
    """There is no serializer of that name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class codec(NamedTuple):
    """How a serializer encodes."""

    content_type: str
    content_encoding: str
    encoder: EncoderT


class _Names(dict[str, Any]):
    """A dictionary that looks for plug-ins when a key is missing."""

    __slots__ = ("_look_for_plugins",)

    def __init__(self, look_for_plugins: Callable[[], bool]) -> None:
        super().__init__()
        self._look_for_plugins = look_for_plugins

    def __missing__(self, key: str) -> Any:
        if self._look_for_plugins() and key in self:
            return self[key]
        raise KeyError(key)


class SerializerRegistry:
    """The known serializers, by name and by content type."""

    def __init__(self) -> None:
        self._has_plugins = False
        self._encoders: dict[str, codec] = _Names(self._look_for_plugins)
        self._decoders: dict[str, DecoderT] = {}
        self._default_encode: Any = None
        self._default_content_type: Any = None
        self._default_content_encoding: Any = None
        self._disabled_content_types: set[str] = set()
        #: Name of the serializer of each content type.
        self.type_to_name: dict[str, str] = _Names(self._look_for_plugins)
        #: Content type of each name.
        self.name_to_type: dict[str, str] = _Names(self._look_for_plugins)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self.name_to_type)}>"

    def _look_for_plugins(self) -> bool:
        """Register what installed packages offer, once.

        Returns:
            Whether that was done now.
        """
        if self._has_plugins or self is not registry:
            return False
        self._has_plugins = True
        from kombu.utils.compat import plugins

        for name, args in plugins(_ENTRY_POINT_GROUP):
            if name not in self.name_to_type:
                self.register(name, *args)
        return True

    def register(
        self,
        name: str,
        encoder: EncoderT | None,
        decoder: DecoderT | None,
        content_type: str,
        content_encoding: str = "utf-8",
    ) -> None:
        """Add a serializer, or replace it.

        Args:
            name: Its name.
            encoder: Returns the body of an object; None if it only decodes.
            decoder: Returns the object of a body; None if it only encodes.
            content_type: MIME type of the bodies.
            content_encoding: Their encoding; ``binary`` if they are bytes.
        """
        if encoder:
            self._encoders[name] = codec(content_type, content_encoding, encoder)
        if decoder:
            self._decoders[content_type] = decoder
        self.type_to_name[content_type] = name
        self.name_to_type[name] = content_type

    def unregister(self, name: str) -> None:
        """Remove a serializer.

        Raises:
            SerializerNotInstalled: If there is none of that name.
        """
        try:
            content_type = self.name_to_type[name]
        except KeyError:
            raise _unknown("encoder/decoder", name, self) from None
        for known, key in (
            (self._decoders, content_type),
            (self.type_to_name, content_type),
            (self._encoders, name),
            (self.name_to_type, name),
        ):
            known.pop(key, None)

    def _content_type_of(self, name: str) -> str:
        if "/" in name:
            return name
        try:
            return self.name_to_type[name]
        except KeyError:
            raise _unknown("encoder/decoder", name, self) from None

    def enable(self, name: str) -> None:
        """Decode messages of a serializer, given by name or content type.

        Raises:
            SerializerNotInstalled: If there is none of that name.
        """
        self._disabled_content_types.discard(self._content_type_of(name))

    def disable(self, name: str) -> None:
        """Refuse messages of a serializer, given by name or content type.

        Raises:
            SerializerNotInstalled: If there is none of that name.
        """
        self._disabled_content_types.add(self._content_type_of(name))

    def _set_default_serializer(self, name: str) -> None:
        """Set the serializer used when none is asked for.

        Raises:
            SerializerNotInstalled: If there is none of that name.
        """
        (
            self._default_content_type,
            self._default_content_encoding,
            self._default_encode,
        ) = self._codec(name)

    def _codec(self, name: str) -> codec:
        try:
            return self._encoders[name]
        except KeyError:
            raise _unknown("encoder", name, self) from None

    def dumps(self, data: Any, serializer: str | None = None) -> tuple[Any, Any, Any]:
        """Encode *data* for sending.

        Args:
            data: An object.  Bytes and text are sent as they are, unless a
                serializer is asked for.
            serializer: Name of the serializer, ``raw`` for none; the default
                one if None.

        Returns:
            Content type, content encoding, and body.

        Raises:
            EncodeError: If the serializer can not encode *data*.
            SerializerNotInstalled: If there is no such serializer, or the
                package that it needs is missing.
        """
        if serializer:
            if serializer == "raw":
                return raw_encode(data)
            content_type, content_encoding, encode = self._codec(serializer)
        elif isinstance(data, bytes):
            return "application/data", "binary", data
        elif isinstance(data, str):
            return "text/plain", "utf-8", data.encode("utf-8")
        else:
            content_type = self._default_content_type
            content_encoding = self._default_content_encoding
            encode = self._default_encode
        try:
            return content_type, content_encoding, encode(data)
        except SerializerNotInstalled:
            raise
        except Exception as exc:
            raise EncodeError(exc) from exc

    def loads(
        self,
        data: Any,
        content_type: str | None,
        content_encoding: str | None,
        accept: Collection[str] | None = None,
        force: bool = False,
        _trusted_content: Collection[str] = TRUSTED_CONTENT,
    ) -> Any:
        """Decode a received body.

        Args:
            data: The body: text, bytes, or a view of bytes.
            content_type: Its MIME type; none means bytes or text.
            content_encoding: Its encoding; UTF-8 if none.
            accept: Content types, or names of serializers, that may be
                decoded.  If None, all that are not disabled.
            force: Decode disabled content types too; does not override
                *accept*.

        Returns:
            The object.  A body without a decoder becomes text, unless its
            encoding is binary.

        Raises:
            ContentDisallowed: If the content type is refused.
            DecodeError: If the body can not be decoded.
            SerializerNotInstalled: If the package that is needed is missing.
        """
        content_type = content_type or "application/data"
        decode = self._decoders.get(content_type)
        if decode is None and content_type not in _PLAIN_CONTENT:
            self._look_for_plugins()
            decode = self._decoders.get(content_type)
        if accept is not None:
            if content_type not in _trusted_content and not self._is_accepted(
                content_type, accept
            ):
                raise self._for_untrusted_content(content_type, "untrusted")
        elif content_type in self._disabled_content_types and not force:
            raise self._for_untrusted_content(content_type, "disabled")
        if not data:
            return data
        try:
            if decode is not None:
                return decode(data)
            encoding = (content_encoding or "utf-8").lower()
            if encoding in SKIP_DECODE or isinstance(data, str):
                return data
            return codecs.decode(data, encoding)
        except SerializerNotInstalled:
            raise
        except Exception as exc:
            raise DecodeError(exc) from exc

    def _is_accepted(self, content_type: str, accept: Collection[str]) -> bool:
        if content_type in accept:
            return True
        name = dict.get(self.type_to_name, content_type)
        return name is not None and name in accept

    def _for_untrusted_content(self, ctype: str, why: str) -> ContentDisallowed:
        name = dict.get(self.type_to_name, ctype, ctype)
        return ContentDisallowed(
            f"Refusing to deserialize {why} content of type "
            f"{parenthesize_alias(name, ctype)}"
        )


def parenthesize_alias(first: str, second: str) -> str:
    """Return ``first (second)``."""
    return f"{first} ({second})"


def _unknown(what: str, name: Any, known: SerializerRegistry) -> _UnknownSerializer:
    return _UnknownSerializer(
        f"No {what} installed for {name}. There are: "
        f"{', '.join(known.name_to_type)}. Others are added by "
        "kombu.serialization.register()"
    )


#: The serializers of this process.
registry = SerializerRegistry()
dumps = registry.dumps
loads = registry.loads
register = registry.register
unregister = registry.unregister


def register_json() -> None:
    """Register the serializer ``json``."""
    registry.register("json", _json.dumps, _json.loads, "application/json", "utf-8")


def register_yaml() -> None:
    """Register the serializer ``yaml``, which needs PyYAML when it is used."""
    registry.register(
        "yaml",
        _serializers.yaml_dumps,
        _serializers.yaml_loads,
        "application/x-yaml",
        "utf-8",
    )


def register_pickle() -> None:
    """Register the serializer ``pickle``.

    Whoever can send a pickle can run any code in the process that reads it.
    """
    registry.register(
        "pickle",
        _serializers.pickle_dumps,
        unpickle,
        "application/x-python-serialize",
        "binary",
    )


def register_msgpack() -> None:
    """Register the serializer ``msgpack``, which needs msgpack when it is used."""
    registry.register(
        "msgpack",
        _serializers.msgpack_dumps,
        _serializers.msgpack_loads,
        "application/x-msgpack",
        "binary",
    )


def enable_insecure_serializers(choices: Iterable[str] | None = NOTSET) -> None:
    """Decode messages of serializers that are refused by default.

    Args:
        choices: Names or content types; pickle, yaml and msgpack if not given.
            Unknown ones are left out.
    """
    choices = ["pickle", "yaml", "msgpack"] if choices is NOTSET else choices
    for choice in choices or ():
        try:
            registry.enable(choice)
        except KeyError:
            continue  # nothing to enable


def disable_insecure_serializers(allowed: Iterable[str] | None = NOTSET) -> None:
    """Refuse messages of all serializers but some.

    Args:
        allowed: Names or content types; json if not given, nothing if None.

    Raises:
        SerializerNotInstalled: If one of them is unknown.
    """
    registry._look_for_plugins()
    registry._disabled_content_types.update(registry._decoders)
    for name in ["json"] if allowed is NOTSET else (allowed or ()):
        registry.enable(name)


def prepare_accept_content(
    content_types: Iterable[str] | None, name_to_type: dict[str, str] | None = None
) -> Any:
    """Return the content types of a list that may hold names of serializers.

    Args:
        content_types: Names and content types, or None.
        name_to_type: Content types by name; those registered by default.

    Returns:
        A set, or what was given if it is None.

    Raises:
        SerializerNotInstalled: If a name is unknown.
    """
    if content_types is None:
        return None
    names = registry.name_to_type if name_to_type is None else name_to_type
    prepared = set()
    for content_type in content_types:
        try:
            found = content_type if "/" in content_type else names[content_type]
        except KeyError:
            raise _unknown("encoder/decoder", content_type, registry) from None
        prepared.add(found)
    return prepared


def _reraise_errors(
    wrapper: type[BaseException],
    include: Any = (Exception,),
    exclude: Any = (SerializerNotInstalled,),
) -> AbstractContextManager[None]:
    """Return a context manager that raises errors as *wrapper*.

    Args:
        wrapper: Called with the error, which becomes its cause.
        include: Errors to wrap.
        exclude: Errors to leave alone.
    """
    from contextlib import contextmanager

    @contextmanager
    def wrap() -> Iterator[None]:
        try:
            yield
        except exclude:
            raise
        except include as exc:
            raise wrapper(exc) from exc

    return wrap()


register_json()
register_pickle()
register_yaml()
register_msgpack()
registry._set_default_serializer("json")
registry.disable("pickle")
registry.disable("yaml")
registry.disable("msgpack")


if TYPE_CHECKING:
    import pickle


def __getattr__(name: str) -> Any:
    if name == "pickle":
        import pickle

        globals()["pickle"] = pickle
        return pickle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
