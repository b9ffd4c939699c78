from __future__ import annotations

import proton
import pytest

from kombu.exceptions import (
    BatchPublishError,
    NotFound,
    PublishRefused,
    UnroutableError,
)
from kombu.transport._amqp.confirms import Confirmation, Publication
from kombu.transport._amqp.errors import (
    ConfirmTimeout,
    ConnectionBlocked,
    ConnectionLost,
    Unconfirmed,
)
from kombu.transport._amqp.outbox import outbox_of
from t.unit.transport.qpid.conftest import message

REJECTED, RELEASED = proton.Delivery.REJECTED, proton.Delivery.RELEASED


@pytest.fixture
def channel(broker, connect):
    return connect(broker).channel()


def test_confirmation_comes_later(channel, broker):
    confirmation = channel.basic_publish(message(channel), "", "q")

    confirmation.wait(10)

    assert confirmation.is_confirmed
    assert len(broker.queues["q"]) == 1


def test_transient_message_is_not_confirmed(channel, broker):
    assert channel.basic_publish(message(channel, delivery_mode=1), "", "q") is None

    channel.close()
    assert len(broker.queues["q"]) == 1


def test_nothing_is_confirmed_if_not_wanted(broker, connect):
    channel = connect(broker, confirm_publish=False).channel()

    assert channel.basic_publish(message(channel), "", "q") is None
    assert not channel.supports_batch_publish


@pytest.mark.parametrize("outcome", [REJECTED, RELEASED])
def test_refused_message(channel, broker, outcome):
    broker.outcome = outcome, "amqp:resource-limit-exceeded"

    with pytest.raises(PublishRefused, match="message 'm'"):
        channel.basic_publish(message(channel, message_id="m"), "", "q").wait(10)


def test_refusal_that_nobody_waits_for_is_told_later(channel, broker):
    broker.outcome = REJECTED, None
    channel.basic_publish(message(channel, message_id="m"), "", "q")

    with pytest.raises(Unconfirmed, match="'m'"):
        channel.wait_for_confirms(10)


def test_mandatory_message_that_reaches_no_queue(broker_j, connect):
    channel = connect(broker_j).channel()

    with pytest.raises(UnroutableError):
        channel.basic_publish(message(channel), "", "missing", mandatory=True)


def test_returned_message_is_given_to_who_wants_it(broker_j, connect):
    channel = connect(broker_j).channel()
    returned = []
    channel.events["basic_return"].add(lambda *args: returned.append(args))
    sent = message(channel)

    channel.basic_publish(sent, "", "missing", mandatory=True)

    [(error, exchange, routing_key, found)] = returned
    assert isinstance(error, UnroutableError)
    assert (exchange, routing_key, found) == ("", "missing", sent)


@pytest.mark.filterwarnings("ignore::kombu.transport.base.AbilityWarning")
def test_unroutable_outcome(channel, broker):
    broker.outcome = REJECTED, "amqp:not-found"

    channel.basic_publish(message(channel), "x", "key").wait(10)
    with pytest.raises(UnroutableError):
        channel.basic_publish_confirm(message(channel), "x", "key", mandatory=True)


def test_message_to_no_queue_is_dropped_as_amqp_does(broker_j, connect):
    channel = connect(broker_j).channel()

    channel.basic_publish(message(channel), "", "missing").wait(10)


def test_exchange_that_is_not_there(broker_j, connect):
    channel = connect(broker_j).channel()

    with pytest.raises(NotFound, match="missing"):
        channel.basic_publish(message(channel), "missing", "key")


def test_full_window_is_waited_for(broker, connect):
    channel = connect(broker, confirm_window=4).channel()

    for _ in range(20):
        channel.basic_publish(message(channel), "", "q")
        assert len(channel._outcomes) <= 4


def test_broker_that_gives_no_credit(broker, connect):
    broker.gives_credit = False
    channel = connect(broker, blocked_timeout=0.05).channel()

    with pytest.raises(ConnectionBlocked, match="blocked_timeout"):
        channel.basic_publish(message(channel), "", "q")


def test_batch(channel, broker):
    batch = channel.create_publish_batch()
    for _ in range(3):
        batch.publish(message(channel), "", "q")

    batch.flush()

    assert len(broker.queues["q"]) == 3


def test_batch_that_was_refused(channel, broker):
    broker.outcome = REJECTED, None
    batch = channel.create_publish_batch()
    batch.publish(message(channel), "", "q")

    with pytest.raises(BatchPublishError, match="1 of 1"):
        batch.flush()


