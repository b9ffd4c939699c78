from __future__ import annotations

import subprocess
import sys

import pytest
from redis import exceptions

from kombu import Connection
from kombu.exceptions import ConnectionLimitExceeded, DriverNotInstalled
from kombu.transport.redis import SSLTransport, Transport, UnixSocketTransport
from kombu.transport.redis.errors import ServerLost, ServerRefused
from t.unit.transport.redis.server import envelope


class test_opening:
    def test_driver_is_not_imported_before(self):
        program = (
            "import sys, kombu.transport.redis\n"
            "assert 'redis' not in sys.modules, 'too early'\n"
        )

        subprocess.run([sys.executable, "-c", program], check=True)

    def test_missing_driver_is_named(self, monkeypatch):
        for name in tuple(sys.modules):
            if name.startswith(("kombu.transport.redis.", "redis")):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "redis", None)
        transport = Connection("redis://home").transport

        with pytest.raises(DriverNotInstalled, match=r"pip install 'kombu\[redis\]'"):
            transport.establish_connection()
        assert transport.driver_version() == "N/A"
        assert KeyError not in transport.connection_errors

    def test_broken_driver_is_not_called_missing(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "kombu.transport.redis.broker", False)
        monkeypatch.setitem(sys.modules, "kombu.transport.redis.bell", None)

        with pytest.raises(ModuleNotFoundError):
            Connection("redis://home").transport.establish_connection()

    def test_server_that_is_away(self, connect, server):
        server.is_gone = True

        with pytest.raises(ServerLost, match="can not be reached"):
            connect().transport.establish_connection()

    def test_server_that_lets_nobody_in(self, connect, server):
        server.answers["TIME"].append(exceptions.NoPermissionError("no rights"))

        with pytest.raises(ServerRefused, match="no rights"):
            connect().transport.establish_connection()

    @pytest.mark.parametrize(
        "url, kind",
        [
            ("redis://h", Transport),
            ("valkey://h", Transport),
            ("rediss://h", SSLTransport),
            ("valkeys://h", SSLTransport),
            ("redis+socket:///tmp/x", UnixSocketTransport),
        ],
    )
    def test_schemes(self, url, kind):
        assert type(Connection(url).transport) is kind

    def test_says_what_it_is(self, connection):
        import redis

        transport = connection.transport

        assert transport.driver_version() == redis.__version__
        assert (transport.driver_type, transport.driver_name) == ("redis", "redis")
        assert transport.implements.offers("lease")
        assert transport.implements.asynchronous
        assert transport.supports_batch_publish

    def test_link_is_made_of_the_parameters(self):
        transport = Connection("redis://u:s3cr3t@h:7/2").transport

        link = transport._link_maker()()

        assert repr(link) == "<Link: to Redis at h:7/2, new>"

    def test_client_of_the_driver_by_socket(self):
        transport = Connection("redis+socket:///tmp/x").transport

        pool = transport.client_of_driver().connection_pool
        assert pool.connection_kwargs["path"] == "/tmp/x"


class test_errors:
    def test_those_of_the_driver_are_among_them(self, connection):
        assert exceptions.ConnectionError in connection.connection_errors
        assert exceptions.TimeoutError in connection.connection_errors
        assert exceptions.ResponseError in connection.channel_errors
        assert issubclass(ServerLost, connection.connection_errors)
        assert issubclass(ServerRefused, connection.channel_errors)

    def test_lost_server_is_recoverable(self, connection):
        assert issubclass(ServerLost, connection.recoverable_connection_errors)


class test_levels:
    @pytest.mark.parametrize(
        "priority, level",
        [(0, 0), (2, 0), (4, 3), (9, 9), (200, 9), (-1, 0), (None, 0), ("x", 0)],
    )
    def test_as_kombu(self, connection, priority, level):
        found = envelope("x", priority=priority)

        assert connection.transport.level_of("q", found) == level
        assert connection.transport.levels_of("q") == (0, 3, 6, 9)

    def test_of_nonsense(self, connection):
        assert connection.transport.level_of("q", b"nonsense") == 0

    @pytest.mark.parametrize(
        "priority, level", [(0, 0), (3, 3), (200, 5), (-1, 0), (None, 0)]
    )
    def test_as_amqp(self, connect, priority, level):
        channel = connect(priority_mode="amqp").channel()
        channel.queue_declare("q", arguments={"x-max-priority": 5})
        transport = channel.connection

        assert transport.level_of("q", envelope("x", priority=priority)) == level
        assert transport.levels_of("q") == (5, 4, 3, 2, 1, 0)

    def test_as_amqp_of_a_queue_without_priorities(self, connect):
        channel = connect(priority_mode="amqp").channel()
        channel.queue_declare("q")

        assert channel.connection.levels_of("q") == (0,)
        assert channel.connection.level_of("q", envelope("x", priority=7)) == 0


class test_connections:
    def test_are_counted_together(self, connect, server):
        channel = connect().channel()
        channel.queue_declare("q")
        assert len(server.connections) == 1

        channel.basic_consume("q", False, print, "tag")
        with pytest.raises(TimeoutError):
            channel.connection.client.drain_events(timeout=0.01)

        assert len(server.connections) == 2
        assert channel.connection.broker.server.quota.used == 2

    def test_without_one_to_wait_by_it_is_looked(self, connect, server):
        connection = connect(max_connections=1)
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")

        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)

        assert connection.transport.broker.bell() is None
        assert not server.named("BLPOP")

    def test_none_is_left_to_listen(self, connect):
        connection = connect(max_connections=1)
        channel = connection.channel()
        channel.exchange_declare("e", "fanout")
        channel.queue_declare("q")
        channel.queue_bind("q", "e", "")

        with pytest.raises(ConnectionLimitExceeded, match="max_connections"):
            channel.basic_consume("q", False, print, "tag")

    def test_all_are_closed(self, connect, server):
        connection = connect()
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)

        connection.close()

        assert not any(one.is_open for one in server.connections)

    def test_child_leaves_its_parents_alone(self, connect, server):
        transport = connect().transport
        transport.establish_connection()
        of_parent = transport.broker

        transport._after_fork()

        assert transport.broker is not of_parent
        assert server.connections[0].is_open

    def test_can_be_used_again_after_it_was_closed(self, connect):
        connection = connect()
        connection.channel().queue_declare("q")
        connection.close()
        connection.connect()

        assert connection.channel().queue_declare("q", passive=True)


def test_repr(connection):
    connection.transport.establish_connection()

    assert "Redis" in repr(connection.transport.broker)
