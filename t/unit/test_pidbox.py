"""Mailboxes: commands to nodes, and their replies."""

from __future__ import annotations

import socket
import time
import warnings
from uuid import uuid4

import pytest

from kombu import Connection, Queue
from kombu.clocks import LamportClock
from kombu.exceptions import InconsistencyError, KombuError, NotFound
from kombu.pidbox import REPLY_QUEUE_EXPIRES, Mailbox, Node
from kombu.pools import ProducerPool
from kombu.utils.functional import lazy


class Cluster:
    """Nodes that take their commands while the caller waits for replies."""

    def __init__(self, connection, type="fanout", names=("h1", "h2"), **options):
        self.connection = connection
        self.mailbox = Mailbox("ns", type=type, connection=connection, **options)
        self.calls = []
        self.nodes = [self.start(name) for name in names]

    def start(self, name):
        node = self.mailbox.Node(
            name, state={"name": name}, channel=self.connection.channel()
        )

        @node.handler
        def add(state, x=0, y=0):
            self.calls.append((state["name"], x, y))
            return x + y

        @node.handler
        def fail(state):
            raise KeyError("foo")

        @node.handler
        def ping(state):
            return {"ok": "pong"}

        node.listen()
        return node


@pytest.fixture
def cluster(connection):
    return Cluster(connection)


@pytest.fixture
def mailbox(connection):
    return Mailbox("ns", type="fanout", connection=connection)


class test_replies:
    def test_call(self, cluster):
        assert cluster.mailbox.call(["h1"], "add", {"x": 1, "y": 2}, timeout=1) == [
            {"h1": 3}
        ]
        assert cluster.calls == [("h1", 1, 2)]

    def test_call_several(self, cluster):
        replies = cluster.mailbox.call(["h1", "h2"], "ping", timeout=1)
        assert sorted(replies, key=str) == [
            {"h1": {"ok": "pong"}},
            {"h2": {"ok": "pong"}},
        ]

    def test_multi_call(self, cluster, clock):
        replies = cluster.mailbox.multi_call("ping", timeout=1)
        assert len(replies) == 2
        assert clock.now == 1001.0  # there may be more nodes

    def test_multi_call_with_a_limit(self, cluster, clock):
        assert len(cluster.mailbox.multi_call("ping", timeout=1, limit=2)) == 2
        assert clock.now == 1000.0
        assert len(cluster.mailbox.multi_call("ping", timeout=1, limit=1)) == 1

    def test_nobody_answers(self, cluster, clock):
        assert cluster.mailbox.call(["nobody"], "ping", timeout=1) == []
        assert clock.now == 1001.0

    def test_no_time(self, cluster, clock):
        assert cluster.mailbox.call(["h1"], "ping", timeout=0) == []

    @pytest.mark.parametrize(
        ("command", "error"),
        [("fail", "KeyError('foo')"), ("nosuch", "KeyError('nosuch')")],
    )
    def test_errors_are_replies(self, cluster, command, error, caplog):
        assert cluster.mailbox.call(["h1"], command, timeout=1) == [
            {"h1": {"error": error}}
        ]
        assert "pidbox command error" in caplog.text

    def test_callback(self, cluster):
        told = []
        cluster.mailbox.call(["h1"], "ping", timeout=1, callback=told.append)
        assert told == [{"h1": {"ok": "pong"}}]

    def test_on_another_channel(self, cluster):
        channel = cluster.connection.channel()
        assert cluster.mailbox.call(["h1"], "ping", timeout=1, channel=channel)
        assert cluster.mailbox.multi_call(
            "ping", timeout=1, limit=2, channel=channel, callback=print
        )

    @pytest.mark.parametrize(
        ("pattern", "matcher", "names"),
        [
            ("h[2]", "glob", ["h2"]),
            ("h*", "glob", ["h1", "h2"]),
            ("h1$", "pcre", ["h1"]),
            ("x*", "glob", []),
        ],
    )
    def test_patterns(self, cluster, clock, pattern, matcher, names):
        replies = cluster.mailbox._broadcast(
            "ping", reply=True, pattern=pattern, matcher=matcher, timeout=1
        )
        assert sorted(name for reply in replies for name in reply) == names

    def test_by_pool(self, connection):
        pool = ProducerPool(connection.Pool(1), 1)
        cluster = Cluster(connection, producer_pool=lazy(lambda: pool))
        assert cluster.mailbox.call(["h1"], "ping", timeout=1) == [
            {"h1": {"ok": "pong"}}
        ]
        assert len(pool._dirty) == 0

    def test_serializer(self, connection):
        cluster = Cluster(connection, accept=["yaml"], serializer="yaml")
        assert cluster.mailbox.call(["h1"], "add", {"x": 2}, timeout=1) == [{"h1": 2}]

    def test_from_another_connection(self, cluster):
        with cluster.connection.clone() as other:
            bound = cluster.mailbox(other)
            assert bound.connection is other
            assert bound is not cluster.mailbox
            bound.cast(["h1"], "add", {"x": 5})
            cluster.connection.drain_events(timeout=1)
        cluster.connection.drain_events(timeout=1)
        assert cluster.calls == [("h1", 5, 0)]

    def test_the_reply_queue_stays_for_the_next_call(self, cluster):
        for number in range(3):
            reply = cluster.mailbox.call(["h1"], "add", {"x": number}, timeout=1)
            assert reply == [{"h1": number}]


