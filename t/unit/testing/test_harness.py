"""The harness of the conformance suite."""

from __future__ import annotations

from itertools import count

import pytest

from kombu import Connection
from kombu.testing import Harness
from kombu.testing._killable import ThreadConsumer
from kombu.transport import memory

_names = count(1)


@pytest.fixture
def url():
    name = f"harness-{next(_names)}"
    yield f"memory://{name}"
    memory.brokers.get(name).clear()


@pytest.fixture
def harness(url):
    with Harness(url, patience=0.05, idle=0.01) as harness:
        yield harness


class test_names:
    def test_are_the_same_within_a_harness(self, harness):
        assert harness.unique("a") == harness.unique("a") != harness.unique("b")

    def test_differ_between_harnesses(self, harness, url):
        assert harness.unique("a") != Harness(url).unique("a")
        assert harness.unique("a") != harness.twin().unique("a")

    def test_say_what_they_are_for(self, harness):
        assert "orders" in harness.unique("orders")


class test_abilities:
    def test_come_from_the_transport(self, harness):
        assert harness.supports("topic")
        assert not harness.supports("tls")

    def test_what_is_there_is_no_reason_to_skip(self, harness):
        harness.require("topic", "fanout")

    def test_skip_names_the_ability(self, harness):
        with pytest.raises(pytest.skip.Exception) as skipped:
            harness.require("topic", "tls")

        assert str(skipped.value) == "memory: no 'tls' (encrypted connections)"

    def test_unknown_ability_is_an_error(self, harness):
        with pytest.raises(KeyError, match="telepathy"):
            harness.require("telepathy")

    @pytest.mark.parametrize(
        ("ask", "arguments"),
        [
            ("kill_broker", ()),
            ("start_broker", ()),
            ("put_raw", ("queue", b"")),
            ("fault_proxy", ()),
        ],
    )
    def test_what_a_harness_can_not_do_is_skipped(self, harness, ask, arguments):
        with pytest.raises(pytest.skip.Exception, match="memory: "):
            getattr(harness, ask)(*arguments)

    def test_fault_proxy_stands_before_the_port_of_the_broker(self):
        class BrokerHarness(Harness):
            pass

        harness = BrokerHarness("memory://localhost:1")
        with harness.fault_proxy() as proxy:
            assert proxy.url_for(harness.url) == f"memory://127.0.0.1:{proxy.port}"


class test_connections:
    def test_get_the_options(self, url):
        options = {"polling_interval": 0.5}
        with Harness(url, options) as harness:
            connection = harness.connect()

            assert connection.transport_options == options
            assert connection.transport_options is not options

    def test_can_go_elsewhere(self, harness):
        assert harness.connect("memory://other").hostname == "other"

    def test_the_common_one_is_made_once(self, harness):
        assert harness.connection is harness.connection is not harness.connect()

    def test_are_closed_in_the_end(self, harness):
        connections = [harness.connect() for _ in range(3)]
        for connection in connections:
            connection.connect()

        harness.cleanup()

        assert not any(connection.connected for connection in connections)


class test_cleanup:
    def test_deletes_what_was_declared(self, harness, url):
        exchange = harness.exchange()
        harness.queue("bound", exchange, "key")
        harness.queue("plain")
        undeclared = harness.undeclared_queue("later")
        undeclared(harness.connection.default_channel).declare()
        broker = memory.brokers.get(Connection(url).hostname)
        assert len(broker.queues) == 3

        harness.cleanup()

        assert not broker.queues
        assert not broker.state.exchanges
        assert not broker.state.bindings

    def test_goes_on_when_something_fails(self, harness, monkeypatch):
        connection = harness.connect()
        monkeypatch.setattr(connection, "close", lambda: 1 / 0)
        queue = harness.queue()

        harness.cleanup()

        assert not harness.exists(queue)

    def test_may_be_done_twice(self, harness):
        harness.queue()

        harness.cleanup()
        harness.cleanup()


