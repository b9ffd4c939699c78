"""The end of producers, channels and connections, whatever the broker does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from kombu import Connection, Producer, Queue
from kombu.exceptions import NotFound, RecoverableConnectionError
from kombu.pools import ProducerPool
from kombu.transport._amqp.errors import ConfirmTimeout, Unconfirmed
from t.unit.transport.amqp.broker import Broker
from t.unit.transport.amqp.frames import method

PATIENCE = 10

#: Waits for nothing long.
HASTY = {"close_timeout": 0.05}


@pytest.fixture
def broker():
    with Broker() as broker:
        yield broker


@pytest.fixture
def connection(broker):
    with Connection(broker.url) as connection:
        Queue("q")(connection.default_channel).declare()
        yield connection


@pytest.fixture
def hasty(broker):
    with Connection(broker.url, transport_options=HASTY) as connection:
        Queue("q")(connection.default_channel).declare()
        yield connection


def stop_reading(connection, broker):
    """Let the broker take one more frame, and then nothing."""
    broker.reads.clear()
    connection.default_channel.basic_ack(1)


@pytest.mark.parametrize("end", ["close", "release", "__exit__"])
def test_producer_waits_for_what_it_published(connection, end):
    producer = connection.Producer()
    promises = [producer.publish(number, routing_key="q") for number in range(50)]

    getattr(producer, end)(*(None, None, None)[: 3 * (end == "__exit__")])

    assert all(promise.is_confirmed for promise in promises)


def test_producer_that_has_published_nothing_connects_not(broker):
    with Connection(broker.url) as connection:
        with connection.Producer():
            pass

        assert not broker.clients


def test_producer_says_what_was_never_confirmed(hasty, broker):
    broker.confirms = False

    with (
        pytest.raises(ConfirmTimeout, match="what was published"),
        hasty.Producer() as p,
    ):
        p.publish("x", routing_key="q")


def test_what_was_waited_for_in_vain_is_not_waited_for_again(hasty, broker):
    broker.confirms = False
    producer = hasty.Producer()
    producer.publish("x", routing_key="q")
    with pytest.raises(ConfirmTimeout):
        producer.close()

    producer.close()

    broker.confirms = True
    producer.publish("y", routing_key="q")
    with pytest.raises(ConfirmTimeout):
        producer.close()


def test_producer_says_what_was_refused(connection, broker):
    broker.takes = False
    producer = connection.Producer()
    producer.publish("x", routing_key="q", message_id="precious")

    with pytest.raises(Unconfirmed, match="'precious'"):
        producer.release()


def test_producer_says_that_the_channel_was_closed(connection):
    producer = connection.Producer(auto_declare=False)
    producer.publish("x", exchange="none")

    with pytest.raises(NotFound, match="none"):
        producer.release()


def test_producer_says_that_the_connection_was_lost(connection, broker):
    broker.confirms = False
    producer = connection.Producer()
    producer.publish("x", routing_key="q")
    broker.clients[-1].hang_up()

    with pytest.raises(RecoverableConnectionError):
        producer.release()
    broker.confirms = True


def test_error_of_the_block_matters_more(hasty, broker, caplog):
    broker.confirms = False

    with pytest.raises(KeyError), hasty.Producer() as producer:
        producer.publish("x", routing_key="q")
        raise KeyError

    assert "could not be released" in caplog.text


def test_pooled_producer_waits(broker):
    with Connection(broker.url) as connection:
        connection.default_channel.queue_declare("q")
        pool = ProducerPool(connection.Pool(1), 1)
        with pool.acquire() as producer:
            promise = producer.publish("x", routing_key="q")

        assert promise.is_confirmed
        pool.connections.force_close_all()


def test_pooled_producer_says_what_was_never_confirmed(hasty, broker):
    broker.confirms = False
    pool = ProducerPool(hasty.Pool(1), 1)

    with pytest.raises(ConfirmTimeout), pool.acquire() as producer:
        producer.publish("x", routing_key="q")

    # Its connection is back in its pool, and can be used.
    broker.confirms = True
    with pool.acquire() as producer:
        assert producer.publish("y", routing_key="q", confirm_timeout=PATIENCE)
    pool.connections.force_close_all()


def test_pooled_connection_waits(broker):
    with Connection(broker.url) as connection:
        connection.default_channel.queue_declare("q")
        pool = connection.Pool(1)
        with pool.acquire() as pooled:
            promise = pooled.Producer().publish("x", routing_key="q")

        assert promise.is_confirmed
        assert pooled.connected
        pool.force_close_all()


def test_pooled_connection_that_was_lost_is_not_waited_for(broker):
    broker.confirms = False
    with Connection(broker.url) as connection:
        pool = connection.Pool(1)
        with pool.acquire() as pooled:
            pooled.Producer().publish("x", routing_key="q")
            broker.clients[-1].hang_up()

        broker.confirms = True
        with pool.acquire() as pooled:
            pooled.Producer().publish("y", routing_key="q", confirm_timeout=PATIENCE)
        pool.force_close_all()


def test_connection_that_is_never_confirmed_closes(broker, caplog):
    broker.confirms = False
    connection = Connection(broker.url, transport_options=HASTY)
    connection.default_channel.queue_declare("q")
    connection.Producer().publish("x", routing_key="q")

    connection.close()

    assert "did not confirm" in caplog.text


@pytest.mark.parametrize("options", [{}, {"confirm_timeout": 0.05}, HASTY])
def test_patience_has_an_end(broker, options):
    with Connection(broker.url, transport_options=options) as connection:
        found = connection.connection.options.patience_at_close

    assert found == (0.05 if options else 60)


def test_patience_has_an_end_though_confirms_are_waited_for_without(broker):
    options = {"confirm_timeout": None}
    with Connection(broker.url, transport_options=options) as connection:
        assert connection.connection.options.patience_at_close == 60


def test_broker_that_answers_nothing_does_not_keep_us(hasty, broker):
    raw = hasty.connection
    stop_reading(hasty, broker)

    hasty.close()

    assert not raw.connected


def test_blocked_broker_does_not_keep_us(hasty, broker):
    hasty.Producer().publish("x", routing_key="q")
    broker.clients[-1].block()
    hasty.drain_events(timeout=PATIENCE)
    stop_reading(hasty, broker)
    raw = hasty.connection

    hasty.close()

    assert not raw.connected


def test_error_that_nobody_has_heard_of_is_logged_on_closing(connection, caplog):
    Producer(connection, auto_declare=False).publish("x", exchange="none")

    connection.close()

    assert "no exchange 'none'" in caplog.text


def test_channel_says_in_the_log_what_was_lost_with_it(connection, caplog):
    producer = connection.Producer(auto_declare=False)
    producer.publish("x", exchange="none", message_id="lost").then(repr)

    with pytest.raises(NotFound):
        connection.default_channel.queue_declare("q")

    assert "'lost'" in caplog.text


def test_answer_that_comes_too_late_is_not_that_of_the_next(broker):
    options = {"read_timeout": 0.05}
    with Connection(broker.url, transport_options=options) as connection:
        channel = connection.default_channel
        stop_reading(connection, broker)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                channel.queue_declare("late")
        broker.reads.set()
        connection.connection.read_timeout = PATIENCE

        assert channel.queue_declare("next").queue == "next"
        assert channel.queue_declare("last").queue == "last"


def test_who_waits_for_an_answer_is_told_though_others_are_too(connection, broker):
    channel = connection.default_channel
    done = threading.Event()

    def publish():
        producer = connection.Producer()
        while not done.is_set():
            # Some are told of the errors of the others.
            with suppress(*connection.channel_errors):
                producer.publish("x", routing_key="q")

    thread = threading.Thread(target=publish)
    thread.start()
    for _ in range(30):
        with pytest.raises(NotFound, match="nothing"):
            channel.queue_declare("nothing", passive=True)
    done.set()
    thread.join(PATIENCE)

    # What is sent on a channel that is closed would have ended it.
    assert connection.connected


def test_host_that_never_speaks_tls():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqps://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimeoutError):
            Connection(url, connect_timeout=0.05).transport.establish_connection()


def test_heartbeat_waits_for_nobody(connection):
    wire = connection.connection._wire
    with wire._lock:
        assert not wire.send_if_free(b"")

    connection.connection.send_heartbeat()

    assert connection.connected


def test_answer_on_a_channel_that_is_gone(connection, broker):
    assert connection.connected
    broker.clients[-1].send(method(999, (50, 11), "sll", ("q", 0, 0)))

    assert connection.default_channel.queue_declare("q").queue == "q"
