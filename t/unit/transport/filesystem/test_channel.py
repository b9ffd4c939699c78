from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import uuid
import warnings
import weakref
from collections import Counter

import pytest

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import ChannelError, RecoverableConnectionError
from kombu.transport import filesystem
from kombu.transport.virtual.claims import DELIVER_AT, EXPIRES_AT
from t.unit.transport.filesystem.conftest import envelope

#: Seconds after which what should have come is given up.
LIMIT = 20

PATH = "kombu.transport.filesystem:Transport"


@pytest.fixture
def options(tmp_path):
    return {
        "data_folder_in": str(tmp_path / "data"),
        "data_folder_out": str(tmp_path / "data"),
        "control_folder": str(tmp_path / "control"),
        "processed_folder": str(tmp_path / "done"),
    }


@pytest.fixture
def connect(options):
    made = []

    def connect(**kwargs):
        made.append(Connection(transport=PATH, transport_options={**options, **kwargs}))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def channel(connect):
    return connect().channel()


@pytest.fixture
def data(options):
    return options["data_folder_in"]


def messages(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".msg"))


class test_names_of_kombu_5_7:
    def test_are_there(self):
        for name in ("Channel", "Transport", "lock", "unlock", "exchange_queue_t"):
            assert hasattr(filesystem, name)
        assert filesystem.exchange_queue_t("k", "p", "q")._fields == (
            "routing_key",
            "pattern",
            "queue",
        )

    def test_of_the_channel(self, channel, options):
        for name, value in options.items():
            assert getattr(channel, name) == value
        assert channel.store_processed is False
        assert channel.supports_fanout
        assert channel.transport_options == options
        Queue("q", Exchange("e"), "k")(channel).declare()
        assert [tuple(row) for row in channel.get_table("e")] == [("k", None, "q")]

    def test_of_the_transport(self, connect):
        transport = connect().transport

        assert transport.default_port == 0
        assert transport.driver_type == transport.driver_name == "filesystem"
        assert transport.driver_version() == "N/A"
        assert not transport.implements.support("tls")
        assert transport.implements.support("lease")
        assert filesystem.Transport.global_state is not None

    def test_have_the_defaults_of_then(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with Connection(transport=PATH) as connection:
            channel = connection.channel()
            assert channel.data_folder_in == "data_in"
            Producer(channel).publish(1, routing_key="q")
            assert channel.queue_declare("q").message_count == 0

        assert len(messages("data_out")) == 1


class test_options:
    def test_are_all_known(self, connect):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            connect(fsync=True, store_processed=True).channel()

    def test_that_are_misspelt_are_told_of(self, connect):
        with pytest.warns(UserWarning, match="data_folder_in"):
            connect(data_foldr_in="x").channel()

    def test_store_processed_keeps_what_was_acknowledged(self, connect, options):
        channel = connect(store_processed=True).channel()
        Producer(channel).publish("a", routing_key="q")
        channel.basic_get("q").ack()

        assert len(messages(options["processed_folder"])) == 1


class test_stored_form:
    def test_is_that_of_kombu_5_7(self, channel, data):
        Producer(channel).publish({"a": 1}, routing_key="q", priority=5)

        (name,) = messages(data)
        assert name.partition(".")[2] == "q.msg"
        with open(os.path.join(data, name)) as file:
            found = json.load(file)
        assert set(found) == {
            "body",
            "content-encoding",
            "content-type",
            "headers",
            "properties",
        }
        assert found["properties"]["body_encoding"] == "base64"
        assert found["properties"]["delivery_info"] == {
            "exchange": "",
            "routing_key": "q",
        }

    def test_of_kombu_5_7_is_read(self, channel, data):
        # As kombu 5.7.0 wrote it.
        text = (
            '{"body": "eyJhIjogMX0=", "content-encoding": "utf-8", "content-type": '
            '"application/json", "headers": {}, "properties": {"delivery_mode": 2, '
            '"delivery_info": {"exchange": "d", "routing_key": "k1"}, "priority": 0, '
            '"body_encoding": "base64", "delivery_tag": '
            '"4360c10d-eb49-4299-a1dd-83db896d2d85"}}'
        )
        with open(f"{data}/650339_{uuid.uuid4()}.q.msg", "w") as file:
            file.write(text)

        message = channel.basic_get("q")
        assert message.payload == {"a": 1}
        message.reject(requeue=True)
        message = channel.basic_get("q")
        assert message.delivery_info["redelivered"]
        message.ack()
        assert messages(data) == []


class test_claiming:
    def put(self, channel, queue, *bodies, **properties):
        for body in bodies:
            channel._put(queue, envelope(body, **properties))

    def test_shares_the_limit_among_queues(self, channel):
        self.put(channel, "a", *range(10))
        self.put(channel, "b", *range(2))
        self.put(channel, "c", *range(10))
        channel._hold_lease()

        claims = channel._claim(["a", "b", "c"], 9)

        assert Counter(c.queue for c in claims) == {"a": 3, "b": 2, "c": 4}
        assert [c.envelope["body"] for c in claims if c.queue == "c"] == [0, 1, 2, 3]
        rest = channel._claim(["b", "a", "c"], 100)
        assert Counter(c.queue for c in rest) == {"a": 7, "c": 6}

    def test_that_fails_for_one_queue_leaves_those_of_the_others(
        self, channel, monkeypatch
    ):
        self.put(channel, "a", 1)
        self.put(channel, "b", 2)
        channel._hold_lease()
        real = os.rename

        def rename(source, target):
            if source.endswith(".b.msg"):
                raise OSError(5, "Input/output error", source)
            real(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename)
            with pytest.raises(ChannelError, match="Input/output"):
                channel._claim(["a", "b"], 10)

        assert channel._size("a") == channel._size("b") == 1
        assert [c.envelope["body"] for c in channel._claim(["a"], 10)] == [1]

    def test_of_the_expired_takes_those_at_the_head(self, channel):
        now = int(channel._store_time() * 1000)
        self.put(channel, "q", 1, 2, **{EXPIRES_AT: now - 1})
        self.put(channel, "q", 3)
        self.put(channel, "q", 4, **{EXPIRES_AT: now - 1})
        channel._hold_lease()

        assert [c.envelope["body"] for c in channel._claim_expired("q", 1)] == [1]
        assert [c.envelope["body"] for c in channel._claim_expired("q", 9)] == [2]
        assert channel._claim_expired("q", 9) == []

    def test_knows_what_happens_next(self, channel):
        assert channel._next_due(["q"]) is None
        now = int(channel._store_time() * 1000)
        self.put(channel, "q", 1, **{EXPIRES_AT: now + 90_000})
        assert channel._next_due(["q", "p"]) == (now + 90_000) / 1000
        self.put(channel, "p", 1, **{DELIVER_AT: now + 60_000})
        assert channel._next_due(["q", "p"]) == pytest.approx(now / 1000 + 60, abs=0.01)

    def test_takes_delayed_messages_back(self, channel):
        due = int(channel._store_time() * 1000) + 60_000
        self.put(channel, "q", 1, **{DELIVER_AT: due, "message_id": "m"})

        assert channel._cancel_delayed("q", "m")
        assert not channel._cancel_delayed("q", "m")

    def test_moves_and_sets_aside(self, channel, data):
        self.put(channel, "q", 1, 2)
        channel._hold_lease()
        one, two = channel._claim(["q"], 2)
        channel._move(one, [("d", envelope("dead"))])
        channel._set_aside(two)

        assert channel._size("d") == 1
        assert channel._size_bytes("d") == len(json.dumps(envelope("dead")))
        assert len(os.listdir(f"{data}/.bad")) == 1

    def test_guards_a_queue(self, channel):
        with channel._guard("a/b"):
            pass

    def test_reaps(self, connect, channel):
        other = connect().channel()
        self.put(channel, "q", 1)
        channel._hold_lease()
        channel._claim(["q"], 1)
        channel.connection.own_records.renew(channel.owner, -1)

        assert set(other._reap()) == {"q"}
        assert other._size("q") == 1


class test_errors:
    def test_of_the_system_are_the_channels(self, channel, data, monkeypatch):
        def rename(source, target):
            raise PermissionError(13, "Permission denied", target)

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(ChannelError, match="Permission denied.*transport options"):
            channel._put("q", envelope(1))
        assert issubclass(ChannelError, channel.connection.channel_errors)

    def test_of_folders_that_can_not_be_made(self, tmp_path, connect):
        (tmp_path / "file").write_text("")
        folder = str(tmp_path / "file" / "data")
        connection = connect(data_folder_in=folder, data_folder_out=folder)

        with pytest.raises(RecoverableConnectionError, match="file/data"):
            connection.transport.establish_connection()
        with pytest.raises(connection.connection_errors):
            connection.transport.store


class test_folders:
    def test_one_of_which_can_not_be_had_are_enough_to_publish(
        self, connect, tmp_path, data
    ):
        (tmp_path / "file").write_text("")
        channel = connect(data_folder_in=str(tmp_path / "file" / "in")).channel()
        Producer(channel).publish("a", routing_key="q")

        assert len(messages(data)) == 1
        with pytest.raises(ChannelError, match="file/in"):
            channel.basic_get("q")

    def test_of_two_directions(self, connect, tmp_path):
        there, back = str(tmp_path / "there"), str(tmp_path / "back")
        one = connect(data_folder_out=there, data_folder_in=back).channel()
        two = connect(data_folder_out=back, data_folder_in=there).channel()
        Producer(one).publish("a", routing_key="q")
        message = two.basic_get("q")
        message.requeue()

        # Back to where its queue is, not to where this side publishes.
        assert len(messages(there)) == 1
        assert messages(back) == []
        Producer(two).publish("b", routing_key="q")
        assert one.basic_get("q", no_ack=True).payload == "b"


CHILD = (
    f"PATH = {PATH!r}"
    + """
import sys
from kombu import Connection, Producer, Consumer, Queue
import json, socket
role, options = sys.argv[1], json.loads(sys.argv[2])
with Connection(transport=PATH, transport_options=options) as connection:
    if role == "publish":
        Producer(connection).publish("from afar", routing_key="q")
    else:
        got = []
        def note(body, message):
            got.append(body)
            message.ack()
        with Consumer(connection, Queue("q"), callbacks=[note]):
            print("ready", flush=True)
            sys.stdin.readline()
            try:
                while True:
                    connection.drain_events(timeout=1)
            except socket.timeout:
                pass
        print(json.dumps(got))
"""
)


def child(role, options):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, role, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class test_processes:
    def test_wake_each_other(self, connect, options):
        # Polling alone would be far too late.
        connection = connect(polling_interval=1000)
        connection.channel()
        if not connection.transport._watcher.start():
            pytest.skip("nothing here tells of changes in folders")
        got = []
        with Consumer(connection, Queue("q"), on_message=got.append):
            publisher = child("publish", options)
            connection.drain_events(timeout=LIMIT)
            publisher.communicate(timeout=LIMIT)

        assert [message.payload for message in got] == ["from afar"]
        got[0].ack()

    def test_that_race_get_each_message_once(self, channel, options):
        producer = Producer(channel)
        for number in range(300):
            producer.publish(number, routing_key="q")
        children = [child("consume", options) for _ in range(2)]
        for one in children:
            assert one.stdout.readline() == "ready\n"
        for one in children:
            one.stdin.write("go\n")
            one.stdin.flush()
        got = [json.loads(one.communicate(timeout=LIMIT)[0]) for one in children]

        assert sorted(got[0] + got[1]) == list(range(300))
        assert channel._size("q") == 0


class test_threads:
    def test_publish_in_their_own_order(self, channel):
        def publish(name):
            for number in range(50):
                channel._put("q", envelope([name, number]))

        threads = [threading.Thread(target=publish, args=(n,)) for n in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        channel._hold_lease()
        got = [c.envelope["body"] for c in channel._claim(["q"], 1000)]

        for name in "abc":
            assert [n for who, n in got if who == name] == list(range(50))


class test_collection:
    def test_of_a_connection_stops_its_watcher(self, connect, options):
        connection = Connection(transport=PATH, transport_options=options)
        transport = connection.transport
        transport.establish_connection()
        transport._watcher.start()
        watcher, waker = transport._watcher, transport._watcher._wake
        waker()
        transport.channels.clear()
        gone = weakref.ref(transport)
        del transport, connection
        gc.collect()

        assert gone() is None
        assert repr(watcher) == "<Watcher: stopped>"
        waker()  # as the thread may just be doing


class test_topology:
    def test_of_kombu_5_7_is_used(self, channel, options):
        with open(f"{options['control_folder']}/e.exchange", "w") as file:
            file.write('[["k", "", "q"]]')
        Exchange("e")(channel).declare()
        Producer(channel).publish(1, exchange="e", routing_key="k")

        assert channel.queue_declare("q", passive=True).message_count == 1

    def test_is_shared(self, connect):
        one, two = connect().channel(), connect().channel()
        queue = Queue("q", Exchange("t", "topic"), "a.#")
        queue(one).declare()
        Producer(two).publish(1, exchange="t", routing_key="a")
        assert one.queue_declare("q", passive=True).message_count == 1
        queue(two).delete()
        assert one.connection.own_records.binding_files.read("t") == []
