from __future__ import annotations

import builtins
import os
import sys

import pytest
from amqp import exceptions as amqp_errors

from kombu.asynchronous import Hub
from kombu.connection import Connection
from kombu.exceptions import DriverNotInstalled, PreconditionFailed
from kombu.transport import qpid
from kombu.transport._amqp.errors import HeartbeatMissed
from kombu.transport._options import InvalidTransportOption
from kombu.transport._qpid import driver
from kombu.transport._qpid.engine import Engine, Login, condition_of, remote_condition
from kombu.transport._qpid.errors import (
    ChannelEnded,
    Condition,
    channel_error,
    connection_error,
)
from kombu.transport._qpid.options import Options, tls_of
from kombu.transport._qpid.products import dialect_for, dialect_named
from kombu.utils import waiting
from t.unit.transport.qpid.broker import Broker
from t.unit.transport.qpid.conftest import message


def test_defaults():
    connection = Connection("qpid://")

    assert connection.transport.default_connection_params == {
        "hostname": "localhost",
        "port": 5672,
    }
    secure = Connection("qpid://", ssl=True)
    assert secure.transport.default_connection_params["port"] == 5671


def test_door():
    assert qpid.Connection.__name__ == "Connection"
    assert qpid.Channel.__name__ == "Channel"
    with pytest.raises(AttributeError, match="nothing"):
        qpid.nothing  # noqa: B018


def test_missing_library(monkeypatch):
    real = builtins.__import__

    def no_proton(name, *args, **kwargs):
        if name.partition(".")[0] == "proton":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_proton)

    with pytest.raises(DriverNotInstalled, match=r"kombu\[qpid\]"):
        Connection("qpid://").connect()
    assert driver.driver_version() == "N/A"


def test_version():
    assert Connection("qpid://").transport.driver_version()[0].isdecimal()


def test_what_is_offered_depends_on_the_broker(broker_j, connect):
    connection = connect(broker_j)
    assert not connection.transport.implements.offers("topic")

    connection.connect()

    assert connection.transport.implements.offers("topic")
    assert not type(connection.transport).implements.offers("topic")


@pytest.mark.parametrize("name", ["broker-j", "rabbitmq", "rabbitmq4", "generic"])
def test_product_may_be_said(broker, connect, name):
    connection = connect(broker, product=name)

    assert type(connection.connect().dialect) is dialect_named(name)


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"product": "Apache Qpid Broker-J Core"}, "broker-j"),
        ({"product": "RabbitMQ", "version": "3.12.1"}, "rabbitmq"),
        ({"product": "RabbitMQ", "version": "4.1.0"}, "rabbitmq4"),
        ({"product": "RabbitMQ", "version": "?"}, "generic"),
        ({}, "generic"),
    ],
)
def test_product_is_what_it_says(properties, name):
    assert dialect_for(properties) is dialect_named(name)


@pytest.mark.parametrize("options", [{"product": "x"}, {"credit_window": 0}])
def test_bad_option(options):
    with pytest.raises(InvalidTransportOption):
        Options.of(options)


def test_options_of_tls():
    given = {
        "ssl_keyfile": "k",
        "ssl_certfile": "c",
        "ssl_trustfile": "t",
        "ssl_skip_hostname_check": True,
    }

    assert tls_of(True, given) == {
        "keyfile": "k",
        "certfile": "c",
        "ca_certs": "t",
        "check_hostname": False,
    }
    assert tls_of({"ca_certs": "own"}, given)["ca_certs"] == "own"
    assert tls_of(None, given) is None


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("amqp:not-found", amqp_errors.NotFound),
        ("amqp:resource-locked", amqp_errors.ResourceLocked),
        ("amqp:precondition-failed", amqp_errors.PreconditionFailed),
        ("amqp:unauthorized-access", amqp_errors.AccessRefused),
        ("amqp:internal-error", ChannelEnded),
    ],
)
def test_conditions_of_a_session(condition, kind):
    error = channel_error(Condition(condition, "why"), "doing it")

    assert isinstance(error, kind)
    assert "doing it" in str(error)
    assert "why" in str(error)


def test_queue_that_is_in_use():
    condition = Condition("amqp:illegal-state", "queue in use")

    assert isinstance(channel_error(condition, "it"), PreconditionFailed)


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        (Condition("amqp:connection:forced", "bye"), amqp_errors.ConnectionForced),
        (
            Condition("amqp:resource-limit-exceeded", "local-idle-timeout expired"),
            amqp_errors.ConnectionForced,
        ),
        (Condition("closed"), amqp_errors.RecoverableConnectionError),
        (Condition("amqp:unauthorized-access"), amqp_errors.AccessRefused),
    ],
)
def test_conditions_of_a_connection(condition, kind):
    assert isinstance(connection_error(condition), kind)


