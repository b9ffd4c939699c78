from __future__ import annotations

import errno

import amqp
import pytest

from kombu import Consumer, Message, Producer
from kombu.exceptions import KombuError, RecoverableConnectionError
from kombu.transport import base
from kombu.transport._capabilities import (
    ABILITIES,
    Implements,
    Support,
    default_transport_capabilities,
    native_abilities,
    virtual_abilities,
)
from kombu.transport.base import (
    Management,
    StdChannel,
    Transport,
    to_rabbitmq_queue_arguments,
)


class Channel(StdChannel):
    is_closed = False

    def close(self):
        self.is_closed = True


class FakeLoop:
    def __init__(self):
        self.soon = []

    def call_soon(self, callback, *args):
        self.soon.append((callback, args))


class FakeConnection:
    """Drains what it is told to: an error is raised, all else is one event."""

    connected = True

    def __init__(self, *events):
        self.events = list(events)
        self.timeouts = []

    def drain_events(self, timeout=None):
        self.timeouts.append(timeout)
        event = self.events.pop(0)
        if isinstance(event, BaseException):
            raise event


class test_StdChannel:
    def test_makes_a_consumer(self, channel):
        assert isinstance(StdChannel.Consumer(channel), Consumer)
        assert channel.Consumer().channel is channel

    def test_makes_a_producer(self, channel):
        assert isinstance(channel.Producer(), Producer)
        assert channel.Producer().channel is channel

    def test_has_no_bindings_to_tell(self):
        with pytest.raises(NotImplementedError, match=r"Channel.*get_bindings"):
            Channel().get_bindings()

    def test_leaves_arguments_as_they_are(self):
        arguments = {"x-expires": 1}

        assert Channel().prepare_queue_arguments(arguments, expires=3) is arguments

    def test_does_nothing_with_a_reply_queue_that_has_served(self):
        assert Channel().after_reply_message_received("replies") is None

    def test_tracks_no_consumers(self):
        assert Channel().no_ack_consumers is None

    def test_is_closed_at_the_end_of_a_block(self):
        with Channel() as channel:
            assert not channel.is_closed
        assert channel.is_closed


class test_Management:
    def test_asks_nothing_by_itself(self):
        transport = Transport("client")
        manager = Management(transport)

        assert manager.transport is transport
        with pytest.raises(NotImplementedError, match=r"Management.*get_bindings"):
            manager.get_bindings()


class test_Transport:
    @pytest.mark.parametrize(
        ("method", "arguments"),
        [
            ("establish_connection", ()),
            ("close_connection", ("connection",)),
            ("create_channel", ("connection",)),
            ("close_channel", ("connection",)),
            ("drain_events", ("connection",)),
            ("as_uri", ("memory://",)),
        ],
    )
    def test_what_each_transport_has_to_define(self, method, arguments):
        with pytest.raises(NotImplementedError, match=f"base.Transport.*{method}"):
            getattr(Transport("client"), method)(*arguments)

    def test_errors_are_of_the_library_too(self):
        with pytest.raises(KombuError):
            Transport("client").establish_connection()

    def test_what_it_is_by_default(self):
        transport = Transport("client")

        assert transport.client == "client"
        assert transport.verify_connection("connection") is True
        assert transport.get_heartbeat_interval("connection") == 0
        assert transport.heartbeat_check("connection", rate=5) is None
        assert transport.qos_semantics_matches_spec("connection") is True
        assert transport.driver_version() == "N/A"
        assert transport.default_connection_params == {}
        assert transport.can_parse_url is False
        assert transport.default_port is None
        assert not transport.supports_heartbeats
        assert not transport.supports_ev
        assert transport.register_with_event_loop("connection", "loop") is None
        assert transport.unregister_from_event_loop("connection", "loop") is None
        assert repr(transport) == "<kombu.transport.base.Transport: N/A>"

    def test_abilities_are_read_from_one_place(self):
        class Able(Transport):
            implements = Transport.implements.extend(asynchronous=True, heartbeats=True)

        assert Able("client").supports_ev
        assert Able("client").supports_heartbeats

    def test_errors_are_those_of_amqp(self):
        assert amqp.ConnectionError in Transport.connection_errors
        assert amqp.ChannelError in Transport("client").channel_errors

    def test_errors_can_be_added_to(self):
        class Mine(Transport):
            connection_errors = (*Transport.connection_errors, ZeroDivisionError)

        assert Mine.connection_errors[-1] is ZeroDivisionError
        assert amqp.ConnectionError in Mine("client").connection_errors

    def test_manager_is_made_once(self):
        transport = Transport("client")

        assert isinstance(transport.manager, Management)
        assert transport.manager is transport.manager
        assert transport.get_manager() is not transport.manager


