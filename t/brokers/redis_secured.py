"""A Redis that is reached by TLS alone, and only by users with a password.

One of them may do everything, the other only what an application should need: keys and
channels with its prefix, and nothing that concerns the server as a whole.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from t.brokers.certificates import make_certificates
from t.brokers.redis import Redis, redis_client
from t.brokers.server import HOST

if TYPE_CHECKING:
    from pathlib import Path

    import redis

#: What the keys and channels of the limited user begin with.
PREFIX = "app:"

#: Passwords: what has to be quoted in a URL, and in a command, is in there.
LIMITED = ("app", "s3cret/@:%# \N{SNOWMAN}")
UNLIMITED = ("admin", "admin's secret")

#: Nobody is the default user; but it is by its rights that the log is read again.
ACL = """\
user default off ~* &* +@all
user {unlimited[0]} on #{unlimited[1]} ~* &* +@all
user {limited[0]} on #{limited[1]} ~{prefix}* &{prefix}* +@all -@admin -@dangerous
"""


class SecuredRedis(Redis):
    """A server with TLS and users.

    Arguments:
        client_certificate: Whether clients need one ("yes", "no", "optional").
        **settings: As of :class:`Redis`.
    """

    variable = ""

    def __init__(self, client_certificate: str = "no", **settings: Any) -> None:
        super().__init__(**settings)
        self._client_certificate = client_certificate

    def prepare(self) -> None:
        make_certificates(self.folder)
        (self.folder / "users.acl").write_text(_acl())
        for path in self.folder.iterdir():
            self._give_away(path)
            if path.suffix in {".crt", ".key"} and os.geteuid() == 0:
                path.chmod(0o600)

    def settings(self) -> dict[str, Any]:
        settings = super().settings()
        settings |= {"port": 0, "tls_port": self.port}
        settings |= {
            "tls_cert_file": self.folder / "server.crt",
            "tls_key_file": self.folder / "server.key",
            "tls_ca_cert_file": self.folder / "ca.crt",
            "tls_auth_clients": self._client_certificate,
            "aclfile": self.folder / "users.acl",
        }
        return settings

    # -- addresses -----------------------------------------------------------------

    @property
    def url(self) -> str:
        """URL, without a database, of the user that may do everything."""
        return self.url_of(*UNLIMITED)

    def url_of(self, user: str, password: str) -> str:
        """Return the URL, without a database, of *user*."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"rediss://{login}@{HOST}:{self.port}"

    def limited(self, url: str) -> str:
        """Return *url*, that of a database, for the user that is limited."""
        return self.url_of(*LIMITED) + url.removeprefix(self.url)

    def client(self, database: int = 0, **options: Any) -> redis.Redis:
        return redis_client(
            self.url,
            db=database,
            **{**self.tls_options(client_certificate=True), **options},
        )

    def tls_options(self, *, client_certificate: bool = False) -> dict[str, str]:
        """Return the arguments of redis-py that trust the server, and no other.

        Arguments:
            client_certificate: Show the client's certificate too.
        """
        options = {
            "ssl_ca_certs": str(self.folder / "ca.crt"),
            "ssl_cert_reqs": "required",
        }
        if client_certificate:
            options["ssl_certfile"] = str(self.folder / "client.crt")
            options["ssl_keyfile"] = str(self.folder / "client.key")
        return options

    @property
    def stranger(self) -> Path:
        """The certificate of an authority that did not sign the server's."""
        return self.folder / "stranger.crt"

    # -- users -----------------------------------------------------------------------

    def set_password(self, password: str) -> None:
        """Let the limited user have *password* alone.

        Whoever is connected stays so: only new connections have to know it.
        """
        with self.client() as client:
            client.execute_command(
                *("ACL", "SETUSER", LIMITED[0], "resetpass", f">{password}")
            )

    def end_connections(self) -> int:
        """End the connections of the limited user; return how many there were."""
        with self.client() as client:
            return client.execute_command("CLIENT", "KILL", "USER", LIMITED[0])


def _acl() -> str:
    return ACL.format(
        prefix=PREFIX, limited=_hashed(*LIMITED), unlimited=_hashed(*UNLIMITED)
    )


def _hashed(user: str, password: str) -> tuple[str, str]:
    # A blank in a password would end the word.
    return user, hashlib.sha256(password.encode()).hexdigest()
