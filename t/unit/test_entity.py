"""What declarations make of channels: exchanges, queues and bindings."""

from __future__ import annotations

import copy
import pickle

import pytest

from kombu import Exchange, Queue, binding
from kombu.common import Broadcast
from kombu.entity import maybe_delivery_mode, pretty_bindings
from kombu.exceptions import ContentDisallowed, DecodeError, KombuError, NotBoundError
from t.unit.fakes import FakeChannel

DUPLICATES = pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda entity: pickle.loads(pickle.dumps(entity))],
    ids=["copy", "deepcopy", "pickle"],
)


def an_exchange(**options):
    return Exchange("e", "topic", **{"durable": False, "auto_delete": True, **options})


class test_maybe_delivery_mode:
    @pytest.mark.parametrize(
        ("given", "number"),
        [(None, 2), ("", 2), ("persistent", 2), ("transient", 1), (1, 1), (2, 2)],
    )
    def test_numbers(self, given, number):
        assert maybe_delivery_mode(given) == number

    def test_other_default_and_names(self):
        assert maybe_delivery_mode(None, default=1) == 1
        assert maybe_delivery_mode("loud", modes={"loud": 7}) == 7

    def test_unknown(self):
        with pytest.raises(KeyError, match="'persistent'") as caught:
            maybe_delivery_mode("eternal")
        assert isinstance(caught.value, KombuError)


