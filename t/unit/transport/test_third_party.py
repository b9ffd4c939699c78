"""Transports written for kombu run unchanged."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kombu import Consumer, Exchange, Producer, Queue, transport
from kombu.exceptions import RecoverableConnectionError, TimeoutError
from kombu.utils import waiting

from . import third_party
from .third_party import store

PUBLISH_OPTIONS = {
    "mandatory": False,
    "immediate": False,
    "timeout": None,
    "confirm_timeout": None,
}

ALL_TRANSPORTS = [
    third_party.Transport,
    third_party.BareTransport,
    third_party.PollTransport,
    third_party.GetManyTransport,
    third_party.OwnDrainTransport,
    third_party.PollerTransport,
    third_party.TableTransport,
    third_party.ExchangeTransport,
    third_party.QoSTransport,
    third_party.MessageTransport,
    third_party.HeadTransport,
    third_party.RestoreTransport,
]


@pytest.fixture(autouse=True)
def empty_store():
    store.clear()
    yield
    store.clear()


@pytest.fixture
def open(connect):
    def open(transport_cls, **kwargs):
        return connect(transport=transport_cls, **kwargs).channel()

    return open


def consume(channel, *queues, **kwargs):
    """Consume from *queues*; the messages are added to the list returned."""
    received = []
    Consumer(
        channel,
        [Queue(name) if isinstance(name, str) else name for name in queues],
        on_message=received.append,
        **kwargs,
    ).consume()
    return received


def drain(channel, number=1):
    for _ in range(number):
        channel.connection.client.drain_events(timeout=5)


def publish(channel, *bodies, queue="q", **options):
    for body in bodies:
        Producer(channel).publish(body, routing_key=queue, **options)


def payloads(messages):
    return [message.payload for message in messages]


class test_every_transport:
    @pytest.fixture(params=ALL_TRANSPORTS, ids=lambda kind: kind.__name__)
    def channel(self, request, open):
        return open(request.param)

    def test_publish_and_consume(self, channel):
        received = consume(channel, "q", "r")
        publish(channel, {"n": 1}, {"n": 2}, headers={"h": 1})
        publish(channel, {"n": 3}, queue="r")

        drain(channel, 3)

        assert sorted(m.payload["n"] for m in received) == [1, 2, 3]
        by_number = {m.payload["n"]: m for m in received}
        assert by_number[1].headers == {"h": 1}
        assert by_number[1].delivery_info["routing_key"] == "q"
        assert by_number[3].delivery_info["routing_key"] == "r"
        assert not by_number[1].delivery_info.get("redelivered")
        for message in received:
            message.ack()
        channel.close()
        assert not any(store.queues.values())

    def test_publish_by_exchange(self, channel):
        queue = Queue("t", Exchange("news", "topic"), "sport.*")
        received = consume(channel, queue)

        producer = Producer(channel, Exchange("news", "topic"))
        producer.publish("goal", routing_key="sport.football")
        producer.publish("rain", routing_key="weather.today")
        drain(channel)

        assert payloads(received) == ["goal"]
        with pytest.raises(TimeoutError):
            channel.connection.client.drain_events(timeout=0.01)

    def test_fanout(self, channel):
        exchange = Exchange("all", "fanout")
        received = consume(channel, Queue("f1", exchange), Queue("f2", exchange))

        Producer(channel, exchange).publish("hello")
        drain(channel, 2)

        assert payloads(received) == ["hello", "hello"]

    def test_a_requeued_message_comes_again(self, channel):
        received = consume(channel, "q")
        publish(channel, 1)
        drain(channel)

        received[0].requeue()
        drain(channel)

        assert payloads(received) == [1, 1]
        [envelope] = [m.raw if hasattr(m, "raw") else m.envelope for m in received[1:]]
        assert envelope["redelivered"] is True

    def test_what_is_unsettled_is_put_back_in_order_on_close(self, channel):
        consume(channel, "q")
        publish(channel, 1, 2, 3)
        drain(channel, 3)
        connection = channel.connection.client

        channel.close()

        channel = connection.channel()
        received = consume(channel, "q")
        drain(channel, 3)
        assert payloads(received) == [1, 2, 3]

    def test_prefetch(self, channel):
        received = consume(channel, "q", prefetch_count=2)
        publish(channel, 1, 2, 3)
        drain(channel, 2)

        with pytest.raises(TimeoutError):
            drain_briefly(channel)
        received[0].ack()
        drain(channel)

        assert payloads(received) == [1, 2, 3]

    def test_basic_get(self, channel):
        publish(channel, 1, 2)

        first = channel.basic_get("q")
        second = channel.basic_get("q", no_ack=True)

        assert payloads([first, second]) == [1, 2]
        assert channel.basic_get("q") is None
        first.ack()

    def test_size_and_purge(self, channel):
        publish(channel, 1, 2, 3)

        assert channel.queue_declare("q") == ("q", 3, 0)
        assert channel.queue_purge("q") == 3
        assert channel.queue_declare("q", passive=True) == ("q", 0, 0)

    def test_two_channels_share_a_queue(self, channel):
        other = channel.connection.client.channel()
        received = [consume(channel, "q"), consume(other, "q")]
        publish(channel, *range(10))

        drain(channel, 10)

        assert sorted(payloads(received[0] + received[1])) == list(range(10))


def drain_briefly(channel):
    channel.connection.client.drain_events(timeout=0.01)


class test_how_it_is_found:
    def test_by_the_path_of_its_class(self, connect):
        connection = connect(transport=f"{third_party.__name__}:Transport")

        assert type(connection.transport) is third_party.Transport

    def test_as_a_class(self, connect):
        connection = connect(transport=third_party.Transport)

        assert type(connection.transport) is third_party.Transport

    def test_by_an_alias(self, connect, monkeypatch):
        monkeypatch.setattr(transport, "_transport_cache", {})
        monkeypatch.setitem(
            transport.TRANSPORT_ALIASES, "mine", f"{third_party.__name__}:Transport"
        )

        assert type(connect("mine://host").transport) is third_party.Transport

    def test_by_an_entry_point(self, connect, monkeypatch, tmp_path):
        info = tmp_path / "third_party_kombu-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: third-party-kombu\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[kombu.transports]\nthirdly = {third_party.__name__}:Transport\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(transport, "_transport_cache", {})

        assert type(connect("thirdly://host").transport) is third_party.Transport

    def test_shows_what_it_is(self, connect):
        connection = connect(transport=third_party.Transport)

        assert "third_party" in connection.as_uri()
        assert repr(connection.transport) == (
            "<t.unit.transport.third_party.Transport: third-party>"
        )


class test_the_envelope:
    def test_is_that_of_kombu(self, open):
        channel = open(third_party.Transport)
        exchange = Exchange("e")

        Producer(channel).publish(
            {"a": 1},
            exchange=exchange,
            routing_key="k",
            declare=[Queue("q", exchange, "k")],
            priority=3,
            headers={"h": "x"},
            correlation_id="c-1",
            reply_to="replies",
            expiration=2.5,
        )

        [envelope] = store.queues["q"]
        tag = envelope["properties"].pop("delivery_tag")
        assert isinstance(tag, str)
        assert tag
        # What is beside that of kombu: the moment when it expires.
        assert envelope["properties"].pop("x-expires-at") > 0
        assert envelope == {
            "body": "eyJhIjogMX0=",
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"h": "x"},
            "properties": {
                "delivery_mode": 2,
                "delivery_info": {"exchange": "e", "routing_key": "k"},
                "priority": 3,
                "body_encoding": "base64",
                "correlation_id": "c-1",
                "reply_to": "replies",
                "expiration": "2500",
            },
        }

    def test_keys_are_in_the_order_of_kombu(self, open):
        publish(open(third_party.Transport), 1)

        [envelope] = store.queues["q"]
        assert list(envelope) == [
            "body",
            "content-encoding",
            "content-type",
            "headers",
            "properties",
        ]
        assert list(envelope["properties"]) == [
            "delivery_mode",
            "delivery_info",
            "priority",
            "body_encoding",
            "delivery_tag",
        ]

    def test_of_a_peer_is_read(self, open):
        channel = open(third_party.Transport)
        store.put(
            "q",
            {
                "body": "WzEsIDJd",
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {},
                "redelivered": True,
                "properties": {
                    "body_encoding": "base64",
                    "delivery_info": {"exchange": "", "routing_key": "q"},
                    "delivery_tag": "of-a-peer",
                },
            },
        )

        message = channel.basic_get("q")

        assert message.payload == [1, 2]
        assert message.delivery_tag == "of-a-peer"
        assert message.delivery_info["redelivered"] is True

    def test_of_a_body_that_is_not_encoded(self, open):
        channel = open(
            third_party.Transport, transport_options={"body_encoding": "utf-8"}
        )

        publish(channel, {"a": "ä"})

        [envelope] = store.queues["q"]
        assert envelope["properties"]["body_encoding"] == "utf-8"
        assert channel.basic_get("q").payload == {"a": "ä"}


class test_hook_calls:
    def test_of_publishing(self, open):
        channel = open(third_party.Transport)
        queue = Queue("q", Exchange("e"), "k")

        queue(channel).declare()
        assert store.cut() == []

        publish(channel, 1, exchange="e", queue="k")
        publish(channel, 2)
        assert store.cut() == [
            ("put", "q", PUBLISH_OPTIONS),
            ("put", "q", PUBLISH_OPTIONS),
        ]

    def test_of_publishing_without_options(self, open):
        channel = open(third_party.BareTransport)

        publish(channel, 1)
        publish(channel, 2, exchange="nowhere")

        assert store.cut() == [("put", "q")]

    def test_of_consuming(self, open):
        channel = open(third_party.Transport)
        consume(channel, "q")
        publish(channel, 1)
        store.cut()

        drain(channel)

        assert store.cut() == [("get", "q")]

    def test_of_requeueing(self, open):
        channel = open(third_party.Transport)
        received = consume(channel, "q")
        publish(channel, 1)
        drain(channel)
        store.cut()

        received[0].requeue()

        assert store.cut() == [("put", "q", {})]

    def test_of_an_own_restore(self, open):
        channel = open(third_party.RestoreTransport)
        received = consume(channel, "q")
        publish(channel, 1, 2, 3)
        drain(channel, 3)
        store.cut()

        received[1].requeue()
        channel.close()

        assert store.cut() == [
            ("restore", 2),
            ("put", "q", {}),
            ("restore", 1),
            ("put", "q", {}),
            ("restore", 3),
            ("put", "q", {}),
        ]

    def test_of_an_own_table(self, open):
        channel = open(third_party.TableTransport)
        queue = Queue("q", Exchange("e", "topic"), "a.*")

        queue(channel).declare()
        queue(channel).declare()
        assert store.cut() == [("bind", "e", "a.*", "^a\\.[^\\.]+$", "q")]

        publish(channel, 1, exchange="e", queue="a.b")
        assert store.cut() == [("table", "e"), ("put", "q", PUBLISH_OPTIONS)]

        publish(channel, 1, exchange="e", queue="b.b")
        assert store.cut() == [("table", "e")]

        queue(channel).delete()
        assert store.cut() == [
            ("delete", "q", ("e", "a.*", "^a\\.[^\\.]+$", "q")),
        ]

    def test_of_a_fanout(self, open):
        channel = open(third_party.TableTransport)
        Queue("f", Exchange("e", "fanout"))(channel).declare()
        assert store.cut() == [("bind", "e", "", None, "f")]

        publish(channel, 1, exchange="e", queue="")

        assert store.cut() == [("fanout", "e", ""), ("table", "e"), ("put", "f", {})]

    def test_of_a_qos_of_its_own(self, open):
        channel = open(third_party.QoSTransport)
        received = consume(channel, "q", prefetch_count=2)
        publish(channel, 0, 1, 2)
        store.cut()

        drain(channel, 2)
        assert store.cut() == [
            ("can_consume",),
            ("get", "q"),
            ("append", 0),
            ("can_consume",),
            ("get", "q"),
            ("append", 1),
        ]

        received[0].ack()
        received[1].requeue()
        assert store.cut() == [("ack",), ("reject", True), ("put", "q", {})]

        drain(channel)
        store.cut()
        channel.close()
        assert store.cut() == [("restore_unacked_once",), ("put", "q", {})]


class test_tables_in_the_store:
    def test_what_another_process_has_bound(self, open):
        first, second = (open(third_party.TableTransport) for _ in range(2))
        queue = Queue("q", Exchange("e"), "k")
        queue(first).declare()
        second.exchange_declare("e")

        publish(second, 1, exchange="e", queue="k")

        assert queue(first).get().payload == 1

    def test_headers(self, open):
        channel = open(third_party.TableTransport)
        exchange = Exchange("e", "headers")
        Queue("q", exchange, binding_arguments={"x": 1})(channel).declare()

        publish(channel, "yes", exchange="e", headers={"x": 1})
        publish(channel, "no", exchange="e", headers={"x": 2})

        assert payloads([channel.basic_get("q")]) == ["yes"]
        assert channel.basic_get("q") is None

    def test_a_producer_declares_anew_what_the_store_has_lost(self, open):
        channel = open(third_party.TableTransport)
        exchange = Exchange("e")
        queue, other = Queue("q", exchange, "k"), Queue("o", exchange, "other")
        publish(channel, 1, exchange=exchange, queue="k", declare=[queue, other])
        store.clear()

        publish(channel, 2, exchange=exchange, queue="k", declare=[queue, other])

        assert channel.basic_get("q").payload == 2
        assert len(store.tables["e"]) == 2

    def test_nothing_is_declared_if_nothing_was_lost(self, open):
        channel = open(third_party.TableTransport)
        exchange = Exchange("e")
        publish(
            channel,
            1,
            exchange=exchange,
            queue="k",
            declare=[Queue("q", exchange, "k")],
        )
        store.cut()

        publish(channel, 2, exchange=exchange, queue="unbound")

        assert {call[0] for call in store.cut()} == {"table"}


class test_exchange_types:
    def test_own_lookup(self, open):
        channel = open(third_party.ExchangeTransport)
        queue = Queue("q", Exchange("e", "prefix"), "ab")
        queue(channel).declare()

        publish(channel, 1, exchange="e", queue="abc")
        publish(channel, 2, exchange="e", queue="xyz")

        assert channel.basic_get("q").payload == 1
        assert channel.basic_get("q") is None
        assert list(channel.get_table("e")) == [("ab", {"arguments": None}, "q")]

    def test_rows_that_can_not_be_hashed_are_removed(self, open):
        channel = open(third_party.ExchangeTransport)
        queue = Queue("q", Exchange("e", "prefix"), "ab")
        queue(channel).declare()
        queue(channel).queue_unbind()
        assert list(channel.get_table("e")) == []

        queue(channel).declare()
        queue(channel).delete()
        assert list(channel.get_table("e")) == []

    def test_own_delivery(self, open):
        channel = open(third_party.ExchangeTransport)
        Queue("q", Exchange("e", "loud"), "k")(channel).declare()

        publish(channel, 1, exchange="e", queue="k")

        assert store.cut() == [
            ("deliver", "e", "k"),
            ("put", "q", PUBLISH_OPTIONS),
        ]

    def test_standard_types_beside_them(self, open):
        channel = open(third_party.ExchangeTransport)
        for kind in ("direct", "topic", "fanout"):
            Queue(kind, Exchange(f"e-{kind}", kind), "k")(channel).declare()
            publish(channel, kind, exchange=f"e-{kind}", queue="k")

            assert channel.basic_get(kind).payload == kind

    def test_added_to_a_channel(self, open):
        channel = open(third_party.Transport)
        channel.exchange_types["prefix"] = third_party.PrefixExchange(channel)
        Queue("q", Exchange("e", "prefix"), "ab")(channel).declare()

        publish(channel, 1, exchange="e", queue="abc")

        assert channel.basic_get("q").payload == 1


class test_waiting:
    def test_a_hook_gets_the_time_that_is_left(self, open):
        channel = open(third_party.PollTransport)
        consume(channel, "q")
        publish(channel, 1)
        channel.misses = 1
        store.cut()

        drain(channel)

        first, second = (call[1] for call in store.cut() if call[0] == "poll")
        assert first == 5
        assert 0 < second < 5

    def test_a_hook_that_waits_is_not_asked_beyond_the_time(self, open, monkeypatch):
        channel = open(third_party.PollTransport)
        consume(channel, "q")
        channel.misses = 1000
        now = iter([0.0, 0.0, 3.0, 6.0, 6.0, 6.0])
        monkeypatch.setattr(waiting, "monotonic", lambda: next(now))
        store.cut()

        with pytest.raises(TimeoutError):
            drain(channel)

        assert store.cut() == [("poll", 5)]

    def test_a_hook_that_waits_is_asked_again_without_a_limit(self, open):
        channel = open(third_party.PollTransport)
        received = consume(channel, "q")
        publish(channel, 1)
        channel.misses = 3

        channel.connection.client.drain_events()

        assert payloads(received) == [1]
        assert [call for call in store.cut() if call[0] == "poll"] == [
            ("poll", None)
        ] * 4

    def test_a_poller_is_closed_with_the_connection(self, open):
        channel = open(third_party.PollerTransport)
        poller = channel.connection.cycle

        channel.connection.client.close()

        assert poller.is_closed


class test_opening:
    def test_a_store_that_is_away_costs_no_channel_numbers(self, connect, monkeypatch):
        connection = connect(transport=third_party.PipeTransport)
        transport = connection.transport
        monkeypatch.setattr(transport, "channel_max", 3)
        monkeypatch.setattr(third_party.PipeTransport, "is_away", True)
        for _ in range(10):
            with pytest.raises(ConnectionRefusedError):
                transport.create_channel(transport)
        monkeypatch.setattr(third_party.PipeTransport, "is_away", False)

        channels = [transport.create_channel(transport) for _ in range(3)]

        assert sorted(channel.channel_id for channel in channels) == [1, 2, 3]


def test_waiting_ends_when_another_thread_closes_the_connection(open):
    channel = open(third_party.PollTransport)
    consume(channel, "q")
    transport = channel.connection

    class ClosingChannel(third_party.PollChannel):
        def _poll(self, cycle, callback, timeout=None):
            transport.close_connection(transport)
            return super()._poll(cycle, callback, timeout)

    channel.__class__ = ClosingChannel
    channel.misses = 1000

    with pytest.raises(RecoverableConnectionError, match="closed while"):
        transport.drain_events(transport)


AT_EXIT = """
import sys
from kombu import Connection
from t.unit.transport import third_party

channel = Connection(transport=third_party.Transport).channel()
channel.basic_publish(channel.prepare_message("body"), "", "q")
held = channel.basic_get("q")

class Put:
    def __call__(self, queue, message, **options):
        print("put back", queue, message["redelivered"], flush=True)

channel._put = Put()
"""


def test_what_is_unsettled_is_put_back_when_the_interpreter_exits():
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["put back q True"]
    assert done.stderr == ""
