"""RabbitMQ: a node of its own, with its own epmd, TLS listener and management.

A virtual host is made for each test: that is cheaper than resetting the node.

Quorum queues and streams are not on disk at once: a test that kills the node has to
wait a second and a half after declaring one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

from t.brokers.certificates import make_certificates
from t.brokers.server import HOST, Missing, Server, ServerError, free_port

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
listeners.tcp.1 = {host}:{port}
listeners.ssl.1 = {host}:{tls_port}
ssl_options.cacertfile = {folder}/ca.crt
ssl_options.certfile = {folder}/server.crt
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
loopback_users = none
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
management.tcp.ip = {host}
management.tcp.port = {management_port}
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = EXTERNAL
ssl_cert_login_from = common_name
"""

#: Hosts that its certificate does not name; other systems have no such addresses.
OTHER_HOSTS = ("127.0.0.2", "127.0.0.3") if sys.platform == "linux" else ()

#: What every node has: its management, and logging in by a certificate.
PLUGINS = ("rabbitmq_management", "rabbitmq_auth_mechanism_ssl")


class VirtualHosts:
    """The virtual hosts of one node, whoever started it.

    Attributes:
        url: URL of the node, without a virtual host.
        management_url: Where its management interface is.
    """

    url: str
    management_url: str

    def new_vhost(self) -> str:
        """Return the URL of a fresh, empty virtual host."""
        name = f"kombu_test_{uuid4().hex}"
        self.manage("PUT", f"vhosts/{name}")
        self.manage(
            "PUT",
            f"permissions/{name}/{urlsplit(self.url).username or 'guest'}",
            {"configure": ".*", "write": ".*", "read": ".*"},
        )
        return f"{self.url.rstrip('/')}/{name}"

    def delete_vhost(self, url: str) -> None:
        """Delete the virtual host *url* with all that is in it."""
        self.manage("DELETE", f"vhosts/{urlsplit(url).path[1:]}")

    def manage(self, method: str, path: str, data: Any = None) -> Any:
        """Ask the management interface; return what it answers."""
        body = None if data is None else json.dumps(data).encode()
        request = Request(f"{self.management_url}/api/{path}", body, method=method)
        parts = urlsplit(self.url)
        login = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
        request.add_header("Authorization", f"Basic {_base64(login)}")
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None


class RunningRabbitMQ(VirtualHosts):
    """A node that somebody else runs: it can't be killed, and virtual hosts are deleted."""

    name = "RabbitMQ"

    def __init__(self, url: str) -> None:
        self.url = url
        host = urlsplit(url).hostname
        self.management_url = os.environ.get(
            "KOMBU_TEST_RABBITMQ_MANAGEMENT_URL", f"http://{host}:15672"
        )
        self._made: list[str] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {urlsplit(self.url).hostname}>"

    def new_vhost(self) -> str:
        self._made.append(super().new_vhost())
        return self._made[-1]

    def start(self) -> None:
        self._skip()

    def kill(self) -> None:
        self._skip()

    def control(self, *arguments: str) -> str:
        self._skip()
        return ""

    @property
    def folder(self) -> Path:
        self._skip()
        raise AssertionError

    def _skip(self) -> None:
        import pytest

        pytest.skip("RabbitMQ is not ours: it can't be killed and configured")

    def close(self) -> None:
        """Delete the virtual hosts that were made."""
        for url in self._made:
            with contextlib.suppress(OSError):
                self.delete_vhost(url)
        self._made.clear()