class test_Exchange:
    def test_declare(self, channel):
        an_exchange(arguments={"x": 1})(channel).declare()
        assert channel.calls == [
            (
                "exchange_declare",
                (),
                {
                    "exchange": "e",
                    "type": "topic",
                    "durable": False,
                    "auto_delete": True,
                    "arguments": {"x": 1},
                    "nowait": False,
                    "passive": False,
                },
            )
        ]

    def test_declare_on_another_channel(self, channel):
        an_exchange().declare(nowait=True, passive=True, channel=channel)
        (call,) = channel.only("exchange_declare")
        assert (call["nowait"], call["passive"]) == (True, True)

    def test_passive_is_a_setting_too(self, channel):
        Exchange("e", passive=True)(channel).declare()
        assert channel.only("exchange_declare")[0]["passive"] is True

    @pytest.mark.parametrize(
        "exchange",
        [
            Exchange(""),
            Exchange("amq.topic", "topic"),
            Exchange("amq.x"),
            Exchange("mine", no_declare=True),
        ],
    )
    def test_never_declared(self, exchange, channel):
        assert exchange(channel).declare() is None
        assert channel.calls == []

    @pytest.mark.parametrize("source", ["source", Exchange("source")])
    def test_bind_and_unbind(self, source, channel):
        exchange = an_exchange()(channel)
        exchange.bind_to(source, "key", {"a": 1}, nowait=True)
        exchange.unbind_from(source, "key", True, {"a": 1})
        expected = {
            "destination": "e",
            "source": "source",
            "routing_key": "key",
            "nowait": True,
            "arguments": {"a": 1},
        }
        assert channel.calls == [
            ("exchange_bind", (), expected),
            ("exchange_unbind", (), expected),
        ]

    def test_bind_on_another_channel(self, channel):
        an_exchange().bind_to("s", channel=channel)
        an_exchange().unbind_from("s", channel=channel)
        assert channel.names() == ["exchange_bind", "exchange_unbind"]

    def test_delete(self, channel):
        an_exchange()(channel).delete(if_unused=True)
        assert channel.calls == [
            (
                "exchange_delete",
                (),
                {"exchange": "e", "if_unused": True, "nowait": False},
            )
        ]

    def test_publish_text(self, channel):
        an_exchange(delivery_mode=1)(channel).publish("text", "key")
        assert channel.calls == [
            (
                "prepare_message",
                ("text",),
                {"properties": {"delivery_mode": 1}, "content_encoding": "utf-8"},
            ),
            (
                "basic_publish",
                (("message", "text"),),
                {
                    "exchange": "e",
                    "routing_key": "key",
                    "mandatory": False,
                    "immediate": False,
                },
            ),
        ]

    @pytest.mark.parametrize("other", ["other", Exchange("other")])
    def test_publish_a_message_to_another(self, other, channel):
        exchange = an_exchange()(channel)
        exchange.publish(b"as is", "k", True, True, exchange=other)
        assert channel.calls == [
            (
                "basic_publish",
                (b"as is",),
                {
                    "exchange": "other",
                    "routing_key": "k",
                    "mandatory": True,
                    "immediate": True,
                },
            )
        ]

    def test_message(self, channel):
        an_exchange()(channel).Message(
            b"bytes", delivery_mode="transient", properties={"p": 1}, headers={"h": 1}
        )
        assert channel.calls == [
            (
                "prepare_message",
                (b"bytes",),
                {"properties": {"p": 1, "delivery_mode": 1}, "headers": {"h": 1}},
            )
        ]

    @pytest.mark.parametrize(
        "call", [Exchange.declare, Exchange.delete, lambda exchange: exchange.channel]
    )
    def test_unbound(self, call):
        with pytest.raises(NotBoundError) as caught:
            call(Exchange("e"))
        assert str(caught.value) == (
            "Can't call method on Exchange not bound to a channel"
        )

    @pytest.mark.parametrize(
        ("options", "is_equal"),
        [
            ({}, True),
            ({"passive": True}, True),
            ({"no_declare": True}, True),
            ({"type": "topic"}, False),
            ({"durable": False}, False),
            ({"auto_delete": True}, False),
            ({"delivery_mode": 2}, False),
            ({"arguments": {"a": 1}}, False),
            ({"name": "other"}, False),
        ],
    )
    def test_equality(self, options, is_equal):
        other = Exchange(**{"name": "e", **options})
        assert (other == Exchange("e")) is is_equal
        assert (other != Exchange("e")) is not is_equal

    def test_equality_with_others(self):
        assert Exchange("e") != "e"
        assert hash(Exchange("e")) == hash(Exchange("e", "topic"))

    def test_reprs(self, channel):
        assert repr(Exchange("e")) == "<unbound Exchange e(direct)>"
        assert repr(Exchange("e")(channel)) == "<Exchange e(direct) bound to chan:7>"
        assert str(Exchange()) == "Exchange ''(direct)"

    def test_defaults(self):
        exchange = Exchange("e", bogus=1)
        assert exchange.as_dict() == {
            "name": "e",
            "type": "direct",
            "arguments": None,
            "durable": True,
            "passive": False,
            "auto_delete": False,
            "delivery_mode": None,
            "no_declare": False,
        }
        assert Exchange("e", delivery_mode="transient").delivery_mode == 1
        assert (
            Exchange.TRANSIENT_DELIVERY_MODE,
            exchange.PERSISTENT_DELIVERY_MODE,
        ) == (
            1,
            2,
        )

    def test_declarations_that_are_remembered(self):
        assert Exchange("e").can_cache_declaration
        assert not Exchange("e", auto_delete=True).can_cache_declaration

    @DUPLICATES
    def test_copies(self, duplicate, channel):
        exchange = an_exchange(arguments={"a": 1}, delivery_mode=1)
        for original in (exchange, exchange(channel)):
            copied = duplicate(original)
            assert copied == exchange
            assert not copied.is_bound

    def test_binding(self):
        made = Exchange("e").binding("key", {"a": 1}, {"b": 2})
        assert made.as_dict() == {
            "exchange": Exchange("e"),
            "routing_key": "key",
            "arguments": {"a": 1},
            "unbind_arguments": {"b": 2},
        }

    def test_bound_by_a_connection(self, connection):
        assert Exchange("e", channel=connection).is_bound
        assert Exchange("e")(connection).channel is connection.default_channel


