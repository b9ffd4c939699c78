"""Acknowledgements that wait for company."""

from __future__ import annotations

import threading

import pytest

from kombu import Connection, Consumer, Queue
from kombu.transport._amqp import acknowledging
from kombu.transport._amqp.acknowledging import GatheredAcks
from kombu.transport._amqp.frames import ack_frame
from kombu.transport._amqp.settled import SettledTags
from kombu.utils import waiting
from kombu.utils._forking import process
from t.unit.transport.amqp.broker import Broker

PATIENCE = 10.0
ACK = (60, 80)


class FakeChannel:
    channel_id = 1

    def __init__(self):
        self.settled = SettledTags()


@pytest.fixture
def channel():
    return FakeChannel()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def flushed():
    return threading.Event()


@pytest.fixture
def acks(sent, flushed):
    def send(parts):
        sent.append(acks.frames_of(acks.take()))
        flushed.set()

    acks = GatheredAcks(send, 64)
    yield acks
    acks.end()


def put(acks, channel, *tags):
    for tag in tags:
        acks.waiting.append((channel, channel.settled, tag))


def frames(*tags, number=1):
    """Return frames for *tags*; a list is of those that go together."""
    return b"".join(
        ack_frame(number, tag[-1], True)
        if isinstance(tag, list)
        else ack_frame(number, tag, False)
        for tag in tags
    )


class test_GatheredAcks:
    def test_go_with_the_next_thing_that_is_sent(self, acks, channel):
        acks.put(channel, channel.settled, 1)
        acks.put(channel, channel.settled, 2)
        assert repr(acks) == "<GatheredAcks: 2 waiting>"

        assert [tag for *_, tag in acks.take()] == [1, 2]

        assert not acks

    def test_go_by_themselves_before_long(self, acks, channel, sent, flushed):
        acks.put(channel, channel.settled, 1)

        assert flushed.wait(PATIENCE)

        assert sent == [frames(1)]

    @pytest.mark.parametrize(
        "gathered, undelivered, is_early",
        [(0, 0, False), (0, 1, True), (1, 1, False), (1, 2, True), (64, 500, False)],
    )
    def test_how_many(self, acks, channel, gathered, undelivered, is_early):
        put(acks, channel, *range(gathered))

        assert acks.is_early(undelivered) is is_early

    def test_of_a_channel_that_was_closed_are_dropped(self, acks, channel):
        other = FakeChannel()
        put(acks, channel, 1)
        put(acks, other, 2)

        channel.settled = SettledTags()

        assert [tag for *_, tag in acks.take()] == [2]

    def test_what_could_not_be_sent_comes_first(self, acks, channel):
        put(acks, channel, 1, 2)
        taken = acks.take()
        put(acks, channel, 3)

        acks.put_back(taken)

        assert [tag for *_, tag in acks.take()] == [1, 2, 3]

    def test_child_process_leaves_them_alone(self, acks, channel, sent, monkeypatch):
        put(acks, channel, 1)
        monkeypatch.setattr(process, "pid", -1)

        acks._flush()

        assert not acks.is_early(100)
        assert not sent

    def test_are_sent_when_the_interpreter_exits(self, acks, channel, sent):
        acks.put(channel, channel.settled, 1)

        acknowledging._flush_all()

        assert sent == [frames(1)]

    def test_of_a_lost_connection_do_not_matter_then(self, acks, channel):
        def fail(parts):
            raise ConnectionResetError

        acks.put(channel, channel.settled, 1)
        acks._send = fail

        acknowledging._flush_all()
        acks.end()

        assert not acks


class test_frames:
    @pytest.fixture
    def frames_of(self, acks, channel):
        def frames_of(*tags):
            put(acks, channel, *tags)
            return acks.frames_of(acks.take())

        return frames_of

    @pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
    def test_those_without_a_gap_are_one(self, frames_of, order):
        assert frames_of(*order) == frames([1, 2, 3])

        assert frames_of(4, 5) == frames([4, 5])

    def test_one_is_no_more_than_that(self, frames_of):
        assert frames_of(1) == frames(1)

    def test_what_is_in_hand_is_spared(self, frames_of):
        assert frames_of(1, 2, 4, 5) == frames([1, 2], 4, 5)

        assert frames_of(6) == frames(6)
        assert frames_of(3, 7) == frames([3, 7])

    def test_what_was_settled_otherwise_is_no_gap(self, acks, channel, frames_of):
        acks.note(channel.settled, 2, multiple=False)
        assert frames_of(1, 3) == frames([1, 3])

        acks.note(channel.settled, 9, multiple=True)
        assert frames_of(10, 11) == frames([10, 11])

    def test_what_could_not_be_sent_is_sent_after_all(self, acks, channel, frames_of):
        put(acks, channel, 1, 2)
        taken = acks.take()
        acks.frames_of(taken)

        acks.put_back(taken)

        assert frames_of(3) == frames([1, 2, 3])

    def test_each_channel_has_its_own(self, acks, channel):
        other = FakeChannel()
        other.channel_id = 2
        put(acks, channel, 1)
        put(acks, other, 2, 1)
        put(acks, channel, 2)

        found = acks.frames_of(acks.take())

        assert found == frames([1, 2]) + frames([1, 2], number=2)


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
        # Three together; then each is the last that waits.
        assert consuming.acknowledged() == 4

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
