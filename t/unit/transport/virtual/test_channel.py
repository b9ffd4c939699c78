from __future__ import annotations

import warnings

import pytest

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import (
    KombuError,
    NotFound,
    PreconditionFailed,
    TimeoutError,
    UnroutableError,
)
from kombu.transport import virtual
from kombu.transport.virtual import (
    AbstractChannel,
    Empty,
    NotEquivalentError,
    UndeliverableWarning,
)
from kombu.transport.virtual.consuming import ConsumerRecord


@pytest.fixture
def open(connection):
    return connection.channel


def publish(channel, *bodies, queue="q", exchange="", **options):
    for body in bodies:
        Producer(channel).publish(body, exchange=exchange, routing_key=queue, **options)


def publish_raw(channel, exchange="", queue="q"):
    channel.basic_publish(channel.prepare_message("x"), exchange, queue)


def get_all(channel, queue):
    found = []
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        found.append(message.payload)
    return found


def drain(channel, number=1):
    for _ in range(number):
        channel.connection.client.drain_events(timeout=5)


class test_exchange_declare:
    def test_default_is_direct(self, channel):
        channel.exchange_declare("e")

        assert channel.state.exchanges["e"]["type"] == "direct"
        assert channel.typeof("e").type == "direct"
        assert channel.get_exchanges() == ["e"]

    def test_without_a_name(self, channel):
        channel.exchange_declare(type="topic")

        assert channel.get_exchanges() == ["amq.topic"]

    def test_the_same_again(self, channel):
        for _ in range(2):
            channel.exchange_declare("e", "topic", durable=True, arguments={"a": 1})

        assert channel.get_exchanges() == ["e"]

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "direct"},
            {"durable": False},
            {"auto_delete": True},
            {"arguments": {"a": 1}},
        ],
    )
    def test_in_another_way(self, channel, change):
        settings = {"type": "topic", "durable": True}
        channel.exchange_declare("e", **settings)

        with pytest.raises(NotEquivalentError, match=r"Cannot redeclare exchange 'e'"):
            channel.exchange_declare("e", **{**settings, **change})

    def test_an_unknown_type(self, channel):
        with pytest.raises(PreconditionFailed, match="'x-mine': known are direct"):
            channel.exchange_declare("e", "x-mine")
        assert channel.get_exchanges() == []

    def test_passive(self, channel):
        with pytest.raises(NotFound, match="no exchange 'e' in vhost '/'"):
            channel.exchange_declare("e", passive=True)

        channel.exchange_declare("e", "topic")
        channel.exchange_declare("e", passive=True)

        assert channel.typeof("e").type == "topic"

    def test_errors_are_those_of_the_channel(self, channel):
        with pytest.raises(channel.connection.channel_errors):
            channel.exchange_declare("e", passive=True)

    def test_typeof_one_that_is_not_declared(self, channel):
        assert channel.typeof("e").type == "direct"
        assert channel.typeof("e", "topic").type == "topic"

    def test_table_of_one_that_is_not_declared(self, channel):
        with pytest.raises(KeyError):
            channel.get_table("e")


class test_exchange_delete:
    def test_takes_its_bindings_along(self, channel):
        Queue("q", Exchange("e"), "k")(channel).declare()
        Queue("h", Exchange("h", "headers"), binding_arguments={"a": 1})(
            channel
        ).declare()

        channel.exchange_delete("e")
        channel.exchange_delete("h")

        assert channel.get_exchanges() == []
        assert channel.get_bindings() == []
        assert channel.state.bindings == {}

    def test_one_that_is_not_there(self, channel):
        assert channel.exchange_delete("nowhere") is None

    def test_if_unused(self, channel):
        queue = Queue("q", Exchange("e"), "k")(channel)
        queue.declare()

        channel.exchange_delete("e", if_unused=True)
        assert channel.get_exchanges() == ["e"]

        queue.queue_unbind()
        channel.exchange_delete("e", if_unused=True)
        assert channel.get_exchanges() == []

    def test_auto_delete_with_the_last_binding(self, channel):
        channel.exchange_declare("e", auto_delete=True)
        channel.queue_bind("q1", "e", "k")
        channel.queue_bind("q2", "e", "k")

        channel.queue_unbind("q1", "e", "k")
        assert channel.get_exchanges() == ["e"]
        channel.queue_delete("q2")
        assert channel.get_exchanges() == []

    def test_auto_delete_not_before_the_first_binding(self, channel):
        channel.exchange_declare("e", auto_delete=True)

        channel.queue_unbind("q", "e", "never bound")

        assert channel.get_exchanges() == ["e"]

    def test_auto_delete_of_one_that_others_are_bound_to(self, channel):
        channel.exchange_declare("e", auto_delete=True)
        channel.exchange_declare("to")
        channel.exchange_bind("to", "e", "k")

        channel.exchange_unbind("to", "e", "k")

        assert channel.get_exchanges() == ["to"]

    def test_auto_delete_when_the_last_destination_is_deleted(self, channel):
        channel.exchange_declare("e", auto_delete=True)
        channel.exchange_declare("to")
        channel.exchange_bind("to", "e", "k")

        channel.exchange_delete("to")

        assert channel.get_exchanges() == []


