from __future__ import annotations

import pytest

from kombu import Connection
from kombu.exceptions import AbilityNotOffered
from kombu.transport import pyamqp
from kombu.transport._amqp.options import Options


@pytest.mark.parametrize(
    ("url", "kind", "port"),
    [
        ("amqp://", pyamqp.Transport, 5672),
        ("pyamqp://", pyamqp.Transport, 5672),
        ("amqps://", pyamqp.SSLTransport, 5671),
        ("amqp://localhost?ssl_ca_certs=x", pyamqp.Transport, 5671),
    ],
)
def test_defaults(url, kind, port):
    transport = Connection(url).transport

    assert type(transport) is kind
    assert transport.default_connection_params == {
        "userid": "guest",
        "password": "guest",
        "port": port,
        "hostname": "localhost",
        "login_method": "PLAIN",
    }


def parameters_of(*args, **kwargs):
    connection = Connection(*args, **kwargs)
    options = Options.of(connection.transport_options)
    return connection.transport._parameters(connection, options)


def test_parameters():
    found = parameters_of("amqp://me:secret@host:99//v", heartbeat=7)

    assert found["host"] == "host:99"
    assert (found["userid"], found["password"]) == ("me", "secret")
    assert found["virtual_host"] == "/v"
    assert found["heartbeat"] == 7
    assert found["ssl"] is False


def test_ipv6():
    assert parameters_of("amqp://[::1]:99")["host"] == "[::1]:99"


def test_password_is_asked_for_each_time():
    passwords = iter(["one", "two"])
    connection = Connection("amqp://me@host", password=lambda: next(passwords))
    transport = connection.transport

    found = [transport._parameters(connection, Options())["password"] for _ in "12"]

    assert found == ["one", "two"]


def test_connection_has_a_name():
    properties = parameters_of("amqp://")["client_properties"]
    own = parameters_of(
        "amqp://",
        transport_options={
            "connection_name": "orders",
            "client_properties": {"team": "blue"},
        },
    )["client_properties"]

    assert properties["connection_name"]
    assert own == {"connection_name": "orders", "team": "blue"}


def test_implements():
    implements = pyamqp.Transport.implements

    assert implements.heartbeats
    assert implements.asynchronous
    assert implements.offers("tls")
    assert not implements.offers("delay")


def test_delayed_messages_can_not_be_taken_back():
    with pytest.raises(AbilityNotOffered):
        pyamqp.Channel.cancel_delayed(object.__new__(pyamqp.Channel), "queue", "id")


def test_nobody_listens():
    with pytest.raises(pyamqp.Transport.connection_errors):
        Connection("amqp://127.0.0.1:1", connect_timeout=1).connect()
