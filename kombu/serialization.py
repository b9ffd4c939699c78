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

from typing import TYPE_CHECKING, Any

from kombu import _serializers
from kombu._serializer_registry import (
    SKIP_DECODE,
    TRUSTED_CONTENT,
    SerializerRegistry,
    codec,
    parenthesize_alias,
    unknown_serializer,
)
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
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

__all__ = (
    "SKIP_DECODE",
    "TRUSTED_CONTENT",
    "ContentDisallowed",
    "DecodeError",
    "EncodeError",
    "SerializerNotInstalled",
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

#: Protocol of the pickles that are written.
pickle_protocol = PICKLE_PROTOCOL

#: Tells "not given" from None.
NOTSET: Any = object()


#: The serializers of this process.
registry = SerializerRegistry()
registry._plugin_group = "kombu.serializers"
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
            raise unknown_serializer(
                "encoder/decoder", content_type, registry
            ) from None
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
