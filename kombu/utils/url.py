"""Broker URLs: taking them apart, building them, showing them without secrets.

The form is ``transport://user:password@host:port/virtual_host?key=value``.
Percent escapes are decoded in every part.  One leading slash of the path is
no part of the virtual host: that of ``amqp://host//`` is ``/``.

A user name or password that holds one of ``/ # ? [ ]`` must have it encoded,
since the URL would mean something else, and ``%`` before two hexadecimal
digits too.  :func:`as_url` does it.
"""

from __future__ import annotations

from typing import Any

from kombu.exceptions import InvalidURL
from kombu.utils._url_building import (
    as_url,
    maybe_sanitize_url,
    safequote,
    sanitize_url,
)
from kombu.utils._url_parts import port_number, unquote, url_to_parts, urlparts

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
        parameters["port"] = port_number(query["port"])
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


#: Older name of :func:`url_to_parts`.
_parse_url = url_to_parts


def __getattr__(name: str) -> Any:
    if name in ("urlparse", "quote", "parse_qsl"):
        import urllib.parse

        return getattr(urllib.parse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