class test_exchange_bind:
    @pytest.fixture(autouse=True)
    def exchanges(self, channel):
        channel.exchange_declare("from", "topic")
        channel.exchange_declare("to", "fanout")
        channel.queue_bind("q", "to")

    def test_messages_go_through(self, channel):
        channel.exchange_bind("to", "from", "a.*")

        publish(channel, 1, exchange="from", queue="a.b")
        publish(channel, 2, exchange="from", queue="b.b")
        assert get_all(channel, "q") == [1]

    def test_unbind(self, channel):
        channel.exchange_bind("to", "from", "a.*")

        channel.exchange_unbind("to", "from", "a.*")
        channel.exchange_unbind("to", "from", "never bound")

        publish(channel, 1, exchange="from", queue="a.b")
        assert get_all(channel, "q") == []

    def test_by_entities(self, channel):
        source, to = Exchange("from", "topic"), Exchange("to", "fanout")
        to(channel).bind_to(source, "a.*")
        publish(channel, 1, exchange="from", queue="a.b")

        to(channel).unbind_from(source, "a.*")
        publish(channel, 2, exchange="from", queue="a.b")

        assert get_all(channel, "q") == [1]

    @pytest.mark.parametrize(
        "names", [("to", "nowhere"), ("nowhere", "from"), ("to", "")]
    )
    def test_one_that_is_not_there(self, channel, names):
        with pytest.raises(NotFound, match="no exchange"):
            channel.exchange_bind(*names, "k")

    def test_arguments_are_checked(self, channel):
        channel.exchange_declare("h", "headers")

        with pytest.raises(ValueError, match="x-match"):
            channel.exchange_bind("to", "h", "", arguments={"x-match": "some"})

    def test_by_headers(self, channel):
        channel.exchange_declare("h", "headers")
        channel.exchange_bind("to", "h", "", arguments={"a": 1})

        publish(channel, "yes", exchange="h", headers={"a": 1})
        publish(channel, "no", exchange="h", headers={"a": 2})
        assert get_all(channel, "q") == ["yes"]

    def test_deleting_the_destination(self, channel):
        channel.exchange_bind("to", "from", "a.*")

        channel.exchange_delete("to")

        assert channel.state.exchange_bindings == {}


class test_queue_declare:
    def test_tells_what_is_there(self, channel):
        assert channel.queue_declare("q") == ("q", 0, 0)
        publish(channel, 1, 2)
        channel.basic_consume("q", True, print, "tag")

        declared = channel.queue_declare("q")

        assert declared == ("q", 2, 1)
        assert declared.queue == "q"
        assert declared.message_count == 2
        assert declared.consumer_count == 1

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_a_name_is_made_up(self, channel, nothing):
        names = {channel.queue_declare(nothing).queue for _ in range(3)}

        assert len(names) == 3
        assert all(name.startswith("amq.gen-") for name in names)

    def test_passive(self, channel):
        with pytest.raises(NotFound, match="no queue 'q' in vhost '/'") as excinfo:
            channel.queue_declare("q", passive=True)
        assert excinfo.value.code == 404

        channel.queue_declare("q")

        assert channel.queue_declare("q", passive=True) == ("q", 0, 0)

    def test_passive_of_one_that_was_only_published_to(self, channel):
        publish(channel, 1)

        assert channel.queue_declare("q", passive=True) == ("q", 1, 0)

    def test_again_keeps_the_messages(self, channel):
        channel.queue_declare("q")
        publish(channel, 1)

        assert channel.queue_declare("q", durable=True) == ("q", 1, 0)


