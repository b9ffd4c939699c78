"""Taking URLs apart.

Own code rather than :mod:`urllib.parse`, whose errors show what may be a
password, and which takes long to import.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kombu.exceptions import InvalidURL

__all__ = ("port_number", "split_url", "unquote", "url_to_parts", "urlparts")

_END_OF_AUTHORITY = re.compile(r"[/?#]")
_SCHEME = re.compile(r"[^/?#@]*")


class urlparts(NamedTuple):
    """Parts of a URL; what it does not have is None."""

    scheme: str
    hostname: str | None
    port: int | None
    username: str | None
    password: str | None
    path: str | None
    query: dict[str, str]


def url_to_parts(url: str) -> urlparts:
    """Take a URL apart.

    Args:
        url: A URL; without ``://`` it has no scheme.

    Raises:
        InvalidURL: If it can not be understood.  The text says what to change
            and shows no part of the URL but its scheme.
    """
    scheme, authority, rest = split_url(url)
    user_info, at_sign, host_info = authority.rpartition("@")
    if not at_sign:
        _refuse_cut_password(scheme, authority, rest)
    for bracket in "[]":
        if bracket in user_info:
            raise _unescaped(scheme, bracket)
    username, _, password = user_info.partition(":")
    hostname, port = _split_host(scheme, host_info, rest)
    path, _, rest = rest.partition("#")[0].partition("?")
    return urlparts(
        scheme,
        unquote(hostname) or None,
        port,
        unquote(username) or None,
        unquote(password) or None,
        unquote(path[1:]) or None,
        _parse_query(rest),
    )


def split_url(url: str) -> tuple[str, str, str]:
    """Split a URL into the scheme, what is before the path, and the rest."""
    url = url.strip(" \t\r\n\v\f\0")
    for invisible in "\t\r\n":  # as urllib does, such as from a wrapped line
        url = url.replace(invisible, "")
    scheme, separator, tail = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        scheme, tail = "", url
    end = _END_OF_AUTHORITY.search(tail)
    if end is None:
        return scheme.lower(), tail, ""
    return scheme.lower(), tail[: end.start()], tail[end.start() :]


def _split_host(scheme: str, host_info: str, rest: str) -> tuple[str, int | None]:
    if host_info.startswith("["):
        hostname, closing, port = host_info[1:].partition("]")
        if not closing or port[:1] not in ("", ":"):
            raise InvalidURL(
                f"invalid {scheme} URL: an IPv6 address is written in brackets, "
                "as in [::1]:5672"
            )
        port = port[1:]
    else:
        hostname, _, port = host_info.partition(":")
    if "[" in hostname or "]" in hostname + port:
        raise _unescaped(scheme, "[" if "[" in hostname else "]")
    if not port:
        return _lowered(hostname), None
    try:
        return _lowered(hostname), port_number(port)
    except InvalidURL:
        if "@" in rest:
            raise _unescaped(scheme, rest[0]) from None
        raise


def _lowered(hostname: str) -> str:
    """Return the name in small letters, but escapes and zones as they are."""
    name, percent, zone = hostname.partition("%")
    return f"{name.lower()}{percent}{zone}"


def port_number(port: str) -> int:
    # The value is not shown: it may be a password.
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise InvalidURL(
            "the port in the URL must be a number from 0 to 65535; if it is part "
            "of a password, encode '/', '?', '#' and '@' in that as %2F, %3F, "
            "%23 and %40"
        )
    return int(port)


def _refuse_cut_password(scheme: str, authority: str, rest: str) -> None:
    """Raise if the user name and password end the part before the host.

    That part ends at the first ``/``, ``?`` or ``#``.  When the host would
    have an empty port, or when there is an ``@`` in the fragment, which no
    broker URL has, then that character belongs to a password.
    """
    if "@" not in rest:
        return
    if authority.endswith(":"):
        raise _unescaped(scheme, rest[0])
    if "@" in rest.partition("#")[2]:
        raise _unescaped(scheme, "#")


def _unescaped(scheme: str, character: str) -> InvalidURL:
    return InvalidURL(
        f"invalid {scheme} URL: {character!r} in the user name or password must be "
        f"written as '%{ord(character):02X}' (kombu.utils.url.as_url() builds URLs "
        "from their parts)"
    )


def _parse_query(query: str) -> dict[str, str]:
    if "%" in query or "+" in query:
        from urllib.parse import parse_qsl

        return dict(parse_qsl(query))
    pairs = (field.partition("=") for field in query.split("&"))
    return {key: value for key, _, value in pairs if value}


def unquote(string: str) -> str:
    """Decode the percent escapes in a text."""
    if "%" not in string:
        return string
    from urllib.parse import unquote as decode

    return decode(string)