class test_binding:
    def test_calls(self, channel):
        made = binding(Exchange("e"), "k", {"a": 1}, {"u": 1})
        queue = Queue("q")(channel)
        made.declare(channel, nowait=True)
        made.bind(queue, nowait=True)
        made.unbind(queue)
        assert channel.names() == ["exchange_declare", "queue_bind", "queue_unbind"]
        common = {"queue": "q", "exchange": "e", "routing_key": "k"}
        assert channel.only("queue_bind") == [
            {**common, "arguments": {"a": 1}, "nowait": True}
        ]
        assert channel.only("queue_unbind") == [
            {**common, "arguments": {"u": 1}, "nowait": False}
        ]

    def test_an_exchange_can_be_bound_too(self, channel):
        binding(Exchange("e"), "k").bind(Exchange("to")(channel))
        assert channel.only("exchange_bind")[0]["destination"] == "to"

    @pytest.mark.parametrize("exchange", [None, Exchange("")])
    def test_nothing_to_declare(self, exchange, channel):
        binding(exchange, "k").declare(channel)
        assert channel.calls == []

    def test_texts(self):
        made = binding(Exchange("e"), "k")
        assert (str(made), repr(made)) == ("e->k", "<binding: e->k>")
        assert pretty_bindings([made, binding("x")]) == "[e->k, x->]"


class test_Queue_declare:
    def test_everything(self, channel):
        queue = Queue(
            "q",
            an_exchange(),
            "key",
            expires=1,
            message_ttl=2,
            max_length=3,
            max_length_bytes=4,
            max_priority=5,
            queue_arguments={"x": 1},
            binding_arguments={"b": 1},
        )
        assert queue(channel).declare() == "q"
        assert channel.names() == [
            "exchange_declare",
            "prepare_queue_arguments",
            "queue_declare",
            "queue_bind",
        ]
        assert channel.only("queue_declare") == [
            {
                "queue": "q",
                "passive": False,
                "durable": True,
                "exclusive": False,
                "auto_delete": False,
                "arguments": {
                    "x": 1,
                    "expires": 1.0,
                    "message_ttl": 2.0,
                    "max_length": 3,
                    "max_length_bytes": 4,
                    "max_priority": 5,
                },
                "nowait": False,
            }
        ]
        assert channel.only("queue_bind") == [
            {
                "queue": "q",
                "exchange": "e",
                "routing_key": "key",
                "arguments": {"b": 1},
                "nowait": False,
            }
        ]

    def test_nowait_on_another_channel(self, channel):
        Queue("q", an_exchange(), "key").declare(nowait=True, channel=channel)
        for name in ("exchange_declare", "queue_declare", "queue_bind"):
            assert channel.only(name)[0]["nowait"] is True

    def test_the_default_exchange_is_neither_declared_nor_bound(self, channel):
        Queue("q")(channel).declare()
        assert channel.names() == ["prepare_queue_arguments", "queue_declare"]

    def test_a_name_from_the_broker(self, channel):
        queue = Queue("", an_exchange(), "key")(channel)
        # without the answer there is no name to bind by
        assert queue.declare(nowait=True) == "amq.gen-1"
        assert queue.name == "amq.gen-1"
        (call,) = channel.only("queue_declare")
        assert (call["queue"], call["nowait"]) == ("", False)
        assert channel.only("queue_bind")[0]["queue"] == "amq.gen-1"

    def test_no_declare(self, channel):
        assert Queue("q", no_declare=True)(channel).declare() == "q"
        assert channel.calls == []

    def test_several_bindings(self, channel):
        Queue("q", [binding(an_exchange(), "k", {"a": 1})])(channel).declare()
        assert channel.names() == [
            "prepare_queue_arguments",
            "queue_declare",
            "exchange_declare",
            "queue_bind",
        ]
        (call,) = channel.only("queue_bind")
        assert (call["routing_key"], call["arguments"]) == ("k", {"a": 1})

    def test_bindings_beside_an_exchange_list(self):
        queue = Queue("q", (binding("a"),), bindings=[binding("b")])
        assert {item.exchange for item in queue.bindings} == {"a", "b"}
        assert queue.exchange is None

    def test_on_declared_gets_the_answer(self, channel):
        answers = []
        Queue("q", on_declared=lambda *answer: answers.append(answer))(
            channel
        ).declare()
        assert answers == [("q", 3, 0)]

    def test_nobody_waits_for_an_answer_and_there_is_none(self, channel):
        channel.answer = lambda name, args, kwargs: None
        called = []
        queue = Queue("q", on_declared=lambda *a: called.append(a))(channel)
        queue.queue_declare(nowait=True)
        assert called == []

    def test_passive(self, channel):
        answer = Queue("q", exclusive=True)(channel).queue_declare(passive=True)
        assert answer == ("q", 3, 0)
        (call,) = channel.only("queue_declare")
        assert (call["passive"], call["exclusive"], call["auto_delete"]) == (
            True,
            True,
            True,
        )

    def test_unbound(self):
        with pytest.raises(NotBoundError) as caught:
            Queue("q").declare()
        assert str(caught.value) == "Can't call method on Queue not bound to a channel"


