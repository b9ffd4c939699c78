"""The proxy that breaks connections, before a server that sends everything back."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from kombu.testing import FaultProxy


class EchoServer:
    """Sends back what it gets, until the client ends."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.received = []
        self.has_received = threading.Condition()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.echo, args=(client,), daemon=True)
            thread.start()

    def echo(self, client):
        with client:
            try:
                while data := client.recv(65536):
                    with self.has_received:
                        self.received.append(data)
                        self.has_received.notify_all()
                    client.sendall(data)
            except OSError:
                pass

    def wait_for(self, expected):
        """Wait until it has got just that."""
        with self.has_received:
            return self.has_received.wait_for(
                lambda: b"".join(self.received) == expected, 5
            )

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def server():
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def proxy(server):
    with FaultProxy("localhost", server.port) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    made = []

    def connect():
        made.append(socket.create_connection((proxy.host, proxy.port), timeout=5))
        return made[-1]

    yield connect
    for client in made:
        client.close()


def receive(client, count):
    data = b""
    while len(data) < count:
        part = client.recv(count - len(data))
        if not part:
            break
        data += part
    return data


def echoes(client, data=b"hello"):
    client.sendall(data)
    return receive(client, len(data)) == data


def is_silent(client):
    client.settimeout(0.05)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


class test_without_faults:
    def test_bytes_pass_and_are_counted(self, proxy, connect):
        client = connect()

        assert echoes(client)

        assert (proxy.connections, proxy.open_connections) == (1, 1)
        # What is sent is counted after it has arrived, perhaps.
        proxy.wait_until(
            lambda: (proxy.to_broker.bytes, proxy.to_client.bytes) == (5, 5)
        )

    def test_large_streams_pass_whole(self, connect):
        client, data = connect(), bytes(range(256)) * 8192
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()

        assert receive(client, len(data)) == data
        sender.join(5)

    def test_connections_are_kept_apart(self, proxy, connect):
        clients = [connect() for _ in range(5)]

        for number, client in enumerate(clients):
            client.sendall(bytes([number]))
        assert [client.recv(1) for client in clients] == [bytes([n]) for n in range(5)]
        assert proxy.connections == 5

    def test_end_of_one_direction_leaves_the_other(self, connect):
        client = connect()
        client.sendall(b"last words")

        client.shutdown(socket.SHUT_WR)

        assert receive(client, 100) == b"last words"

    def test_finished_connection_is_forgotten(self, proxy, connect):
        client = connect()
        assert echoes(client)

        client.close()

        proxy.wait_until(lambda: proxy.open_connections == 0)

    def test_broker_that_is_not_there_resets(self):
        # Held, so that nobody else can listen there.
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            with FaultProxy(*silent.getsockname()) as proxy:
                address = proxy.host, proxy.port
                # By the first read, or already when the connection is made.
                with (
                    pytest.raises(ConnectionResetError),
                    socket.create_connection(address, timeout=5) as client,
                ):
                    client.recv(1)


class test_ending_connections:
    def test_cut_resets(self, proxy, connect):
        client = connect()
        assert echoes(client)

        proxy.cut()

        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert proxy.open_connections == 0
        assert echoes(connect())

    def test_close_ends_in_order(self, proxy, connect):
        client = connect()
        assert echoes(client)

        proxy.close()

        assert client.recv(1) == b""
        assert echoes(connect())

    def test_refuse_turns_new_clients_away(self, proxy, connect):
        client = connect()
        assert echoes(client)

        proxy.refuse()
        proxy.refuse()

        with pytest.raises(ConnectionRefusedError):
            connect()
        assert echoes(client)

        proxy.heal()
        assert echoes(connect())


