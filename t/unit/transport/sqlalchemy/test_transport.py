from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from kombu import Connection
from kombu.exceptions import DriverNotInstalled
from kombu.transport.sqlalchemy._watching import SqliteWatcher, watcher_of
from t.unit.transport.sqlalchemy.conftest import TRANSPORT
from t.unit.transport.sqlalchemy.envelopes import envelope

CONSUMER = """
import sys
from kombu import Connection
connection = Connection(sys.argv[1], transport=sys.argv[2])
channel = connection.channel()
channel.connection.own_records.renew(channel.owner, float(sys.argv[3]))
print(len(channel._claim(["q"], 2)), flush=True)
sys.stdin.read()
"""


class test_opening:
    def test_nothing_is_imported_before(self):
        program = (
            "import sys, kombu.transport.sqlalchemy\n"
            "assert 'sqlalchemy' not in sys.modules, 'too early'\n"
        )

        subprocess.run([sys.executable, "-c", program], check=True)

    def test_missing_package_is_named(self, store, monkeypatch):
        for name in tuple(sys.modules):
            if name.startswith("kombu.transport.sqlalchemy._"):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "sqlalchemy", None)

        with pytest.raises(DriverNotInstalled, match=r"kombu\[sqlalchemy\]"):
            store.connect().channel()
        assert store.connect().transport.driver_version() == "N/A"

    def test_file_that_can_not_be_opened(self, tmp_path):
        url = f"sqlite:///{tmp_path}/none/x.db"
        connection = Connection(url, transport=TRANSPORT)

        with pytest.raises(connection.connection_errors, match="can not be reached"):
            connection.transport.establish_connection()

    def test_options_of_the_engine_reach_it(self, store):
        transport = store.connect(pool_size=2, connect_args={"timeout": 1}).transport

        assert transport.broker.database.engine().pool.size() == 2

    def test_our_options_do_not(self, store):
        options = {"polling_interval": 3.0, "visibility_timeout": 9, "notify": False}

        transport = store.connect(**options).transport

        assert transport.broker.topic == ""
        assert transport.polling_interval == 3.0

    def test_in_memory(self):
        with Connection("sqlite://", transport=TRANSPORT) as connection:
            queue = connection.SimpleQueue("q")
            queue.put({"a": 1})

            message = queue.get(timeout=5)
            assert message.payload == {"a": 1}
            message.ack()
            queue.close()

    def test_says_what_it_is(self, store):
        import sqlalchemy

        transport = store.connect().transport

        assert transport.driver_version() == sqlalchemy.__version__
        assert (transport.driver_type, transport.driver_name) == ("sql", "sqlalchemy")
        assert transport.can_parse_url
        assert transport.default_port == 0
        assert transport.implements.offers("lease")

    def test_can_be_used_again_after_it_was_closed(self, store):
        connection = store.connect()
        connection.channel()._put("q", envelope("x"))
        connection.close()
        connection.connect()

        assert connection.channel()._size("q") == 1


class test_waking:
    def test_another_process_writes(self, store):
        class Sleeper:
            def __init__(self):
                self.is_woken = threading.Event()

            def wake(self):
                self.is_woken.set()

        broker = store.connect().transport.broker
        sleeper = Sleeper()
        watcher = watcher_of(sleeper, broker)
        try:
            assert isinstance(watcher, SqliteWatcher)
            assert sleeper.is_woken.wait(10)  # it has begun
            sleeper.is_woken.clear()
            store.rows("INSERT INTO kombu_queue (name) VALUES ('x')")
            assert sleeper.is_woken.wait(10)
        finally:
            watcher.stop()
        assert not watcher._thread.is_alive()

    def test_database_in_memory_is_not_watched(self):
        transport = Connection("sqlite://", transport=TRANSPORT).transport

        assert watcher_of(transport, transport.broker) is None

    def test_closing_ends_the_thread(self, store):
        connection = store.connect()
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")
        thread = channel.connection._watcher._thread

        connection.close()

        assert not thread.is_alive()

    def test_transport_that_was_dropped_ends_the_thread(self, store):
        class Dropped:
            def wake(self):
                pass

        watcher = watcher_of(Dropped(), store.connect().transport.broker)

        watcher._thread.join(10)
        assert not watcher._thread.is_alive()


def test_what_a_killed_process_had_comes_back(store):
    channel = store.channel()
    channel._new_queue("q")
    for number in range(3):
        channel._put("q", envelope(number))
    with subprocess.Popen(
        [sys.executable, "-c", CONSUMER, store.url, TRANSPORT, "1000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as consumer:
        assert consumer.stdout.readline() == b"2\n"
        consumer.kill()

    assert channel._reap() == set()
    assert channel._size("q") == 1
    store.rows("UPDATE kombu_message_owner SET lease_end = 1 WHERE lease_end > 1")
    channel.connection.own_records.renew(channel.owner, 60)
    assert channel._reap() == {"q"}

    claims = channel._claim(["q"], 9)
    assert [claim.envelope["body"] for claim in claims] == ["0", "1", "2"]
    assert [claim.deliveries for claim in claims] == [1, 1, 0]
