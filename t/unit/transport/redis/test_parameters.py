from __future__ import annotations

import socket
import ssl
import sys

import pytest

from kombu import Connection
from kombu.exceptions import InvalidURL
from kombu.transport._tls import InvalidTLS
from kombu.transport.redis import (
    Channel,
    SSLTransport,
    Transport,
    UnixSocketTransport,
)
from kombu.transport.redis.parameters import Parameters


def parameters(url="redis://", transport=Transport, **kwargs):
    return Connection(url, transport=transport, **kwargs).transport.parameters


class test_address:
    @pytest.mark.parametrize(
        "url, expected",
        [
            ("redis://", ("localhost", 6379, None, 0)),
            ("redis://h", ("h", 6379, None, 0)),
            ("redis://h:7/5", ("h", 7, None, 5)),
            ("redis://h//", ("h", 6379, None, 0)),
        ],
    )
    def test_server(self, url, expected):
        assert parameters(url)[:4] == expected

    @pytest.mark.parametrize(
        "url, path, database",
        [
            ("redis+socket:///tmp/r.sock", "/tmp/r.sock", 0),
            ("redis+socket:///tmp/r.sock?virtual_host=3", "/tmp/r.sock", 3),
            ("redis+socket:///tmp/r.sock?virtual_host=/3", "/tmp/r.sock", 3),
        ],
    )
    def test_socket(self, url, path, database):
        connection = Connection(url)
        found = connection.transport.parameters

        assert isinstance(connection.transport, UnixSocketTransport)
        assert (found.path, found.database) == (path, database)
        assert path in found.where
        assert "socket_keepalive" not in found.arguments

    @pytest.mark.parametrize("name", ["/tmp/r.sock", "socket:///tmp/r.sock"])
    def test_socket_by_name_of_the_host(self, name):
        client = Connection("redis://h/2")
        client.hostname = name

        found = Parameters.of(client, Channel)

        assert (found.path, found.database) == ("/tmp/r.sock", 2)

    @pytest.mark.parametrize("database", ["abc", "2/3", "1.5"])
    def test_database_is_a_number(self, database):
        with pytest.raises(InvalidURL, match="is a number"):
            parameters(f"redis://h/{database}")

    def test_place_for_people(self):
        assert parameters("redis://u:s3cr3t@h:7/2").where == "Redis at h:7/2"


class test_login:
    def test_name_and_password(self):
        found = parameters("redis://me:p%40ss@h")

        assert found.arguments["username"] == "me"
        assert found.arguments["password"] == "p@ss"
        assert found.secret == "p@ss"

    def test_none(self):
        assert not {"username", "password"} & set(parameters().arguments)

    def test_password_that_is_made_for_each_login(self):
        passwords = iter(["one", "two"])
        found = parameters("redis://h", password=lambda: next(passwords))

        assert found.arguments["password"] == "one"
        assert found.arguments["password"] == "two"
        assert found.secret is None

    @pytest.mark.parametrize("kind", ["instance", "class", "path"])
    def test_provider_goes_first(self, kind):
        from redis import UsernamePasswordCredentialProvider as Provider

        given = {
            "instance": Provider("a", "b"),
            "class": Provider,
            "path": "redis.UsernamePasswordCredentialProvider",
        }[kind]
        found = parameters(
            "redis://me:pw@h", transport_options={"credential_provider": given}
        )

        assert isinstance(found.arguments["credential_provider"], Provider)
        assert "password" not in found.arguments