class test_messages:
    def test_published_to_a_queue_and_got(self, harness):
        queue = harness.queue()

        harness.publish({"a": 1}, queue)

        assert harness.size(queue) == harness.size(queue.name) == 1
        assert harness.get(queue).payload == {"a": 1}

    def test_published_to_an_exchange(self, harness):
        exchange = harness.exchange()
        queue = harness.queue("queue", exchange, "key")

        harness.publish("hello", exchange, "key")
        harness.publish("lost", exchange, "other")

        assert harness.take(queue, 1) == ["hello"]

    def test_message_that_does_not_come_fails(self, harness):
        queue = harness.queue()

        with pytest.raises(AssertionError, match=queue.name):
            harness.get(queue)

    def test_message_too_many_fails(self, harness):
        queue = harness.queue()
        harness.publish("one", queue)
        harness.publish("two", queue)

        with pytest.raises(AssertionError, match=r"1 messages.*\['one'\].*'two'"):
            harness.take(queue, 1)

    def test_all_are_consumed_and_acknowledged(self, harness):
        queues = [harness.queue("a"), harness.queue("b")]
        for number in range(4):
            harness.publish(number, queues[number % 2])

        received = harness.consume_all(queues, 4)
        harness.cleanup()

        assert sorted(message.payload for message in received) == [0, 1, 2, 3]
        assert all(message.acknowledged for message in received)

    def test_consuming_too_few_fails(self, harness):
        queue = harness.queue()
        harness.publish("one", queue)

        with pytest.raises(AssertionError, match="2 messages"):
            harness.consume_all(queue, 2, timeout=0.02)

    def test_queue_is_found_or_not(self, harness):
        queue = harness.queue(exclusive=True)

        assert harness.exists(queue)
        assert not harness.exists(harness.unique("missing"))


class test_leases:
    def test_connections_get_the_lease_that_is_asked_for(self, url):
        with Harness(url, {"polling_interval": 0.5}) as harness:
            assert harness.connect_leased(7).transport_options == {
                "polling_interval": 0.5,
                "visibility_timeout": 7,
            }
            assert harness.transport_options == {"polling_interval": 0.5}

    def test_without_a_number_it_is_that_of_survivors(self, harness):
        options = harness.connect_leased().transport_options

        assert options == {"visibility_timeout": harness.longer_lease}
        assert harness.longer_lease > harness.lease

    def test_who_watches_consumes_from_a_queue_of_its_own(self, harness):
        queue = harness.queue()
        harness.publish("hello", queue)
        watchers = [harness.watching() for _ in range(2)]

        harness.drain_for(watchers[0], 0.02)

        assert harness.take(queue, 1) == ["hello"]

    def test_what_the_library_emulates_is_told(self, harness):
        assert harness.emulates("priority")
        assert not harness.emulates("tls")


class ThreadHarness(Harness):
    killable_kind = ThreadConsumer


class test_killable_consumer:
    @pytest.fixture
    def harness(self, url):
        with ThreadHarness(url, patience=1, idle=0.01) as harness:
            yield harness

    def test_is_there_when_it_has_what_is_waited_for(self, harness):
        queue = harness.queue()
        for number in range(3):
            harness.publish(number, queue)

        consumer = harness.killable_consumer(queue, waits_for=3)

        assert consumer.bodies == [0, 1, 2]
        assert consumer.task.transport_options["visibility_timeout"] == harness.lease

    def test_dies_in_the_end(self, harness):
        consumer = harness.killable_consumer(harness.queue())
        assert not consumer.has_ended

        harness.cleanup()

        assert consumer.has_ended

    def test_that_dies_at_once_fails(self, harness):
        queue = harness.undeclared_queue("in a bad way")

        with pytest.raises(AssertionError, match="died by itself"):
            harness.killable_consumer(
                queue, declaration={"arguments": {"x-expires": 0}}
            )


class test_scenario:
    def test_result_is_what_the_program_printed_last(self, url):
        with Harness(url) as harness:
            result = harness.run_scenario("fork", [harness.undeclared_queue()])

        assert result["again"] == 2

    def test_that_fails_says_why(self, harness):
        with pytest.raises(AssertionError, match=r"(?s)fork.*IndexError"):
            harness.run_scenario("fork", [])


class test_several_connections:
    def test_are_drained_in_turn(self, harness):
        received = []
        connections = [harness.connect() for _ in range(3)]
        for number, connection in enumerate(connections):
            queue = harness.queue(f"queue-{number}")
            queue(connection.channel()).consume(
                "tag", lambda message: received.append(message.payload), no_ack=True
            )
            harness.publish(number, queue)

        harness.drain_all(connections, lambda: len(received) == 3)

        assert sorted(received) == [0, 1, 2]

    def test_in_vain_fails(self, harness):
        with pytest.raises(AssertionError, match="for a sign"):
            harness.drain_all([], lambda: False, what="a sign")


class test_waiting:
    def test_ends_as_soon_as_it_is_true(self, harness):
        answers = iter([False, False, True])

        harness.settle(lambda: next(answers))

        assert next(answers, "none left") == "none left"

    def test_fails_in_the_end_and_says_what_for(self, harness):
        with pytest.raises(AssertionError, match=r"0\.05 seconds in vain for a sign"):
            harness.settle(lambda: False, what="a sign")
        with pytest.raises(AssertionError, match=r"0\.01 seconds"):
            harness.settle(lambda: False, 0.01)


def test_repr_hides_the_password():
    text = repr(Harness("memory://user:secret@host//"))

    assert "secret" not in text
    assert "host" in text