class test_queue_bind:
    def test_undeclared_exchange(self, channel):
        with pytest.raises(NotFound, match="no exchange 'nowhere'"):
            channel.queue_bind("q", "nowhere", "k")

    @pytest.mark.parametrize(
        ("name", "type"),
        [
            (None, "direct"),
            ("amq.direct", "direct"),
            ("amq.topic", "topic"),
            ("amq.fanout", "fanout"),
            ("amq.headers", "headers"),
            ("amq.match", "headers"),
        ],
    )
    def test_exchanges_that_every_broker_has(self, channel, name, type):
        channel.queue_bind("q", name, "k")

        assert channel.typeof(name or "amq.direct").type == type
        publish(channel, 1, exchange=name or "amq.direct", queue="k")
        assert get_all(channel, "q") == [1]

    def test_an_exchange_that_no_broker_has(self, channel):
        with pytest.raises(NotFound, match=r"no exchange 'amq\.nothing'"):
            channel.queue_bind("q", "amq.nothing", "k")

    def test_twice_is_once(self, channel):
        channel.exchange_declare("e")
        channel.queue_bind("q", "e", "k")
        channel.queue_bind("q", "e", "k")

        publish(channel, 1, exchange="e", queue="k")

        assert get_all(channel, "q") == [1]
        assert channel.get_bindings() == [
            {"destination": "q", "source": "e", "routing_key": "k"}
        ]
        assert list(channel.list_bindings()) == [("q", "e", "k")]

    def test_by_headers(self, channel):
        channel.exchange_declare("e", "headers")
        channel.queue_bind("q", "e", arguments={"a": 1})
        channel.queue_bind("q", "e", arguments={"a": 2})

        for value in (1, 2, 3):
            publish(channel, value, exchange="e", headers={"a": value})

        assert get_all(channel, "q") == [1, 2]

    def test_unbind_by_headers(self, channel):
        channel.exchange_declare("e", "headers")
        channel.queue_bind("q", "e", arguments={"a": 1})
        channel.queue_bind("q", "e", arguments={"a": 2})

        channel.queue_unbind("q", "e", arguments={"a": 1})

        for value in (1, 2):
            publish(channel, value, exchange="e", headers={"a": value})
        assert get_all(channel, "q") == [2]
        assert len(list(channel.get_table("e"))) == 1

    def test_unbind(self, channel):
        channel.exchange_declare("e", "topic")
        channel.queue_bind("q", "e", "a.*")
        channel.queue_bind("q", "e", "b.*")

        channel.queue_unbind("q", "e", "a.*")

        publish(channel, 1, exchange="e", queue="a.x")
        publish(channel, 2, exchange="e", queue="b.x")
        assert get_all(channel, "q") == [2]

    def test_unbind_what_is_not_bound(self, channel):
        assert channel.queue_unbind("q", "nowhere", "k") is None
        assert channel.queue_unbind("q", routing_key="k") is None


class test_queue_delete:
    def test_tells_how_many_messages_it_took(self, channel):
        channel.queue_declare("q")
        publish(channel, 1, 2)

        assert channel.queue_delete("q") == 2
        assert get_all(channel, "q") == []
        with pytest.raises(NotFound):
            channel.queue_declare("q", passive=True)

    def test_takes_its_bindings_along(self, channel):
        channel.exchange_declare("e")
        for key in ("k", "j"):
            channel.queue_bind("q", "e", key)

        channel.queue_delete("q")

        assert channel.get_bindings() == []
        assert channel.state.queue_index == {}

    def test_one_that_is_not_there(self, channel):
        assert channel.queue_delete("q") == 0

    def test_if_empty(self, channel):
        publish(channel, 1)

        assert channel.queue_delete("q", if_empty=True) == 0
        assert get_all(channel, "q") == [1]
        channel.queue_delete("q", if_empty=True)
        with pytest.raises(NotFound):
            channel.queue_declare("q", passive=True)

    def test_if_unused(self, channel):
        channel.queue_declare("q")
        channel.basic_consume("q", True, print, "tag")

        channel.queue_delete("q", if_unused=True)
        assert channel.queue_declare("q", passive=True) == ("q", 0, 1)

        channel.basic_cancel("tag")
        channel.queue_delete("q", if_unused=True)
        with pytest.raises(NotFound):
            channel.queue_declare("q", passive=True)

    def test_is_declared_anew_by_who_knows_it(self, channel):
        queue = Queue("q", Exchange("e"), "k")
        publish(channel, 1, exchange="e", queue="k", declare=[queue])
        channel.queue_delete("q")

        publish(channel, 2, exchange="e", queue="k", declare=[queue])

        assert get_all(channel, "q") == [2]

    def test_a_reply_queue_that_has_served(self, connection):
        class Channel(virtual.Channel):
            deleted = None

            def queue_delete(self, queue, **kwargs):
                self.deleted = queue

        channel = Channel(connection.transport)
        channel.after_reply_message_received("replies")

        assert channel.deleted == "replies"
        channel.close()


