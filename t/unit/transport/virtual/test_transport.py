from __future__ import annotations

import threading

import pytest

from kombu import Consumer, Producer, Queue
from kombu.exceptions import (
    ChannelLimitExceeded,
    RecoverableConnectionError,
    TimeoutError,
)
from kombu.transport import virtual
from kombu.transport.virtual.looping import LoopConsumer
from kombu.utils import waiting

from ..third_party import Transport as StoreTransport
from ..third_party import store


@pytest.fixture(autouse=True)
def empty_store():
    store.clear()


@pytest.fixture
def transport(connection):
    connection.connect()
    return connection.transport


class FakeClock:
    """A clock that goes on when it is waited for."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.waits = []
        monkeypatch.setattr(waiting, "monotonic", lambda: self.now)

    def install(self, transport):
        transport._waiter = self
        return self

    def wait(self, timeout=None):
        self.waits.append(timeout)
        if timeout is None:
            raise AssertionError("would wait for ever")
        self.now += timeout
        return False

    def wake(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    return FakeClock(monkeypatch)


class FakeLoop:
    def __init__(self):
        self.soon = []
        self.timers = []

    def call_soon(self, callback, *args):
        self.soon.append(callback)

    def call_repeatedly(self, interval, callback):
        timer = FakeTimer(interval, callback)
        self.timers.append(timer)
        return timer

    def call_later(self, seconds, callback):
        # Fires with the sweeps: no test waits for it.
        return FakeTimer(seconds, callback)

    def run(self):
        """Call what was there to be called; return how many that were."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()
        return len(soon)


class FakeTimer:
    is_cancelled = False

    def __init__(self, interval, callback):
        self.interval = interval
        self.callback = callback

    def cancel(self):
        self.is_cancelled = True