class test_Queue_calls:
    @pytest.mark.parametrize("exchange", ["e", Exchange("e")])
    def test_bind_to_and_unbind_from(self, exchange, channel):
        queue = Queue("q")(channel)
        queue.bind_to(exchange, "k", {"z": 1}, nowait=True)
        queue.unbind_from(exchange, "k", {"z": 1}, nowait=True)
        expected = {
            "queue": "q",
            "exchange": "e",
            "routing_key": "k",
            "arguments": {"z": 1},
            "nowait": True,
        }
        assert channel.calls == [
            ("queue_bind", (), expected),
            ("queue_unbind", (), expected),
        ]

    def test_queue_unbind(self, channel):
        Queue("q", Exchange("e"), "key")(channel).queue_unbind({"z": 1}, nowait=True)
        assert channel.calls == [
            (
                "queue_unbind",
                (),
                {
                    "queue": "q",
                    "exchange": "e",
                    "routing_key": "key",
                    "arguments": {"z": 1},
                    "nowait": True,
                },
            )
        ]

    def test_purge(self, channel):
        assert Queue("q")(channel).purge(nowait=True) == 5
        assert channel.calls == [("queue_purge", (), {"queue": "q", "nowait": True})]
        channel.answer = lambda *args: None
        assert Queue("q")(channel).purge() == 0

    def test_delete(self, channel):
        Queue("q")(channel).delete(if_unused=True, if_empty=True, nowait=True)
        assert channel.calls == [
            (
                "queue_delete",
                (),
                {"queue": "q", "if_unused": True, "if_empty": True, "nowait": True},
            )
        ]

    def test_cancel(self, channel):
        Queue("q")(channel).cancel("tag")
        assert channel.calls == [("basic_cancel", ("tag",), {})]

    def test_consume(self, channel):
        queue = Queue("q", consumer_arguments={"x-priority": 1}, no_ack=True)(channel)
        queue.consume()
        queue.consume("tag", print, no_ack=False, nowait=True, on_cancel=repr)
        assert channel.calls == [
            (
                "basic_consume",
                (),
                {
                    "queue": "q",
                    "no_ack": True,
                    "consumer_tag": "",
                    "callback": None,
                    "nowait": False,
                    "arguments": {"x-priority": 1},
                    "on_cancel": None,
                },
            ),
            (
                "basic_consume",
                (),
                {
                    "queue": "q",
                    "no_ack": False,
                    "consumer_tag": "tag",
                    "callback": print,
                    "nowait": True,
                    "arguments": {"x-priority": 1},
                    "on_cancel": repr,
                },
            ),
        ]

    def test_get_asks_by_name(self, channel):
        assert Queue("q", no_ack=True)(channel).get() is None
        assert Queue("q")(channel).get(no_ack=True) is None
        assert channel.only("basic_get") == [{"queue": "q", "no_ack": True}] * 2