def test_no_condition():
    assert condition_of(None, None).name == "closed"


def test_reason_that_is_no_text():
    class Endpoint:
        @property
        def remote_condition(self):
            return b"\xfc".decode()

    assert remote_condition(Endpoint()).name == "unreadable"


def test_engine_shows_no_secret():
    login = Login("me", "secret", "PLAIN")

    assert "secret" not in repr(login)
    assert repr(Engine(login, "c")) == "<Engine: c>"


def test_nobody_listens():
    with Broker() as broker:
        url = broker.url

    with pytest.raises(OSError):
        Connection(url, connect_timeout=1).connect()


def test_what_answers_is_no_broker():
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            client, _ = server.accept()
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"qpid://127.0.0.1:{server.getsockname()[1]}//"
        connection = Connection(url, connect_timeout=1)

        with pytest.raises(connection.connection_errors):
            connection.connect()
        thread.join()


def test_silent_broker(broker):
    broker.is_deaf = True

    with pytest.raises(TimeoutError):
        Connection(broker.url, connect_timeout=0.05).connect()


def test_login_with_a_password_that_is_asked_for(broker, connect):
    asked = []
    connection = Connection(
        f"qpid://127.0.0.1:{broker.port}//",
        userid="me",
        password=lambda: asked.append(1) or "secret",
    )

    # The library, as a server, knows no passwords.
    with pytest.raises(amqp_errors.AccessRefused):
        connection.connect()

    assert asked


def test_mechanism_that_the_broker_does_not_have(broker):
    connection = Connection(broker.url, login_method="EXTERNAL")

    with pytest.raises(amqp_errors.AccessRefused, match="login"):
        connection.connect()


def test_lost_connection(broker, connect):
    connection = connect(broker)
    connection.connect()
    assert connection.connected

    broker.hang_up()
    with pytest.raises(connection.connection_errors):
        connection.drain_events(timeout=10)

    assert not connection.connected
    connection.ensure_connection(max_retries=1)
    assert connection.connected


def test_heartbeats(broker):
    connection = Connection(broker.url, heartbeat=20)
    connection.connect()

    assert connection.get_heartbeat_interval() == 20
    connection.heartbeat_check()
    assert connection.connection.keeper is not None

    connection.close()


def test_broker_that_wants_heartbeats(broker, connect):
    broker.idle_timeout = 8
    connection = connect(broker)

    connection.connect()

    assert 0 < connection.get_heartbeat_interval() <= 8


def test_silence_is_noticed(broker, monkeypatch):
    client = Connection(
        broker.url, heartbeat=20, transport_options={"heartbeat_keeper": False}
    )
    connection = client.connect()
    now = waiting.monotonic()

    with pytest.raises(HeartbeatMissed):
        for hours in range(1, 4):
            monkeypatch.setattr(
                waiting, "monotonic", lambda hours=hours: now + 3600 * hours
            )
            connection.heartbeat_tick()

    assert not client.connected
    client.collect()


def test_event_loop(broker, connect):
    connection = connect(broker)
    channel = connection.channel()
    received = []
    channel.basic_consume("q", callback=received.append)
    hub = Hub()
    connection.register_with_event_loop(hub)
    for _ in range(250):
        channel.basic_publish(message(channel, delivery_mode=1), "", "q")

    loop = hub.create_loop()
    while len(received) < 250:
        next(loop)

    connection.transport.unregister_from_event_loop(connection.connection, hub)
    hub.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_child_leaves_the_connection_alone(broker, connect):
    connection = connect(broker, confirm_publish=True)
    channel = connection.channel()
    channel.basic_publish(message(channel), "", "q")

    pid = os.fork()
    if not pid:
        status = 1
        try:
            channel.basic_publish(message(channel), "", "q")
        except connection.connection_errors:
            connection.close()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)

    assert status == 0
    channel.basic_publish(message(channel), "", "q")
    assert len(broker.queues["q"]) == 2


def test_large_message(broker, connect):
    channel = connect(broker, confirm_publish=True).channel()
    body = os.urandom(3_000_000)

    channel.basic_publish(message(channel, body), "", "q")

    assert channel.basic_get("q").body == body


def test_names(broker, connect):
    connection = connect(broker, container_id="mine")

    assert connection.connect().engine.connection.container == "mine"
    assert repr(connection.connect().engine) == "<Engine: mine>"
    assert "proton" in sys.modules
