"""TLS, passwords that change, and users that may do little."""

from __future__ import annotations

import ssl
from urllib.parse import urlencode

import pytest

from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from t.brokers.redis_secured import LIMITED, PREFIX, SecuredRedis
from t.integration.redis.listener import Listener

TASKS = Queue("tasks")
NEWS = Queue("inbox", Exchange("news", "fanout", durable=False))

BOUND = 10.0

OPTIONS = {"global_keyprefix": PREFIX}


@pytest.fixture
def server(redis_secured):
    return redis_secured


@pytest.fixture
def url(server):
    return server.limited(server.new_database())


def sends_and_receives(connection):
    queue = connection.SimpleQueue("tasks")
    queue.put("hello")
    message = queue.get(timeout=BOUND)
    message.ack()
    queue.close()
    return message.payload == "hello"


class test_tls:
    def test_options_in_the_url(self, server, url):
        url = f"{url}?{urlencode(server.tls_options())}"
        with Connection(url, transport_options=OPTIONS) as connection:
            assert sends_and_receives(connection)

    @pytest.mark.parametrize("style", ["redis-py's", "ours"])
    def test_options_as_arguments(self, server, url, style):
        options = server.tls_options()
        if style == "ours":
            options = {"ca_certs": options["ssl_ca_certs"]}
        else:
            options["ssl_cert_reqs"] = ssl.CERT_REQUIRED
        with Connection(url, ssl=options, transport_options=OPTIONS) as connection:
            assert sends_and_receives(connection)

    def test_is_verified_by_default(self, server, url):
        for given in ("", f"?ssl_ca_certs={server.stranger}"):
            with Connection(url + given, transport_options=OPTIONS) as connection:
                with pytest.raises(OperationalError, match="(?i)certificate"):
                    connection.ensure_connection(max_retries=1, interval_start=0)

    def test_verification_can_be_left_out(self, url):
        url = f"{url}?ssl_cert_reqs=none"
        with Connection(url, transport_options=OPTIONS) as connection:
            assert sends_and_receives(connection)

    def test_name_of_the_host_is_verified(self):
        # 127.0.0.1 stands in the certificate, 127.0.0.2 does not.
        with SecuredRedis(bind="127.0.0.1 127.0.0.2") as other:
            url = other.limited(other.new_database()).replace("127.0.0.1", "127.0.0.2")
            for checks, is_fine in (("", False), ("&ssl_check_hostname=false", True)):
                given = f"{url}?{urlencode(other.tls_options())}{checks}"
                with Connection(given, transport_options=OPTIONS) as connection:
                    if is_fine:
                        assert sends_and_receives(connection)
                    else:
                        with pytest.raises(OperationalError):
                            connection.ensure_connection(
                                max_retries=1, interval_start=0
                            )

    def test_client_certificate(self):
        with SecuredRedis("yes") as server:
            url = server.limited(server.new_database())
            without = f"{url}?{urlencode(server.tls_options())}"
            with Connection(without, transport_options=OPTIONS) as connection:
                with pytest.raises(OperationalError):
                    connection.ensure_connection(max_retries=1, interval_start=0)
            options = server.tls_options(client_certificate=True)
            url = f"{url}?{urlencode(options)}"
            with Connection(url, transport_options=OPTIONS) as connection:
                assert sends_and_receives(connection)


class test_users:
    def test_only_keys_with_the_prefix_are_used(self, server, url):
        url = f"{url}?{urlencode(server.tls_options())}"
        with (
            Listener(url, [TASKS, NEWS], transport_options=OPTIONS) as listener,
            Connection(url, transport_options=OPTIONS) as connection,
        ):
            producer = connection.Producer()
            producer.publish("task", routing_key=TASKS.name)
            listener.wait_for_body("task", BOUND)
            producer.publish("news", exchange=NEWS.exchange, declare=[NEWS.exchange])
            listener.wait_for_body("news", BOUND)
            database = int(connection.virtual_host)
            with server.client(database) as client:
                keys = client.keys()

        assert keys
        assert [key for key in keys if not key.startswith(PREFIX.encode())] == []
        assert listener.losses == 0

    def test_what_is_refused_is_told_without_secrets(self, server, url):
        url = f"{url}?{urlencode(server.tls_options())}"
        with Connection(url) as connection:  # no prefix
            with pytest.raises(connection.channel_errors) as refused:
                connection.Producer().publish("hello", routing_key="tasks")

        assert "permission" in str(refused.value) or "access" in str(refused.value)
        assert LIMITED[1] not in str(refused.value)

    def test_wrong_password_is_told_without_it(self, server):
        url = server.url_of(LIMITED[0], "not-the-password")
        url = f"{url}?{urlencode(server.tls_options())}"
        with Connection(url, transport_options=OPTIONS) as connection:
            with pytest.raises(OperationalError, match="(?i)password") as refused:
                connection.ensure_connection(max_retries=1, interval_start=0)

        assert "not-the-password" not in str(refused.value)
        assert "not-the-password" not in repr(connection)


class Credentials:
    """Gives the password that is valid, as redis-py's credential providers do."""

    def __init__(self, password):
        self.password = password
        self.count = 0

    def get_credentials(self):
        self.count += 1
        return LIMITED[0], self.password

    async def get_credentials_async(self):
        return self.get_credentials()


def provider(password):
    from redis.credentials import CredentialProvider

    return type("Provider", (Credentials, CredentialProvider), {})(password)


class test_rotation:
    @pytest.mark.parametrize("kind", ["provider", "callable"])
    def test_new_password_is_asked_for(self, kind):
        with SecuredRedis() as server:
            credentials = provider(LIMITED[1])
            if kind == "provider":
                options = {"credential_provider": credentials}
            else:
                options = {
                    "userid": LIMITED[0],
                    "password": lambda: credentials.get_credentials()[1],
                }
            url = (
                f"rediss://127.0.0.1:{server.port}/1?{urlencode(server.tls_options())}"
            )
            options["transport_options"] = OPTIONS
            with (
                Listener(url, [TASKS], **options) as listener,
                Connection(url, **options) as connection,
            ):
                producer = connection.Producer(routing_key=TASKS.name)
                for number in range(3):
                    producer.publish(number, retry=True)
                    listener.wait_for_body(number, BOUND)
                    credentials.password = f"changed {number}"
                    server.set_password(credentials.password)
                    assert server.end_connections()

                producer.publish("last", retry=True)
                listener.wait_for_body("last", BOUND)

    def test_who_is_connected_goes_on(self):
        with SecuredRedis() as server:
            url = server.limited(server.new_database())
            url = f"{url}?{urlencode(server.tls_options())}"
            with Connection(url, transport_options=OPTIONS) as connection:
                assert sends_and_receives(connection)
                server.set_password("another")

                assert sends_and_receives(connection)
