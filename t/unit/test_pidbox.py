"""Mailboxes and nodes."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from kombu import Connection, Consumer, Producer, Queue, pools
from kombu.clocks import LamportClock
from kombu.exceptions import NotFound
from kombu.pidbox import Mailbox, Node

TIMEOUT = 5


@pytest.fixture
def url():
    return f"memory://{uuid4()}"


class Worker:
    """A node that answers from a thread of its own."""

    def __init__(self, url, hostname="node1", type="fanout", **handlers):
        self.connection = Connection(url)
        self.mailbox = Mailbox("ns", type=type, connection=self.connection)
        self.node = self.mailbox.Node(
            hostname,
            state={"answer": 42},
            channel=self.connection.default_channel,
            handlers={
                "ping": lambda state: "pong",
                "add": lambda state, a, b: a + b,
                "answer": lambda state: state["answer"],
                **handlers,
            },
        )
        self.node.listen()
        self.is_over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.is_over:
            try:
                self.connection.drain_events(timeout=0.02)
            except TimeoutError:
                continue

    def close(self):
        self.is_over = True
        self.thread.join(TIMEOUT)
        self.connection.close()


@pytest.fixture
def workers(url):
    workers = []

    def start(*hostnames, **options):
        workers.extend(Worker(url, name, **options) for name in hostnames)
        return workers

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def mailbox(url):
    with Connection(url) as connection:
        yield Mailbox("ns", type="fanout", connection=connection)


class test_asking:
    def test_all_nodes_answer(self, workers, mailbox):
        workers("node1", "node2")
        replies = mailbox.multi_call("ping", timeout=TIMEOUT, limit=2)
        assert sorted(replies, key=str) == [{"node1": "pong"}, {"node2": "pong"}]

    def test_arguments_and_state_reach_the_handler(self, workers, mailbox):
        workers("node1")
        assert mailbox.multi_call(
            "add", {"a": 1, "b": 2}, timeout=TIMEOUT, limit=1
        ) == [{"node1": 3}]
        assert mailbox.multi_call("answer", timeout=TIMEOUT, limit=1) == [{"node1": 42}]

    def test_call_waits_for_those_it_asks_and_no_others(self, workers, mailbox):
        workers("node1", "node2", "node3")
        replies = mailbox.call(["node1", "node3"], "ping", timeout=TIMEOUT)
        assert sorted(replies, key=str) == [{"node1": "pong"}, {"node3": "pong"}]

    def test_callback_gets_each_reply(self, workers, mailbox):
        workers("node1")
        seen = []
        mailbox.multi_call("ping", timeout=TIMEOUT, limit=1, callback=seen.append)
        assert seen == [{"node1": "pong"}]

    def test_an_error_is_a_reply(self, workers, mailbox):
        def fail(state):
            raise ValueError("boom")

        workers("node1", fail=fail)
        assert mailbox.multi_call("fail", timeout=TIMEOUT, limit=1) == [
            {"node1": {"error": "ValueError('boom')"}}
        ]
        assert mailbox.multi_call("unknown", timeout=TIMEOUT, limit=1) == [
            {"node1": {"error": "KeyError('unknown')"}}
        ]

    def test_nobody_there_means_no_replies(self, mailbox):
        assert mailbox.multi_call("ping", timeout=0.01) == []

    def test_nodes_are_chosen_by_pattern(self, workers, mailbox):
        workers("red1", "blue1")
        replies = mailbox._broadcast(
            "ping",
            reply=True,
            timeout=TIMEOUT,
            limit=1,
            pattern="red*",
            matcher="glob",
        )
        assert replies == [{"red1": "pong"}]

    def test_the_reply_queue_serves_again(self, workers, mailbox):
        workers("node1")
        for _ in range(3):
            assert mailbox.call(["node1"], "ping", timeout=TIMEOUT)

    def test_replies_to_another_command_are_kept_for_it(self, mailbox):
        channel = mailbox.connection.default_channel
        mailbox.reply_queue(channel).declare()
        producer = Producer(channel)
        for ticket, body in (("other", {"n": 1}), ("mine", {"n": 2})):
            producer.publish(
                body,
                exchange=mailbox.reply_exchange,
                routing_key=mailbox.oid,
                headers={"ticket": ticket, "clock": 3},
            )
        assert mailbox._collect("mine", limit=1, timeout=TIMEOUT) == [{"n": 2}]
        assert mailbox._collect("other", limit=1, timeout=TIMEOUT) == [{"n": 1}]
        assert mailbox.clock.value > 3

    def test_expired_replies_do_not_count(self, mailbox):
        channel = mailbox.connection.default_channel
        mailbox.reply_queue(channel).declare()
        Producer(channel).publish(
            {"n": 1},
            exchange=mailbox.reply_exchange,
            routing_key=mailbox.oid,
            headers={"ticket": "mine", "expires": time.time() - 10},
        )
        assert mailbox._collect("mine", limit=1, timeout=0.01) == []


class test_telling:
    def listen(self, mailbox, hostname="node1"):
        received = []
        node = mailbox.Node(hostname, channel=mailbox.connection.default_channel)
        node.listen(callback=lambda body, message: received.append((body, message)))
        return received

    def drain(self, mailbox):
        mailbox.connection.drain_events(timeout=TIMEOUT)

    def test_wire_format(self, mailbox):
        received = self.listen(mailbox)
        assert mailbox.cast(["node1"], "ping", {"x": 1}) is None
        self.drain(mailbox)
        body, message = received[0]
        assert body == {
            "method": "ping",
            "arguments": {"x": 1},
            "destination": ["node1"],
            "pattern": None,
            "matcher": None,
        }
        assert message.headers["clock"] == 1
        assert message.headers["expires"] > time.time()
        assert message.delivery_info["exchange"] == "ns.pidbox"

    def test_abcast_goes_to_all(self, mailbox):
        one, two = self.listen(mailbox, "node1"), self.listen(mailbox, "node2")
        mailbox.abcast("ping")
        self.drain(mailbox)
        self.drain(mailbox)
        assert len(one) == len(two) == 1

    def test_a_question_says_where_to_answer(self, mailbox):
        received = self.listen(mailbox)
        mailbox.multi_call("ping", timeout=0.01)
        body, _ = received[0] if received else (self.drain(mailbox), received[0])[1]
        assert set(body) >= {"ticket", "reply_to"}
        assert body["reply_to"] == {
            "exchange": "reply.ns.pidbox",
            "routing_key": mailbox.oid,
        }

    def test_destination_must_be_a_list(self, mailbox):
        with pytest.raises(ValueError, match="list/tuple"):
            mailbox.call("node1", "ping")

    def test_pattern_needs_a_matcher(self, mailbox):
        with pytest.raises(ValueError, match="together"):
            mailbox._broadcast("ping", pattern="n*")


class test_Node:
    @pytest.fixture
    def node(self, mailbox):
        return mailbox.Node("node1", channel=mailbox.connection.default_channel)

    def test_is_named_by_the_host_if_not_told(self, mailbox):
        import socket

        assert mailbox.Node().hostname == socket.gethostname()

    def test_handler_decorator(self, node):
        @node.handler
        def double(state, n):
            return n * 2

        assert node.dispatch("double", {"n": 2}) == 4
        assert node.handle("double", {"n": 3}) == 6

    def test_unknown_command(self, node):
        with pytest.raises(KeyError):
            node.handle("unknown")

    @pytest.mark.parametrize(
        ("body", "is_for_us"),
        [
            ({"destination": ["node1"]}, True),
            ({"destination": ["node2"]}, False),
            ({"pattern": "node*", "matcher": "glob"}, True),
            ({"pattern": "other*", "matcher": "glob"}, False),
            ({}, True),
        ],
    )
    def test_takes_what_is_for_it(self, node, body, is_for_us):
        node.handlers["ping"] = lambda state: "pong"
        reply = node.handle_message({"method": "ping", **body})
        assert reply == ("pong" if is_for_us else None)

    def test_adjusts_the_clock(self, node):
        class message:
            headers = {"clock": 100}

        node.handlers["ping"] = lambda state: "pong"
        node.handle_message({"method": "ping"}, message)
        assert node.mailbox.clock.value > 100

    def test_warns_if_the_name_is_taken(self, node, mailbox):
        node.listen()
        with Connection(mailbox.connection.as_uri()) as other:
            second = Mailbox(
                "ns", type="fanout", connection=other, queue_exclusive=False
            ).Node("node1", channel=other.default_channel)
            open_queue = mailbox.get_queue("node1")(mailbox.connection)
            open_queue.channel.state.queues["node1.ns.pidbox"].owner = None
            with pytest.warns(UserWarning, match="already using this process"):
                second.listen()

    def test_a_bad_message_is_logged_and_dropped(self, node, mailbox, caplog):
        node.listen()
        Producer(mailbox.connection).publish(
            "{broken",
            content_type="application/json",
            exchange=mailbox.exchange,
        )
        mailbox.connection.drain_events(timeout=TIMEOUT)
        assert "Cannot decode message" in caplog.text

    def test_reply_to_who_is_gone_is_dropped(self, node):
        node.handlers["ping"] = lambda state: "pong"
        reply = node.dispatch(
            "ping",
            reply_to={"exchange": "reply.ns.pidbox", "routing_key": "gone"},
            ticket="t",
        )
        assert reply == "pong"

    def test_reply_that_the_broker_refuses_is_dropped(self, node, monkeypatch):
        def refuse(*args, **kwargs):
            raise NotFound("no exchange", (40, 10), "x")

        monkeypatch.setattr(node.channel, "basic_publish", refuse)
        node.reply({"a": 1}, "reply.ns.pidbox", "gone", "ticket")

    def test_repr_names_it(self, node):
        assert "node1" in repr(node)


class test_Mailbox:
    def test_queues_are_named_and_set_up_as_ever(self):
        mailbox = Mailbox("ns", queue_ttl=5, queue_expires=6)
        queue = mailbox.get_queue("host")
        assert queue.name == "host.ns.pidbox"
        assert (queue.message_ttl, queue.expires) == (5, 6)
        assert queue.exclusive
        assert queue.auto_delete
        reply_queue = mailbox.get_reply_queue()
        assert reply_queue.name == f"{mailbox.oid}.reply.ns.pidbox"
        assert reply_queue.expires == 10.0
        assert mailbox.exchange.name == "ns.pidbox"
        assert mailbox.reply_exchange.name == "reply.ns.pidbox"

    def test_durable_queues_can_not_be_exclusive(self):
        queue = Mailbox("ns", queue_durable=True, queue_exclusive=False).get_queue("h")
        assert queue.durable
        assert not queue.auto_delete
        with pytest.raises(ValueError, match="exclusive"):
            Mailbox("ns", queue_durable=True)

    def test_calling_it_gives_a_copy_with_a_connection(self):
        mailbox = Mailbox("ns")
        bound = mailbox("connection")
        assert bound.connection == "connection"
        assert bound.namespace == "ns"
        assert mailbox.connection is None

    def test_each_thread_has_an_address_of_its_own(self):
        mailbox = Mailbox("ns")
        found = []
        thread = threading.Thread(target=lambda: found.append(mailbox.oid))
        thread.start()
        thread.join(TIMEOUT)
        assert found[0] != mailbox.oid == mailbox.oid

    def test_clock_accept_and_serializer_are_taken(self):
        clock = LamportClock(7)
        mailbox = Mailbox("ns", clock=clock, accept=["yaml"], serializer="yaml")
        assert mailbox.clock is clock
        assert (mailbox.accept, mailbox.serializer) == (["yaml"], "yaml")
        assert "ns" in repr(mailbox)

    def test_publishes_by_the_pool_if_there_is_one(self, url):
        connection = Connection(url)
        pool = pools.ProducerPool(connection.Pool(2), limit=2)
        mailbox = Mailbox("ns", "fanout", connection, producer_pool=lambda: pool)
        mailbox._producer_pool = pool
        queue = Queue("spy", mailbox.exchange)
        received = []
        with Consumer(connection, [queue], callbacks=[lambda b, m: received.append(b)]):
            mailbox.abcast("ping")
            connection.drain_events(timeout=TIMEOUT)
        assert received[0]["method"] == "ping"
        pool.force_close_all()

    def test_a_given_producer_is_used(self, mailbox):
        producer = Producer(mailbox.connection)
        with mailbox.producer_or_acquire(producer) as used:
            assert used is producer

    def test_node_class_can_be_replaced(self, mailbox):
        class MyNode(Node):
            pass

        mailbox.node_cls = MyNode
        assert isinstance(mailbox.Node("x"), MyNode)
