"""Tests of kombu.transport._complaints: asking for what is not offered."""

from __future__ import annotations

import warnings

import pytest

from kombu import Connection, Consumer, Exchange, Queue
from kombu.exceptions import AbilityNotOffered, KombuError, PreconditionFailed
from kombu.transport import _complaints, virtual
from kombu.transport._capabilities import EMULATED, Support
from kombu.transport.base import AbilityWarning


class Channel(virtual.Channel):
    """A store that does the least that there is."""

    def _put(self, queue, message, **kwargs):
        pass

    def _get(self, queue, timeout=None):
        raise virtual.Empty

    def _purge(self, queue):
        return 0


class Silent(virtual.Transport):
    """Says nothing of what it offers, as transports written for kombu."""

    Channel = Channel
    driver_type = "silent"


class Talking(Silent):
    """Says what it offers, and priorities are not among it."""

    driver_type = "talking"
    implements = virtual.Transport.implements.extend(
        abilities={"auto_delete": Support(EMULATED)}
    )


@pytest.fixture(autouse=True)
def nothing_was_said():
    _complaints.said.forget()
    yield
    _complaints.said.forget()


def declare(connection, **arguments):
    Queue("q", **arguments)(connection.channel()).declare()


def publish(connection, **options):
    connection.Producer().publish("x", routing_key="q", **options)


def consume(connection, **arguments):
    with Consumer(connection, [Queue("q", consumer_arguments=arguments)]):
        pass


#: What asks for something, and the ability that it takes.
ASKING = [
    (lambda c: declare(c, max_priority=5), "priority"),
    (lambda c: declare(c, expires=5), "queue_expires"),
    (
        lambda c: declare(c, queue_arguments={"x-single-active-consumer": True}),
        "single_active_consumer",
    ),
    (lambda c: publish(c, priority=3), "priority"),
    (lambda c: publish(c, headers={"x-delay": 1000}), "delay"),
    (lambda c: publish(c, deliver_at=4e9), "delay"),
    (lambda c: consume(c, **{"x-priority": 1}), "consumer_priority"),
]


class test_strict:
    @pytest.mark.parametrize("transport", [Silent, Talking])
    @pytest.mark.parametrize(("ask", "ability"), ASKING)
    def test_refuses(self, transport, ask, ability):
        with Connection(transport=transport, strict=True) as connection:
            with pytest.raises(AbilityNotOffered) as caught:
                ask(connection)

        text = str(caught.value)
        assert transport.driver_type in text
        assert repr(ability) in text
        assert isinstance(caught.value, KombuError)

    def test_does_not_refuse_what_is_offered(self):
        exchange = Exchange("e", "topic")
        with Connection(transport=Talking, strict=True) as connection:
            Queue("a", exchange, "k")(connection.channel()).declare()
            declare(connection, auto_delete=True, message_ttl=5, max_length=5)
            publish(connection, expiration=5, mandatory=True)

    def test_refuses_to_declare_a_queue_in_another_way(self):
        with Connection("memory://complaints", strict=True) as connection:
            declare(connection, max_length=1)
            declare(connection, max_length=1)
            with pytest.raises(PreconditionFailed) as caught:
                declare(connection, max_length=2)
            Queue("q")(connection.channel()).delete()

        text = str(caught.value)
        assert "x-max-length" in text
        assert "'q'" in text

    def test_otherwise_a_queue_stays_as_it_is(self):
        with Connection("memory://complaints") as connection:
            declare(connection, max_length=1)
            declare(connection, max_length=2)
            channel = connection.channel()
            assert channel.state.policies["q"].max_length == 1
            Queue("q")(channel).delete()


class test_warning:
    @pytest.mark.parametrize(("ask", "ability"), ASKING)
    def test_once(self, ask, ability):
        with Connection(transport=Talking) as connection:
            with pytest.warns(AbilityWarning) as caught:
                ask(connection)
                ask(connection)

        [warning] = caught
        assert "talking" in str(warning.message)
        assert ability in str(warning.message)

    @pytest.mark.parametrize(("ask", "ability"), ASKING)
    def test_not_of_a_transport_that_says_nothing_of_itself(self, ask, ability):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Connection(transport=Silent) as connection:
                ask(connection)

    @pytest.mark.parametrize(("ask", "ability"), ASKING)
    def test_not_if_nobody_wants_to_know(self, ask, ability):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Connection(transport=Talking, strict=False) as connection:
                ask(connection)


class test_the_argument:
    def test_must_be_one_of_three(self):
        with pytest.raises(ValueError, match="strict"):
            Connection("memory://", strict="very")

    @pytest.mark.parametrize("strict", [True, False, "warn"])
    def test_is_kept_by_copies(self, strict):
        import copy
        import pickle

        connection = Connection("memory://", strict=strict)

        assert connection.clone().strict == strict
        assert copy.copy(connection).strict == strict
        assert pickle.loads(pickle.dumps(connection)).strict == strict
        assert connection.clone(strict=False).strict is False