class test_purge:
    def test_tells_how_many(self, channel):
        publish(channel, 1, 2, 3)

        assert channel.queue_purge("q") == 3
        assert channel.queue_purge("q") == 0
        assert channel.queue_purge("nowhere") == 0

    def test_leaves_what_is_delivered(self, channel):
        publish(channel, 1, 2)
        message = channel.basic_get("q")

        assert channel.queue_purge("q") == 1
        message.requeue()

        assert get_all(channel, "q") == [1]


class test_mandatory:
    def test_raises_if_nobody_listens(self, channel):
        channel.exchange_declare("e")

        with pytest.raises(UnroutableError, match="no queue is bound to exchange 'e'"):
            publish(channel, 1, exchange="e", queue="k", mandatory=True)

    @pytest.mark.parametrize("exchange", ["", "nowhere"])
    def test_wherever_nothing_is(self, channel, exchange):
        with pytest.raises(UnroutableError) as excinfo:
            publish(channel, 1, exchange=exchange, queue="k", mandatory=True)

        assert excinfo.value.exchange == exchange
        assert excinfo.value.routing_key == "k"
        assert isinstance(excinfo.value, KombuError)

    def test_is_returned_to_who_listens(self, channel):
        returned = []
        producer = Producer(channel, on_return=lambda *args: returned.append(args))

        producer.publish({"a": 1}, exchange="nowhere", routing_key="k", mandatory=True)

        [(error, exchange, routing_key, message)] = returned
        assert isinstance(error, UnroutableError)
        assert error.reply_code == 312
        assert (exchange, routing_key) == ("nowhere", "k")
        assert message.payload == {"a": 1}

    def test_what_is_routed_is_not_returned(self, channel):
        channel.queue_declare("q")
        returned = []
        producer = Producer(channel, on_return=lambda *args: returned.append(args))

        producer.publish(1, routing_key="q", mandatory=True)

        assert returned == []
        assert get_all(channel, "q") == [1]

    def test_into_a_queue_that_was_never_declared_but_is_there(self, channel):
        publish(channel, 1)

        publish(channel, 2, mandatory=True)

        assert get_all(channel, "q") == [1, 2]

    def test_what_is_not_mandatory_is_dropped(self, channel):
        publish(channel, 1, exchange="nowhere", queue="k")


class test_declaring_anew:
    def test_when_the_store_was_flushed(self, channel):
        exchange = Exchange("e", "topic")
        queues = [Queue("q1", exchange, "a.*"), Queue("q2", exchange, "a.b")]
        publish(channel, 1, exchange=exchange, queue="a.b", declare=queues)
        channel.connection.broker.clear()

        publish(channel, 2, exchange=exchange, queue="a.b", declare=queues)

        assert get_all(channel, "q1") == [2]
        assert get_all(channel, "q2") == [2]

    def test_by_a_consumer_of_the_connection(self, channel):
        queue = Queue("q", Exchange("e"), "k")
        publish(channel, 1, exchange="e", queue="k", declare=[queue])
        channel.connection.broker.clear()

        publish(channel, 2, exchange="e", queue="k", mandatory=True)

        assert get_all(channel, "q") == [2]

    def test_a_queue_with_several_bindings(self, channel):
        exchange = Exchange("e")
        queue = Queue("q", bindings=[exchange.binding("k"), exchange.binding("j")])
        publish(channel, 1, exchange="e", queue="k", declare=[queue])
        channel.connection.broker.clear()

        publish(channel, 2, exchange="e", queue="j")

        assert get_all(channel, "q") == [2]

    def test_not_by_a_client_that_remembers_nothing(self, channel, monkeypatch):
        client = channel.connection.client
        monkeypatch.setattr(client, "declared_entities", None)

        publish_raw(channel, exchange="nowhere")

    def test_not_if_no_binding_was_lost(self, channel):
        queue = Queue("q", Exchange("e"), "k")
        publish(channel, 1, exchange="e", queue="k", declare=[queue])
        version = channel.state.routes.version

        publish(channel, 2, exchange="e", queue="other")

        assert channel.state.routes.version == version