class RabbitMQ(VirtualHosts, Server):
    """A node that we start.

    Arguments:
        plugins: Names of plug-ins that it has beside :data:`PLUGINS`.
    """

    name = "RabbitMQ"
    package = "rabbitmq-server"
    variable = "KOMBU_TEST_RABBITMQ_URL"
    # Not those in /usr/sbin, which become another user and know but one node.
    folders = ("/usr/lib/rabbitmq/bin",)
    patience = 120.0
    #: Its threads sleep when they have nothing to do: tests run beside it.
    erlang_options = "+sbwt none"

    def __init__(self, plugins: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.plugins = (*PLUGINS, *plugins)
        self.tls_port = self.management_port = self._node_port = self._epmd_port = 0
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}"

    @property
    def management_url(self) -> str:
        return f"http://{HOST}:{self.management_port}"

    def tls_url(self, url: str, host: str = "localhost") -> str:
        """Return the virtual host *url* as it is reached by TLS."""
        vhost = urlsplit(url).path
        return f"amqps://guest:guest@{host}:{self.tls_port}{vhost}"

    def program(self, name: str) -> Path:
        for folder in self.folders:
            path = _as_path(folder) / name
            if os.access(path, os.X_OK):
                return path
        raise Missing(
            f"RabbitMQ is not installed: apt-get install {self.package}, "
            f"or set {self.variable} to the URL of one that runs"
        )

    # -- life --------------------------------------------------------------------

    def prepare(self) -> None:
        self.program("rabbitmq-server")
        make_certificates(self.folder)
        (self.folder / "advanced.config").write_text("[].\n")
        (self.folder / "enabled_plugins").write_text(f"[{','.join(self.plugins)}].\n")
        for path in self.folder.iterdir():
            self._give_away(path)

    def command(self) -> list[str | Path]:
        if not self._is_configured_for_port():
            self.tls_port, self.management_port = free_port(), free_port()
            self._node_port, self._epmd_port = free_port(), free_port()
            self._end_epmd()
        settings = SETTINGS.format(host=HOST, **vars(self))
        for number, host in enumerate(OTHER_HOSTS, 2):
            settings += f"listeners.ssl.{number} = {host}:{self.tls_port}\n"
        (self.folder / "rabbitmq.conf").write_text(settings)
        self._start_epmd()
        return [self.program("rabbitmq-server")]

    def _is_configured_for_port(self) -> bool:
        path = self.folder / "rabbitmq.conf"
        wanted = f"listeners.tcp.1 = {HOST}:{self.port}\n"
        return path.exists() and wanted in path.read_text()

    def _start_epmd(self) -> None:
        # A node without one would start a daemon that outlives it.
        if self._epmd is None or self._epmd.poll() is not None:
            self._epmd = subprocess.Popen(
                [
                    *self._until_we_die(),
                    *("epmd", "-port", str(self._epmd_port), "-address", HOST),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                **super()._as_whom(),
            )

    def _end_epmd(self) -> None:
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def ask(self) -> None:
        import amqp

        with amqp.Connection(f"{HOST}:{self.port}", connect_timeout=10) as connection:
            answer = connection.server_properties["cluster_name"]
        if not answer.startswith(f"{_user_part(self._node_name)}@"):
            raise ServerError(f"port {self.port} is taken: by {answer}")
        self.manage("GET", "whoami")

    def kill(self) -> None:
        """Kill the node; the script around it ends by itself."""
        if self.is_running:
            with contextlib.suppress(OSError, ValueError):
                pid = int((self.folder / "rabbit.pid").read_text())
                os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(10)
        super().kill()

    def close(self) -> None:
        # A polite stop takes six seconds.
        if os.getpid() == self._owner:
            self.kill()
            self._end_epmd()
        super().close()

    # -- configuring ---------------------------------------------------------------

    def control(self, *arguments: str) -> str:
        """Call ``rabbitmqctl``, which takes half a second; return what it prints."""
        done = subprocess.run(
            [self.program("rabbitmqctl"), "-q", "-n", self._node_name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._as_whom(),
        )
        text = done.stdout.decode(errors="replace")
        if done.returncode:
            raise ServerError(f"rabbitmqctl {arguments[0]} failed:\n{text}")
        return text

    def close_connections(self, count: int, reason: str = "for a test") -> None:
        """Close *count* connections, as soon as the node knows of so many."""
        until = time.monotonic() + self.patience
        while len(self.control("list_connections", "pid").split("\n")) < count:
            if time.monotonic() > until:
                raise ServerError(f"{count} connections were expected")
        self.control("close_all_connections", reason)

    @property
    def _node_name(self) -> str:
        return f"kombu{self._node_port}@localhost"

    def _as_whom(self) -> dict:
        options = super()._as_whom()
        folder = self.folder
        options["env"] |= {
            "RABBITMQ_NODENAME": self._node_name,
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "rabbit.pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{127,0,0,1}} {self.erlang_options}"
            ),
            "ERL_CRASH_DUMP": str(folder / "crash.dump"),
            "LANG": "C.UTF-8",
        }
        return options


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _user_part(node: str) -> str:
    return node.partition("@")[0]


def _as_path(text: str) -> Path:
    from pathlib import Path

    return Path(text)
