"""What is said when a transport does not offer what it is asked for."""

from __future__ import annotations

import warnings
from itertools import count

import pytest

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import AbilityNotOffered, PreconditionFailed
from kombu.transport import memory
from kombu.transport._capabilities import ABILITIES, EMULATED, Implements, Support
from kombu.transport._complaints import AbilityWarning, said

_names = count(1)


class Poor(memory.Transport):
    """Offers direct exchanges, and nothing else."""

    driver_type = "poor"
    implements = Implements(
        memory.Transport.implements,
        abilities={"direct": Support(EMULATED)},
        describes_itself=True,
    )


class Silent(Poor):
    """Says nothing of what it offers: it may well be everything."""

    driver_type = "silent"
    implements = Implements(Poor.implements, describes_itself=False)


@pytest.fixture(autouse=True)
def forget():
    said.forget()
    yield
    said.forget()


@pytest.fixture
def connect():
    connections = []
    name = f"strict-{next(_names)}"

    def connect(strict="warn", transport=Poor):
        connection = Connection(f"memory://{name}", transport=transport, strict=strict)
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()
    memory.brokers.get(name).clear()


def declare_queue(**options):
    return lambda channel: Queue("queue", **options)(channel).queue_declare()


def declare_exchange(type, **options):
    return lambda channel: Exchange("exchange", type, **options)(channel).declare()


def publish(**options):
    return lambda channel: Producer(channel).publish("hello", "queue", **options)


def consume(**options):
    return lambda channel: Consumer(
        channel, [Queue("queue", **options)], on_message=repr
    ).consume()


def bind_exchanges(channel):
    for name in ("one", "two"):
        channel.exchange_declare(name)
    channel.exchange_bind("one", "two", "key")


ASKED = {
    "topic": declare_exchange("topic"),
    "fanout": declare_exchange("fanout"),
    "headers": declare_exchange("headers"),
    "alternate_exchange": declare_exchange(
        "direct", arguments={"alternate-exchange": "spare"}
    ),
    "exchange_binding": bind_exchanges,
    "exclusive": declare_queue(exclusive=True),
    "auto_delete": declare_queue(auto_delete=True),
    "message_ttl": declare_queue(message_ttl=1),
    "queue_expires": declare_queue(expires=1),
    "max_length": declare_queue(max_length=1),
    "priority": declare_queue(max_priority=1),
    "dead_letter": declare_queue(queue_arguments={"x-dead-letter-exchange": "dead"}),
    "delivery_limit": declare_queue(queue_arguments={"x-delivery-limit": 1}),
    "single_active_consumer": declare_queue(
        queue_arguments={"x-single-active-consumer": True}
    ),
    "delay": publish(headers={"x-delay": 1000}),
    "consumer_priority": consume(consumer_arguments={"x-priority": 1}),
}


class test_strict:
    @pytest.mark.parametrize("ability", ASKED)
    def test_what_is_not_offered_is_refused(self, connect, ability):
        channel = connect(strict=True).channel()

        with pytest.raises(AbilityNotOffered) as refused:
            ASKED[ability](channel)

        text = str(refused.value)
        assert "poor" in text
        assert repr(ability) in text
        assert ABILITIES[ability] in text

    def test_priority_is_refused_when_it_is_published(self, connect):
        channel = connect(strict=True).channel()

        with pytest.raises(AbilityNotOffered, match="priority"):
            publish(priority=5)(channel)

    def test_what_is_refused_is_not_done(self, connect):
        channel = connect(strict=True).channel()
        for ask in (declare_queue(max_priority=5), publish(headers={"x-delay": 1})):
            with pytest.raises(AbilityNotOffered):
                ask(channel)

        assert not memory.brokers.get(channel.connection.client.hostname).queues

    def test_what_is_offered_is_done(self, connect):
        channel = connect(strict=True).channel()

        declare_exchange("direct")(channel)
        declare_queue()(channel)
        publish()(channel)

        assert Queue("queue")(channel).get().payload == "hello"

    @pytest.mark.parametrize("ability", ASKED)
    def test_sound_transport_refuses_nothing(self, connect, ability):
        channel = connect(strict=True, transport=memory.Transport).channel()

        ASKED[ability](channel)

    def test_transport_that_does_not_describe_itself_is_taken_at_its_word(
        self, connect
    ):
        channel = connect(strict=True, transport=Silent).channel()

        with pytest.raises(AbilityNotOffered):
            declare_queue(max_priority=5)(channel)

    def test_other_arguments_of_a_queue_are_refused(self, connect):
        connection = connect(strict=True, transport=memory.Transport)
        declare_queue(max_length=5, message_ttl=1)(connection.channel())

        with pytest.raises(PreconditionFailed, match="x-max-length") as refused:
            declare_queue(max_length=6, message_ttl=1)(connection.channel())

        assert "'queue'" in str(refused.value)
        assert "6" in str(refused.value)
        assert "5" in str(refused.value)


class test_warning:
    @pytest.mark.parametrize("ability", ASKED)
    def test_each_ability_is_warned_of_once(self, connect, ability):
        channel = connect().channel()
        with pytest.warns(AbilityWarning, match=repr(ability)):
            ASKED[ability](channel)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ASKED[ability](channel)

    def test_it_is_warned_of_once_for_all_connections(self, connect):
        with pytest.warns(AbilityWarning, match="priority"):
            declare_queue(max_priority=5)(connect().channel())

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            declare_queue(max_priority=5)(connect().channel())

    def test_another_ability_is_another_warning(self, connect):
        channel = connect().channel()
        with pytest.warns(AbilityWarning, match="priority"):
            Queue("one", max_priority=5)(channel).queue_declare()

        with pytest.warns(AbilityWarning, match="max_length"):
            Queue("two", max_length=5)(channel).queue_declare()

    @pytest.mark.parametrize("ability", ASKED)
    def test_nothing_is_said_if_nobody_wants_to_hear(self, connect, ability):
        channel = connect(strict=False).channel()

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ASKED[ability](channel)

    @pytest.mark.parametrize("ability", ASKED)
    def test_nothing_is_said_of_who_does_not_describe_itself(self, connect, ability):
        channel = connect(transport=Silent).channel()

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ASKED[ability](channel)