class test_no_replies:
    def test_cast(self, cluster, clock):
        assert cluster.mailbox.cast(["h2"], "add", {"x": 1}) is None
        self.drain(cluster)
        assert cluster.calls == [("h2", 1, 0)]

    def test_abcast(self, cluster, clock):
        assert cluster.mailbox.abcast("add", {"y": 1}) is None
        self.drain(cluster)
        assert sorted(cluster.calls) == [("h1", 0, 1), ("h2", 0, 1)]

    def drain(self, cluster):
        with pytest.raises(socket.timeout):
            while True:
                cluster.connection.drain_events(timeout=1)


class test_wire_format:
    """As kombu 5.7 writes it."""

    def spy(self, mailbox):
        queue = Queue("spy", mailbox.exchange)(mailbox.connection.channel())
        queue.declare()
        return queue

    @pytest.mark.parametrize(
        ("send", "body"),
        [
            (
                lambda mailbox: mailbox.abcast("cmd", {"a": 1}),
                b'{"method": "cmd", "arguments": {"a": 1}, "destination": null, '
                b'"pattern": null, "matcher": null}',
            ),
            (
                lambda mailbox: mailbox.cast(["h1"], "cmd", {"a": 1}),
                b'{"method": "cmd", "arguments": {"a": 1}, "destination": ["h1"], '
                b'"pattern": null, "matcher": null}',
            ),
            (
                lambda mailbox: mailbox._broadcast("cmd", pattern="h*", matcher="glob"),
                b'{"method": "cmd", "arguments": {}, "destination": null, '
                b'"pattern": "h*", "matcher": "glob"}',
            ),
        ],
        ids=["abcast", "cast", "pattern"],
    )
    def test_commands(self, mailbox, send, body):
        queue = self.spy(mailbox)
        send(mailbox)
        message = queue.get()
        assert message.body == body
        assert message.content_type == "application/json"
        assert message.properties["delivery_mode"] == 2
        assert set(message.headers) == {"clock", "expires"}
        assert message.headers["clock"] == 1

    def test_commands_with_reply(self, mailbox, clock):
        queue = self.spy(mailbox)
        before = time.time()
        mailbox.multi_call("cmd", timeout=5)
        message = queue.get()
        ticket = message.payload["ticket"]
        assert len(ticket) == 36
        assert message.body.decode() == (
            '{"method": "cmd", "arguments": {}, "destination": null, '
            f'"pattern": null, "matcher": null, "ticket": "{ticket}", '
            '"reply_to": {"exchange": "reply.ns.pidbox", '
            f'"routing_key": "{mailbox.oid}"}}}}'
        )
        assert 4 < message.headers["expires"] - before < 60

    def test_replies(self, connection):
        mailbox = Mailbox("ns", connection=connection)
        channel = connection.channel()
        mailbox.reply_queue(channel).declare()
        node = mailbox.Node("n", channel=channel, handlers={"x": lambda state, **k: k})
        node.dispatch(
            "x",
            {"a": 1},
            reply_to={"exchange": "reply.ns.pidbox", "routing_key": mailbox.oid},
            ticket="T",
        )
        message = mailbox.reply_queue(channel).get()
        assert message.body == b'{"n": {"a": 1}}'
        assert message.headers == {"ticket": "T", "clock": 1}
        assert message.content_type == "application/json"
        assert message.properties["delivery_mode"] == 1
        assert message.delivery_info["exchange"] == "reply.ns.pidbox"
        assert message.delivery_info["routing_key"] == mailbox.oid

    def test_entities(self, connection):
        mailbox = Mailbox("ns", connection=connection)
        assert repr(mailbox.exchange) == "<unbound Exchange ns.pidbox(direct)>"
        assert mailbox.exchange.as_dict() == {
            "name": "ns.pidbox",
            "type": "direct",
            "arguments": None,
            "durable": False,
            "passive": False,
            "auto_delete": False,
            "delivery_mode": 1,
            "no_declare": False,
        }
        assert mailbox.reply_exchange.name == "reply.ns.pidbox"
        queue = mailbox.get_queue("h1")
        assert (queue.name, queue.exchange) == ("h1.ns.pidbox", mailbox.exchange)
        assert (queue.durable, queue.exclusive, queue.auto_delete) == (
            False,
            True,
            True,
        )
        assert (queue.expires, queue.message_ttl) == (None, None)
        reply = mailbox.reply_queue
        assert reply.name == f"{mailbox.oid}.reply.ns.pidbox"
        assert reply.routing_key == mailbox.oid
        assert (reply.expires, reply.message_ttl) == (REPLY_QUEUE_EXPIRES, None)
        assert (reply.durable, reply.exclusive, reply.auto_delete) == (
            False,
            True,
            True,
        )

    def test_entities_by_options(self):
        mailbox = Mailbox(
            "ns",
            queue_ttl=1,
            queue_expires=2,
            queue_durable=True,
            queue_exclusive=False,
            reply_queue_ttl=3,
            reply_queue_expires=4,
        )
        queue, reply = mailbox.get_queue("h"), mailbox.reply_queue
        assert (queue.message_ttl, queue.expires) == (1.0, 2.0)
        assert (queue.durable, queue.exclusive, queue.auto_delete) == (
            True,
            False,
            False,
        )
        assert (reply.message_ttl, reply.expires) == (3.0, 4.0)
        assert (reply.durable, reply.exclusive, reply.auto_delete) == (
            True,
            False,
            False,
        )