class test_deadletter_queue:
    @pytest.fixture
    def channel(self, connect):
        return connect(
            "memory://deadletter-test", transport_options={"deadletter_queue": "dead"}
        ).channel()

    @pytest.fixture(autouse=True)
    def flush(self, channel):
        yield
        channel.queue_delete("dead")

    def test_gets_what_matches_no_binding(self, channel):
        channel.exchange_declare("e")

        with pytest.warns(UndeliverableWarning, match="bound to exchange 'e'"):
            publish(channel, 1, exchange="e", queue="k")

        assert get_all(channel, "dead") == [1]

    def test_gets_what_is_for_no_exchange(self, channel):
        with pytest.warns(UndeliverableWarning, match="binding key 'k'"):
            publish(channel, 1, exchange="nowhere", queue="k")

        assert get_all(channel, "dead") == [1]

    def test_gets_nothing_else(self, channel):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            publish(channel, 1, queue="elsewhere")

        assert get_all(channel, "dead") == []
        assert get_all(channel, "elsewhere") == [1]

    def test_look_up(self, channel):
        channel.exchange_declare("e")
        channel.queue_bind("q", "e", "k")

        assert list(channel._lookup("e", "k")) == ["q"]
        assert channel._lookup("", "name") == ["name"]
        assert channel._lookup("", "") == ["dead"]
        with pytest.warns(UndeliverableWarning):
            assert channel._lookup("nowhere", "k") == ["dead"]
        with pytest.warns(UndeliverableWarning):
            assert channel._lookup("nowhere", "k", default="other") == ["other"]


class test_prepare_message:
    def test_an_envelope(self, channel):
        assert channel.prepare_message("body") == {
            "body": "body",
            "content-encoding": None,
            "content-type": None,
            "headers": {},
            "properties": {"delivery_info": {}, "priority": 0},
        }

    def test_all_that_is_given(self, channel):
        assert channel.prepare_message(
            "body", 5, "text/plain", "utf-8", {"h": 1}, {"reply_to": "r"}
        ) == {
            "body": "body",
            "content-encoding": "utf-8",
            "content-type": "text/plain",
            "headers": {"h": 1},
            "properties": {"delivery_info": {}, "priority": 5, "reply_to": "r"},
        }

    @pytest.mark.parametrize(
        ("properties", "priority", "reverse"),
        [
            ({"priority": 5}, 5, 4),
            ({"priority": "3"}, 3, 6),
            ({"priority": 99}, 9, 0),
            ({"priority": -1}, 0, 9),
            ({"priority": None}, 0, 9),
            ({"priority": "high"}, 0, 9),
            ({}, 0, 9),
        ],
    )
    def test_priority(self, channel, properties, priority, reverse):
        message = {"properties": properties}

        assert channel._get_message_priority(message) == priority
        assert channel._get_message_priority(message, reverse=True) == reverse

    def test_bodies(self, channel):
        assert channel.encode_body("x", "base64") == ("eA==", "base64")
        assert channel.decode_body("eA==", "base64") == b"x"
        assert channel.encode_body("x") == ("x", None)
        assert channel.decode_body("x") == "x"
        assert channel.encode_body("x", "rot13") == ("x", "rot13")


