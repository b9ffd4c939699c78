"""Event loops, replies, oids, prefetch counts, insured calls."""

from __future__ import annotations

import os
import socket
import threading
import uuid

import pytest

from kombu import Connection, Exchange, Queue, common
from kombu.common import (
    PREFETCH_COUNT_MAX,
    QoS,
    collect_replies,
    declaration_cached,
    drain_consumer,
    eventloop,
    generate_oid,
    get_node_id,
    ignore_errors,
    insured,
    itermessages,
    maybe_declare,
    oid_from,
    revive_connection,
    send_reply,
)
from kombu.exceptions import (
    KombuError,
    NotBoundError,
    OperationalError,
    RecoverableConnectionError,
    UnboundEntityError,
)
from t.unit.fakes import BrokerLost, FakeChannel


def fill(connection, queue, *bodies):
    producer = connection.Producer()
    for body in bodies:
        producer.publish(body, routing_key=queue.name, declare=[queue])
    return queue


class test_identities:
    def test_oids_are_uuids_of_where_an_object_lives(self):
        one, other = object(), object()
        oid = generate_oid(1, 2, 3, one)
        assert str(uuid.UUID(oid)) == oid
        assert oid == generate_oid(1, 2, 3, one)
        assert (
            len(
                {
                    oid,
                    generate_oid(9, 2, 3, one),
                    generate_oid(1, 9, 3, one),
                    generate_oid(1, 2, 9, one),
                    generate_oid(1, 2, 3, other),
                }
            )
            == 5
        )

    def test_oids_where_md5_is_forbidden(self, monkeypatch):
        def refused(*args):
            raise ValueError("disabled for FIPS")

        monkeypatch.setattr(uuid, "uuid3", refused)
        assert uuid.UUID(generate_oid(1, 2, 3, self)).version == 5

    def test_oids_by_thread(self):
        found = {}

        def look(name):
            found[name] = (oid_from(self), oid_from(self, threads=False))

        thread = threading.Thread(target=look, args=("there",))
        thread.start()
        thread.join()
        look("here")
        assert found["here"][0] != found["there"][0]
        assert found["here"][1] == found["there"][1]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_child_has_another_node_id(self):
        here = get_node_id()
        assert here == get_node_id()
        pid = os.fork()
        if not pid:
            os._exit(0 if get_node_id() != here else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class test_maybe_declare:
    def test_once_for_a_connection(self, connection):
        queue, channel = Queue("q"), connection.default_channel
        assert not declaration_cached(queue, channel)
        assert maybe_declare(queue, channel) is True
        assert declaration_cached(queue, channel)
        assert maybe_declare(queue, channel) is False
        assert maybe_declare(queue, connection.channel()) is False
        assert maybe_declare(queue(channel)) is False
        with connection.clone() as other:
            assert maybe_declare(queue, other.default_channel) is True

    def test_each_time_if_it_can_vanish(self, connection):
        queue = Queue("q", auto_delete=True)
        for _ in range(2):
            assert maybe_declare(queue, connection.default_channel) is True

    def test_the_entity_stays_unbound(self, connection):
        queue = Queue("q")
        maybe_declare(queue, connection.default_channel)
        assert not queue.is_bound

    def test_without_a_channel(self):
        with pytest.raises(UnboundEntityError, match="Cannot bind channel None") as e:
            maybe_declare(Queue("q"))
        assert str(e.value).startswith("Cannot bind channel None to entity <unbound")
        assert isinstance(e.value, NotBoundError)

    def test_a_closed_channel(self, connection):
        channel = connection.channel()
        channel.close()
        with pytest.raises(RecoverableConnectionError, match="disconnected"):
            maybe_declare(Queue("q"), channel)

    def test_with_retry(self, network, clock):
        connection = network.connect()
        lost = FakeChannel()

        def fail(name, args, kwargs):
            raise BrokerLost

        lost.answer = fail
        lost.connection = connection.default_channel.connection
        queue = Queue("q", Exchange("e"), "k")
        assert maybe_declare(queue, lost, retry=True, max_retries=1) is True
        assert queue in connection.declared_entities
        assert queue(connection).queue_declare(passive=True)[0] == "q"
        assert maybe_declare(queue, connection.default_channel, retry=True) is False


class test_eventloop:
    def test_one_event_a_step(self, connection):
        got = []
        connection.Consumer(
            fill(connection, Queue("q"), 1, 2),
            callbacks=[lambda body, message: got.append(body)],
            no_ack=True,
        ).consume()
        steps = eventloop(connection, timeout=1)
        assert next(steps) is None
        assert got == [1]
        next(steps)
        assert got == [1, 2]

    def test_nothing_in_time(self, connection, clock):
        with pytest.raises(socket.timeout):
            list(eventloop(connection, timeout=2))
        assert clock.now == 1002.0

    def test_timeouts_can_be_ignored(self, connection, clock):
        assert list(eventloop(connection, 3, timeout=2, ignore_timeouts=True)) == []
        assert clock.now == 1006.0

    @pytest.mark.parametrize("timeout", [None, 0])
    def test_timeouts_that_nobody_asked_for(self, timeout):
        class Silent:
            def drain_events(self, timeout):
                raise TimeoutError

        assert list(eventloop(Silent(), limit=3, timeout=timeout)) == []


class test_itermessages:
    def test_bodies_and_messages(self, connection):
        queue = fill(connection, Queue("q"), 1, 2, 3)
        seen = []
        found = list(
            itermessages(
                connection,
                connection.default_channel,
                queue,
                limit=2,
                timeout=1,
                callbacks=[lambda body, message: seen.append(body)],
            )
        )
        assert [(body, message.acknowledged) for body, message in found] == [
            (1, False),
            (2, False),
        ]
        assert seen == [1, 2]

    def test_ends_with_the_limit_though_little_came(self, connection, clock):
        queue = fill(connection, Queue("q"), 1)
        found = itermessages(
            connection, connection.channel(), queue, limit=3, timeout=1, no_ack=True
        )
        assert [body for body, _ in found] == [1]

    def test_drain_consumer_replaces_the_callbacks(self, connection):
        def never(body, message):
            pytest.fail("was replaced")

        consumer = connection.Consumer(
            fill(connection, Queue("q"), 1), callbacks=[never], no_ack=True
        )
        assert [body for body, _ in drain_consumer(consumer, timeout=1)] == [1]
        assert not consumer.consuming_from("q")


class test_replies:
    def test_send_reply(self, connection):
        replies = Queue("replies", Exchange("answers"), "rk")
        replies(connection).declare()
        connection.Producer().publish(
            {"x": 1},
            routing_key="q",
            declare=[Queue("q")],
            reply_to="rk",
            correlation_id="C",
            serializer="yaml",
        )
        request = Queue("q")(connection).get(accept=["yaml"])
        send_reply(
            replies.exchange, request, {"r": 1}, connection.Producer(), app_id="a"
        )
        reply = replies(connection).get(accept=["yaml"])
        assert reply.payload == {"r": 1}
        assert reply.content_type == "application/x-yaml"
        assert reply.properties["correlation_id"] == "C"
        assert reply.properties["app_id"] == "a"

    def test_send_reply_needs_a_producer(self):
        with pytest.raises(NotBoundError, match="producer="):
            send_reply("e", None, 1)

    def test_collect_replies(self, connection):
        channel = connection.channel()
        done = []
        channel.after_reply_message_received = done.append
        queue = fill(connection, Queue("replies"), 1, 2)
        assert list(
            collect_replies(connection, channel, queue, limit=2, timeout=1)
        ) == [
            1,
            2,
        ]
        assert done == ["replies"]
        assert queue(channel).queue_declare(passive=True)[1] == 0

    def test_collect_replies_with_acknowledgement(self, connection):
        queue = fill(connection, Queue("replies"), 1)
        channel = connection.channel()
        found = collect_replies(connection, channel, queue, timeout=1, no_ack=False)
        assert list(found) == [1]
        channel.close()  # gives back what was not acknowledged
        assert queue(connection).get() is None

    def test_no_reply(self, connection, clock):
        channel = connection.channel()
        done = []
        channel.after_reply_message_received = done.append
        assert list(collect_replies(connection, channel, Queue("r"), timeout=1)) == []
        assert done == []


class test_ignore_errors:
    @pytest.mark.parametrize("kind", ["connection_errors", "channel_errors"])
    def test_errors_of_the_broker(self, connection, kind):
        (error,) = getattr(connection, kind)

        def fail():
            raise error("x")

        assert ignore_errors(connection, fail) is None
        with ignore_errors(connection):
            fail()

    def test_other_errors(self, connection):
        with pytest.raises(ValueError):
            with ignore_errors(connection):
                raise ValueError

    def test_arguments_and_result(self, connection):
        assert ignore_errors(connection, lambda a, b: (a, b), 1, b=2) == (1, 2)


class test_insured:
    def test_passes_connection_and_channel(self, connection):
        pool = connection.Pool(1)

        def work(number, channel, connection, name):
            assert channel is connection.default_channel
            assert isinstance(connection, Connection)
            return number, name

        assert insured(pool, work, (1,), {"name": "n"}) == (1, "n")
        assert len(pool._dirty) == 0

    def test_goes_on_with_a_new_channel(self, network, clock, caplog):
        channels, revived = [], []

        def work(channel, connection):
            channels.append(channel)
            if len(channels) < 3:
                raise BrokerLost("x")
            return "done"

        pool = network.connect().Pool(1)
        assert insured(pool, work, (), {}, on_revive=revived.append) == "done"
        assert revived == channels[1:]
        assert "Connection error: BrokerLost('x')" in caplog.text

    @pytest.mark.parametrize("max_retries", [0, 2])
    def test_limits_hold_for_connecting_too(self, network, clock, max_retries):
        network.kill()
        told = []
        with pytest.raises(OperationalError):
            insured(
                network.connect().Pool(1),
                lambda **kwargs: pytest.fail("there is no connection"),
                (),
                {},
                errback=lambda error, pause: told.append(pause),
                max_retries=max_retries,
                interval_start=1,
                interval_step=0,
            )
        assert network.tried() == "a" * (max_retries + 1)
        assert told == [1] * max_retries

    def test_revive_connection(self):
        told = []
        revive_connection("connection", "channel", told.append)
        revive_connection("connection", "channel")
        assert told == ["channel"]


class test_QoS:
    def test_takes_effect_with_the_next_update(self):
        applied = []
        qos = QoS(lambda prefetch_count: applied.append(prefetch_count), 10)
        assert qos.increment_eventually() == 11
        assert qos.increment_eventually(5) == 16
        assert qos.decrement_eventually(2) == 14
        assert applied == []
        assert qos.update() == 14
        assert qos.update() == 14
        assert applied == [14]
        assert repr(qos) == "<QoS: 14, applied 14>"

    def test_never_below_one(self):
        qos = QoS(print, 10)
        assert qos.decrement_eventually(100) == 1
        assert qos.increment_eventually(-3) == 1

    def test_no_limit_stays_so(self):
        applied = []
        qos = QoS(lambda prefetch_count: applied.append(prefetch_count), 0)
        assert qos.increment_eventually() == qos.decrement_eventually() == 0
        assert qos.update() == 0
        assert applied == [0]

    def test_maximum(self):
        qos = QoS(lambda prefetch_count: None, 5, max_prefetch=7)
        assert qos.increment_eventually(10) == 7
        assert qos.increment_eventually(1) == 7
        assert qos.decrement_eventually(3) == 4

    def test_more_than_the_protocol_can_say(self, caplog):
        applied = []
        qos = QoS(lambda prefetch_count: applied.append(prefetch_count), 10)
        assert qos.set(PREFETCH_COUNT_MAX) == PREFETCH_COUNT_MAX
        assert qos.set(70000) == 70000
        assert qos.set(70000) == 70000
        assert applied == [65535, 0]
        assert qos.prev == 70000
        assert "70000 is above 65535" in caplog.text


def test_old_names():
    assert common.Broadcast is not None
    assert issubclass(UnboundEntityError, KombuError)
    assert len(common.uuid()) == 36