class test_channels:
    def test_the_first_one_is_opened_by_connecting(self, transport):
        [first] = transport.channels

        assert transport.create_channel(transport) is first
        assert transport.create_channel(transport) is not first

    def test_numbers(self, transport):
        ids = [transport.create_channel(transport).channel_id for _ in range(5)]

        assert ids == [1, 2, 3, 4, 5]

    def test_a_number_is_not_used_again_at_once(self, transport):
        first = transport.create_channel(transport)
        first.close()

        assert transport.create_channel(transport).channel_id == 2

    def test_numbers_are_used_again_at_the_end(self, transport):
        transport.channel_max = 3
        channels = [transport.create_channel(transport) for _ in range(3)]
        channels[1].close()

        assert transport.create_channel(transport).channel_id == 2

    def test_there_is_a_limit(self, transport):
        transport.channel_max = 2
        for _ in range(2):
            transport.create_channel(transport)

        with pytest.raises(ChannelLimitExceeded, match="channel_max=2: close"):
            transport.create_channel(transport)

    def test_by_many_threads(self, transport):
        opened = []

        def open_some():
            opened.extend(transport.create_channel(transport) for _ in range(20))

        threads = [threading.Thread(target=open_some, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert len({channel.channel_id for channel in opened}) == 160
        assert len(transport.channels) == 160

    def test_closing_the_connection_closes_all(self, transport):
        channels = [transport.create_channel(transport) for _ in range(3)]

        transport.close_connection(transport)

        assert all(channel.closed for channel in channels)
        assert transport.channels == []
        assert transport._avail_channels == []

    def test_closing_twice(self, transport):
        transport.close_connection(transport)
        transport.close_connection(transport)

    def test_closing_a_channel_that_is_not_known(self, transport, connection):
        channel = virtual.Channel(transport)
        transport.close_channel(channel)

        assert channel.connection is None


class test_waiting:
    @pytest.fixture
    def connection(self, connect, clock):
        connection = connect(transport=StoreTransport)
        connection.connect()
        connection.transport.polling_interval = 1.0
        clock.install(connection.transport)
        return connection

    @pytest.fixture
    def channel(self, connection):
        channel = connection.channel()
        Consumer(channel, Queue("q"), on_message=print).consume()
        store.clear()
        return channel

    def test_a_message_that_is_there_is_not_waited_for(
        self, connection, channel, clock
    ):
        got = []
        Consumer(channel, Queue("r"), on_message=got.append).consume()
        Producer(channel).publish(1, routing_key="r")

        connection.drain_events(timeout=5)

        assert len(got) == 1
        assert clock.waits == []

    def test_the_store_is_looked_into_now_and_then(self, connection, channel, clock):
        with pytest.raises(TimeoutError, match="timed out"):
            connection.drain_events(timeout=3.5)

        assert clock.waits == [1.0, 1.0, 1.0, 0.5]
        assert store.cut() == [("get", "q")] * 5

    def test_no_time_means_one_look(self, connection, channel, clock):
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0)

        assert clock.waits == []
        assert store.cut() == [("get", "q")]

    def test_the_interval_is_an_option(self, connect, clock):
        connection = connect(
            transport=StoreTransport, transport_options={"polling_interval": 0.25}
        )
        connection.connect()
        clock.install(connection.transport)

        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=1)

        assert clock.waits == [0.25] * 4

    def test_without_an_interval_the_loop_does_not_spin(self, connection, clock):
        connection.transport.polling_interval = None

        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.0035)

        assert len(clock.waits) == 4

    def test_a_store_that_wakes_is_waited_for_as_long_as_asked(self, connect, clock):
        connection = connect()
        connection.connect()
        clock.install(connection.transport)

        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=7)

        assert clock.waits == [7]

    def test_a_message_that_comes_meanwhile(self, connection, channel, clock):
        got = []
        Consumer(channel, Queue("r"), on_message=got.append).consume()
        wait = clock.wait

        def publish_and_wait(timeout=None):
            Producer(channel).publish(1, routing_key="r")
            return wait(timeout)

        clock.wait = publish_and_wait

        connection.drain_events(timeout=5)

        assert len(got) == 1
        assert clock.waits == [1.0]

    def test_another_thread_that_waits_is_woken_too(self, connection, channel, clock):
        transport = connection.transport
        passed_on = []
        transport._waiter.wake = lambda: passed_on.append(1)
        Consumer(channel, Queue("r"), on_message=lambda message: None).consume()
        passed_on.clear()  # a consumer that is added wakes, too
        wait = clock.wait

        def publish_and_wait(timeout=None):
            Producer(channel).publish(1, routing_key="r")
            return wait(timeout)

        clock.wait = publish_and_wait
        connection.drain_events(timeout=5)

        assert passed_on == [1]

    def test_nobody_is_woken_if_there_was_nothing_to_wait_for(
        self, connection, channel
    ):
        transport = connection.transport
        passed_on = []
        Consumer(channel, Queue("r"), on_message=lambda message: None).consume()
        Producer(channel).publish(1, routing_key="r")
        transport._waiter.wake = lambda: passed_on.append(1)

        connection.drain_events(timeout=5)

        assert passed_on == []

    def test_transport_may_know_that_there_is_no_need_to(
        self, connection, channel, clock
    ):
        transport = connection.transport
        woken = []
        Consumer(channel, Queue("r"), on_message=lambda message: None).consume()
        transport._pass_on = lambda: None
        transport._waiter.wake = lambda: woken.append(1)
        wait = clock.wait

        def publish_and_wait(timeout=None):
            Producer(channel).publish(1, routing_key="r")
            return wait(timeout)

        clock.wait = publish_and_wait
        connection.drain_events(timeout=5)

        assert woken == []

    def test_the_time_out_can_be_caught_as_the_socket_s(self, connection, clock):
        import socket

        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=1)

    def test_closed_meanwhile(self, connection, channel, clock):
        transport = connection.transport
        wait = clock.wait

        def close_and_wait(timeout=None):
            transport.close_connection(transport)
            return wait(timeout)

        clock.wait = close_and_wait

        with pytest.raises(RecoverableConnectionError, match="closed while"):
            connection.drain_events(timeout=5)

    def test_connected_again(self, connection, clock):
        transport = connection.transport
        transport.close_connection(transport)
        transport.establish_connection()

        with pytest.raises(TimeoutError):
            transport.drain_events(transport, timeout=1)

    def test_the_last_channel_closed_by_another_thread(self, connection, clock):
        class Vanishing(list):
            """One channel when counted, none when taken."""

            def __len__(self):
                return 1

        transport = connection.transport
        transport.channels = Vanishing()

        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0)