class test_mistakes:
    @pytest.mark.parametrize(
        "send",
        [
            lambda mailbox: mailbox.call("h1", "x"),
            lambda mailbox: mailbox.cast("h1", "x"),
        ],
    )
    def test_one_destination_is_a_list_too(self, mailbox, send):
        with pytest.raises(
            ValueError, match=r"must be a list/tuple.*pass \['h1'\]"
        ) as e:
            send(mailbox)
        assert isinstance(e.value, KombuError)

    @pytest.mark.parametrize("options", [{"pattern": "h*"}, {"matcher": "glob"}])
    def test_half_a_pattern(self, mailbox, options):
        with pytest.raises(ValueError, match="given together"):
            mailbox._broadcast("x", **options)

    def test_durable_and_exclusive(self):
        with pytest.raises(ValueError, match="queue_durable and queue_exclusive"):
            Mailbox("ns", queue_durable=True)


class test_collecting:
    def reply(self, mailbox, *tickets, **headers):
        for ticket in tickets:
            mailbox._publish_reply(
                {"to": ticket},
                mailbox.reply_exchange.name,
                mailbox.oid,
                ticket,
                mailbox.connection.channel(),
            )

    @pytest.fixture
    def mailbox(self, mailbox):
        mailbox.reply_queue(mailbox.connection.channel()).declare()
        return mailbox

    def test_replies_to_others_are_kept(self, mailbox, clock):
        self.reply(mailbox, "T2", "T2", "T1")
        assert mailbox._collect("T1", limit=1, timeout=1) == [{"to": "T1"}]
        assert {k: list(v) for k, v in mailbox.unclaimed.items()} == {
            "T2": [{"to": "T2"}, {"to": "T2"}]
        }
        assert mailbox._collect("T2", limit=2, timeout=1) == [{"to": "T2"}] * 2
        assert dict(mailbox.unclaimed) == {}
        assert clock.now == 1000.0

    def test_claimed_ones_count(self, mailbox, clock):
        self.reply(mailbox, "T2", "T1", "T2")
        mailbox._collect("T1", limit=1, timeout=1)
        assert len(mailbox._collect("T2", limit=2, timeout=1)) == 2

    def test_replies_that_came_too_late(self, mailbox, clock):
        mailbox.connection.Producer().publish(
            {"too": "late"},
            exchange=mailbox.reply_exchange,
            routing_key=mailbox.oid,
            headers={"ticket": "T1", "expires": time.time() - 5},
        )
        assert mailbox._collect("T1", timeout=1) == []

    def test_replies_adjust_the_clock(self, mailbox):
        mailbox.connection.Producer().publish(
            {},
            exchange=mailbox.reply_exchange,
            routing_key=mailbox.oid,
            headers={"clock": 41},
        )
        mailbox._collect("any", limit=1, timeout=1, accept=["json"])
        assert mailbox.clock.value == 42

    def test_replies_to_those_who_left(self, connection, mailbox):
        mailbox._publish_reply({}, mailbox.reply_exchange.name, "nobody", "T")

    @pytest.mark.parametrize("error", [InconsistencyError("x"), NotFound("x")])
    def test_brokers_that_mind(self, mailbox, error):
        class Minding:
            def publish(self, *args, **kwargs):
                raise error

        mailbox._publish_reply({}, "e", "nobody", "T", producer=Minding())

    def test_other_errors_are_not_hidden(self, mailbox):
        class Failing:
            def publish(self, *args, **kwargs):
                raise KombuError("x")

        with pytest.raises(KombuError):
            mailbox._publish_reply({}, "e", "nobody", "T", producer=Failing())

    def test_the_channel_is_told(self, mailbox, clock):
        channel, told = mailbox.connection.channel(), []
        channel.after_reply_message_received = told.append
        mailbox._collect("T", timeout=1, channel=channel)
        assert told == [mailbox.reply_queue.name]


