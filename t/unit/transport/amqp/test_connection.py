from __future__ import annotations

import os
import socket
import threading

import pytest

from kombu import Connection, Consumer, Producer, Queue
from kombu.asynchronous import Hub
from kombu.exceptions import (
    BatchPublishError,
    EncodeError,
    NotFound,
    PublishRefused,
    RecoverableConnectionError,
    UnroutableError,
)
from kombu.transport._amqp.errors import (
    ConfirmTimeout,
    ConnectionBlocked,
    HeartbeatMissed,
    StaleDelivery,
)
from kombu.transport._amqp.outbox import outbox_of
from t.unit.transport.amqp.broker import Broker

PATIENCE = 10


@pytest.fixture
def broker():
    with Broker() as broker:
        yield broker


@pytest.fixture
def connection(broker):
    with Connection(broker.url) as connection:
        Queue("q")(connection.default_channel).declare()
        yield connection


def peer_of(connection, broker):
    """Return the broker's side of the last connection that was made."""
    assert connection.connected
    return broker.clients[-1]


def test_messages_go_and_come(connection):
    channel = connection.default_channel
    received = []
    with Consumer(channel, [Queue("q")], on_message=received.append):
        for body in ({"a": 1}, "text", b"\xff\0", "x" * 300_000):
            Producer(channel).publish(body, routing_key="q", headers={"h": 1})
        while len(received) < 4:
            connection.drain_events(timeout=PATIENCE)

    assert received[0].payload == {"a": 1}
    assert received[1].payload == "text"
    assert bytes(received[2].payload) == b"\xff\0"
    assert received[3].payload == "x" * 300_000
    assert received[0].headers == {"h": 1}
    assert received[0].delivery_info["routing_key"] == "q"


def test_getting(connection, broker):
    queue = Queue("q")(connection.default_channel)
    connection.Producer().publish("hello", routing_key="q")

    message = queue.get()
    message.ack()

    assert message.payload == "hello"
    assert queue.get() is None
    assert (60, 80) in broker.methods


def test_settling(connection, broker):
    channel = connection.default_channel
    channel.basic_ack(1)
    channel.basic_reject(2, requeue=True)
    channel.basic_nack(3, multiple=True)
    Queue("q")(channel).queue_declare()

    assert [m for m in broker.methods if m[0] == 60] == [(60, 80), (60, 90), (60, 120)]


def test_promise_is_kept_by_who_reads(connection):
    promise = connection.Producer().publish("x", routing_key="q")
    assert not promise.is_done

    promise.wait(PATIENCE)

    assert promise.is_confirmed


def test_refused(connection, broker):
    broker.takes = False

    with pytest.raises(PublishRefused, match="routing key 'q'"):
        connection.Producer().publish("x", routing_key="q", confirm_timeout=PATIENCE)


def test_never_confirmed(broker, caplog):
    broker.confirms = False
    options = {"close_timeout": 0.05}
    with Connection(broker.url, transport_options=options) as connection:
        Queue("q")(connection.default_channel).declare()

        with pytest.raises(ConfirmTimeout, match="routing key 'q'"):
            connection.Producer().publish("x", routing_key="q", confirm_timeout=0.05)

    assert "did not confirm" in caplog.text


def test_broker_without_confirms():
    with Broker(capabilities={}) as broker, Connection(broker.url) as connection:
        Queue("q")(connection.default_channel).declare()
        producer = connection.Producer()

        assert producer.publish("x", routing_key="q") is None
        assert not producer.supports_batch_publish
        assert (85, 10) not in broker.methods


def test_batch(connection, broker):
    producer = connection.Producer()
    with producer.batch(max_size=3):
        for number in range(4):
            producer.publish(number, routing_key="q", confirm_timeout=PATIENCE)
        assert len(broker.queues["q"]) == 3

    assert len(broker.queues["q"]) == 4
    assert producer.supports_batch_publish


def test_batch_that_is_left_by_an_error(connection, broker):
    producer = connection.Producer()

    with pytest.raises(KeyError), producer.batch():
        producer.publish("x", routing_key="q")
        raise KeyError

    assert not broker.queues["q"]


def test_batch_that_is_refused(connection, broker):
    broker.takes = False
    producer = connection.Producer()

    with pytest.raises(BatchPublishError, match="2 of 2"), producer.batch():
        producer.publish(1, routing_key="q")
        producer.publish(2, routing_key="q")