class test_on_readable:
    def test_reads_until_there_is_nothing_more(self):
        transport, loop = Transport("client"), FakeLoop()
        connection = FakeConnection("event", TimeoutError())

        transport.on_readable(connection, loop)
        assert len(loop.soon) == 1
        callback, args = loop.soon.pop()
        callback(*args)

        assert loop.soon == []
        assert connection.timeouts == [0, 0]

    @pytest.mark.parametrize("number", [errno.EAGAIN, errno.EINTR])
    def test_errors_that_mean_nothing_is_there(self, number):
        transport, loop = Transport("client"), FakeLoop()

        transport.on_readable(FakeConnection(OSError(number, "later")), loop)

        assert loop.soon == []

    def test_other_errors_are_raised(self):
        connection = FakeConnection(OSError(errno.ECONNRESET, "reset"))

        with pytest.raises(OSError, match="reset"):
            Transport("client").on_readable(connection, FakeLoop())

    def test_a_lost_connection(self):
        connection = FakeConnection()
        connection.connected = False

        with pytest.raises(RecoverableConnectionError, match="disconnected"):
            Transport("client").on_readable(connection, FakeLoop())

    def test_the_reader_is_made_once(self):
        transport, loop = Transport("client"), FakeLoop()
        connection = FakeConnection(TimeoutError(), TimeoutError())
        made = []
        make = transport._make_reader
        transport._make_reader = lambda c: made.append(c) or make(c)

        transport.on_readable(connection, loop)
        transport.on_readable(connection, loop)

        assert made == [connection]


class test_Implements:
    def test_is_read_as_attributes(self):
        implements = Implements(asynchronous=True)

        assert implements.asynchronous is True
        with pytest.raises(AttributeError, match="telepathy"):
            implements.telepathy  # noqa: B018

    def test_is_written_as_attributes(self):
        implements = Implements()
        implements.heartbeats = True

        assert implements == {"heartbeats": True}

    def test_extend_makes_a_copy(self):
        extended = default_transport_capabilities.extend(batch_publish=True)

        assert type(extended) is Implements
        assert extended.batch_publish is True
        assert default_transport_capabilities.batch_publish is False
        assert extended.exchange_type == {"direct", "topic", "fanout", "headers"}


class test_support:
    def test_what_nothing_is_said_of_is_absent(self):
        support = Implements().support("priority")

        assert not support
        assert support.level == "absent"

    def test_abilities_are_merged(self):
        first = Implements().extend(abilities={"priority": Support("native")})
        second = first.extend(
            heartbeats=True, abilities={"delay": Support("emulated", "seconds only")}
        )

        assert second.support("priority").level == "native"
        assert second.support("delay") == ("emulated", "seconds only")
        assert second.heartbeats is True
        assert not first.support("delay")

    @pytest.mark.parametrize(
        "ask",
        [
            lambda implements: implements.support("telepathy"),
            lambda implements: implements.extend(abilities={"telepathy": None}),
        ],
    )
    def test_an_unknown_ability(self, ask):
        with pytest.raises(KeyError, match=r"unknown ability 'telepathy': known are"):
            ask(Implements())

    @pytest.mark.parametrize("abilities", [native_abilities, virtual_abilities])
    def test_all_that_is_said_has_words(self, abilities):
        assert set(abilities) <= set(ABILITIES)
        assert all(abilities.values())


class test_to_rabbitmq_queue_arguments:
    def test_seconds_become_milliseconds(self):
        assert to_rabbitmq_queue_arguments({}, expires=1.5, message_ttl=2) == {
            "x-expires": 1500,
            "x-message-ttl": 2000,
        }

    def test_numbers(self):
        assert to_rabbitmq_queue_arguments(
            {}, max_length="10", max_length_bytes=5.0, max_priority=9
        ) == {"x-max-length": 10, "x-max-length-bytes": 5, "x-max-priority": 9}

    def test_what_is_unset_does_not_count(self):
        arguments = {"x-own": 1}

        assert to_rabbitmq_queue_arguments(arguments, expires=None) == {"x-own": 1}

    def test_an_option_wins_and_the_arguments_are_not_changed(self):
        arguments = {"x-max-length": 1}

        assert to_rabbitmq_queue_arguments(arguments, max_length=2) == {
            "x-max-length": 2
        }
        assert arguments == {"x-max-length": 1}

    def test_zero_counts(self):
        assert to_rabbitmq_queue_arguments({}, max_length=0) == {"x-max-length": 0}

    def test_an_unknown_option(self):
        with pytest.raises(KeyError, match=r"unknown queue option 'colour'.*expires"):
            to_rabbitmq_queue_arguments({}, colour=None)


def test_the_names_of_kombu():
    assert base.Message is Message
    assert base.RABBITMQ_QUEUE_ARGUMENTS["expires"][0] == "x-expires"
