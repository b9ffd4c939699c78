from __future__ import annotations

import json

import pytest
from redis import exceptions

from kombu import Consumer
from kombu.transport.redis.errors import ServerRefused
from t.unit.transport.redis.messages import declare, publish, receive, texts
from t.unit.transport.redis.server import NOW, bodies, envelope


class test_travelling:
    def test_there_and_back(self, connection, channel, server):
        queue = declare(channel)
        for number in range(5):
            publish(channel, number)

        assert receive(connection, queue, 5) == [0, 1, 2, 3, 4]

        connection.close()
        assert not server.hashes["unacked"]

    def test_is_woken(self, connection, channel, connect):
        queue = declare(channel)
        found = []
        other = connect().channel()
        with Consumer(
            connection.channel(), [queue], callbacks=[lambda *x: found.append(x)]
        ):
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.01)

            publish(other, "x")
            connection.drain_events(timeout=10)

        assert len(found) == 1

    def test_get(self, channel):
        queue = declare(channel)
        publish(channel, "x")

        message = queue(channel).get()
        assert message.payload == "x"
        message.ack()
        assert queue(channel).get() is None

    def test_what_is_unacknowledged_comes_back(self, connect, server):
        first = connect()
        queue = declare(first.channel())
        publish(first.channel(), "x")
        message = queue(first.channel()).get()
        assert message.payload == "x"

        first.close()

        (found,) = texts(server)
        assert found["properties"]["delivery_info"]["redelivered"] is True
        assert not server.hashes["unacked"]

    def test_priorities(self, channel, server):
        declare(channel)

        for priority in (0, 5, 9):
            publish(channel, priority, priority=priority)

        assert [len(texts(server, f"q{mark}")) for mark in ("", "\x06\x163")] == [1, 1]

    def test_of_what_old_peers_have_bound(self, channel, server):
        server.sets["_kombu.binding.theirs"].add(b"k\x06\x16\x06\x16old")

        channel.basic_publish(channel.prepare_message("x"), "theirs", "k")

        assert len(texts(server, "old")) == 1

    def test_known_by_its_list(self, channel, server):
        server.lists["old"].append(b"x")

        assert channel.queue_declare("old", passive=True).message_count == 1

    @pytest.mark.parametrize(
        "order, expected", [("sorted", ["a", "b"]), ("priority", ["b", "a"])]
    )
    def test_order_of_queues(self, connect, order, expected):
        channel = connect(queue_order_strategy=order).channel()

        assert channel._in_turn(["b", "a"]) == expected


class test_moments:
    def test_delayed_message_rests(self, channel, server):
        declare(channel)

        publish(channel, "x", headers={"x-delay": 30_000})

        assert not server.lists["q"]
        (call,) = server.named("rest")
        assert call.keys[0] == "_kombu.due.q"
        assert channel._cancel_delayed("q", call.arguments[0].decode())

    def test_next_is_asked_for_where_nobody_has_looked(self, channel, server):
        server.answers["next_due"].append([b"%d" % NOW, b"1700000009000"])

        assert channel._next_due(["q"]) == 1_700_000_009
        assert channel._next_due([]) is None

    def test_expired_ones_are_claimed(self, channel, server):
        declare(channel)
        text = json.dumps(envelope("x")).encode()
        server.answers["claim_expired"].append([text])

        assert bodies(channel._claim_expired("q", 1)) == ["x"]


class test_rejecting:
    def test_dead_letter(self, channel, server):
        channel.queue_declare("graves")
        declare(
            channel,
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "graves",
            },
        )
        publish(channel, "x")

        channel.basic_get("q").reject()

        assert len(texts(server, "graves")) == 1
        assert not server.hashes["unacked"]

    def test_nonsense_is_set_aside(self, connection, channel, server):
        queue = declare(channel)
        server.lists["q"].append(b"nonsense")
        publish(channel, "x")

        def reject(message, error):
            message.reject()

        assert receive(connection, queue, 1, on_decode_error=reject) == ["x"]

        assert list(server.lists["_kombu.aside.q"]) == [b"nonsense"]


