"""The encoders and decoders behind the names of :mod:`kombu.serialization`.

The packages that they need are imported when something is first encoded or
decoded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kombu.exceptions import SerializerNotInstalled
from kombu.utils.encoding import str_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = (
    "msgpack_dumps",
    "msgpack_loads",
    "pickle_dumps",
    "pickle_loads",
    "raw_encode",
    "unpickle",
    "yaml_dumps",
    "yaml_loads",
)

#: Protocol of the pickles that are written, by the environment variable
#: ``PICKLE_PROTOCOL``.
PICKLE_PROTOCOL = int(os.environ.get("PICKLE_PROTOCOL", "4"))


def _missing(title: str, package: str, extra: str) -> SerializerNotInstalled:
    return SerializerNotInstalled(
        f"No decoder installed for {title}. Install the package {package}: "
        f"pip install 'kombu[{extra}]'"
    )


def raw_encode(data: Any) -> tuple[str, str, Any]:
    """Return *data* as it is, text as UTF-8, with its type and encoding."""
    if isinstance(data, str):
        return "application/data", "utf-8", data.encode("utf-8")
    return "application/data", "binary", data


def pickle_dumps(obj: Any) -> bytes:
    """Encode by pickle, in the protocol that is set."""
    import pickle

    from kombu import serialization

    return pickle.dumps(obj, protocol=serialization.pickle_protocol)


def pickle_loads(s: Any, load: Callable[[Any], Any] | None = None) -> Any:
    """Decode a pickle.

    Args:
        s: The pickle: bytes or anything like it.
        load: Reads a pickle from a file; :func:`pickle.load` by default.
    """
    if load is None:
        import pickle

        return pickle.loads(s)
    from io import BytesIO

    return load(BytesIO(s))


def unpickle(s: Any) -> Any:
    """Decode a pickle that may have become text on its way."""
    return pickle_loads(str_to_bytes(s))


def yaml_dumps(obj: Any) -> str:
    """Encode as YAML, plain types only."""
    try:
        import yaml
    except ImportError as exc:
        raise _missing("YAML", "PyYAML", "yaml") from exc
    text: str = yaml.safe_dump(obj)
    return text


def yaml_loads(s: Any) -> Any:
    """Decode YAML, plain types only."""
    try:
        import yaml
    except ImportError as exc:
        raise _missing("YAML", "PyYAML", "yaml") from exc
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(bytes(s) if isinstance(s, memoryview) else s, Loader=loader)


def msgpack_dumps(s: Any) -> Any:
    """Encode as MessagePack."""
    try:
        import msgpack
    except ImportError as exc:
        raise _missing("msgpack", "msgpack", "msgpack") from exc
    return msgpack.packb(s, use_bin_type=True)


def msgpack_loads(s: Any) -> Any:
    """Decode MessagePack."""
    try:
        import msgpack
    except ImportError as exc:
        raise _missing("msgpack", "msgpack", "msgpack") from exc
    return msgpack.unpackb(s, raw=False)
