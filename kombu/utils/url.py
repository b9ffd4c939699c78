"""Broker URLs: taking them apart, building them, showing them without secrets.

The form is ``transport://user:password@host:port/virtual_host?key=value``.
Percent escapes are decoded in every part.  One leading slash of the path is
no part of the virtual host: that of ``amqp://host//`` is ``/``.

A user name or password that holds one of ``/ # ? [ ]`` must have it encoded,
since the URL would mean something else, and ``%`` before two hexadecimal
digits too.  :func:`as_url` does it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.exceptions import InvalidURL

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "as_url",
    "maybe_sanitize_url",
    "parse_ssl_cert_reqs",
    "parse_url",
    "safequote",
    "sanitize_url",
    "unquote",
    "url_to_parts",
    "urlparts",
)

#: What may stand in a path as it is: all but what ends it, escapes, controls,
#: spaces (cut off at the ends), and what separates alternative URLs.
_UNSAFE_IN_PATH = re.compile(r"[%?#;\x00-\x20\x7f]")
_IPV6_HOST = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:.]+(%.*)?", re.DOTALL)
_QUERY = re.compile(r"[\w.-]+=[^?#]*$")
_SCHEME = re.compile(r"[^/?#@]*")
_SEPARATED_URL = re.compile(r";(?=[^;/?#@]*://)")
#: Schemes that have the secret in the place of the user name.
_SECRET_USER_SCHEMES = frozenset({"azurestoragequeues"})
#: Keys of the query that hold something secret.
_SECRET_KEY = re.compile(r"pass|secret|token|credential|(^|_)key$", re.IGNORECASE)

#: Names of :mod:`ssl`, and what may be written for them in a URL.
_SSL_CERT_REQS = {
    "cert_none": "CERT_NONE",
    "none": "CERT_NONE",
    "cert_optional": "CERT_OPTIONAL",
    "optional": "CERT_OPTIONAL",
    "cert_required": "CERT_REQUIRED",
    "required": "CERT_REQUIRED",
}


class _UnknownCertReqs(InvalidURL, KeyError):
    """There is no such way to check certificates."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class urlparts(NamedTuple):
    """Parts of a URL; what it does not have is None."""

    scheme: str
    hostname: str | None
    port: int | None
    username: str | None
    password: str | None
    path: str | None
    query: dict[str, str]


def parse_url(url: str) -> dict[str, Any]:
    """Return the arguments of a connection that a URL gives.

    Args:
        url: A broker URL.

    Returns:
        ``transport``, ``hostname``, ``port``, ``userid``, ``password``,
        ``virtual_host``, and the keys of the query, whose values are text.
        Keys that begin with ``ssl_`` become a dictionary ``ssl``, in which
        ``ssl_check_hostname`` is a bool and ``ssl_cert_reqs`` a constant of
        :mod:`ssl`.  The query may name what the URL has no other part for.
        A URL of a UNIX socket, with ``virtual_host`` in its query, has the
        path of the socket as ``hostname``.

    Raises:
        InvalidURL: If the URL can not be understood.
    """
    scheme, host, port, user, password, path, query = url_to_parts(url)
    if "virtual_host" in query and scheme.endswith("socket") and host is None:
        host, path = f"/{path or ''}", None
    parameters: dict[str, Any] = {
        "transport": scheme,
        "hostname": host,
        "port": port,
        "userid": user,
        "password": password,
        "virtual_host": path,
    }
    ssl_options = {}
    for key, value in query.items():
        if key.startswith("ssl_"):
            ssl_options[key] = _ssl_option(key, value)
        elif parameters.get(key) is None:
            parameters[key] = value
        else:
            raise InvalidURL(
                f"the query of a {scheme} URL sets {key!r}, but the URL has "
                "that part already: leave one of them out"
            )
    if "port" in query:
        parameters["port"] = _port_number(query["port"])
    if ssl_options:
        parameters["ssl"] = ssl_options
    return parameters


def _ssl_option(key: str, value: str) -> Any:
    if key == "ssl_check_hostname":
        return value.lower() != "false"
    return parse_ssl_cert_reqs(value) if key == "ssl_cert_reqs" else value


def parse_ssl_cert_reqs(query_value: str) -> Any:
    """Return the constant of :mod:`ssl` that says how to check certificates.

    Args:
        query_value: ``CERT_REQUIRED``, ``CERT_OPTIONAL`` or ``CERT_NONE``;
            small letters, and leaving out ``CERT_``, are allowed.

    Raises:
        InvalidURL: If it is anything else; it is a :exc:`KeyError` too.
    """
    import ssl

    is_text = isinstance(query_value, str)
    name = _SSL_CERT_REQS.get(query_value.lower()) if is_text else None
    if name is None:
        raise _UnknownCertReqs(
            f"ssl_cert_reqs must be CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE, "
            f"not {query_value!r}"
        )
    return getattr(ssl, name)


def url_to_parts(url: str) -> urlparts:
    """Take a URL apart.

    Args:
        url: A URL; without ``://`` it has no scheme.

    Raises:
        InvalidURL: If it can not be understood.  The text says what to change
            and shows no part of the URL but its scheme.
    """
    scheme, authority, rest = _split(url)
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


def _split(url: str) -> tuple[str, str, str]:
    """Split a URL into the scheme, what is before the path, and the rest."""
    url = url.strip(" \t\r\n\v\f\0")
    for invisible in "\t\r\n":  # as urllib does, such as from a wrapped line
        url = url.replace(invisible, "")
    scheme, separator, tail = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        scheme, tail = "", url
    end = min((i for i in map(tail.find, "/?#") if i >= 0), default=len(tail))
    return scheme.lower(), tail[:end], tail[end:]


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
        return _lowered(hostname), _port_number(port)
    except InvalidURL:
        if "@" in rest:
            raise _unescaped(scheme, rest[0]) from None
        raise


def _lowered(hostname: str) -> str:
    """Return the name in small letters, but escapes and zones as they are."""
    name, percent, zone = hostname.partition("%")
    return f"{name.lower()}{percent}{zone}"


def _port_number(port: str) -> int:
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
    if not query:
        return {}
    from urllib.parse import parse_qsl

    return dict(parse_qsl(query))


def unquote(string: str) -> str:
    """Decode the percent escapes in a text."""
    if "%" not in string:
        return string
    from urllib.parse import unquote as decode

    return decode(string)


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
    return ";".join(_sanitize(part, mask) for part in _SEPARATED_URL.split(url))


def _sanitize(url: str, mask: str) -> str:
    scheme, authority, rest = _split(url)
    if scheme in _SECRET_USER_SCHEMES or _may_end_in(rest, authority):
        return _sanitize_unclear(scheme, authority + rest, mask)
    try:
        parts = url_to_parts(url)
    except InvalidURL:
        return _sanitize_unclear(scheme, authority + rest, mask)
    return as_url(*parts[:-1], sanitize=True, mask=mask)


def _may_end_in(rest: str, authority: str) -> bool:
    """Return whether a password may go on in what comes after the host.

    Then there is an ``@`` in that.  One in the value of a query is harmless,
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


#: Older name of :func:`url_to_parts`.
_parse_url = url_to_parts


def __getattr__(name: str) -> Any:
    if name in ("urlparse", "quote", "parse_qsl"):
        import urllib.parse

        return getattr(urllib.parse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