class test_pushed_messages:
    """For stores that know a queue, but no channel."""

    def test_are_delivered(self, transport):
        channel = transport.create_channel(transport)
        got = []
        channel.basic_consume("q", True, got.append, "tag")

        transport._deliver(channel.prepare_message("a"), "q")
        transport.on_message_ready(channel, channel.prepare_message("b"), "q")

        assert [message.body for message in got] == [b"a", b"b"]

    def test_channels_take_turns(self, transport):
        channels = [transport.create_channel(transport) for _ in range(2)]
        got = [[], []]
        for channel, received in zip(channels, got, strict=True):
            channel.basic_consume("q", True, received.append, "tag")

        for number in range(4):
            transport._deliver(channels[0].prepare_message(str(number)), "q")

        assert [[m.body for m in received] for received in got] == [
            [b"0", b"2"],
            [b"1", b"3"],
        ]

    def test_a_channel_that_may_take_more_is_preferred(self, transport):
        channels = [transport.create_channel(transport) for _ in range(2)]
        got = [[], []]
        for channel, received in zip(channels, got, strict=True):
            channel.basic_consume("q", False, received.append, "tag")
        channels[0].basic_qos(prefetch_count=1)

        for number in range(4):
            transport._deliver(channels[0].prepare_message(str(number)), "q")

        assert [len(received) for received in got] == [1, 3]

    @pytest.mark.parametrize("queue", ["", None])
    @pytest.mark.parametrize("message", [{}, 5, None])
    def test_without_a_queue(self, transport, queue, message):
        with pytest.raises(KeyError, match="without destination queue"):
            transport._deliver(message, queue)

    def test_without_a_consumer_they_are_put_back(self, transport, caplog):
        channel = transport.create_channel(transport)
        channel.queue_declare("q")

        transport._deliver(channel.prepare_message("a"), "q")

        assert "without consumers" in caplog.text
        assert channel.basic_get("q").body == b"a"

    def test_without_a_queue_they_are_routed_again(self, transport):
        channel = transport.create_channel(transport)
        channel.queue_declare("q")
        message = channel.prepare_message("a")
        message["properties"]["delivery_info"] = {"exchange": "", "routing_key": "q"}

        transport._reject_inbound_message(message)

        assert channel.basic_get("q").body == b"a"

    def test_without_a_channel(self, transport):
        transport.channels.clear()

        assert transport._reject_inbound_message({}) is None

    @pytest.mark.parametrize("queue", ["", "q", None])
    def test_ready_for_nobody(self, transport, queue):
        with pytest.raises(KeyError, match="without consumers: dict"):
            transport.on_message_ready(None, {}, queue)


