from __future__ import annotations

import proton
import pytest

from kombu.entity import Exchange, Queue
from kombu.exceptions import (
    AbilityNotOffered,
    NotFound,
    PreconditionFailed,
    ResourceLocked,
    UnroutableError,
)
from kombu.transport._qpid.dialects import QueueSpec
from kombu.transport._qpid.queue_attributes import queue_attributes
from t.unit.transport.qpid.broker import Broker
from t.unit.transport.qpid.conftest import message


def spec(exclusive=False, auto_delete=False, **arguments):
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    return QueueSpec("q", True, exclusive, auto_delete, named)


class TestBrokerJ:
    @pytest.fixture
    def channel(self, broker_j, connect):
        return connect(broker_j, confirm_publish=True).channel()

    @pytest.mark.parametrize(
        ("queue", "attributes"),
        [
            (spec(), {}),
            (
                spec(exclusive=True),
                {
                    "exclusive": "CONNECTION",
                    "lifetimePolicy": "DELETE_ON_CONNECTION_CLOSE",
                },
            ),
            (
                spec(auto_delete=True),
                {"lifetimePolicy": "DELETE_ON_NO_OUTBOUND_LINKS"},
            ),
            (spec(max_priority=9), {"qpid-type": "priority", "priorities": 10}),
            (spec(max_priority=10), {"qpid-type": "priority", "priorities": 12}),
            (spec(message_ttl=5), {"maximumMessageTtl": 5}),
            (
                spec(max_length=3),
                {"maximumQueueDepthMessages": 3, "overflowPolicy": "RING"},
            ),
            (
                spec(max_length_bytes=3, overflow="reject-publish"),
                {"maximumQueueDepthBytes": 3, "overflowPolicy": "REJECT"},
            ),
            (spec(delivery_limit=2), {"maximumDeliveryAttempts": 3}),
        ],
    )
    def test_attributes(self, queue, attributes):
        assert queue_attributes(queue) == {"durable": True, **attributes}

    def test_limit_of_nothing_is_refused(self, channel):
        with pytest.raises(PreconditionFailed, match="x-max-length"):
            channel.queue_declare("q", arguments={"x-max-length": 0})

    def test_bad_argument_is_refused(self, channel):
        with pytest.raises(PreconditionFailed, match="x-message-ttl"):
            channel.queue_declare("q", arguments={"x-message-ttl": "soon"})

    def test_queue_with_exchange_and_binding(self, channel, broker_j):
        queue = Queue("q", Exchange("x", "topic"), "a.*", max_priority=3)

        queue(channel).declare()

        assert broker_j.bindings == [("x", "q", "a.*")]
        assert broker_j.objects["x"]["qpid-type"] == "topic"
        assert broker_j.objects["q"]["qpid-type"] == "priority"

    def test_queue_is_bound_no_more(self, channel, broker_j):
        queue = Queue("q", Exchange("x"), "key")(channel)
        queue.declare()

        queue.unbind_from("x", "key")

        assert broker_j.bindings == []

    def test_exchanges_are_bound_to_each_other(self, channel, broker_j):
        for name in ("x", "y"):
            channel.exchange_declare(name)

        channel.exchange_bind("y", "x", "key")
        assert broker_j.bindings == [("x", "y", "key")]
        channel.exchange_unbind("y", "x", "key")
        assert broker_j.bindings == []

    def test_what_is_not_there_can_not_be_bound(self, channel):
        channel.exchange_declare("x")

        with pytest.raises(NotFound, match="missing"):
            channel.queue_bind("missing", "x", "key")

    def test_declaring_again(self, channel):
        channel.queue_declare("q", durable=True, auto_delete=False)
        channel.basic_publish(message(channel), "", "q")

        declared = channel.queue_declare("q", durable=True, auto_delete=False)

        assert declared == ("q", 1, 0)

    def test_declaring_otherwise(self, channel):
        channel.queue_declare("q", durable=True, auto_delete=False)

        with pytest.raises(PreconditionFailed, match="durable"):
            channel.queue_declare("q", durable=False, auto_delete=False)
        adopted = channel.queue_declare("q", durable=False, policy="adopt")
        assert adopted.queue == "q"

    def test_exclusive_queue_of_another_connection(self, channel, broker_j, connect):
        channel.queue_declare("q", exclusive=True)
        other = connect(broker_j).channel()

        with pytest.raises(ResourceLocked, match="exclusive"):
            other.queue_declare("q", exclusive=True)
        with pytest.raises(ResourceLocked, match="exclusive"):
            other.queue_declare("q", passive=True)
        assert channel.queue_declare("q", exclusive=True).queue == "q"

    def test_passive_declaration(self, channel):
        channel.queue_declare("q")
        channel.exchange_declare("x")

        assert channel.queue_declare("q", passive=True).queue == "q"
        channel.exchange_declare("x", passive=True)
        with pytest.raises(NotFound, match="missing"):
            channel.queue_declare("missing", passive=True)
        with pytest.raises(NotFound, match="missing"):
            channel.exchange_declare("missing", passive=True)

    def test_passive_policy_makes_nothing(self, broker_j, connect):
        channel = connect(broker_j, declare_policy="passive").channel()

        with pytest.raises(NotFound):
            channel.queue_declare("q")
        channel.queue_bind("q", "x")  # taken for granted

        assert not broker_j.objects

    def test_queue_without_a_name(self, channel):
        assert channel.queue_declare().queue.startswith("amq.gen-")

    def test_exchange_of_another_type(self, channel):
        channel.exchange_declare("x", "direct")

        channel.exchange_declare("x", "direct")
        with pytest.raises(PreconditionFailed, match="'x'"):
            channel.exchange_declare("x", "fanout")
        channel.exchange_declare("x", "fanout", policy="adopt")
        channel.exchange_declare("")

    def test_deleting(self, channel, broker_j):
        channel.queue_declare("q")
        channel.exchange_declare("x")
        channel.basic_publish(message(channel), "", "q")

        assert channel.queue_delete("q") == 1
        channel.exchange_delete("x")

        assert not broker_j.objects
        assert channel.queue_delete("q") == 0
        channel.exchange_delete("x")

    def test_what_is_in_use_is_not_deleted_if_so_asked(self, channel):
        channel.queue_declare("q")
        channel.exchange_declare("x")
        channel.queue_bind("q", "x", "key")
        channel.basic_publish(message(channel), "", "q")

        with pytest.raises(PreconditionFailed, match="1 messages"):
            channel.queue_delete("q", if_empty=True)
        with pytest.raises(PreconditionFailed, match="bindings"):
            channel.exchange_delete("x", if_unused=True)

    def test_purge(self, channel):
        channel.queue_declare("q")
        for _ in range(3):
            channel.basic_publish(message(channel), "", "q")

        assert channel.queue_purge("q") == 3
        assert channel.queue_purge("q") == 0

    @pytest.mark.parametrize("has_alternate", [True, False])
    def test_rejected_message_goes_where_the_queue_says(
        self, channel, broker_j, has_alternate
    ):
        channel.queue_declare("q")
        if has_alternate:
            broker_j.objects["q"]["alternateBinding"] = '{"destination": "dead"}'

        refuse = channel.dialect.refusal("q")

        assert refuse.__name__ == ("_reject" if has_alternate else "_accept")
        assert channel.dialect.refusal("q") is refuse

    def test_alternate_exchange(self, channel, broker_j):
        channel.exchange_declare("x", arguments={"alternate-exchange": "other"})

        assert "other" in broker_j.objects["x"]["alternateBinding"]