def test_returned(connection):
    with pytest.raises(UnroutableError, match="nowhere"):
        connection.Producer().publish("x", routing_key="nowhere", mandatory=True)


def test_window(broker):
    options = {"confirm_window": 4}
    with Connection(broker.url, transport_options=options) as connection:
        Queue("q")(connection.default_channel).declare()
        producer = connection.Producer()

        promises = [producer.publish(n, routing_key="q") for n in range(10)]

        assert sum(not promise.is_done for promise in promises) < 4


def test_channel_that_was_closed_opens_again(connection):
    channel = connection.default_channel

    with pytest.raises(NotFound, match="nothing"):
        channel.queue_declare("nothing", passive=True)

    assert channel.queue_declare("q", passive=True).queue == "q"
    assert channel is connection.default_channel


def test_error_of_a_publish_is_told_to_the_next_who_uses_the_channel(connection):
    producer = connection.Producer(auto_declare=False)
    promise = producer.publish("x", exchange="none", routing_key="q")

    with pytest.raises(NotFound, match="none"):
        promise.wait(PATIENCE)
    with pytest.raises(NotFound, match="none"):
        producer.publish("x", routing_key="q")

    producer.publish("x", routing_key="q").wait(PATIENCE)


def test_what_came_before_the_channel_was_closed_is_stale(connection):
    channel = connection.default_channel
    connection.Producer().publish("old", routing_key="q")
    message = Queue("q")(channel).get()
    with pytest.raises(NotFound):
        channel.queue_declare("nothing", passive=True)

    with pytest.raises(StaleDelivery, match="comes again"):
        message.ack()


def test_cancelled_consumer_gives_back_what_it_has_not_seen(connection, broker):
    channel = connection.default_channel
    for number in range(3):
        connection.Producer().publish(number, routing_key="q")
    consumer = Consumer(channel, [Queue("q")], on_message=repr)
    consumer.consume()
    channel.queue_declare("q")  # meanwhile they have come

    consumer.cancel()
    channel.queue_declare("q")

    assert broker.methods.count((60, 90)) == 3


def test_blocked(broker):
    options = {"blocked_timeout": 0.05}
    with Connection(broker.url, transport_options=options) as connection:
        channel = connection.default_channel
        channel.queue_declare("q")
        peer = peer_of(connection, broker)
        peer.block()
        connection.drain_events(timeout=PATIENCE)

        with pytest.raises(ConnectionBlocked, match="low on memory"):
            Producer(channel).publish("x", routing_key="q")

        peer.unblock()
        Producer(channel).publish("x", routing_key="q", timeout=PATIENCE)
        assert not connection.connection.is_blocked


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option"
)
@pytest.mark.parametrize(
    ("options", "milliseconds"),
    [
        ({}, 70_000),
        ({"blocked_timeout": 1}, 30_000),
        ({"blocked_timeout": None}, 0),
        ({"socket_settings": {getattr(socket, "TCP_USER_TIMEOUT", 0): 5000}}, 5000),
    ],
)
def test_system_waits_longer_than_we_do(broker, options, milliseconds):
    with Connection(broker.url, transport_options=options) as connection:
        sock = connection.connection.sock

        found = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert found == milliseconds


def test_broker_that_stops_reading(broker):
    options = {"write_timeout": 0.1}
    with Connection(broker.url, transport_options=options) as connection:
        connection.default_channel.queue_declare("q")
        broker.reads.clear()

        with pytest.raises((TimeoutError, RecoverableConnectionError)):
            for _ in range(100):
                connection.Producer().publish("x" * 1_000_000, routing_key="q")
        broker.reads.set()


def test_lost_connection_is_seen_and_replaced(connection, broker):
    first = connection.connection
    peer_of(connection, broker).hang_up()

    connection.Producer().publish(
        "x", routing_key="q", retry=True, retry_policy={"max_retries": 3}
    ).wait(PATIENCE)

    assert connection.connection is not first
    assert not first.connected