class test_Queue_get:
    def publish(self, connection, queue, body, **options):
        connection.Producer().publish(
            body, routing_key=queue.name, declare=[queue], **options
        )
        return queue(connection)

    def test_a_message(self, connection):
        queue = self.publish(connection, Queue("q"), {"a": 1})
        message = queue.get()
        assert message.payload == {"a": 1}
        assert not message.acknowledged
        message.ack()
        assert queue.get() is None

    def test_what_is_not_accepted(self, connection):
        queue = self.publish(connection, Queue("q"), {"a": 1})
        message = queue.get(accept=["pickle"])
        with pytest.raises(ContentDisallowed):
            message.payload

    def test_what_can_not_be_unpacked(self, connection):
        queue = self.publish(
            connection,
            Queue("q"),
            b"raw",
            content_type="x/y",
            headers={"compression": "gzip"},
        )
        with pytest.raises(DecodeError):
            queue.get()

    def test_drivers_messages_are_converted(self, channel):
        class Driver(FakeChannel):
            def basic_get(self, queue, no_ack):
                return "raw"

            def message_to_python(self, raw):
                return type("Message", (), {"errors": (), "raw": raw})()

        message = Queue("q")(Driver()).get(accept=["json"])
        assert (message.raw, message.accept) == ("raw", {"application/json"})


class test_Queue:
    @pytest.mark.parametrize(
        ("options", "is_equal"),
        [
            ({}, True),
            ({"no_ack": True}, True),
            ({"alias": "x"}, True),
            ({"expires": 3}, True),
            ({"message_ttl": 3}, True),
            ({"max_length": 3}, True),
            ({"durable": False}, False),
            ({"exclusive": True}, False),
            ({"auto_delete": True}, False),
            ({"routing_key": "k"}, False),
            ({"exchange": Exchange("e")}, False),
            ({"queue_arguments": {"a": 1}}, False),
            ({"binding_arguments": {"a": 1}}, False),
            ({"consumer_arguments": {"a": 1}}, False),
        ],
    )
    def test_equality(self, options, is_equal):
        assert (Queue("q", **options) == Queue("q")) is is_equal

    def test_equality_with_others(self):
        assert Queue("q") != "q"
        assert hash(Queue("q")) == hash(Queue("q", durable=False))

    def test_exclusive_implies_auto_delete(self):
        assert Queue("q", exclusive=True).auto_delete
        assert Queue("q", exclusive=True).durable

    @pytest.mark.parametrize(
        ("queue", "is_remembered"),
        [
            (Queue("q"), True),
            (Queue(""), False),
            (Queue("q", auto_delete=True), False),
            (Queue("q", expires=3), False),
            (Queue("q", queue_arguments={"x-expires": 1}), False),
        ],
    )
    def test_declarations_that_are_remembered(self, queue, is_remembered):
        assert queue.can_cache_declaration is is_remembered

    def test_reprs(self, channel):
        queue = Queue("q", Exchange("e"), "k")
        assert repr(queue) == "<unbound Queue q -> <unbound Exchange e(direct)> -> k>"
        assert repr(queue(channel)) == (
            "<Queue q -> <Exchange e(direct) bound to chan:7> -> k bound to chan:7>"
        )
        assert repr(Queue("q", [binding(Exchange("e"), "k")])) == (
            "<unbound Queue q -> [e->k]>"
        )

    def test_binding_binds_the_exchange_too(self, channel):
        queue, after = Queue("q", Exchange("e"))(channel), FakeChannel()
        assert queue.exchange.channel is channel
        queue.revive(after)
        assert queue.exchange.channel is after
        assert Queue("q", channel=channel).is_bound

    def test_binding_keeps_the_callback(self, channel):
        assert Queue("q", on_declared=print)(channel).on_declared is print

    @DUPLICATES
    def test_copies(self, duplicate, channel):
        queue = Queue(
            "q", Exchange("e", "topic"), "k", expires=3, queue_arguments={"x": 1}
        )
        for original in (queue, queue(channel)):
            copied = duplicate(original)
            assert copied == queue
            assert copied.expires == 3.0
            assert not copied.is_bound

    @DUPLICATES
    def test_copies_with_bindings(self, duplicate):
        queue = Queue("q", [binding(Exchange("e"), "k", {"a": 1})])
        copied = duplicate(queue)
        (item,) = copied.bindings
        assert item.as_dict() == next(iter(queue.bindings)).as_dict()
        assert copied.exchange is None

    def test_deep_copies_share_nothing(self):
        queue = Queue("q", queue_arguments={"x": [1]})
        copied = copy.deepcopy(queue)
        copied.queue_arguments["x"].append(2)
        assert queue.queue_arguments == {"x": [1]}

    def test_as_dict(self):
        assert Queue("q", Exchange("e"), "k").as_dict(recurse=True) == {
            "name": "q",
            "exchange": Exchange("e").as_dict(),
            "routing_key": "k",
            "queue_arguments": None,
            "binding_arguments": None,
            "consumer_arguments": None,
            "durable": True,
            "exclusive": False,
            "auto_delete": False,
            "no_ack": False,
            "alias": None,
            "bindings": [],
            "no_declare": None,
            "expires": None,
            "message_ttl": None,
            "max_length": None,
            "max_length_bytes": None,
            "max_priority": None,
        }

    def test_as_dict_with_bindings(self):
        queue = Queue("q", [binding(Exchange("e"), "k")])
        assert queue.as_dict(recurse=True)["bindings"] == [
            {
                "exchange": Exchange("e").as_dict(),
                "routing_key": "k",
                "arguments": None,
                "unbind_arguments": None,
            }
        ]