def test_link_that_the_broker_ends_is_opened_again(channel, broker):
    channel.basic_publish(message(channel), "", "q").wait(10)
    broker.close_links("q", "amqp:link:detach-forced")
    with pytest.raises(TimeoutError):
        while True:
            channel.connection.drain_events(timeout=0.05)

    channel.basic_publish(message(channel), "", "q").wait(10)

    assert len(broker.queues["q"]) == 2


def test_idle_links_are_closed(channel, broker, monkeypatch):
    monkeypatch.setattr("kombu.transport._qpid.publishing._MOST_LINKS", 3)

    for number in range(8):
        channel.basic_publish(message(channel), "", f"q{number}").wait(10)

    channel.close()
    assert set(broker.closed) >= {"q0", "q1", "q2"}


def test_what_nobody_waits_for_is_published_again(broker, connect):
    connection = connect(broker)
    channel = connection.channel()
    channel.basic_publish(message(channel), "", "q").wait(10)
    broker.call(lambda: setattr(broker, "is_deaf", True))
    channel.basic_publish(message(channel, b"kept"), "", "q")
    broker.call(lambda: setattr(broker, "is_deaf", False))
    broker.hang_up()
    with pytest.raises(connection.connection_errors):
        channel.connection.drain_events(timeout=10)

    connection.default_channel.basic_publish(message(channel, b"new"), "", "q").wait(10)
    connection.default_channel.wait_for_confirms(10)

    assert [stored.data[-4:] for stored in broker.queues["q"]][-2:] == [
        b"kept",
        b"\x03new",
    ]


def test_who_waits_is_told_that_the_connection_is_lost(channel, broker):
    channel.basic_publish(message(channel), "", "q").wait(10)
    broker.is_deaf = True
    confirmation = channel.basic_publish(message(channel), "", "q")
    told = []
    confirmation.then(print, told.append)

    broker.hang_up()

    with pytest.raises(ConnectionLost):
        confirmation.wait(10)
    with pytest.raises(ConnectionLost):
        channel.basic_publish(message(channel), "", "q")
    assert isinstance(told[0], ConnectionLost)
    broker.is_deaf = False


def test_closing_waits_for_what_the_broker_has_no_room_for(broker, connect):
    channel = connect(broker, confirm_publish=False).channel()
    body = b"x" * 2_000_000
    for _ in range(3):
        channel.basic_publish(message(channel, body), "", "q")

    channel.close()

    assert len(broker.queues["q"]) == 3


def test_closing_tells_of_what_was_refused(channel, broker, caplog):
    broker.outcome = REJECTED, None
    channel.basic_publish(message(channel, message_id="m"), "", "q")

    channel.close()

    assert "'m'" in caplog.text


def test_outbox_is_kept_until_it_is_published(broker, connect):
    connection = connect(broker, blocked_timeout=0.05)
    channel = connection.channel()
    publication = Publication(message(channel), "", "q", False)
    outbox_of(connection).put([Confirmation(publication, channel)])
    broker.gives_credit = False

    with pytest.raises(ConnectionBlocked):
        channel.basic_publish(message(channel), "", "q")
    assert len(outbox_of(connection)) == 1

    broker.gives_credit = True
    connection.channel().publish_what_was_lost()
    connection.close()
    assert len(broker.queues["q"]) == 1


def test_callbacks_are_told(channel):
    told = []

    confirmation = channel.basic_publish(message(channel), "", "q")
    confirmation.then(told.append)
    confirmation.wait(10)

    assert told == [confirmation]
    assert repr(channel._outcomes) == "<Outcomes: 0 outstanding>"


def test_slow_confirmation(broker, connect):
    channel = connect(broker, confirm_timeout=0.05, confirm_window=1).channel()
    channel.basic_publish(message(channel, delivery_mode=1), "", "q")
    broker.is_deaf = True

    with pytest.raises(ConfirmTimeout, match="'m'"):
        channel.basic_publish_confirm(message(channel, message_id="m"), "", "q")
    broker.is_deaf = False
    broker.hang_up()


def test_what_is_not_confirmed_when_the_connection_closes_is_kept(
    broker, connect, monkeypatch, caplog
):
    monkeypatch.setattr("kombu.transport._qpid.connection._SECONDS_TO_CLOSE", 0.05)
    connection = connect(broker, close_timeout=0.05)
    channel = connection.channel()
    channel.basic_publish(message(channel), "", "q").wait(10)
    broker.call(lambda: setattr(broker, "is_deaf", True))
    channel.basic_publish(message(channel, b"kept"), "", "q")

    connection.close()

    assert len(outbox_of(connection)) == 1
    assert "1 messages were not confirmed" in caplog.text
    broker.is_deaf = False