def test_what_was_not_confirmed_is_published_again(connection, broker):
    broker.confirms = False
    promise = connection.Producer().publish("precious", routing_key="gone")
    promise_seen = connection.Producer().publish("seen", routing_key="gone")
    promise_seen.then(repr, repr)  # somebody deals with it
    peer_of(connection, broker).hang_up()
    with pytest.raises(RecoverableConnectionError):
        connection.drain_events(timeout=PATIENCE)
    assert len(outbox_of(connection)) == 1
    broker.confirms = True

    connection.ensure_connection()
    connection.default_channel.queue_declare("gone")
    broker.queues["gone"].clear()
    connection.Producer().publish("next", routing_key="gone").wait(PATIENCE)

    assert promise.is_confirmed
    assert promise_seen.failed
    bodies = [body for _, body in broker.queues["gone"]]
    assert bodies == [b"precious", b"next"]


def test_closing_publishes_again_what_was_not_confirmed(connection, broker):
    broker.confirms = False
    connection.Producer().publish("precious", routing_key="q")
    # Answered after what was sent before: the broker has the message by now.
    connection.default_channel.queue_declare("q")
    peer_of(connection, broker).hang_up()
    with pytest.raises(RecoverableConnectionError):
        connection.drain_events(timeout=PATIENCE)
    broker.confirms = True
    broker.queues["q"].clear()

    connection.ensure_connection()
    connection.close()

    assert [body for _, body in broker.queues["q"]] == [b"precious"]
    assert not outbox_of(connection)


def lose(connection, broker):
    """Publish a message, and lose the connection before it is confirmed."""
    broker.confirms = False
    promise = connection.Producer().publish("precious", routing_key="q")
    connection.default_channel.queue_declare("q")  # by now the broker has it
    peer_of(connection, broker).hang_up()
    with pytest.raises(RecoverableConnectionError):
        connection.drain_events(timeout=PATIENCE)
    broker.confirms = True
    broker.queues["q"].clear()
    return promise


def test_closing_a_lost_connection_makes_another_one_for_what_is_left(
    connection, broker, caplog
):
    promise = lose(connection, broker)

    connection.close()

    assert [body for _, body in broker.queues["q"]] == [b"precious"]
    assert promise.is_confirmed
    assert not caplog.records


def test_what_is_lost_for_good_is_said(connection, broker, caplog):
    lose(connection, broker)
    broker.stop_listening()

    connection.close()

    assert "1 messages were not confirmed" in caplog.text
    assert "refused" in caplog.text


def test_half_a_message_ends_the_connection(broker, monkeypatch):
    with Connection(broker.url) as connection:
        connection.default_channel.queue_declare("q")
        wire = connection.connection._wire
        broker.reads.clear()

        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(wire, "_wait_for_room", interrupt)
        with pytest.raises(KeyboardInterrupt):
            connection.Producer().publish("x" * 50_000_000, routing_key="q")
        broker.reads.set()

        with pytest.raises(RecoverableConnectionError):
            connection.drain_events(timeout=PATIENCE)


def test_properties_that_can_not_be_sent(connection):
    with pytest.raises(EncodeError, match="priority"):
        connection.Producer().publish("x", routing_key="q", priority=[])


def test_closed_by_the_broker(connection, broker):
    peer_of(connection, broker).close(320, "CONNECTION_FORCED - bye")

    with pytest.raises(RecoverableConnectionError, match="bye"):
        connection.drain_events(timeout=PATIENCE)
    assert not connection.connected


def test_nothing_comes(connection):
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.01)


def test_garbage_ends_the_connection(connection, broker):
    peer_of(connection, broker).send(b"x" * 100)

    with pytest.raises(RecoverableConnectionError, match="unknown kind"):
        connection.drain_events(timeout=PATIENCE)


def test_broken_properties_reach_on_decode_error(connection, broker):
    broker.queues["q"].append((b"\x80\0\x09x", b"body"))
    errors = []
    consumer = Consumer(
        connection.default_channel,
        [Queue("q")],
        on_message=repr,
        on_decode_error=lambda message, error: errors.append((message.body, error)),
    )
    with consumer:
        while not errors:
            connection.drain_events(timeout=PATIENCE)

    assert errors[0][0] == b"body"
    assert "broken" in str(errors[0][1])