class test_leases:
    def test_are_renewed(self, channel, server):
        declare(channel)
        publish(channel, "x")
        claims = channel._claim(["q"], 1)

        channel._renew(claims)

        (call,) = server.named("extend")
        assert call.arguments[1:] == [claims[0].token.encode()]

    def test_what_dead_ones_had_comes_back(self, channel, server):
        declare(channel)
        tag = b"k6:dead:00000001:00001:q"
        value = b"[" + json.dumps(envelope("x")).encode() + b', "", "q"]'
        server.hashes["unacked"][tag] = value
        server.answers["lost"].append([tag, value])

        assert channel._reap() == {"q"}

        assert len(texts(server)) == 1
        assert not server.hashes["unacked"]

    def test_what_dead_old_peers_had_is_routed_again(self, channel, server):
        declare(channel)
        text = json.dumps([envelope("x"), "e", "k"]).encode()
        server.hashes["unacked"][b"theirs"] = text
        server.answers["lost"].append([b"theirs", text])

        assert channel._reap() == {"q"}

    def test_of_an_exchange_that_nobody_knows_is_left(self, channel, server):
        text = json.dumps([envelope("x"), "unknown", "k"]).encode()
        server.hashes["unacked"][b"theirs"] = text
        server.answers["lost"].append([b"theirs", text])

        assert channel._reap() == set()
        assert server.hashes["unacked"]


class test_fanout:
    def test_who_listens_hears(self, connection, connect, server):
        queue = declare(connection.channel(), "fanout")
        found = []
        with Consumer(
            connection.channel(),
            [queue],
            callbacks=[lambda body, message: (found.append(body), message.ack())],
        ):
            publish(connect().channel(), "x")
            while not found:
                connection.drain_events(timeout=10)

        assert found == ["x"]
        assert not server.lists["q"]
        assert not server.hashes["unacked"]

    def test_nobody_listens_any_more(self, connection, server):
        queue = declare(connection.channel(), "fanout")
        consumer = Consumer(connection.channel(), [queue], callbacks=[print])
        consumer.consume()
        assert any("/0.e/k" in one.subscriptions for one in server.connections)

        consumer.cancel()

        assert connection.transport.broker.fanout.names("e", "k")
        assert not connection.transport.broker.fanout._queues

    def test_requeued_one_is_heard_again(self, connection, channel):
        queue = declare(channel, "fanout")
        found = []

        def note(body, message):
            found.append(body)
            message.ack() if len(found) > 1 else message.requeue()

        with Consumer(channel, [queue], callbacks=[note]):
            publish(connection.channel(), "x")
            while len(found) < 2:
                connection.drain_events(timeout=10)

        assert found == ["x", "x"]

    def test_rejected_one_goes_where_it_is_to_go(self, connection, channel, server):
        channel.queue_declare("graves")
        queue = declare(
            channel,
            "fanout",
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "graves",
            },
        )
        found = []
        with Consumer(
            channel, [queue], callbacks=[lambda body, m: (found.append(m), m.reject())]
        ):
            publish(connection.channel(), "x")
            while not found:
                connection.drain_events(timeout=10)

        assert len(texts(server, "graves")) == 1

    def test_refused_consumer_is_none(self, connection, channel, server):
        queue = declare(channel, "fanout")
        original = server.do_SUBSCRIBE

        def subscribe(call, connection):
            if call.keys == ["/0.e/k"]:
                return exceptions.NoPermissionError("no")
            return original(call, connection)

        server.do_SUBSCRIBE = subscribe

        with pytest.raises(ServerRefused):
            Consumer(channel, [queue], callbacks=[print]).consume()
        assert not channel.active_queues

    def test_durable_goes_into_the_queue(self, connect, server):
        channel = connect(fanout="durable").channel()
        declare(channel, "fanout")

        publish(channel, "x")

        assert len(texts(server)) == 1
        assert not server.named("PUBLISH")

    def test_nobody_hears_what_must_be_routed(self, channel):
        declare(channel, "fanout")
        returned = []
        channel.events["basic_return"].add(lambda *args: returned.append(args))

        publish(channel, "x", mandatory=True)

        assert returned

    def test_queues_behind_other_exchanges_have_it(self, channel, server):
        declare(channel, "fanout")
        channel.exchange_declare("f", "direct")
        channel.queue_declare("r")
        channel.queue_bind("r", "f", "k")
        channel.exchange_bind("f", "e", "k")

        publish(channel, "x")

        assert len(texts(server, "r")) == 1

    def test_bound_while_it_is_consumed_from(self, connection, channel, server):
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")
        channel.exchange_declare("e", "fanout")

        channel.queue_bind("q", "e", "k")

        assert connection.transport.broker.fanout._queues


def test_request_of_the_clock(connection, server):
    transport = connection.transport
    transport.establish_connection()

    assert int(transport.broker.time()) == NOW // 10**6
