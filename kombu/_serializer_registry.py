"""The registry behind :mod:`kombu.serialization`."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu._serializers import raw_encode
from kombu.exceptions import (
    ContentDisallowed,
    DecodeError,
    EncodeError,
    SerializerNotInstalled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    EncoderT = Callable[[Any], Any]
    DecoderT = Callable[[Any], Any]

__all__ = (
    "SKIP_DECODE",
    "TRUSTED_CONTENT",
    "SerializerRegistry",
    "codec",
    "parenthesize_alias",
    "unknown_serializer",
)

#: Content encodings of bodies that are no text.
SKIP_DECODE = frozenset({"binary", "ascii-8bit"})
#: Content types without a decoder: always accepted, as nothing can happen.
TRUSTED_CONTENT = frozenset({"application/data", "application/text"})
#: Content types for which no plug-in is looked for.
_PLAIN_CONTENT = TRUSTED_CONTENT | {"text/plain", "application/octet-stream"}


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

    #: Entry point group of more serializers, looked for when one is unknown.
    _plugin_group: str | None = None

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
        if self._has_plugins or self._plugin_group is None:
            return False
        self._has_plugins = True
        from kombu.utils.compat import plugins

        for name, args in plugins(self._plugin_group):
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
            raise unknown_serializer("encoder/decoder", name, self) from None
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
            raise unknown_serializer("encoder/decoder", name, self) from None

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
            raise unknown_serializer("encoder", name, self) from None

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


def unknown_serializer(
    what: str, name: Any, known: SerializerRegistry
) -> _UnknownSerializer:
    return _UnknownSerializer(
        f"No {what} installed for {name}. There are: "
        f"{', '.join(known.name_to_type)}. Others are added by "
        "kombu.serialization.register()"
    )
