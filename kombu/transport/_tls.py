"""TLS: every form of the ``ssl`` argument becomes a context that verifies.

===================  ============================================================
given                what is done
===================  ============================================================
``True``             certificates of the system, the name must be that of the host
a mapping            the same with what it says (see :data:`KEYS`)
an ``SSLContext``    taken as it is; so is ``{"context": ...}``
===================  ============================================================

The name that the certificate has to have is that of the host in use, which changes
when the connection fails over, unless ``server_hostname`` is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.utils.text import fmatch_best

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

__all__ = ("KEYS", "TLS", "InvalidTLS", "named_options")

#: Keys of the mapping, each with what it is for.
KEYS: dict[str, str] = {
    "context": "an SSLContext to use as it is",
    "ca_certs": "file with certificates of authorities to trust",
    "ca_path": "folder with such files",
    "ca_data": "such certificates themselves",
    "certfile": "file with our own certificate",
    "keyfile": "file with its key, if that is another one",
    "password": "password of the key",
    "cert_reqs": "CERT_REQUIRED (default), CERT_OPTIONAL or CERT_NONE",
    "check_hostname": "whether the certificate must name the host (default: true)",
    "server_hostname": "the name it must have, if not that of the host",
    "ciphers": "ciphers, as OpenSSL names them",
    "tls_minimum_version": "an ssl.TLSVersion",
    "tls_maximum_version": "an ssl.TLSVersion",
    "ssl_version": "no effect: the newest version that both sides have is used",
}

_ALIASES = {"cafile": "ca_certs", "capath": "ca_path", "cadata": "ca_data"}
_NO = frozenset({"0", "false", "no", "off"})


class InvalidTLS(KombuError, ValueError):
    """The ``ssl`` argument of a connection can not be understood."""


class TLS:
    """How to speak TLS: a context, and the name to ask for.

    Arguments:
        options: The ``ssl`` argument of the connection; not false.

    Raises:
        InvalidTLS: It has a key or value that means nothing.
    """

    def __init__(self, options: Any) -> None:
        import ssl

        self.server_hostname: str | None = None
        if isinstance(options, ssl.SSLContext):
            self.context = options
            return
        given = named_options(options if hasattr(options, "items") else {})
        self.server_hostname = given.pop("server_hostname", None)
        context = given.pop("context", None)
        self.context = _context(given) if context is None else context

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.context.verify_mode.name}>"

    def wrap(self, sock: Any, host: str) -> Any:
        """Return *sock*, connected to *host*, with TLS; the handshake is done."""
        return self.context.wrap_socket(
            sock, server_hostname=self.server_hostname or host
        )


def named_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return *options* by the names of :data:`KEYS`."""
    named = {}
    for key, value in options.items():
        name = key[4:] if key.startswith("ssl_") and key not in KEYS else key
        name = _ALIASES.get(name, name)
        if name not in KEYS:
            nearest = fmatch_best(name, KEYS, min_ratio=0.6)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            raise InvalidTLS(f"unknown TLS option {key!r}{hint}")
        if value is not None:
            named[name] = value
    return named


def _context(given: Mapping[str, Any]) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(
        cafile=given.get("ca_certs"),
        capath=given.get("ca_path"),
        cadata=given.get("ca_data"),
    )
    requirement = _requirement(given.get("cert_reqs"), ssl.CERT_REQUIRED)
    checks = given.get("check_hostname", requirement == ssl.CERT_REQUIRED)
    if isinstance(checks, str):
        checks = checks.lower() not in _NO
    # In this order: a context refuses to check names without certificates.
    context.check_hostname = bool(checks) and requirement != ssl.CERT_NONE
    context.verify_mode = requirement
    if "certfile" in given:
        context.load_cert_chain(
            given["certfile"], given.get("keyfile"), given.get("password")
        )
    if "ciphers" in given:
        context.set_ciphers(given["ciphers"])
    if "tls_minimum_version" in given:
        context.minimum_version = given["tls_minimum_version"]
    if "tls_maximum_version" in given:
        context.maximum_version = given["tls_maximum_version"]
    return context


def _requirement(value: Any, default: ssl.VerifyMode) -> ssl.VerifyMode:
    import ssl

    if value is None:
        return default
    if isinstance(value, str):
        name = value.upper()
        name = name if name.startswith("CERT_") else f"CERT_{name}"
        try:
            return ssl.VerifyMode[name]
        except KeyError:
            names = ", ".join(mode.name for mode in ssl.VerifyMode)
            raise InvalidTLS(
                f"cert_reqs must be one of {names}, not {value!r}"
            ) from None
    return ssl.VerifyMode(value)