class test_consumers:
    def test_two_on_one_queue_take_turns(self, channel):
        got = {"one": [], "two": []}
        for tag, received in got.items():
            channel.basic_consume("q", True, received.append, tag)
        publish(channel, *range(6))

        drain(channel, 6)

        assert [m.payload for m in got["one"]] == [0, 2, 4]
        assert [m.payload for m in got["two"]] == [1, 3, 5]

    def test_cancelling_one_leaves_the_other(self, channel):
        got = []
        channel.basic_consume("q", True, print, "one")
        channel.basic_consume("q", True, got.append, "two")

        channel.basic_cancel("one")
        publish(channel, 1, 2)
        drain(channel, 2)

        assert [m.payload for m in got] == [1, 2]

    def test_two_channels_share_a_queue(self, open):
        channels = [open(), open()]
        got = [[], []]
        for channel, received in zip(channels, got, strict=True):
            channel.basic_consume("q", True, received.append, "tag")
        publish(channels[0], *range(6))

        drain(channels[0], 6)
        assert [len(received) for received in got] == [3, 3]

        channels[0].basic_cancel("tag")
        publish(channels[0], 7, 8)
        drain(channels[0], 2)
        assert [m.payload for m in got[1]][-2:] == [7, 8]

    def test_a_tag_is_made_up(self, channel):
        tags = {channel.basic_consume("q", True, print, "") for _ in range(2)}

        assert len(tags) == 2
        assert all(tag.startswith("ctag-") for tag in tags)

    def test_a_tag_that_is_used_again_replaces_the_consumer(self, channel):
        old, new = [], []
        channel.basic_consume("q1", True, old.append, "tag")
        channel.basic_consume("q2", True, new.append, "tag")
        publish(channel, 1, queue="q1")
        publish(channel, 2, queue="q2")

        drain(channel)

        assert old == []
        assert [m.payload for m in new] == [2]

    def test_cancelling_what_is_not_there(self, channel):
        assert channel.basic_cancel("nobody") is None

    def test_without_consumers(self, channel):
        publish(channel, 1)

        with pytest.raises(Empty):
            channel.drain_events()

    def test_queues_take_turns(self, channel):
        got = []
        for queue in ("q1", "q2"):
            channel.basic_consume(queue, True, got.append, queue)
            publish(channel, 1, 2, queue=queue)

        drain(channel, 4)

        assert [m.source_queue for m in got] == ["q1", "q2", "q1", "q2"]

    def test_a_callback_of_the_caller_gets_envelopes(self, channel):
        channel.basic_consume("q", True, print, "tag")
        publish(channel, 1)
        got = []

        channel.drain_events(callback=lambda *args: got.append(args))

        [(envelope, queue)] = got
        assert queue == "q"
        assert envelope["properties"]["delivery_info"]["routing_key"] == "q"

    def test_what_arrives_after_the_consumer_was_cancelled_is_put_back(self, channel):
        publish(channel, 1)
        envelope = channel._get("q")

        channel._deliver_envelope(envelope, "q")

        assert get_all(channel, "q") == [1]

    def test_repr(self, channel):
        channel.basic_consume("q", True, print, "tag")

        assert repr(channel) == "<kombu.transport.memory.Channel 1: 1 consumers>"
        channel.close()
        assert repr(channel) == "<kombu.transport.memory.Channel 1: closed>"
        assert repr(ConsumerRecord("t", "q", True, print)) == (
            "<ConsumerRecord: t of q>"
        )

    def test_pushed_messages_come_even_beyond_the_limit(self, channel):
        got = []
        for tag in ("one", "two"):
            channel.basic_consume("q", False, got.append, tag)
        channel.basic_qos(prefetch_count=1)

        for body in ("a", "b"):
            channel._deliver_envelope(channel.prepare_message(body), "q")

        assert [m.body for m in got] == [b"a", b"b"]

    def test_the_cycle_of_a_channel_without_consumers(self, channel):
        with pytest.raises(Empty):
            channel.cycle.get(print)

    def test_message_to_python(self, channel):
        message = channel.message_to_python(channel.prepare_message("x"))

        assert isinstance(message, channel.Message)
        assert channel.message_to_python(message) is message


