"""Acknowledgements that wait for company."""

from __future__ import annotations

import threading

import pytest

from kombu import Connection, Consumer, Queue
from kombu.transport._amqp import acknowledging
from kombu.transport._amqp.acknowledging import GatheredAcks
from kombu.utils import waiting
from kombu.utils._forking import process
from t.unit.transport.amqp.broker import Broker

PATIENCE = 10.0
ACK = (60, 80)


class FakeChannel:
    _base = 0
    _is_to_reopen = False


@pytest.fixture
def sent():
    return []


@pytest.fixture
def flushed():
    return threading.Event()


@pytest.fixture
def acks(sent, flushed):
    def send(parts):
        sent.extend([frame for *_, frame in acks.take()])
        flushed.set()

    acks = GatheredAcks(send, 64)
    yield acks
    acks.end()


class test_GatheredAcks:
    def test_go_with_the_next_thing_that_is_sent(self, acks):
        channel = FakeChannel()
        acks.put(channel, b"a")
        acks.put(channel, b"b")
        assert repr(acks) == "<GatheredAcks: 2 waiting>"

        assert [frame for *_, frame in acks.take()] == [b"a", b"b"]

        assert not acks

    def test_go_by_themselves_before_long(self, acks, sent, flushed):
        acks.put(FakeChannel(), b"a")

        assert flushed.wait(PATIENCE)

        assert sent == [b"a"]

    @pytest.mark.parametrize(
        "gathered, undelivered, is_early",
        [(0, 0, False), (0, 1, True), (1, 1, False), (1, 2, True), (64, 500, False)],
    )
    def test_how_many(self, acks, gathered, undelivered, is_early):
        for _ in range(gathered):
            acks.waiting.append((FakeChannel(), 0, b"a"))

        assert acks.is_early(undelivered) is is_early

    @pytest.mark.parametrize("change", [{"_base": 5}, {"_is_to_reopen": True}])
    def test_of_a_channel_that_was_closed_are_dropped(self, acks, change):
        closed, other = FakeChannel(), FakeChannel()
        acks.put(closed, b"a")
        acks.put(other, b"b")

        vars(closed).update(change)

        assert [frame for *_, frame in acks.take()] == [b"b"]

    def test_what_could_not_be_sent_comes_first(self, acks):
        channel = FakeChannel()
        acks.waiting.extend([(channel, 0, b"a"), (channel, 0, b"b")])
        taken = acks.take()
        acks.waiting.append((channel, 0, b"c"))

        acks.put_back(taken)

        assert [frame for *_, frame in acks.take()] == [b"a", b"b", b"c"]

    def test_child_process_leaves_them_alone(self, acks, sent, monkeypatch):
        acks.waiting.append((FakeChannel(), 0, b"a"))
        monkeypatch.setattr(process, "pid", -1)

        acks._flush()

        assert not acks.is_early(100)
        assert not sent

    def test_are_sent_when_the_interpreter_exits(self, acks, sent):
        acks.put(FakeChannel(), b"a")

        acknowledging._flush_all()

        assert sent == [b"a"]

    def test_of_a_lost_connection_do_not_matter_then(self, acks, flushed):
        def fail(parts):
            raise ConnectionResetError

        acks.put(FakeChannel(), b"a")
        acks._send = fail

        acknowledging._flush_all()
        acks.end()

        assert not acks


@pytest.fixture
def broker():
    with Broker() as broker:
        yield broker


class Consuming:
    """A consumer that has received some messages, and been given the first of them."""

    def __init__(self, connection, broker, count=6):
        self.connection = connection
        self.broker = broker
        self.found = []
        channel = connection.default_channel
        queue = Queue("q")(channel)
        queue.declare()
        producer = connection.Producer()
        for number in range(count):
            producer.publish(number, routing_key="q").wait(PATIENCE)
        Consumer(channel, [queue], on_message=self.found.append).consume()
        self.drain()
        assert len(self.amqp.deliveries) == count - 1

    @property
    def amqp(self):
        return self.connection.connection

    def drain(self):
        self.connection.drain_events(timeout=PATIENCE)

    def acknowledged(self):
        """Return how many the broker knows of, when all that was sent has come."""
        self.connection.default_channel.queue_declare("q")
        return self.broker.methods.count(ACK)


@pytest.fixture
def consuming(broker, monkeypatch):
    # None by itself, but when a test says so.
    monkeypatch.setattr(acknowledging.Flusher, "soon", lambda flusher: None)
    with Connection(broker.url) as connection:
        yield Consuming(connection, broker)


class test_connection:
    def test_while_messages_wait_they_are_gathered(self, consuming):
        for _ in range(2):
            consuming.found[-1].ack()
            consuming.drain()

        assert len(consuming.amqp.acks) == 2
        assert consuming.broker.methods.count(ACK) == 0

    def test_half_of_them_go_at_once(self, consuming):
        for number in range(6):
            consuming.found[number].ack()
            if number < 5:
                consuming.drain()

        assert not consuming.amqp.acks
        assert consuming.acknowledged() == 6

    def test_they_go_before_a_wait(self, consuming):
        consuming.found[0].ack()
        for _ in range(5):
            consuming.drain()
        assert consuming.broker.methods.count(ACK) == 0

        with pytest.raises(TimeoutError):
            consuming.connection.drain_events(timeout=0.01)

        assert not consuming.amqp.acks
        assert consuming.acknowledged() == 1

    def test_they_go_before_what_is_sent_next(self, consuming):
        consuming.found[0].ack()
        consuming.connection.default_channel.basic_reject(2, requeue=False)

        assert consuming.acknowledged() == 1
        methods = consuming.broker.methods
        assert methods.index(ACK) < methods.index((60, 90))

    def test_they_go_before_the_channel_is_closed(self, consuming):
        consuming.found[0].ack()

        consuming.connection.default_channel.close()

        methods = consuming.broker.methods
        assert methods.index(ACK) < methods.index((20, 40))

    def test_they_go_by_themselves(self, consuming):
        consuming.found[0].ack()

        consuming.amqp.acks._flush()
        consuming.amqp.acks._flush()

        assert consuming.acknowledged() == 1

    def test_those_of_a_channel_that_the_broker_has_closed_do_not(self, consuming):
        consuming.found[0].ack()
        client = consuming.broker.clients[-1]
        client.close_channel(1, 406, "PRECONDITION_FAILED", (0, 0))
        channel = consuming.connection.default_channel
        end = waiting.monotonic() + PATIENCE
        consuming.amqp.wait_until(lambda: channel._is_to_reopen, end)

        consuming.amqp.acks._flush()

        with pytest.raises(Exception, match="PRECONDITION_FAILED"):
            channel.queue_declare("q")
        assert consuming.acknowledged() == 0

    def test_those_of_a_lost_connection_are_forgotten(self, consuming):
        consuming.found[0].ack()
        amqp = consuming.amqp

        amqp.collect()

        assert not amqp.acks

    def test_who_wants_none_has_none(self, broker):
        with Connection(broker.url, transport_options={"gathered_acks": 0}) as own:
            consuming = Consuming(own, broker)
            consuming.found[0].ack()

            assert not consuming.amqp.acks
            assert consuming.acknowledged() == 1

    def test_closing_sends_them(self, consuming):
        consuming.found[0].ack()

        consuming.connection.close()

        assert consuming.broker.methods.count(ACK) == 1