def test_event_loop_delivers_what_waited(connection):
    channel = connection.default_channel
    for number in range(5):
        connection.Producer().publish(number, routing_key="q")
    received = []
    Consumer(channel, [Queue("q")], on_message=received.append).consume()
    channel.queue_declare("q")  # meanwhile they have come
    hub = Hub()
    connection.register_with_event_loop(hub)
    hub.call_later(PATIENCE, hub.stop)

    while len(received) < 5:
        hub.run_once()

    connection.transport.unregister_from_event_loop(connection.connection, hub)
    hub.close()


def test_heartbeats(broker):
    broker.heartbeat = 60
    options = {"heartbeat_keeper": False}
    with Connection(broker.url, heartbeat=60, transport_options=options) as connection:
        connection.connect()
        raw = connection.connection
        assert connection.get_heartbeat_interval() == 60

        before = raw._wire.sent_at
        raw._wire.sent_at -= 31
        connection.heartbeat_check()
        assert raw._wire.sent_at >= before

        raw._wire.received_at -= 121
        with pytest.raises(HeartbeatMissed):
            connection.heartbeat_check()
        assert not connection.connected


def test_lost_to_another_thread_is_told_to_who_checks_heartbeats(broker):
    broker.heartbeat = 60
    with Connection(broker.url, heartbeat=60) as connection:
        raw = connection.connect()

        raw._fail(HeartbeatMissed("by the thread that keeps heartbeats"))

        with pytest.raises(HeartbeatMissed):
            connection.heartbeat_check()
        assert connection._connection is raw


def test_lost_to_another_thread_wakes_the_event_loop(connection):
    connection.connect()
    raw = connection.connection
    sock = raw.sock
    hub = Hub()
    connection.register_with_event_loop(hub)
    hub.call_later(PATIENCE, hub.stop)

    raw._fail(HeartbeatMissed("by the thread that keeps heartbeats"))

    with pytest.raises(HeartbeatMissed):
        while True:
            hub.run_once()
    connection.collect()
    assert sock.fileno() == -1
    hub.close()


def test_keeper_ends_with_the_connection(broker):
    broker.heartbeat = 60
    with Connection(broker.url, heartbeat=60) as connection:
        connection.connect()
        keeper = connection.connection.keeper
        assert "running" in repr(keeper)

    keeper._thread.join(PATIENCE)
    assert not keeper._thread.is_alive()


@pytest.mark.parametrize(
    ("version", "of_channel", "of_consumer"),
    [("2.8.7", True, False), ("3.12.0", True, True), ("4.1.0", False, True)],
)
def test_prefetch_by_release(version, of_channel, of_consumer):
    with Broker(version) as broker, Connection(broker.url) as connection:
        connection.connect()

        assert connection.connection.has_channel_prefetch is of_channel
        assert connection.qos_semantics_matches_spec is not of_consumer
        connection.default_channel.basic_qos(0, 10, True)


def test_threads_that_publish_and_one_that_consumes(connection):
    received, done = [], threading.Event()
    consuming = connection.channel()
    Consumer(consuming, [Queue("q")], on_message=received.append, no_ack=True).consume()

    def consume():
        while len(received) < 400:
            connection.drain_events(timeout=PATIENCE)
        done.set()

    producer = Producer(connection.channel())
    threads = [threading.Thread(target=consume)] + [
        threading.Thread(
            target=lambda: [
                producer.publish(n, routing_key="q", confirm_timeout=PATIENCE)
                for n in range(100)
            ]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert done.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_process_leaves_the_connection_alone(connection):
    raw = connection.connection
    child = os.fork()
    if not child:
        try:
            raw.send([b"x"])
        except RecoverableConnectionError:
            connection.collect()
            os._exit(7)
        os._exit(1)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 7
    connection.Producer().publish("x", routing_key="q").wait(PATIENCE)


def test_adopting_and_only_looking(broker):
    options = {"declare_policy": "passive"}
    with Connection(broker.url, transport_options=options) as connection:
        with pytest.raises(NotFound):
            Queue("new")(connection.default_channel).queue_declare()
        assert "new" not in broker.queues


def test_delivery_limit_makes_a_quorum_queue(connection):
    channel = connection.default_channel

    assert channel.prepare_queue_arguments({"x-delivery-limit": 3}, max_length=5) == {
        "x-delivery-limit": 3,
        "x-max-length": 5,
        "x-queue-type": "quorum",
    }
    assert channel.prepare_queue_arguments({"x-expires": 3}) == {"x-expires": 3}