class test_Node:
    @pytest.fixture
    def node(self, mailbox):
        handlers = {"echo": lambda state, **kwargs: (state, kwargs)}
        return mailbox.Node("n", "state", mailbox.connection.channel(), handlers)

    def test_name_of_the_host(self, mailbox):
        node = mailbox.Node()
        assert node.hostname == socket.gethostname()
        assert node.handlers == {}
        assert isinstance(node, Node)

    def test_handlers(self, node):
        @node.handler
        def mine(state):
            return state

        assert node.handle("mine") == "state"
        assert node.handle("echo", {"a": 1}) == ("state", {"a": 1})
        with pytest.raises(KeyError, match="nosuch"):
            node.handle("nosuch")
        assert repr(node) == "<Node: n (echo, mine)>"

    def test_dispatch(self, node):
        assert node.dispatch("echo", {"a": 1}) == ("state", {"a": 1})
        assert node.dispatch("echo") == ("state", {})
        assert node.dispatch("nosuch") == {"error": "KeyError('nosuch')"}

    @pytest.mark.parametrize(
        ("address", "is_for_us"),
        [
            ({}, True),
            ({"destination": ["n"]}, True),
            ({"destination": ["other"]}, False),
            ({"destination": []}, True),
            ({"pattern": "n*", "matcher": "glob"}, True),
            ({"pattern": "x*", "matcher": "glob"}, False),
        ],
    )
    def test_what_is_for_us(self, node, address, is_for_us):
        body = {"method": "echo", "arguments": {"b": 2}, **address}
        expected = ("state", {"b": 2}) if is_for_us else None
        assert node.handle_message(body) == expected
        assert node.dispatch_from_message(body) == expected

    def test_commands_adjust_the_clock(self, cluster):
        cluster.mailbox.clock = LamportClock(10)
        cluster.mailbox.abcast("ping")
        cluster.connection.drain_events(timeout=1)
        assert cluster.nodes[0].adjust_clock.__self__.value >= 11

    def test_listen_with_a_callback(self, mailbox):
        got = []
        channel = mailbox.connection.channel()
        consumer = mailbox.Node("n").listen(
            channel, callback=lambda body, message: got.append(body["method"])
        )
        assert consumer.consuming_from("n.ns.pidbox")
        mailbox.abcast("hello")
        mailbox.connection.drain_events(timeout=1)
        assert got == ["hello"]

    def test_commands_that_can_not_be_decoded(self, cluster, caplog):
        cluster.connection.Producer().publish(
            "{bad",
            exchange=cluster.mailbox.exchange,
            content_type="application/json",
            content_encoding="utf-8",
        )
        cluster.connection.drain_events(timeout=1)
        assert "Cannot decode message" in caplog.text
        assert cluster.mailbox.call(["h1"], "ping", timeout=1)

    def test_what_is_not_accepted(self, connection, caplog):
        cluster = Cluster(connection, accept=["json"], serializer="pickle")
        cluster.mailbox.abcast("add")
        cluster.connection.drain_events(timeout=1)
        assert "Refusing to deserialize" in caplog.text
        assert cluster.calls == []

    def test_a_name_that_is_taken(self, mailbox):
        channel = mailbox.connection.channel()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mailbox.Node("n", channel=channel).listen()
            assert caught == []
            mailbox.Node("n", channel=channel).listen()
        (warning,) = caught
        assert "A node named n is already using this process mailbox!" in str(
            warning.message
        )

    def test_consumer_options(self, node):
        consumer = node.Consumer(no_ack=False, accept=["yaml"], tag_prefix="T")
        assert consumer.no_ack is False
        assert consumer.accept == {"application/x-yaml"}
        assert consumer.tag_prefix == "T"


