"""Apache Qpid Broker-J: a broker of AMQP 1.0, with TLS, and messages on disk.

Its libraries are fetched by `install.sh` into a folder of the user's cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from t.brokers.certificates import make_certificates
from t.brokers.server import HOST, Missing, Server, ServerError, free_port

_MAIN = "org.apache.qpid.server.Main"


def libraries() -> Path:
    """Return the folder that `install.sh` puts the libraries into."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "kombu-brokers" / "broker-j"


class RunningBrokerJ:
    """One that somebody else runs: it can't be killed."""

    name = "Broker-J"

    def __init__(self, url: str) -> None:
        self.url = url

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {urlsplit(self.url).hostname}>"

    def start(self) -> None:
        self._skip()

    def kill(self) -> None:
        self._skip()

    def _skip(self) -> None:
        import pytest

        pytest.skip("Broker-J is not ours: it can't be killed and configured")

    def close(self) -> None:
        """Leave it alone."""


class BrokerJ(Server):
    """One that we start."""

    name = "Broker-J"
    package = "default-jre-headless"
    variable = "KOMBU_TEST_BROKER_J_URL"
    patience = 120.0

    def __init__(self) -> None:
        super().__init__()
        self.tls_port = self.anonymous_port = 0

    @property
    def url(self) -> str:
        return f"qpid://guest:guest@{HOST}:{self.port}//"

    def tls_url(self, host: str = "localhost") -> str:
        """Return where it is reached by TLS."""
        return f"qpid://guest:guest@{host}:{self.tls_port}//"

    @property
    def anonymous_url(self) -> str:
        """Where nobody logs in."""
        return f"qpid://{HOST}:{self.anonymous_port}//"

    # -- life --------------------------------------------------------------------

    def prepare(self) -> None:
        found = sorted(libraries().glob("*.jar"))
        if not found:
            raise Missing(
                "Broker-J is not installed: t/brokers/install.sh fetches it, "
                f"or set {self.variable} to the URL of one that runs"
            )
        self.program("java")
        make_certificates(self.folder)
        # Whoever runs it may not be allowed to look into the cache.
        target = self.folder / "lib"
        target.mkdir()
        for path in found:
            shutil.copy(path, target)
        for path in (target, *target.iterdir(), *self.folder.iterdir()):
            self._give_away(path)

    def command(self) -> list[str | Path]:
        work = self.folder / "work"
        if not self._is_configured_for_port():
            shutil.rmtree(work, ignore_errors=True)
            self.tls_port, self.anonymous_port = free_port(), free_port()
            path = self.folder / "initial.json"
            path.write_text(json.dumps(self._settings(), indent=1))
            self._give_away(path)
        return [
            self.program("java"),
            *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            f"-Djava.io.tmpdir={self.folder}",
            *("-cp", f"{self.folder / 'lib'}/*", _MAIN),
            *("--initial-config-path", str(self.folder / "initial.json")),
            *("-prop", f"qpid.work_dir={work}"),
        ]

    def _is_configured_for_port(self) -> bool:
        path = self.folder / "initial.json"
        return path.exists() and f'"{self.port}"' in path.read_text()

    def _settings(self) -> dict:
        # What TLS calls the host counts, if nothing else is said.
        aliases = [
            {"name": "name", "type": "nameAlias"},
            {"name": "default", "type": "defaultAlias"},
            {
                "name": "localhost",
                "type": "patternMatchingAlias",
                "pattern": "localhost",
                "virtualHostNode": "default",
            },
        ]
        shared = {
            "type": "AMQP",
            "bindingAddress": HOST,
            "protocols": ["AMQP_1_0"],
            "virtualhostaliases": aliases,
        }
        return {
            "name": "kombu",
            "modelVersion": "9.0",
            "authenticationproviders": [
                {
                    "name": "plain",
                    "type": "Plain",
                    "secureOnlyMechanisms": [],
                    "users": [
                        {"name": "guest", "type": "managed", "password": "guest"}
                    ],
                },
                {"name": "anonymous", "type": "Anonymous"},
                {"name": "external", "type": "External", "useFullDN": "false"},
            ],
            "keystores": [
                {
                    "name": "server",
                    "type": "NonJavaKeyStore",
                    "privateKeyUrl": str(self.folder / "server.key"),
                    "certificateUrl": str(self.folder / "server.crt"),
                }
            ],
            "ports": [
                {
                    **shared,
                    "name": "plain",
                    "port": str(self.port),
                    "authenticationProvider": "plain",
                },
                {
                    **shared,
                    "name": "tls",
                    "port": str(self.tls_port),
                    "transports": ["SSL"],
                    "keyStore": "server",
                    "authenticationProvider": "plain",
                },
                {
                    **shared,
                    "name": "open",
                    "port": str(self.anonymous_port),
                    "authenticationProvider": "anonymous",
                },
            ],
            "virtualhostnodes": [
                {
                    "name": "default",
                    "type": "JSON",
                    "defaultVirtualHostNode": "true",
                    "virtualHostInitialConfiguration": json.dumps({"type": "DERBY"}),
                }
            ],
        }

    def ask(self) -> None:
        from kombu.connection import Connection
        from kombu.exceptions import NotFound

        with Connection(self.url, connect_timeout=10) as connection:
            # The virtual host is active a moment after the port is open.
            said = connection.connection.engine.remote_properties
            if said.get("qpid.instance_name") != "kombu":
                raise ServerError(f"port {self.port} is taken: by {said}")
            with contextlib.suppress(NotFound):
                connection.default_channel.queue_declare("nothing", passive=True)
