"""The Redis servers of `t.brokers` are what they say, and keep their data."""

from __future__ import annotations

import threading

import pytest
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    RedisError,
    ResponseError,
)

from t.brokers.redis import Redis, redis_client
from t.brokers.redis_secured import LIMITED, PREFIX, SecuredRedis
from t.brokers.redis_sentinel import SentinelRedis
from t.brokers.redis_watching import Watch, command_stats


class test_plain:
    def test_databases_are_empty_and_apart(self, redis_server):
        urls = [redis_server.new_database() for _ in range(2)]
        clients = [redis_client(url) for url in urls]
        clients[0].set("key", 1)

        assert [client.dbsize() for client in clients] == [1, 0]

    def test_database_that_comes_again_is_emptied(self, redis_server):
        url = redis_server.new_database()
        redis_client(url).set("key", 1)
        while redis_server.new_database() != url:
            pass

        assert redis_client(url).dbsize() == 0

    def test_socket(self, redis_server):
        assert redis_client(f"unix://{redis_server.socket_path}").ping()

    @pytest.mark.parametrize("appendfsync", ["no", "always"])
    def test_what_was_acknowledged_survives_a_kill(self, appendfsync):
        with Redis(appendfsync) as server:
            written = write_until_it_fails(server, server.kill)
            server.start()

            with server.client() as client:
                found = {int(each) for each in client.lrange("numbers", 0, -1)}
        assert len(written) >= 100
        assert found >= set(written)

    def test_without_log_nothing_survives(self):
        with Redis(None) as server:
            server.client().set("key", 1)
            server.kill()
            with pytest.raises(ConnectionError):
                server.client().ping()
            server.start()

            assert server.client().dbsize() == 0


def write_until_it_fails(server, kill):
    """Write numbers, and `kill` after some; return those that were acknowledged."""
    written = []
    enough = threading.Event()

    def write():
        with server.client() as client, pytest.raises(RedisError):
            while True:
                client.rpush("numbers", len(written))
                written.append(len(written))
                if len(written) == 100:
                    enough.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert enough.wait(30)
    kill()
    thread.join()
    return written


class test_watch:
    def test_counts_what_others_send(self, redis_server):
        with redis_server.client() as client, redis_server.client() as own:
            client.ping()
            with Watch(own) as watch:
                client.eval("return redis.call('SET', KEYS[1], 1)", 1, "key")
                with client.pipeline(transaction=False) as pipeline:
                    for _ in range(10):
                        pipeline.get("key")
                    pipeline.execute()

        assert [each.name for each in watch.sent] == ["EVAL", *["GET"] * 10]
        assert [each.name for each in watch.commands if each.is_of_a_script] == ["SET"]
        assert watch.reads == 2

    def test_command_stats(self, redis_server):
        with redis_server.client() as client:
            before = command_stats(client).get("echo", 0)
            client.echo("x")

            assert command_stats(client)["echo"] == before + 1


class test_secured:
    def test_limited_user_is_limited(self, redis_secured):
        url = redis_secured.limited(redis_secured.new_database())
        with redis_client(url, **redis_secured.tls_options()) as client:
            client.set(f"{PREFIX}key", 1)
            client.publish(f"{PREFIX}channel", 1)
            client.eval("return redis.call('GET', KEYS[1])", 1, f"{PREFIX}key")
            for refused in (
                lambda: client.set("key", 1),
                lambda: client.publish("channel", 1),
                lambda: client.eval("return redis.call('GET', 'key')", 0),
                client.flushdb,
                client.config_get,
            ):
                # Of a script, it is no NoPermissionError.
                with pytest.raises(ResponseError, match="permission|can't access"):
                    refused()

    def test_nobody_else_comes_in(self, redis_secured):
        options = redis_secured.tls_options()
        url = redis_secured.url_of(LIMITED[0], "wrong")
        nobody = f"rediss://127.0.0.1:{redis_secured.port}"
        for each in (url, nobody):
            with pytest.raises(AuthenticationError):
                redis_client(each, **options).ping()
        with pytest.raises(ConnectionError):
            redis_client(
                url, **{**options, "ssl_ca_certs": redis_secured.stranger}
            ).ping()
        with pytest.raises((ConnectionError, TimeoutError)):
            url = f"redis://127.0.0.1:{redis_secured.port}"
            redis_client(url, socket_timeout=5).ping()

    def test_keeps_its_data(self):
        with SecuredRedis() as server:
            with server.client(1).pipeline() as pipeline:  # MULTI
                pipeline.set("one", 1).set("two", 2)
                pipeline.execute()
            server.kill()
            server.start()

            assert server.client(1).mget("one", "two") == [b"1", b"2"]

    def test_rotated_password(self):
        with SecuredRedis() as server:
            options = server.tls_options()
            with redis_client(server.url_of(*LIMITED), **options) as before:
                before.ping()
                server.set_password("another")

                assert before.ping()
                assert server.end_connections() == 1
                with pytest.raises(AuthenticationError):
                    before.ping()
            url = server.url_of(LIMITED[0], "another")
            assert redis_client(url, **options).ping()

    def test_client_certificate(self):
        with SecuredRedis("yes") as server:
            url = server.url_of(*LIMITED)
            with pytest.raises(ConnectionError):
                redis_client(url, **server.tls_options()).ping()

            options = server.tls_options(client_certificate=True)
            assert redis_client(url, **options).ping()


@pytest.fixture(params=[None, "s3cret"], ids=["open", "password"], scope="module")
def sentinel(request):
    with SentinelRedis(request.param) as server:
        yield server


class test_sentinel:
    def test_kill(self, sentinel):
        database = int(sentinel.new_database().rpartition("/")[2])
        old = sentinel.master
        sentinel.client(database).set("key", "value")

        sentinel.kill()

        assert sentinel.master is not old
        assert sentinel.client(database).get("key") == b"value"
        sentinel.start()
        assert sentinel.replica is old

    def test_fail_over(self, sentinel):
        old = sentinel.master
        sentinel.client(1).set("key", "value")

        sentinel.fail_over()

        assert sentinel.replica is old
        assert sentinel.client(1).get("key") == b"value"


class test_cluster:
    def test_slots_are_moved(self, redis_cluster):
        redis_cluster.flush()
        with redis_cluster.client() as client:
            for number in range(25):
                client.set(f"{{tag}}{number}", number)
            slot = redis_cluster.slot_of("tag")
            old = redis_cluster.owner(slot)
            new = next(node for node in redis_cluster.nodes if node is not old)

            seen = []
            for moved in redis_cluster.moving(slot, new):
                seen.append(moved)
                assert client.get("{tag}0") == b"0"

            assert seen == [0, 10, 20, 25]
            assert redis_cluster.owner(slot) is new
            assert client.get("{tag}24") == b"24"

    def test_node_that_is_killed(self, redis_cluster):
        redis_cluster.flush()
        with redis_cluster.client() as client:
            client.set("key", "value")
            node = redis_cluster.owner(redis_cluster.slot_of("key"))
            node.kill()
            redis_cluster.start()

            assert client.get("key") == b"value"
