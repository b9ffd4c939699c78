"""The envelope as text, for stores that keep text: the JSON that kombu writes.

A body in base64 needs no escaping, so that it is spliced in and cut out, and
does not pass through the JSON codec a second time.
"""

from __future__ import annotations

from typing import Any

from kombu.transport.virtual.codecs import Base64Text
from kombu.utils.json import dumps, loads

__all__ = ("pack", "unpack")

_BEGIN = '{"body": "'


def pack(envelope: Any) -> str:
    """Return *envelope* as ASCII text, as old peers read it.

    Raises:
        EncodeError: Something in it has no form in JSON.
    """
    body = envelope.get("body") if type(envelope) is dict else None
    # What merely says that it is base64 is not believed.
    if type(body) is not Base64Text or len(envelope) < 2:
        return dumps(envelope)
    rest = {name: value for name, value in envelope.items() if name != "body"}
    return f'{_BEGIN}{body}", {dumps(rest)[1:]}'


def unpack(text: str | bytes) -> Any:
    """Return the envelope in *text*; or *text*, if it is no JSON.

    Whatever it is will be a message: one that can not be decoded.
    """
    try:
        if isinstance(text, bytes):
            data = text.decode()
        else:
            data = text
        if data.startswith(_BEGIN):
            end = data.index('"', len(_BEGIN))
            body = data[len(_BEGIN) : end]
            if "\\" not in body and data.startswith('", "', end):
                envelope = loads("{" + data[end + 3 :])
                return {"body": _checked(body, envelope), **envelope}
        return loads(data)
    except (ValueError, RecursionError):
        return text


def _checked(body: str, rest: dict[str, Any]) -> str:
    """Return *body*, which had nothing to be unescaped, for the next time."""
    properties = rest.get("properties")
    if isinstance(properties, dict) and properties.get("body_encoding") == "base64":
        return Base64Text(body)
    return body