class test_connections:
    def test_defaults_are_finite(self):
        arguments = parameters("redis://h", connect_timeout=3).arguments

        assert arguments["socket_timeout"] == 5
        assert arguments["socket_connect_timeout"] == 3
        assert arguments["health_check_interval"] == 25
        assert arguments["socket_keepalive"]
        if hasattr(socket, "TCP_KEEPIDLE"):
            options = arguments["socket_keepalive_options"]
            assert options[socket.TCP_KEEPIDLE] == 30

    def test_options(self):
        options = {
            "socket_timeout": 1,
            "socket_connect_timeout": 2,
            "health_check_interval": None,
            "socket_keepalive_options": {1: 2},
            "client_name": "me",
        }
        arguments = parameters(transport_options=options).arguments

        assert arguments["socket_timeout"] == 1
        assert arguments["socket_connect_timeout"] == 2
        assert arguments["health_check_interval"] == 0
        assert arguments["socket_keepalive_options"] == {1: 2}
        assert arguments["client_name"] == "me"

    def test_keepalive_can_be_refused(self):
        options = {"socket_keepalive": False}
        arguments = parameters(transport_options=options).arguments

        assert arguments["socket_keepalive"] is False
        assert "socket_keepalive_options" not in arguments

    def test_driver_takes_them(self):
        from redis import connection as driver

        options = {"client_name": "me", "retry_on_timeout": True}
        found = parameters("redis://me:pw@h:7/2", transport_options=options)

        made = found.connection()
        assert type(made) is driver.Connection
        assert (made.host, made.port, made.db) == ("h", 7, 2)
        other = found.connection("other", 8)
        assert (other.host, other.port) == ("other", 8)

    def test_driver_takes_them_for_a_socket(self):
        from redis import connection as driver

        made = parameters("redis+socket:///tmp/r.sock", UnixSocketTransport)
        made = made.connection()

        assert type(made) is driver.UnixDomainSocketConnection
        assert made.path == "/tmp/r.sock"

    def test_driver_takes_them_for_tls(self):
        from redis import connection as driver

        made = parameters("redis://h", SSLTransport).connection()

        assert type(made) is driver.SSLConnection
        assert made.check_hostname

    @pytest.mark.parametrize("uses_tls", [False, True])
    def test_channel_may_name_other_classes(self, uses_tls):
        """As subclasses of the channel do that were written for kombu 5."""
        from redis import connection as driver

        class Plain(driver.Connection):
            pass

        class Encrypted(driver.SSLConnection):
            pass

        class OwnChannel(Channel):
            connection_class = Plain
            connection_class_ssl = Encrypted

        class Own(Transport):
            Channel = OwnChannel
            _uses_tls = uses_tls

        made = parameters("redis://h", Own).connection()

        assert type(made) is (Encrypted if uses_tls else Plain)

    def test_classes_are_the_driver_s(self, monkeypatch):
        from redis import connection as driver

        assert Channel.connection_class is driver.Connection
        assert Channel.connection_class_ssl is driver.SSLConnection
        monkeypatch.setitem(sys.modules, "redis", None)
        assert Channel.connection_class is None


class test_tls:
    def tls(self, given):
        arguments = parameters("redis://h", ssl=given).arguments
        return {k: v for k, v in arguments.items() if k.startswith("ssl_")}

    def test_is_verified_by_default(self):
        expected = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}

        assert self.tls(True) == expected
        assert parameters("redis://h", SSLTransport).uses_tls
        assert not parameters("redis://h").uses_tls

    @pytest.mark.parametrize("prefix", ["", "ssl_"])
    def test_names(self, prefix):
        given = {
            f"{prefix}ca_certs": "ca",
            f"{prefix}certfile": "cert",
            f"{prefix}keyfile": "key",
        }

        found = self.tls(given)

        assert found["ssl_ca_certs"] == "ca"
        assert found["ssl_certfile"] == "cert"
        assert found["ssl_keyfile"] == "key"

    @pytest.mark.parametrize(
        "given, expected",
        [
            (ssl.CERT_NONE, "none"),
            ("CERT_OPTIONAL", "optional"),
            ("required", "required"),
            (None, "required"),
        ],
    )
    def test_requirement(self, given, expected):
        found = self.tls({"cert_reqs": given})

        assert found["ssl_cert_reqs"] == expected
        assert found["ssl_check_hostname"] is (expected == "required")

    def test_name_of_the_host_need_not_fit(self):
        assert self.tls({"check_hostname": False})["ssl_check_hostname"] is False

    @pytest.mark.parametrize(
        "given, text",
        [
            ({"cert_reqs": "maybe"}, "CERT_REQUIRED"),
            ({"ca_cert": "x"}, "ca_cert"),
            (ssl.create_default_context(), "SSLContext"),
        ],
    )
    def test_nonsense_is_refused(self, given, text):
        with pytest.raises(InvalidTLS, match=text):
            self.tls(given)

    def test_in_the_url(self):
        found = Connection("rediss://h?ssl_cert_reqs=none").transport.parameters

        assert found.uses_tls
        assert found.arguments["ssl_cert_reqs"] == "none"