class test_Queue_from_dict:
    def test_everything(self):
        queue = Queue.from_dict(
            "q",
            exchange="e",
            exchange_type="topic",
            exchange_durable=True,
            exchange_auto_delete=False,
            exchange_arguments={"d": 1},
            delivery_mode=1,
            routing_key="rk",
            queue_durable=False,
            queue_auto_delete=True,
            exclusive=True,
            no_ack=True,
            alias="al",
            expires=3,
            message_ttl=4,
            max_length=5,
            max_priority=6,
            queue_arguments={"a": 1},
            binding_arguments={"b": 1},
            consumer_arguments={"c": 1},
        )
        assert queue.exchange == Exchange(
            "e", "topic", durable=True, delivery_mode=1, arguments={"d": 1}
        )
        found = queue.as_dict()
        del found["exchange"]
        assert found == {
            "name": "q",
            "routing_key": "rk",
            "queue_arguments": {"a": 1},
            "binding_arguments": {"b": 1},
            "consumer_arguments": {"c": 1},
            "durable": False,
            "exclusive": True,
            "auto_delete": True,
            "no_ack": True,
            "alias": "al",
            "bindings": [],
            "no_declare": None,
            "expires": 3.0,
            "message_ttl": 4.0,
            "max_length": 5,
            "max_length_bytes": None,
            "max_priority": 6,
        }

    def test_nothing(self):
        assert Queue.from_dict("q") == Queue("q", Exchange(""))

    def test_settings_for_both(self):
        queue = Queue.from_dict("q", exchange="e", durable=False, auto_delete=True)
        assert (queue.durable, queue.auto_delete) == (False, True)
        assert (queue.exchange.durable, queue.exchange.auto_delete) == (False, True)

    def test_the_binding_key_goes_first(self):
        assert Queue.from_dict("q", binding_key="b", routing_key="r").routing_key == "b"

    @pytest.mark.parametrize("exchange", ["x", {"name": "x", "type": "fanout"}])
    def test_bindings_from_settings(self, exchange):
        queue = Queue.from_dict(
            "q", bindings=[{"exchange": exchange, "routing_key": "z"}]
        )
        (item,) = queue.bindings
        assert (item.exchange.name, item.routing_key) == ("x", "z")

    def test_bindings_that_are_made_already(self):
        item = binding(Exchange("x"), "z")
        assert Queue.from_dict("q", bindings=[item]).bindings == {item}


