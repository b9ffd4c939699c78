"""Logging in, TLS, heartbeats, and being thrown out."""

from __future__ import annotations

import time

import pytest
from amqp.exceptions import AccessRefused

from kombu import Connection, Consumer, Queue
from kombu.exceptions import NotFound, OperationalError, PreconditionFailed
from t.brokers.rabbitmq import OTHER_HOSTS

PATIENCE = 30

has_other_hosts = pytest.mark.skipif(
    not OTHER_HOSTS, reason="this system has but one address of its own"
)


def trusting(rabbitmq, **options):
    return {"ca_certs": str(rabbitmq.folder / "ca.crt"), **options}


@pytest.mark.parametrize("method", ["PLAIN", "AMQPLAIN"])
def test_login_methods(url, method):
    with Connection(url, login_method=method) as connection:
        assert connection.default_channel.is_open


def test_wrong_password_is_not_shown(url):
    wrong = url.replace("guest:guest", "guest:s3cret")

    with pytest.raises(AccessRefused) as caught:
        Connection(wrong).connect()

    assert "s3cret" not in repr(caught.value) + str(caught.value)


def test_tls(rabbitmq, url):
    with Connection(rabbitmq.tls_url(url), ssl=trusting(rabbitmq)) as connection:
        queue = Queue("q")(connection.default_channel)
        queue.declare()
        connection.Producer().publish("x" * 500_000, routing_key="q")
        assert queue.get().payload == "x" * 500_000


def test_tls_with_options_of_the_url(rabbitmq, url):
    query = f"?ssl_ca_certs={rabbitmq.folder}/ca.crt"

    with Connection(rabbitmq.tls_url(url) + query) as connection:
        assert connection.default_channel.is_open


def test_certificate_of_a_stranger_is_refused(rabbitmq, url):
    stranger = {"ca_certs": str(rabbitmq.folder / "stranger.crt")}

    with pytest.raises(OSError, match="certificate"):
        Connection(rabbitmq.tls_url(url), ssl=stranger).connect()


def test_without_a_word_the_system_decides_whom_to_trust(rabbitmq, url):
    with pytest.raises(OSError, match="certificate"):
        Connection(rabbitmq.tls_url(url)).connect()


@has_other_hosts
def test_wrong_name_is_refused_on_every_host(rabbitmq, url):
    hosts = [rabbitmq.tls_url(url, host) for host in OTHER_HOSTS]
    connection = Connection(
        hosts,
        ssl=trusting(rabbitmq, server_hostname="other.example"),
    )

    for _ in hosts:
        # One try: with several, another host might be the one that refuses.
        with pytest.raises(OSError, match="certificate verify failed.*other.example"):
            connection.transport.establish_connection()
        connection.maybe_switch_next()


@has_other_hosts
def test_no_host_of_a_list_is_trusted_because_another_one_is(rabbitmq, url):
    hosts = [rabbitmq.tls_url(url, host) for host in OTHER_HOSTS]
    connection = Connection(hosts, ssl=trusting(rabbitmq))
    refused = []

    with pytest.raises(OperationalError, match="certificate verify failed"):
        connection.ensure_connection(
            errback=lambda error, pause: refused.append(str(error)),
            max_retries=3,
            interval_start=0,
            interval_step=0,
            interval_max=0,
        )

    assert all("IP address mismatch" in text for text in refused)
    assert all(host in str(refused) for host in OTHER_HOSTS)
    assert not connection.connected


def test_name_follows_the_host_in_use(rabbitmq, url):
    urls = [
        rabbitmq.tls_url(url, "localhost").replace(str(rabbitmq.tls_port), "1"),
        rabbitmq.tls_url(url, "127.0.0.1"),
    ]
    with Connection(urls, ssl=trusting(rabbitmq)) as connection:
        connection.ensure_connection(max_retries=3, interval_start=0)

        assert connection.hostname == "127.0.0.1"
        assert connection.connected