class TestRabbitMQ:
    @pytest.fixture
    def channel(self, rabbitmq, connect):
        return connect(rabbitmq, confirm_publish=True).channel()

    def test_plain_queue(self, channel, rabbitmq):
        channel.queue_declare("a b", durable=True, auto_delete=False)

        assert rabbitmq.opened == ["/queue/a b"]

    @pytest.mark.parametrize(
        "options",
        [
            {"exclusive": True, "auto_delete": False},
            {"auto_delete": True},
            {"auto_delete": False, "arguments": {"x-max-priority": 3}},
        ],
    )
    @pytest.mark.filterwarnings("ignore::kombu.transport.base.AbilityWarning")
    def test_queue_that_it_can_not_declare(self, channel, options):
        with pytest.raises(AbilityNotOffered, match="declare_policy='passive'"):
            channel.queue_declare("q", **options)

    def test_what_it_can_not_do_at_all(self, channel):
        for call in (
            lambda: channel.exchange_declare("x"),
            lambda: channel.exchange_delete("x"),
            lambda: channel.queue_bind("q", "x", "key"),
            lambda: channel.queue_unbind("q", "x", "key"),
            lambda: channel.queue_delete("q"),
        ):
            with pytest.raises(AbilityNotOffered, match="RabbitMQ's plug-in"):
                call()

    def test_publishing_to_an_exchange(self, channel, rabbitmq):
        channel.basic_publish(message(channel), "a/b c", "key")

        assert rabbitmq.opened == ["/exchange/a%2Fb c"]

    def test_looking_for_an_exchange(self, channel, rabbitmq):
        channel.exchange_declare("x", passive=True)
        rabbitmq.refused["/exchange/y"] = "amqp:not-found"

        with pytest.raises(NotFound, match="y"):
            channel.exchange_declare("y", passive=True)

    def test_virtual_host(self, rabbitmq, connect):
        for vhost in ("one", "/"):
            connect(rabbitmq, vhost).connect()

        # The first time it was not known what it is.
        assert rabbitmq.hostnames == ["one", "vhost:one", None]

    def test_consuming_without_taking_credit_back(self, channel, rabbitmq):
        channel.basic_publish(message(channel), "", "q")
        assert channel.basic_get("q").body == b"hello"
        received = []
        tag = channel.basic_consume("q", callback=received.append)
        channel.basic_publish(message(channel), "", "q")
        while not received:
            channel.connection.drain_events(timeout=10)

        channel.flow(False)
        channel.flow(True)
        channel.basic_publish(message(channel), "", "q")
        while len(received) < 2:
            channel.connection.drain_events(timeout=10)
        channel.basic_cancel(tag)

        for each in received:
            each.ack()


