"""Logging in, TLS, failing over."""

from __future__ import annotations

import ssl

import pytest
from amqp.exceptions import AccessRefused

from kombu.connection import Connection
from kombu.transport._qpid.transport import Transport
from t.brokers.broker_j import BrokerJ
from t.brokers.server import HOST, free_port


@pytest.fixture
def ours(broker_j):
    if not isinstance(broker_j, BrokerJ):
        pytest.skip("a Broker-J of our own is wanted")
    broker_j.start()
    return broker_j


def works(connection):
    with connection:
        channel = connection.channel()
        name = channel.queue_declare(exclusive=True).queue
        message = channel.prepare_message(b"hello", properties={"delivery_mode": 2})
        channel.basic_publish(message, "", name, confirm_timeout=30)
        return channel.basic_get(name).body == b"hello"


def test_with_tls(ours):
    tls = {"ca_certs": str(ours.folder / "ca.crt")}

    assert works(Connection(ours.tls_url(), ssl=tls))


def test_with_options_of_kombu_5(ours):
    options = {"ssl_trustfile": str(ours.folder / "ca.crt")}

    assert works(Connection(ours.tls_url(), ssl=True, transport_options=options))


@pytest.mark.parametrize("authority", [None, "stranger.crt"])
def test_certificate_of_a_stranger_is_refused(ours, authority):
    tls = {"ca_certs": str(ours.folder / authority)} if authority else True

    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(ours.tls_url(), ssl=tls).connect()


def test_certificate_of_another_name_is_refused(ours):
    tls = {"ca_certs": str(ours.folder / "ca.crt"), "server_hostname": "other"}

    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(ours.tls_url(), ssl=tls).connect()


def test_wrong_password(ours):
    url = ours.url.replace("guest:guest", "guest:wrong")

    with pytest.raises(AccessRefused) as refused:
        Connection(url).connect()

    assert "wrong" not in str(refused.value)


def test_nobody_logs_in(ours):
    assert works(Connection(ours.anonymous_url))
    with pytest.raises(AccessRefused):
        Connection(ours.url.replace("guest:guest@", "")).connect()


def test_virtual_host_that_is_not_there(ours):
    connection = Connection(f"{ours.url.removesuffix('//')}/missing")

    with pytest.raises(connection.connection_errors):
        connection.connect()


def test_first_host_that_lives_is_used(ours):
    dead = f"qpid://guest:guest@{HOST}:{free_port()}//"

    assert works(Connection([dead, ours.url]))


def test_rabbitmq_knows_virtual_hosts_by_another_name(vhost):
    with Connection(vhost[1]) as connection:
        connection.connect()

        assert connection.connection.hostname.startswith("vhost:")
        assert isinstance(connection.transport, Transport)