class test_faults_of_a_direction:
    def test_black_hole_swallows_what_is_sent(self, proxy, connect, server):
        client = connect()
        assert echoes(client)

        proxy.to_broker.black_hole()
        client.sendall(b"lost")

        assert is_silent(client)
        assert server.received == [b"hello"]
        assert proxy.to_broker.bytes == 5

    def test_black_hole_swallows_what_comes(self, proxy, connect, server):
        client = connect()
        assert echoes(client)

        proxy.to_client.black_hole()
        client.sendall(b"heard")
        assert server.wait_for(b"helloheard")

        assert is_silent(client)

    def test_black_hole_accepts_new_connections(self, proxy, connect):
        proxy.black_hole()

        client = connect()
        client.sendall(b"lost")

        assert is_silent(client)

    def test_what_was_still_on_its_way_is_swallowed_too(self, proxy, connect):
        client = connect()
        assert echoes(client)
        proxy.to_client.delay(60)
        client.sendall(b"late")
        proxy.wait_until(lambda: proxy.to_broker.bytes == 9)

        proxy.to_client.black_hole()

        assert is_silent(client)
        assert proxy.to_client.bytes == 5

    def test_healing_resets_what_has_lost_bytes(self, proxy, connect):
        sound = connect()
        assert echoes(sound)
        proxy.black_hole()
        torn = connect()
        torn.sendall(b"lost")
        assert is_silent(torn)

        proxy.heal()

        with pytest.raises(ConnectionResetError):
            torn.recv(1)
        assert echoes(sound)
        assert echoes(connect())

    def test_delay(self, proxy, connect):
        client = connect()
        assert echoes(client)

        proxy.to_client.delay(0.1)
        begin = time.monotonic()
        assert echoes(client)

        assert time.monotonic() - begin >= 0.1
        proxy.to_client.heal()
        assert proxy.to_client.seconds_late == 0

    def test_delay_of_both_directions_keeps_the_order(self, proxy, connect):
        client = connect()
        proxy.delay(0.02)

        for number in range(5):
            client.sendall(bytes([number]))

        assert receive(client, 5) == bytes(range(5))

    def test_throttle(self, proxy, connect):
        client = connect()
        proxy.throttle(10_000)
        begin = time.monotonic()

        assert echoes(client, bytes(1000))

        # The first portion is free.
        assert time.monotonic() - begin >= 0.08

    def test_truncate_lets_so_many_bytes_pass(self, proxy, connect):
        client = connect()
        assert echoes(client)

        proxy.to_client.truncate(3)
        client.sendall(b"abcdef")

        assert receive(client, 100) == b"abc"
        assert echoes(connect())

    def test_truncate_to_nothing(self, proxy, connect, server):
        client = connect()
        assert echoes(client)

        proxy.to_broker.truncate(0)
        client.sendall(b"abcdef")

        assert receive(client, 100) == b""
        assert server.received == [b"hello"]

    @pytest.mark.parametrize(
        ("fault", "value"),
        [("delay", -1), ("throttle", 0), ("throttle", -1), ("truncate", -1)],
    )
    def test_senseless_values_are_refused(self, proxy, fault, value):
        with pytest.raises(ValueError, match=str(value)):
            getattr(proxy.to_broker, fault)(value)

    def test_repr_tells_the_faults(self, proxy):
        assert repr(proxy.to_broker) == "<Faults to broker: sound, 0 bytes>"

        proxy.to_broker.delay(2)
        proxy.to_broker.black_hole()

        text = repr(proxy.to_broker)
        assert "delay=2" in text
        assert "black_hole=True" in text


class test_life:
    def test_url_gets_the_address(self, proxy):
        url = proxy.url_for("redis://user:p%40ss@broker:6379/0?timeout=1")

        assert url == f"redis://user:p%40ss@127.0.0.1:{proxy.port}/0?timeout=1"
        assert proxy.url_for("amqp://broker//") == f"amqp://127.0.0.1:{proxy.port}//"

    def test_stopping_twice_is_the_same(self, proxy, connect):
        client = connect()
        assert echoes(client)

        proxy.stop()
        proxy.stop()

        assert client.recv(1) == b""
        assert "stopped" in repr(proxy)
        with pytest.raises(ConnectionRefusedError):
            connect()

    def test_port_stays_the_same_after_a_restart(self, proxy, connect):
        port = proxy.port
        proxy.stop()

        proxy.start()

        assert proxy.port == port
        assert echoes(connect())

    def test_proxy_that_does_not_run_says_so(self, server):
        with pytest.raises(RuntimeError, match="start"):
            FaultProxy("localhost", server.port).cut()

    def test_wait_for_what_does_not_happen_fails(self, server):
        with FaultProxy("localhost", server.port, patience=0.01) as proxy:
            with pytest.raises(AssertionError, match="in vain"):
                proxy.wait_until(lambda: False)
            assert str(proxy.port) in repr(proxy)