class test_prefetch:
    @pytest.fixture
    def got(self, channel):
        channel.basic_qos(prefetch_count=3)
        got = []
        for queue in ("q1", "q2"):
            channel.basic_consume(queue, False, got.append, queue)
            publish(channel, *range(5), queue=queue)
        return got

    def test_is_exact_over_several_queues(self, channel, got):
        for _ in range(3):
            channel.drain_events()
        with pytest.raises(Empty):
            channel.drain_events()

        assert len(got) == 3
        assert channel._size("q1") + channel._size("q2") == 7

    def test_what_is_settled_makes_room(self, channel, got):
        for _ in range(3):
            channel.drain_events()
        got[0].ack()
        channel.drain_events()
        got[1].reject()
        channel.drain_events()

        with pytest.raises(Empty):
            channel.drain_events()
        assert len(got) == 5

    def test_does_not_limit_consumers_that_do_not_acknowledge(self, channel, got):
        free = []
        for queue in ("f1", "f2"):
            channel.basic_consume(queue, True, free.append, queue)
            publish(channel, *range(3), queue=queue)

        with pytest.raises(Empty):
            for _ in range(99):
                channel.drain_events()

        assert len(got) == 3
        # And none of them is left out.
        assert [m.source_queue for m in free[-4:]] == ["f1", "f2", "f1", "f2"] or [
            m.source_queue for m in free[-4:]
        ] == ["f2", "f1", "f2", "f1"]
        assert len(free) == 6

    def test_a_queue_with_both_kinds(self, channel):
        channel.basic_qos(prefetch_count=1)
        bound, free = [], []
        channel.basic_consume("q", False, bound.append, "bound")
        channel.basic_consume("q", True, free.append, "free")
        publish(channel, *range(6))

        drain(channel, 6)

        assert len(bound) == 1
        assert len(free) == 5

    def test_an_empty_queue_of_a_free_consumer(self, channel, got):
        channel.basic_consume("f1", True, print, "f1")
        for _ in range(3):
            channel.drain_events()

        with pytest.raises(Empty):
            channel.drain_events()

    def test_basic_get_counts(self, channel, got):
        for _ in range(3):
            channel.basic_get("q1")

        with pytest.raises(Empty):
            channel.drain_events()

    def test_may_be_lifted(self, channel, got):
        for _ in range(3):
            channel.drain_events()

        channel.basic_qos(prefetch_count=0)
        drain(channel, 7)

        assert len(got) == 10


class test_flow:
    def test_suspends_and_resumes(self, channel):
        got = []
        channel.basic_consume("q", True, got.append, "tag")
        publish(channel, 1)

        assert channel.flow(False) is False
        with pytest.raises(Empty):
            channel.drain_events()
        assert channel.flow(True) is True
        channel.drain_events()

        assert len(got) == 1

    def test_of_a_consumer(self, channel):
        got = []
        consumer = Consumer(channel, Queue("q"), on_message=got.append)
        consumer.consume()
        publish(channel, 1)

        consumer.flow(False)
        with pytest.raises(TimeoutError):
            channel.connection.client.drain_events(timeout=0)
        consumer.flow(True)
        drain(channel)

        assert len(got) == 1


class test_settling:
    @pytest.fixture
    def got(self, channel):
        got = []
        channel.basic_consume("q", False, got.append, "tag")
        publish(channel, 1, 2, 3, 4)
        drain(channel, 3)
        return got

    def test_ack(self, channel, got):
        got[1].ack()

        assert [m.payload for m in channel.qos._delivered.values()] == [1, 3]

    def test_ack_multiple(self, channel, got):
        got[1].ack(multiple=True)

        assert [m.payload for m in channel.qos._delivered.values()] == [3]

    def test_reject(self, channel, got, open):
        got[0].reject()
        channel.close()

        # At the head, in order, without what was rejected.
        assert get_all(open(), "q") == [2, 3, 4]

    def test_requeue_is_at_the_head(self, channel, got):
        got[1].requeue()
        drain(channel, 2)

        assert [m.payload for m in got[3:]] == [2, 4]
        assert got[3].delivery_info["redelivered"] is True
        assert "redelivered" not in got[4].delivery_info

    def test_recover(self, channel, got):
        channel.basic_recover(requeue=True)
        drain(channel, 4)

        assert [m.payload for m in got[3:]] == [1, 2, 3, 4]
        assert [bool(m.delivery_info.get("redelivered")) for m in got[3:]] == [
            True,
            True,
            True,
            False,
        ]

    def test_recover_without_requeue(self, channel, got):
        channel.basic_recover()
        drain(channel)

        assert got[3].payload == 1

    def test_copies_of_one_message_are_settled_each(self, channel):
        exchange = Exchange("all", "fanout")
        got = []
        for name in ("c1", "c2"):
            Queue(name, exchange)(channel).declare()
            channel.basic_consume(name, False, got.append, name)
        publish(channel, 1, exchange="all")

        drain(channel, 2)

        assert len({m.delivery_tag for m in got}) == 2
        got[0].ack()
        assert list(channel.qos._delivered.values()) == [got[1]]

    def test_a_message_of_no_known_queue_is_routed_again(self, channel, got):
        got[0].source_queue = None

        got[0].requeue()
        drain(channel)

        assert got[3].payload == 1


