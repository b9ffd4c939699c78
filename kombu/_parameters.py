"""What a connection is made with: from arguments and URL to parameters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kombu.exceptions import InvalidURL, TransportNotFound
from kombu.transport import check_scheme, get_transport_cls
from kombu.utils.functional import dictfilter
from kombu.utils.url import parse_url

__all__ = ("PARAMETER_NAMES", "parse_host", "parses_url_by_itself")

#: Parameters that a URL, or a host of a failover list, may change.
PARAMETER_NAMES = (
    "hostname",
    "userid",
    "password",
    "virtual_host",
    "port",
    "insist",
    "ssl",
    "transport",
    "connect_timeout",
    "login_method",
    "heartbeat",
    "credential_provider",
)


class UnknownURLParameter(InvalidURL, TypeError):
    """A broker URL has a parameter that a connection does not have."""


_NUMBERS = ("heartbeat", "connect_timeout")


def parses_url_by_itself(transport: Any) -> bool:
    """Return whether *transport* takes the URL whole.

    One that is not there does not: the error is raised when it is used.
    """
    try:
        return get_transport_cls(transport).can_parse_url
    except TransportNotFound:
        return False


def parse_host(host: str, transport: Any) -> tuple[dict[str, Any], str | None]:
    """Return the parameters that *host* gives, and the prefix of its scheme.

    Arguments:
        host: A URL, or the name of a host.
        transport: The transport to use, if not the URL's scheme.

    Raises:
        InvalidURL: The URL has parameters that a connection does not have.
    """
    if "://" not in host:
        return {"hostname": host}, None
    scheme = host.partition("://")[0]
    if "+" in scheme and parses_url_by_itself(scheme.partition("+")[0]):
        # As sqla+mysql://..., where the rest is a URL for the driver.
        prefix, _, rest = host.partition("+")
        return {"transport": prefix, "hostname": rest}, prefix
    if transport is None:
        transport = check_scheme(scheme)
    if parses_url_by_itself(transport):
        return {"transport": transport, "hostname": host}, None
    found = dict(_parameters_of(host))
    if isinstance(found.get("ssl"), dict):
        found["ssl"] = dict(found["ssl"])
    return {**found, "transport": transport}, None


@lru_cache(maxsize=128)
def _parameters_of(url: str) -> dict[str, Any]:
    """Return the parameters in *url*; pools make many connections from one."""
    parsed = parse_url(url)
    found = dictfilter(parsed)
    unknown = sorted(set(found) - set(PARAMETER_NAMES))
    if unknown:
        raise UnknownURLParameter(
            f"URL parameter {unknown[0]!r} is unknown: use one of "
            f"{', '.join(PARAMETER_NAMES[5:])}, or ssl_*; "
            "options of a transport go into transport_options"
        )
    for name in _NUMBERS:
        if isinstance(found.get(name), str):
            found[name] = _as_number(name, found[name])
    found["hostname"] = parsed["hostname"]
    return found


def _as_number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidURL(f"URL parameter {name!r} must be a number") from None
