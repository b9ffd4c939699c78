"""Queues with the interface of the standard ones."""

from __future__ import annotations

import queue

import pytest

from kombu import Exchange, Queue
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.simple import SimpleBuffer, SimpleQueue


def drain(simple):
    bodies = []
    while True:
        try:
            message = simple.get(block=False)
        except simple.Empty:
            return bodies
        bodies.append(message.payload)
        message.ack()


class test_SimpleQueue:
    def test_put_and_get(self, connection):
        simple = connection.SimpleQueue("s")
        simple.put({"a": 1})
        simple.put("b", serializer="json", headers={"h": 1}, compression="zlib")
        assert (len(simple), simple.qsize()) == (2, 2)
        one = simple.get(timeout=1)
        other = simple.get(timeout=1)
        assert (one.payload, other.payload) == ({"a": 1}, "b")
        assert other.headers == {"h": 1, "compression": "application/x-gzip"}
        one.ack()
        other.ack()
        simple.close()
        assert len(simple) == 0

    @pytest.mark.parametrize(
        "get",
        [
            lambda simple: simple.get(block=False),
            lambda simple: simple.get_nowait(),
            lambda simple: simple.get(timeout=3),
            lambda simple: simple.get(timeout=0),
        ],
    )
    def test_empty(self, connection, clock, get):
        simple = connection.SimpleQueue("s")
        with pytest.raises(queue.Empty):
            get(simple)
        with pytest.raises(simple.Empty):
            get(simple)
        assert clock.now in (1000.0, 1006.0)

    def test_events_of_others_do_not_end_the_wait(self, connection, clock):
        one, other = connection.SimpleQueue("one"), connection.SimpleQueue("other")
        with pytest.raises(queue.Empty):
            other.get(timeout=1)
        other.put("theirs")
        one.put("ours")
        assert one.get(timeout=1).payload == "ours"
        other.put("theirs again")
        clock.now = 2000.0
        with pytest.raises(queue.Empty):
            one.get(timeout=3)
        assert clock.now == 2003.0
        assert other.get(timeout=1).payload == "theirs"
        other.close()
        assert drain(other) == ["theirs again"]

    def test_time_that_runs_out_while_others_get_theirs(self, connection, clock):
        one, other = connection.SimpleQueue("one"), connection.SimpleQueue("other")
        with pytest.raises(queue.Empty):
            other.get(timeout=1)
        other.put("theirs")
        receive = other.consumer.on_message

        def slowly(message):
            clock.now += 10
            receive(message)

        other.consumer.on_message = slowly
        with pytest.raises(queue.Empty):
            one.get(timeout=3)
        assert other.get().payload == "theirs"

    def test_an_empty_one_is_not_false(self, connection):
        assert bool(connection.SimpleQueue("s"))

    def test_messages_come_in_order_by_either_way(self, connection):
        simple = connection.SimpleQueue("s")
        for number in range(6):
            simple.put(number)
        got = []
        for block in (True, False, False, True, False, True):
            message = simple.get(block=block, timeout=1)
            message.ack()
            got.append(message.payload)
        assert got == list(range(6))

    def test_close_gives_back_what_was_not_got(self, connection):
        simple = connection.SimpleQueue("s")
        for number in range(3):
            simple.put(number)
        simple.get(timeout=1).ack()
        connection.drain_events(timeout=1)  # one is in the buffer
        simple.close()
        assert drain(connection.SimpleQueue("s")) == [1, 2]

    def test_it_can_be_used_again_after_closing(self, connection):
        simple = connection.SimpleQueue("s")
        simple.put(1)
        simple.get(timeout=1).ack()
        simple.close()
        simple.put(2)
        assert simple.get(timeout=1).payload == 2

    def test_with_closes(self, connection):
        with connection.SimpleQueue("s") as simple:
            simple.put(1)
            simple.get(timeout=1).ack()
            assert simple.consumer.consuming_from("s")
        assert not simple.consumer.consuming_from("s")

    def test_clear(self, connection):
        simple = connection.SimpleQueue("s")
        simple.put(1)
        simple.put(2)
        assert simple.clear() == 2
        assert simple.qsize() == 0

    def test_routing_key(self, connection):
        other = Queue("other", Exchange("s"), "k")
        other(connection).declare()
        simple = connection.SimpleQueue("s")
        simple.put(1, routing_key="k", expiration=30)
        assert len(simple) == 0
        assert other(connection).get().payload == 1

    def test_no_ack(self, connection):
        simple = connection.SimpleQueue("s", no_ack=True)
        simple.put(1)
        simple.put(2)
        simple.get(timeout=1)
        connection.drain_events(timeout=1)
        simple.close()  # what is in the buffer can not go back
        assert connection.SimpleQueue("s").qsize() == 0

    def test_options(self, connection):
        simple = connection.SimpleQueue(
            "s",
            queue_opts={"durable": False},
            queue_args={"x-one": 1},
            exchange_opts={"type": "topic"},
        )
        assert simple.queue.durable is False
        assert simple.queue.queue_arguments == {"x-one": 1}
        assert simple.queue.exchange == Exchange("s", "topic")
        assert simple.producer.exchange == simple.queue.exchange
        assert (simple.producer.routing_key, simple.no_ack) == ("s", False)
        assert SimpleQueue.queue_opts == SimpleQueue.queue_args == {}

    def test_a_queue_instead_of_a_name(self, connection):
        simple = connection.SimpleQueue(Queue("n", Exchange("ee"), "rr"))
        assert simple.queue.name == "n"
        simple.put("x")
        assert simple.get(timeout=1).delivery_info["routing_key"] == "rr"

    def test_a_channel_instead_of_a_connection(self, connection):
        channel = connection.channel()
        simple = SimpleQueue(channel, "s")
        assert simple.channel is simple.producer.channel is channel

    def test_serializer_and_compression(self, connection):
        simple = connection.SimpleQueue("s", serializer="yaml", compression="bzip2")
        simple.put([1])
        message = simple.get(timeout=1)
        assert message.content_type == "application/x-yaml"
        assert message.headers["compression"] == "application/x-bz2"

    @pytest.mark.parametrize("block", [True, False])
    def test_accept(self, connection, block):
        simple = connection.SimpleQueue("s", accept=["pickle"])
        simple.put({"a": 1})
        message = simple.get(block=block, timeout=1)
        with pytest.raises(ContentDisallowed):
            message.payload
        message.reject()
        simple.put({"a": 1}, serializer="pickle")
        assert simple.get(block=block, timeout=1).payload == {"a": 1}

    def test_garbage_is_for_who_looks_at_it(self, connection):
        simple = connection.SimpleQueue("s")
        simple.put(b"{bad", content_type="application/json", content_encoding="utf-8")
        message = simple.get(timeout=1)
        with pytest.raises(DecodeError):
            message.payload

    def test_repr(self, connection):
        assert repr(connection.SimpleQueue("s")) == "<SimpleQueue: s>"


class test_SimpleBuffer:
    def test_nothing_survives(self, connection):
        buffer = connection.SimpleBuffer("b")
        assert type(buffer) is SimpleBuffer
        assert buffer.no_ack is True
        assert not buffer.queue.durable
        assert buffer.queue.auto_delete
        assert buffer.queue.exclusive
        exchange = buffer.producer.exchange
        assert (exchange.durable, exchange.auto_delete) == (False, True)
        assert exchange.delivery_mode == 1

    def test_put_and_get(self, connection):
        buffer = connection.SimpleBuffer("b")
        buffer.put("x")
        message = buffer.get(timeout=1)
        assert message.payload == "x"
        assert message.properties["delivery_mode"] == 1
        assert repr(buffer) == "<SimpleBuffer: b>"