class test_close:
    def test_may_be_called_again(self, channel):
        channel.close()
        channel.close()

        assert channel.closed
        assert channel.connection is None

    def test_at_the_end_of_a_block(self, open):
        with open() as channel:
            assert not channel.closed
        assert channel.closed

    def test_puts_back_what_is_not_settled(self, open):
        channel, other = open(), open()
        channel.basic_consume("q", False, print, "tag")
        publish(channel, 1, 2, 3)
        transport = channel.connection
        for _ in range(2):
            channel.drain_events()

        channel.close()

        assert get_all(other, "q") == [1, 2, 3]
        assert transport._callbacks == {}

    def test_not_if_the_channel_does_not_want_it(self, open):
        channel, other = open(), open()
        channel.do_restore = False
        publish(channel, 1)
        channel.basic_get("q")

        channel.close()

        assert get_all(other, "q") == []

    @pytest.mark.parametrize(
        "use",
        [
            lambda channel: channel.queue_declare("q"),
            lambda channel: channel.exchange_declare("e"),
            lambda channel: channel.basic_get("q"),
            lambda channel: channel.basic_consume("q", True, print, "tag"),
        ],
    )
    def test_a_closed_channel_says_so(self, channel, connection, use):
        channel.close()

        with pytest.raises(connection.connection_errors, match="closed.*open another"):
            use(channel)

    def test_a_transport_without_a_state(self, channel):
        transport = channel.connection
        channel.connection = object()

        with pytest.raises(AttributeError, match="state"):
            channel.state  # noqa: B018
        channel.connection = transport

    def test_forgets_the_channel_though_the_store_fails(self, channel):
        transport = channel.connection

        def fail(*args):
            raise ConnectionResetError("the store is away")

        channel.basic_consume("q", False, print, "tag")
        transport._remove_consumer = fail
        with pytest.raises(ConnectionResetError):
            channel.close()

        assert channel not in transport.channels
        assert channel.connection is None


class test_AbstractChannel:
    @pytest.mark.parametrize(
        ("hook", "arguments"),
        [("_get", ("q",)), ("_put", ("q", {})), ("_purge", ("q",))],
    )
    def test_hooks_that_a_transport_must_supply(self, hook, arguments):
        with pytest.raises(NotImplementedError, match=f"must implement {hook}"):
            getattr(AbstractChannel(), hook)(*arguments)

    def test_what_is_done_without_the_others(self):
        class Channel(AbstractChannel):
            calls = []

            def _put(self, queue, message, **kwargs):
                self.calls.append(("put", queue, kwargs))

            def _get(self, queue, timeout=None):
                return "envelope"

            def _purge(self, queue):
                self.calls.append(("purge", queue))

            def _lookup(self, exchange, routing_key):
                return ["q1", "q2"]

        channel = Channel()

        assert channel._size("q") == 0
        assert channel._has_queue("q")
        channel._new_queue("q", durable=True)
        channel._queue_bind("e", "k", None, "q")
        channel._queue_unbind("e", "k", None, "q")
        channel._delete("q", "e", "k", None, "q", nowait=True)
        channel._put_back("q", {})
        channel._put_fanout("e", {}, "k", option=1)
        got = []
        channel._get_and_deliver("q", lambda *args: got.append(args))

        assert channel.calls == [
            ("purge", "q"),
            ("put", "q", {}),
            ("put", "q1", {"option": 1}),
            ("put", "q2", {"option": 1}),
        ]
        assert got == [("envelope", "q")]


def test_a_transport_that_deletes_whole_queues_alone():
    class Channel(virtual.Channel):
        deleted = ()

        def _size(self, queue):
            return 0

        def _delete(self, queue):
            self.deleted = queue

    class Transport(virtual.Transport):
        pass

    Transport.Channel = Channel
    with Connection(transport=Transport) as connection:
        channel = connection.channel()
        channel.queue_delete("q")
        assert channel.deleted == "q"