class test_event_loop:
    @pytest.fixture
    def loop(self):
        return FakeLoop()

    @pytest.fixture
    def got(self, channel):
        got = []
        channel.basic_consume("q", False, got.append, "tag")
        return got

    def put(self, channel, number):
        for body in range(number):
            Producer(channel).publish(body, routing_key="q")

    def test_delivers_what_is_there(self, connection, channel, loop, got):
        self.put(channel, 3)

        connection.register_with_event_loop(loop)
        loop.run()

        assert [m.payload for m in got] == [0, 1, 2]

    def test_is_called_when_something_comes(self, connection, channel, loop, got):
        connection.register_with_event_loop(loop)
        loop.run()
        assert loop.run() == 0

        self.put(channel, 1)
        self.put(channel, 1)

        assert loop.run() == 1
        assert len(got) == 2

    def test_in_portions(self, connection, channel, loop, got):
        self.put(channel, 20)
        connection.register_with_event_loop(loop)

        loop.run()
        assert len(got) == 16
        loop.run()
        assert len(got) == 20
        assert loop.run() == 0

    def test_what_is_settled_makes_room(self, connection, channel, loop, got):
        channel.basic_qos(prefetch_count=1)
        self.put(channel, 2)
        connection.register_with_event_loop(loop)
        loop.run()
        assert loop.run() == 0

        got[0].ack()
        loop.run()

        assert len(got) == 2

    def test_an_error_does_not_end_it(self, connection, channel, loop):
        def fail(message):
            raise ZeroDivisionError

        channel.basic_consume("q", True, fail, "tag")
        self.put(channel, 2)
        connection.register_with_event_loop(loop)

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                loop.run()
        assert loop.run() == 1
        assert loop.run() == 0

    def test_ends_when_unregistered(self, connection, channel, loop, got):
        connection.register_with_event_loop(loop)
        self.put(channel, 1)

        connection.transport.unregister_from_event_loop(connection, loop)
        loop.run()
        self.put(channel, 1)

        assert loop.run() == 0
        assert got == []

    def test_ends_with_the_connection(self, connection, channel, loop):
        transport = connection.transport
        connection.register_with_event_loop(loop)
        loop.run()

        connection.close()

        assert transport._loop_consumer is None

    def test_registered_again(self, connection, channel, loop, got):
        other = FakeLoop()
        connection.register_with_event_loop(other)
        connection.register_with_event_loop(loop)
        self.put(channel, 1)

        other.run()
        assert got == []
        loop.run()
        assert len(got) == 1

    @pytest.mark.parametrize(("interval", "expected"), [(0.5, 0.5), (None, 1.0)])
    def test_a_store_that_can_not_wake_us(self, connect, loop, interval, expected):
        connection = connect(transport=StoreTransport)
        connection.transport.polling_interval = interval
        got = []
        channel = connection.channel()
        channel.basic_consume("q", True, got.append, "tag")
        connection.register_with_event_loop(loop)
        loop.run()
        [timer] = loop.timers
        assert timer.interval == expected

        Producer(channel).publish(1, routing_key="q")
        assert loop.run() == 0
        timer.callback()
        loop.run()
        assert len(got) == 1

        connection.transport.unregister_from_event_loop(connection, loop)
        assert timer.is_cancelled

    def test_repr(self, transport, loop):
        consumer = LoopConsumer(transport, loop)
        assert repr(consumer) == "<LoopConsumer: running>"

        consumer.stop()
        assert repr(consumer) == "<LoopConsumer: stopped>"

    def test_on_readable(self, connection, channel, got, loop):
        self.put(channel, 3)

        connection.transport.on_readable(connection, loop)

        assert len(got) == 3


class test_what_it_is:
    def test_default_connection_params(self, transport):
        assert transport.default_connection_params == {
            "hostname": "localhost",
            "port": None,
        }

    def test_management(self, connection, channel):
        channel.exchange_declare("e")
        channel.queue_bind("q", "e", "k")

        manager = connection.get_manager()

        assert manager.get_bindings() == [
            {"destination": "q", "source": "e", "routing_key": "k"}
        ]
        manager.close()
        assert manager.channel.closed
        assert connection.manager.get_bindings() != []

    def test_states_are_not_shared(self, connect):
        first, second = (connect(transport=StoreTransport) for _ in range(2))
        first.channel().exchange_declare("e")

        assert second.channel().get_exchanges() == []