def test_login_by_a_certificate(rabbitmq, url):
    ours = {
        "certfile": str(rabbitmq.folder / "client.crt"),
        "keyfile": str(rabbitmq.folder / "client.key"),
    }
    with Connection(
        rabbitmq.tls_url(url).replace("guest:guest@", ""),
        ssl=trusting(rabbitmq, **ours),
        login_method="EXTERNAL",
    ) as connection:
        queue = Queue("q", exclusive=True)(connection.default_channel)

        assert queue.queue_declare().queue == "q"
        [found] = rabbitmq.control("list_connections", "auth_mechanism").split()[1:2]
        assert found == "EXTERNAL"


def test_certificate_of_nobody_is_no_login(rabbitmq, url):
    with pytest.raises(AccessRefused):
        Connection(
            rabbitmq.tls_url(url), ssl=trusting(rabbitmq), login_method="EXTERNAL"
        ).transport.establish_connection()


def test_password_is_asked_for_with_each_connection(url):
    asked = []

    def password():
        asked.append("guest")
        return "guest"

    with Connection(url.replace(":guest@", "@"), password=password) as connection:
        for _ in range(2):
            assert connection.default_channel.is_open
            connection.collect()

    assert len(asked) == 2


def test_heartbeats_are_kept_for_ten_intervals_of_a_callback(url):
    with Connection(url, heartbeat=1) as connection:
        queue = Queue("q")(connection.default_channel)
        queue.declare()
        connection.Producer().publish("hello", routing_key="q")
        done = []

        def on_message(message):
            time.sleep(10)  # the broker gives up after two seconds
            message.ack()
            done.append(message)

        with Consumer(connection.default_channel, [queue], on_message=on_message):
            connection.drain_events(timeout=PATIENCE)
            assert queue.queue_declare().message_count == 0
        assert len(done) == 1
        assert connection.connected


def test_connection_that_is_closed_by_force_is_replaced(rabbitmq, url):
    with Connection(url) as connection:
        queue = Queue("q")(connection.default_channel)
        queue.declare()
        rabbitmq.close_connections(1)

        connection.Producer().publish(
            "hello", routing_key="q", retry=True, retry_policy={"max_retries": 3}
        ).wait(PATIENCE)


def test_different_queue_is_named_with_the_argument(url):
    with Connection(url) as connection:
        Queue("q", durable=True)(connection.default_channel).declare()

        with pytest.raises(PreconditionFailed) as caught:
            Queue("q", durable=False)(connection.default_channel).declare()

        assert "'durable'" in str(caught.value)
        assert "'q'" in str(caught.value)


def test_different_queue_is_adopted(url):
    with Connection(url, transport_options={"declare_policy": "adopt"}) as connection:
        Queue("q", durable=True)(connection.default_channel).declare()

        answer = Queue("q", durable=False)(connection.default_channel).queue_declare()

        assert answer.queue == "q"


def test_different_queue_is_neither_made_nor_looked_at_closely(url):
    with Connection(url) as connection:
        Queue("q", durable=True)(connection.default_channel).declare()
    options = {"declare_policy": "passive"}
    with Connection(url, transport_options=options) as connection:
        channel = connection.default_channel

        assert Queue("q", durable=False)(channel).queue_declare().queue == "q"
        with pytest.raises(NotFound, match="'other'"):
            Queue("other")(channel).queue_declare()


def test_different_argument_is_named(url):
    with Connection(url) as connection:
        channel = connection.default_channel
        Queue("q", max_length=5)(channel).declare()

        with pytest.raises(PreconditionFailed, match="x-max-length.*'q'"):
            Queue("q", max_length=6)(channel).declare()


def test_many_reconnects_leave_no_thread_and_no_descriptor(url):
    import os
    import threading

    def connect():
        with Connection(url, heartbeat=10) as connection:
            connection.default_channel.basic_qos(0, 1, False)

    connect()
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(50):
        connect()

    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert threading.active_count() <= threads + 1