class test_Mailbox:
    def test_repr(self, mailbox):
        assert repr(mailbox) == "<Mailbox: ns (fanout)>"

    def test_a_class_of_ones_own(self, connection):
        class MyNode(Node):
            pass

        class MyMailbox(Mailbox):
            node_cls = MyNode
            accept = ["yaml"]
            exchange_fmt = "%s.mine"
            serializer = "yaml"

        mailbox = MyMailbox("ns", connection=connection)
        assert type(mailbox.Node("n")) is MyNode
        assert (mailbox.accept, mailbox.serializer) == (["yaml"], "yaml")
        assert mailbox.exchange.name == "ns.mine"

    def test_producers(self, mailbox):
        given = object()
        with mailbox.producer_or_acquire(given) as producer:
            assert producer is given
        with mailbox.producer_or_acquire() as producer:
            assert producer.connection is mailbox.connection
        channel = mailbox.connection.channel()
        with mailbox.producer_or_acquire(channel=channel) as producer:
            assert producer.channel is channel

    def test_two_namespaces_do_not_meet(self):
        with Connection(f"memory://{uuid4()}") as connection:
            cluster = Cluster(connection, names=("h1",))
            other = Mailbox("other", type="fanout", connection=connection)
            other.abcast("add")
            cluster.mailbox.call(["h1"], "ping", timeout=1)
            assert cluster.calls == []


def test_addresses_are_never_given_again(connection):
    # given mailboxes that are gone as soon as they were asked, so that the next
    # one may well live in the same place
    addresses = {Mailbox("ns", connection=connection).oid for _ in range(50)}
    # then each had an address of its own, and so have copies
    assert len(addresses) == 50
    mailbox = Mailbox("ns", connection=connection)
    assert mailbox(connection).oid != mailbox.oid == mailbox.oid
