"""Building URLs, and showing them without secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kombu.exceptions import InvalidURL
from kombu.utils._url_parts import split_url, url_to_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("as_url", "maybe_sanitize_url", "safequote", "sanitize_url")

#: What may stand in a path as it is: all but what ends it, escapes, controls,
#: spaces (cut off at the ends), and what separates alternative URLs.
_UNSAFE_IN_PATH = re.compile(r"[%?#;\x00-\x20\x7f]")
_IPV6_HOST = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:.]+(%.*)?", re.DOTALL)
_QUERY = re.compile(r"[\w.-]+=[^?#]*$")
_SEPARATED_URL = re.compile(r";(?=[^;/?#@]*://)")
#: Schemes that have the secret in the place of the user name.
_SECRET_USER_SCHEMES = frozenset({"azurestoragequeues"})
#: Keys of the query that hold something secret.
_SECRET_KEY = re.compile(r"pass|secret|token|credential|(^|_)key$", re.IGNORECASE)


def safequote(string: str) -> str:
    """Encode everything but letters, digits and ``_.-~`` as percent escapes."""
    if string.isascii() and string.isalnum():
        return string
    from urllib.parse import quote

    return quote(string, safe="")


def _quote_path(path: str) -> str:
    return _UNSAFE_IN_PATH.sub(lambda match: f"%{ord(match.group()):02X}", path)


def _quote_host(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if _IPV6_HOST.fullmatch(host):
        address, percent, zone = host.partition("%")
        return f"[{address}%25{safequote(zone)}]" if percent else f"[{address}]"
    return safequote(host)


def as_url(
    scheme: str,
    host: str | None = None,
    port: int | str | None = None,
    user: str | None = None,
    password: str | None = None,
    path: str | None = None,
    query: Mapping[str, Any] | None = None,
    sanitize: bool = False,
    mask: str | None = "**",
) -> str:
    """Build a URL from its parts, encoding what has to be.

    Args:
        scheme: Name of the transport.
        host: Host name or address.
        port: Port; left out if None or 0.
        user: User name, as it is.
        password: Password, as it is.
        path: Virtual host, as it is.
        query: Keys and values of the query.
        sanitize: Whether to put *mask* in the place of secrets.
        mask: Any text.
    """
    parts = [f"{scheme}://"]
    if user or password:
        parts.append(safequote(user) if user else "")
        if password:
            secret = (mask or "") if sanitize else safequote(password)
            parts.append(f":{secret}")
        parts.append("@")
    parts.append(_quote_host(host) if host else "")
    if port:
        parts.append(f":{port}")
    parts.append(f"/{_quote_path(path) if path else ''}")
    if query:
        parts.append(f"?{_encode_query(query, sanitize, mask or '')}")
    return "".join(parts)


def _encode_query(query: Mapping[str, Any], sanitize: bool, mask: str) -> str:
    from urllib.parse import urlencode

    return urlencode(
        {
            key: mask if sanitize and _SECRET_KEY.search(key) else value
            for key, value in query.items()
        },
        safe=mask if sanitize else "",
    )


def sanitize_url(url: str, mask: str = "**") -> str:
    """Return a URL that can be shown: without password and query.

    Never raises: of a URL that can not be understood, all that may be secret
    is left out.

    Args:
        url: One URL, or several with ``;`` between them.
        mask: What to show for a secret.
    """
    parts = _SEPARATED_URL.split(url)
    if len({part.partition("://")[0] for part in parts}) > 1:
        parts = [url]  # may as well be part of a password: mask more
    return ";".join(_sanitize(part, mask) for part in parts)


def _sanitize(url: str, mask: str) -> str:
    scheme, authority, rest = split_url(url)
    if scheme in _SECRET_USER_SCHEMES or _password_may_go_on(rest, authority):
        return _sanitize_unclear(scheme, authority + rest, mask)
    try:
        parts = url_to_parts(url)
    except InvalidURL:
        return _sanitize_unclear(scheme, authority + rest, mask)
    return as_url(*parts[:-1], sanitize=True, mask=mask)


def _password_may_go_on(rest: str, authority: str) -> bool:
    """Return whether what seems to follow the host may belong to a password.

    Then there is an ``@`` in it.  One in the value of a query is harmless,
    if there is one before the host too.
    """
    before_query, _, query = rest.partition("?")
    if "@" in authority and "@" not in before_query:
        return "@" in query and not _QUERY.match(query)
    return "@" in rest and ":" in authority + rest


def _sanitize_unclear(scheme: str, text: str, mask: str) -> str:
    """Mask all from the first colon to the last ``@``, or else to the end."""
    secret, at_sign, host = text.rpartition("@")
    if scheme in _SECRET_USER_SCHEMES:
        return f"{scheme}://{mask}{at_sign}{_without_query(host) if at_sign else ''}"
    if not at_sign:
        secret, host = text, ""
    user, colon, _ = secret.partition(":")
    masked = f"{colon}{mask}" if colon else ""
    return f"{scheme}://{_without_query(user)}{masked}{at_sign}{_without_query(host)}"


def _without_query(text: str) -> str:
    return re.split(r"[?#]", text, maxsplit=1)[0]


def maybe_sanitize_url(url: Any, mask: str = "**") -> Any:
    """Return what can be shown of *url*, which may be anything.

    Args:
        url: A URL, or a list of them; anything else is returned as it is.
        mask: What to show for a secret.
    """
    if isinstance(url, str) and "://" in url:
        return sanitize_url(url, mask)
    if isinstance(url, (list, tuple)):
        return type(url)([maybe_sanitize_url(part, mask) for part in url])
    return url
