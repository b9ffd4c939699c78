"""Certificates for servers that tests start: an authority, a server's, a client's."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from t.brokers.server import Missing

if TYPE_CHECKING:
    from pathlib import Path

#: What the server's certificate is for.
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def make_certificates(folder: Path) -> None:
    """Make ``ca``, ``server`` and ``client`` (``.crt``, ``.key``) in *folder*.

    The server's is for ``localhost`` and 127.0.0.1; also ``stranger.crt``, a
    certificate of another authority.
    """
    for authority in ("ca", "stranger"):
        _openssl(
            folder,
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", f"{authority}.key", "-out", f"{authority}.crt"),
            *("-subj", f"/CN=test {authority}"),
        )
    (folder / "names").write_text(NAMES)
    _certificate(folder, "server", "localhost", "-extfile", "names")
    _certificate(folder, "client", "guest")


def _certificate(folder: Path, name: str, subject: str, *options: str) -> None:
    _openssl(
        folder,
        *("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"),
        *("-out", f"{name}.csr", "-subj", f"/CN={subject}"),
    )
    _openssl(
        folder,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-days", "2", "-out", f"{name}.crt", *options),
    )


def _openssl(folder: Path, *arguments: str) -> None:
    try:
        subprocess.run(
            ["openssl", *arguments], cwd=folder, check=True, capture_output=True
        )
    except FileNotFoundError:
        raise Missing("openssl is not installed: apt-get install openssl") from None
