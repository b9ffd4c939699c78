from __future__ import annotations

import gc

import pytest

from kombu.exceptions import PublishRefused, UnroutableError
from kombu.transport._amqp.confirms import (
    Confirmation,
    Confirmations,
    Publication,
)
from kombu.transport._amqp.errors import MessageNacked, Unconfirmed
from kombu.transport._amqp.message import Outgoing
from kombu.transport._amqp.outbox import Outbox, outbox_of


class Client:
    pass


def confirmation(name="one", routing_key="q", mandatory=False):
    message = Outgoing(b"", message_id=name)
    return Confirmation(Publication(message, "", routing_key, mandatory), None)


@pytest.fixture
def three():
    confirmations = Confirmations()
    made = [confirmation(name) for name in ("one", "two", "three")]
    for one in made:
        confirmations.add(one)
    return confirmations, made


def states(made):
    return [one.is_confirmed for one in made]


def test_one(three):
    confirmations, made = three

    confirmations.settle(2, False, False)

    assert states(made) == [False, True, False]
    assert len(confirmations) == 2


def test_all_up_to_one(three):
    confirmations, made = three

    confirmations.settle(2, True, False)

    assert states(made) == [True, True, False]


def test_number_0_means_all(three):
    confirmations, made = three

    confirmations.settle(0, True, False)

    assert states(made) == [True, True, True]


def test_unknown_number_does_nothing(three):
    confirmations, made = three

    confirmations.settle(9, False, False)

    assert states(made) == [False, False, False]


def test_taken_back(three):
    confirmations, made = three

    confirmations.take_back()
    other = confirmation("other")
    confirmations.add(other)
    confirmations.settle(3, False, False)

    assert other.is_confirmed
    assert not made[2].is_done


def test_refusal_that_nobody_waits_for_is_raised_once(three):
    confirmations, made = three
    confirmations.settle(1, False, True)

    with pytest.raises(Unconfirmed, match="'one'"):
        confirmations.raise_failures()

    confirmations.raise_failures()
    assert isinstance(made[0].error, MessageNacked)
    assert made[0].failed


def test_refusal_is_told_to_who_waits(three):
    confirmations, made = three
    made[0].is_watched = True

    confirmations.settle(1, False, True)

    confirmations.raise_failures()
    with pytest.raises(PublishRefused, match="'one'"):
        made[0].wait()


def test_returned_message_is_confirmed_too():
    confirmations = Confirmations()
    lost = confirmation("lost", "nowhere", mandatory=True)
    for one in (confirmation("kept", mandatory=True), lost):
        confirmations.add(one)
    error = UnroutableError("", "nowhere")

    assert confirmations.note_return("", "nowhere", error)
    assert not confirmations.note_return("", "nowhere", error)
    confirmations.settle(2, True, False)

    assert lost.error is error
    assert len(confirmations.failures) == 1


def test_returned_message_is_known_by_its_body():
    confirmations = Confirmations()
    made = [confirmation(name, mandatory=True) for name in ("one", "two")]
    for one, body in zip(made, ("first", "second")):
        one.publication.message.body = body
        confirmations.add(one)
    error = UnroutableError("", "q")

    assert confirmations.note_return("", "q", error, b"second")

    assert [one.returned for one in made] == [None, error]


def test_all_up_to_one_while_others_publish(three):
    confirmations, made = three
    made[0].then(lambda one: confirmations.add(confirmation("four")))

    confirmations.settle(2, True, False)

    assert states(made) == [True, True, False]
    assert len(confirmations) == 2


def test_settled_so_far(three):
    confirmations, _ = three

    confirmations.settle(2, False, False)
    assert not confirmations.has_settled(2)

    confirmations.settle(1, False, False)
    confirmations.add(confirmation("four"))
    assert confirmations.has_settled(2)
    assert not confirmations.has_settled(3)


def test_callback_that_fails_is_not_the_affair_of_others(three, caplog):
    confirmations, made = three
    told = []
    made[0].then(lambda one: 1 / 0)
    made[1].then(told.append)

    confirmations.settle(2, True, False)

    assert told == [made[1]]
    assert "ZeroDivisionError" in caplog.text


def test_callbacks(three):
    confirmations, (one, two, _) = three
    told = []
    one.then(told.append)
    two.then(told.append, lambda error: told.append(type(error)))

    confirmations.settle(1, False, False)
    confirmations.settle(2, False, True)
    one.then(told.append)

    assert told == [one, MessageNacked, one]
    assert not confirmations.failures  # somebody was told


def test_shown(three):
    confirmations, (one, two, three_) = three
    confirmations.settle(1, False, False)
    confirmations.settle(2, False, True)

    assert "confirmed, message 'one'" in repr(one)
    assert "failed" in repr(two)
    assert "waiting" in repr(three_)
    assert repr(confirmations) == "<Confirmations: 1 outstanding>"


def test_many_failures_are_counted():
    text = str(Unconfirmed([ValueError(str(number)) for number in range(5)]))

    assert text.startswith("5 messages")
    assert text.endswith("0; 1; 2; and 2 more")


def test_outbox_is_emptied_by_who_takes():
    outbox = Outbox()
    one = confirmation()
    outbox.put([one])

    assert repr(outbox) == "<Outbox: 1 to publish again>"
    assert outbox.take() == [one]
    assert not outbox


def test_outbox_belongs_to_a_connection():
    client, other = Client(), Client()

    assert outbox_of(client) is outbox_of(client)
    assert outbox_of(client) is not outbox_of(other)
    del client
    gc.collect()


def test_child_process_has_an_outbox_of_its_own(monkeypatch):
    client = Client()
    outbox_of(client).put([confirmation()])
    monkeypatch.setattr("kombu.transport._amqp.outbox.process.pid", -1)

    assert not outbox_of(client)