class test_Broadcast:
    def test_a_queue_of_its_own(self):
        one, other = Broadcast("news"), Broadcast("news")
        assert one.name != other.name
        assert one.name.startswith("bcast.")
        assert (one.alias, one.auto_delete) == ("news", True)
        assert one.exchange == Exchange("news", type="fanout")

    def test_a_name_for_the_queue(self):
        assert Broadcast("news", queue="q").name == "q"
        assert Broadcast("news", queue="q", unique=True).name.startswith("q.")

    def test_everything_else(self):
        queue = Broadcast(
            "news",
            "q",
            False,
            False,
            Exchange("other"),
            "alias",
            routing_key="k",
            expires=3,
        )
        assert (queue.name, queue.alias, queue.auto_delete) == ("q", "alias", False)
        assert (queue.exchange.name, queue.routing_key, queue.expires) == (
            "other",
            "k",
            3.0,
        )

    def test_without_a_name(self):
        assert Broadcast(queue="q").exchange == Exchange("", type="fanout")

    @DUPLICATES
    @pytest.mark.parametrize("options", [{}, {"queue": "q", "unique": True}])
    def test_copies_have_the_same_queue(self, duplicate, options):
        queue = Broadcast("news", **options)
        copied = duplicate(queue)
        assert copied == queue
        assert (copied.name, copied.alias) == (queue.name, "news")
        assert type(copied) is Broadcast

    def test_bound_ones_have_the_same_queue(self, channel):
        queue = Broadcast("news")
        bound = queue(channel)
        bound.declare()
        assert channel.only("queue_declare")[0]["queue"] == queue.name
        assert channel.only("queue_bind")[0]["exchange"] == "news"

    def test_every_consumer_gets_every_message(self, connection):
        got = []
        for number in range(2):
            connection.Consumer(
                Broadcast("news"),
                callbacks=[lambda body, message, n=number: got.append((n, body))],
                no_ack=True,
            ).consume()
        connection.Producer().publish("hi", exchange=Exchange("news", "fanout"))
        for _ in range(2):
            connection.drain_events(timeout=1)
        assert sorted(got) == [(0, "hi"), (1, "hi")]


def test_declared_entities_are_told_apart_by_what_they_do():
    from kombu._declared import DeclaredEntities

    declared = DeclaredEntities()
    queue = Queue("q", Exchange("e"), "one")
    declared.add(queue)
    declared.add(Exchange("e"))
    assert queue in declared
    assert Queue("q", Exchange("e"), "one") in declared
    assert Queue("q", Exchange("e"), "two") not in declared
    assert Queue("q", [binding(Exchange("e"), "one")]) not in declared
    assert Exchange("e") in declared
    assert Exchange("e", "topic") not in declared
    assert len(declared) == len(list(declared)) == 2
    assert "Queue q" in repr(declared)
    assert declared.queues_bound_to("e") == [(queue, "one")]
    several = Queue("s", [binding(Exchange("e"), "k"), binding("other", "z")])
    declared.add(several)
    assert declared.queues_bound_to("other") == [(several, "z")]
    declared.forget_queue("q")
    assert queue not in declared
    assert Exchange("e") in declared
    declared.discard(Exchange("e"))
    assert Exchange("e") not in declared
    declared.clear()
    assert len(declared) == 0


def test_entities_of_others_are_told_apart_by_their_hash():
    from kombu._declared import DeclaredEntities

    declared = DeclaredEntities()
    declared.add(("an", "entity"))
    assert ("an", "entity") in declared
    assert ("another",) not in declared


def test_entities_work_with_the_memory_transport(connection):
    source, target = Exchange("source", "topic"), Exchange("target")
    target(connection).declare()
    source(connection).declare()
    target(connection).bind_to(source, "a.*")
    queue = Queue("q", target, "a.b")(connection)
    queue.declare()
    source(connection).publish("through both", "a.b")
    assert queue.get(no_ack=True).body in ("through both", b"through both")
    target(connection).unbind_from(source, "a.*")
    source(connection).publish("nowhere", "a.b")
    assert queue.get() is None
    queue.delete()