class TestGeneric:
    def test_queue_is_looked_for(self, channel, broker):
        assert channel.queue_declare("q", auto_delete=False).queue == "q"
        broker.makes_queues = False

        with pytest.raises(NotFound, match="missing"):
            channel.queue_declare("missing", auto_delete=False)

    def test_purge(self, channel):
        channel.basic_publish(message(channel), "", "q")

        assert channel.queue_purge("q") == 1

    def test_reply_addresses_are_names(self, channel):
        dialect = channel.dialect

        assert dialect.reply_queue(dialect.reply_address("q")) == "q"


class TestRabbitMQ4:
    @pytest.fixture
    def channel(self, connect):
        with Broker("RabbitMQ", "4.1.0") as broker:
            self.broker = broker
            yield connect(broker, confirm_publish=True).channel()

    def test_queues(self, channel):
        channel.basic_publish(message(channel), "", "a/b c")

        assert channel.basic_get("a/b c").body == b"hello"
        assert self.broker.opened == ["/queues/a%2Fb%20c"] * 2

    @pytest.mark.parametrize(
        ("routing_key", "address"),
        [
            ("a.b", "/exchanges/x/a.b"),
            ("", "/exchanges/x"),
            ("a/", "/exchanges/x/a%2F"),
        ],
    )
    def test_exchanges(self, channel, routing_key, address):
        target = channel.dialect.target("x", routing_key, False)

        assert (target.address, target.to) == (None, address)

    def test_replies(self, channel):
        dialect = channel.dialect

        assert dialect.reply_queue(dialect.reply_address("a b")) == "a b"
        assert dialect.reply_queue("elsewhere") == "elsewhere"

    def test_what_is_released_reached_no_queue(self, channel):
        self.broker.outcome = proton.Delivery.RELEASED, None

        with pytest.raises(UnroutableError):
            channel.basic_publish(message(channel), "", "q", mandatory=True)

    def test_looking_for_exchanges(self, channel):
        channel.exchange_declare("x", passive=True)
        self.broker.makes_queues = False

        with pytest.raises(NotFound):
            channel.exchange_declare("y", passive=True)

    def test_declaring(self, channel):
        with pytest.raises(AbilityNotOffered, match="RabbitMQ 4"):
            channel.queue_declare("q", auto_delete=False)
