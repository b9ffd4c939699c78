from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from redis import exceptions

from kombu import Producer
from kombu.exceptions import RecoverableConnectionError
from kombu.transport.redis.bell import Bell
from kombu.transport.redis.channel_bell import ChannelBell
from kombu.transport.redis.lookout import Lookout
from t.unit.transport.redis.server import FakeServer, fill

BELL = "_kombu.bell.q"


class Consuming:
    """A connection that consumes from ``q``, and one that publishes."""

    def __init__(self, server, connect):
        self.server = server
        self.connection = connect()
        self.transport = self.connection.transport
        self.channel = self.connection.channel()
        self.channel.queue_declare("q")
        self.channel.queue_declare("r")
        self.found = []
        self.producer = Producer(connect().channel())

    def consume(self, queue="q", channel=None, no_ack=True, tag=None, **kwargs):
        (channel or self.channel).basic_consume(
            queue, no_ack, self.found.append, tag or f"tag-{queue}", **kwargs
        )

    def put(self, body, queue="q"):
        self.producer.publish(body, routing_key=queue)

    def drain(self, timeout=None):
        self.connection.drain_events(timeout=timeout)

    def look(self):
        """Deliver what is there; without waiting."""
        with pytest.raises(TimeoutError):
            self.drain(0)

    @property
    def bodies(self):
        return [message.body for message in self.found]

    @property
    def broker(self):
        return self.transport.broker


@pytest.fixture
def consuming(server, connect):
    return Consuming(server, connect)


class Loop:
    """Keeps what it is to call."""

    def __init__(self):
        self.soon = []
        self.later = []

    def call_soon(self, action):
        self.soon.append(action)

    def call_later(self, seconds, action):
        self.later.append((seconds, action))
        return Timer()

    def run(self):
        while self.soon:
            self.soon.pop(0)()


class Timer:
    def cancel(self):
        pass


def claimed_tags(server):
    return set(server.hashes["unacked"])


def in_thread(action):
    thread = threading.Thread(target=action)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


class test_delivery:
    def test_one_that_comes_takes_one_trip(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        before = len(server.calls)
        server.meanwhile.append(lambda: consuming.put("a"))

        consuming.drain()

        assert consuming.bodies == [b"a"]
        names = server.names()[before:]
        trips = [name for name in names if name in ("BLPOP", "claim")]
        assert trips == ["BLPOP", "claim"]
        assert names.index("BLPOP") < names.index("put") < names.index("claim")

    def test_look_into_an_empty_queue_is_saved(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        for body in "ab":
            consuming.put(body)
            before = len(server.named("claim"))

            consuming.drain()

            # One that went behind the wait.
            assert len(server.named("claim")) == before + 1
        assert len(consuming.found) == 2
        assert len(server.named("BLPOP")) == 2

    @pytest.mark.parametrize("timeout", [0, 0.0, -1])
    def test_who_does_not_wait_always_looks(self, consuming, server, clock, timeout):
        consuming.consume()
        consuming.look()
        consuming.put("a")

        consuming.drain(timeout)

        assert len(consuming.found) == 1

    def test_who_is_told_to_look_does_so(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        consuming.put("a")

        consuming.transport.on_readable(consuming.connection, None)

        assert len(consuming.found) == 1

    def test_before_it_is_opened_nothing_is_known(self, connect, server):
        transport = connect().transport

        transport.on_readable(None, None)
        transport.wake()
        transport._flush()
        with pytest.raises(TimeoutError):
            transport.drain_events(None, timeout=0)

        assert not server.calls

    def test_short_waits_find_what_has_come_between_them(
        self, consuming, server, clock
    ):
        consuming.consume()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                consuming.drain(0.1)
        consuming.put("a")

        consuming.drain(0.1)

        assert len(consuming.found) == 1
        assert len(server.named("BLPOP")) == 1

    def test_time_runs_out(self, consuming, server, clock):
        consuming.consume()

        with pytest.raises(TimeoutError):
            consuming.drain(5)

        assert clock.now == pytest.approx(1005)
        assert consuming.broker.bell()._order is None

    def test_prefetch_limit_bounds_what_is_claimed(self, consuming, server, clock):
        consuming.channel.basic_qos(0, 3)
        consuming.consume(no_ack=False)
        consuming.look()

        with pytest.raises(TimeoutError):
            consuming.drain(1)

        assert server.named("claim")[-1].arguments[0] == b"3"

    def test_beyond_the_limit_nothing_is_waited_for(self, consuming, server, clock):
        consuming.channel.basic_qos(0, 1)
        consuming.consume(no_ack=False)
        consuming.put("a")
        consuming.drain()
        server.calls.clear()

        with pytest.raises(TimeoutError):
            consuming.drain(1)

        assert not server.named("BLPOP")
        assert not server.named("claim")

    def test_beyond_the_limit_others_are_served(self, consuming, server, clock):
        consuming.channel.basic_qos(0, 1)
        consuming.consume(no_ack=False)
        consuming.consume("r")
        consuming.put("a")
        consuming.drain()
        server.meanwhile.append(lambda: consuming.put("b", "r"))

        consuming.drain(5)

        (call,) = server.named("claim")[-1:]
        assert call.arguments[0] == b"%d" % consuming.channel.claim_limit
        assert call.keys[3] == "r"
        assert len(consuming.found) == 2

    def test_queues_take_turns(self, consuming, server, clock):
        consuming.consume()
        consuming.consume("r")
        consuming.look()
        server.meanwhile.append(lambda: consuming.put("a"))
        consuming.drain(5)

        server.meanwhile.append(lambda: consuming.put("b", "r"))
        consuming.drain(5)

        assert server.named("claim")[-1].keys[3] == "r"
        assert len(consuming.found) == 2

    def test_who_waits_is_told_that_it_was_closed(self, consuming, server, clock):
        consuming.consume()
        server.meanwhile.append(lambda: consuming.transport.close_connection(None))

        with pytest.raises(RecoverableConnectionError, match="closed"):
            consuming.drain()

        assert not server.waiting


class test_order:
    """What is claimed while it waits."""

    def order(self, consuming):
        consuming.look()
        channel = consuming.transport._consuming_alone
        return None if channel is None else consuming.transport._order(channel)

    def test_is_of_the_queues_of_the_consumers(self, consuming, server):
        consuming.consume()
        consuming.consume("r")

        order = self.order(consuming)

        assert set(order.queues) == {"q", "r"}

    def test_is_none_for_several_channels(self, consuming, server, clock):
        consuming.consume()
        consuming.consume("r", channel=consuming.connection.channel())

        assert self.order(consuming) is None
        server.meanwhile.append(lambda: consuming.put("a", "r"))
        consuming.drain()

        # The look comes after the bell.
        assert len(consuming.found) == 1
        assert consuming.transport._consuming_alone is None

    def test_is_none_for_consumers_that_are_chosen(self, consuming, server, clock):
        consuming.consume(arguments={"x-priority": 5})

        assert consuming.channel._selective
        assert self.order(consuming) is None
        server.meanwhile.append(lambda: consuming.put("a"))
        consuming.drain()

        assert len(consuming.found) == 1

    def test_is_none_while_delivery_is_suspended(self, consuming):
        consuming.consume()
        consuming.channel.flow(False)

        assert self.order(consuming) is None
        assert consuming.transport._queues_to_wait_for() == ()

    def test_is_none_without_room(self, consuming):
        consuming.channel.basic_qos(0, 1)
        consuming.consume(no_ack=False)
        consuming.put("a")
        consuming.drain()

        assert self.order(consuming) is None

    def test_is_none_if_the_topology_is_not_known(self, consuming):
        consuming.consume()
        consuming.channel._known_version = lambda: None

        assert self.order(consuming) is None


class test_what_comes_too_late:
    """Claims for a channel that no longer wants any."""

    @pytest.mark.parametrize(
        "action",
        [
            lambda channel: channel.basic_cancel("tag-q"),
            lambda channel: channel.flow(False),
            lambda channel: channel.close(),
        ],
        ids=["cancelled", "suspended", "closed"],
    )
    @pytest.mark.parametrize("is_before", [True, False])
    def test_goes_back(self, consuming, server, clock, action, is_before):
        # Given a message that comes in the middle of a wait
        def meanwhile():
            actions = [lambda: action(consuming.channel), lambda: consuming.put("a")]
            for act in actions if is_before else reversed(actions):
                act()

        consuming.consume(no_ack=False)
        consuming.look()
        server.meanwhile.append(meanwhile)

        # When its claim is answered
        with pytest.raises(TimeoutError):
            consuming.drain(5)

        # Then nobody keeps it
        assert not consuming.found
        assert not claimed_tags(server)
        assert len(server.lists["q"]) == 1
        assert not consuming.channel._claimed

    def test_what_is_for_others_stays(self, consuming, server, clock):
        consuming.consume(no_ack=False)
        consuming.consume("r", no_ack=False)

        def cancel_one():
            fill(server, "r", "b")
            consuming.channel.basic_cancel("tag-q")
            consuming.put("a")

        consuming.look()
        consuming.channel._batch = 5
        server.meanwhile.append(cancel_one)
        before = len(server.named("claim"))
        consuming.drain(5)

        assert len(server.named("claim")) == before + 1

        assert len(consuming.found) == 1
        assert len(claimed_tags(server)) == 1
        assert len(server.lists["q"]) == 1

    def test_closed_channel_that_has_given_them_back_already(
        self, consuming, server, clock
    ):
        consuming.consume(no_ack=False)
        consuming.look()
        fill(server, "q", "a")
        claims = consuming.broker.claims.claim(("q",), 1)
        channel = consuming.channel
        channel._claimed.extend(claims)
        channel.close()
        assert len(server.lists["q"]) == 1

        # When they come again: they came just before it gave them back
        consuming.transport._receive(channel, claims)

        assert len(server.lists["q"]) == 1
        assert not channel._claimed


class test_waking:
    def test_ends_the_wait(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        consuming.transport._idle()
        consuming.transport._waiter.was_woken()  # by the consumer that was added
        server.meanwhile.append(lambda: in_thread(consuming.transport.wake))

        consuming.transport._wait(None)

        assert not server.meanwhile
        assert clock.now == 1000
        assert not server.waiting

    def test_acknowledgement_in_another_thread_makes_room(
        self, consuming, server, clock
    ):
        consuming.channel.basic_qos(0, 1)
        consuming.consume(no_ack=False)
        consuming.put("a")
        consuming.put("b")
        consuming.drain()
        (first,) = consuming.found
        server.meanwhile.append(lambda: in_thread(first.ack))

        consuming.drain(5)

        assert len(consuming.found) == 2

    def test_consumer_that_is_added_is_waited_for(self, consuming, server, clock):
        consuming.consume()
        consuming.look()

        def add():
            consuming.consume("r")
            consuming.put("a", "r")

        server.meanwhile.append(add)

        consuming.drain(5)

        assert len(consuming.found) == 1


class test_other_threads:
    def test_one_that_can_not_wait_looks_often(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        consuming.transport._idle()
        consuming.broker.bell()._lock.acquire()
        consuming.transport._waiter.was_woken()

        for remaining in (None, 5, 0.01):
            consuming.transport._wait(remaining)

        consuming.broker.bell()._lock.release()
        assert clock.now == pytest.approx(1000.21)

    def test_they_are_woken_for_what_is_left(self, consuming, clock):
        consuming.consume()
        consuming.look()
        transport = consuming.transport
        transport._waiter.was_woken()

        transport._pass_on()
        assert not transport._waiter.was_woken()

        consuming.channel._claimed.append("another")
        transport._pass_on()
        assert transport._waiter.was_woken()
        consuming.channel._claimed.clear()

    def test_they_are_woken_where_nobody_waits_at_bells(self, connect):
        transport = connect(max_connections=1).transport

        transport._pass_on()

        assert transport._waiter.was_woken()


class test_without_a_connection_to_wait_by:
    def test_it_is_looked_often(self, server, connect, clock):
        connection = connect(max_connections=1)
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", True, print, "tag")

        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=1)

        assert not server.named("BLPOP")
        assert len(server.named("claim")) >= 10
        assert not connection.transport.are_known_to_be_empty(["q"])

    def test_acknowledgements_are_sent_when_it_is_idle(self, server, connect, clock):
        connection = connect(max_connections=1)
        channel = connection.channel()
        channel.queue_declare("q")
        connection.transport._flush_soon = lambda: None
        fill(server, "q", "a")
        channel.basic_consume("q", False, lambda message: message.ack(), "tag")
        connection.drain_events()
        connection.transport._pause = lambda: None
        assert not server.named("HDEL")

        connection.transport._idle()

        assert server.named("HDEL")


class test_acknowledgements:
    def test_go_with_the_flusher(self, consuming, server):
        consuming.consume(no_ack=False)
        consuming.put("a")
        consuming.drain(5)
        consuming.found[0].ack()

        consuming.transport._flush()

        assert not claimed_tags(server)

    def test_go_before_the_channel_gives_back(self, consuming, server):
        consuming.consume(no_ack=False)
        consuming.put("a")
        consuming.drain(5)
        consuming.found[0].ack()

        consuming.channel.close()

        assert not claimed_tags(server)
        assert not server.lists["q"]
        consuming.channel._send_settled()  # at exit, too late


class test_idling:
    def test_nothing_is_asked_again_for_a_moment(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        consuming.transport._idle()
        sweeper = consuming.transport._sweeper_of_own()
        asked = []
        sweeper.idle = lambda: asked.append(1)

        consuming.transport._idle()
        clock.now += 0.19
        consuming.transport._idle()
        assert not asked
        clock.now += 0.02
        consuming.transport._idle()

        assert asked

    def test_known_end_comes_nearer(self, consuming, clock):
        transport = consuming.transport
        consuming.consume()
        transport._sweeper_of_own().idle = lambda: 1.0
        transport._calm = None

        assert transport._pause() == 1.0
        clock.now += 0.1

        assert transport._pause() == pytest.approx(0.9)

    def test_what_is_soon_is_asked_for_again(self, consuming, clock):
        transport = consuming.transport
        consuming.consume()
        pauses = [0.2, 0.1]
        transport._sweeper_of_own().idle = lambda: pauses.pop(0)
        transport._calm = None

        assert [transport._pause(), transport._pause()] == [0.2, 0.1]

    def test_what_is_due_next_is_asked_for_when_that_changes(
        self, consuming, server, clock
    ):
        transport = consuming.transport
        consuming.consume()
        consuming.look()
        pauses = [5.0, 3.0]
        transport._sweeper_of_own().idle = lambda: pauses.pop(0)
        transport._calm = None
        transport._pause()

        transport.broker.claims._note_due(("q",), 1_700_000_003.0)

        assert transport._pause() == 3.0

    def test_so_it_is_when_the_topology_changes(self, consuming, clock):
        transport = consuming.transport
        consuming.consume()
        pauses = [5.0, 3.0]
        transport._sweeper_of_own().idle = lambda: pauses.pop(0)
        transport._calm = None
        transport._pause()

        consuming.channel.queue_declare("s")
        consuming.channel._refresh()

        assert transport._pause() == 3.0

    def test_acknowledgements_are_gathered_all_the_same(self, consuming, clock):
        transport = consuming.transport
        consuming.consume()
        consuming.look()
        transport._pause()
        settled = []
        transport._settle = lambda: settled.append(1)

        transport._pause()

        assert settled

    def test_claiming_that_is_put_off_is_not_waited_for_at_the_bells(
        self, consuming, server, clock, monkeypatch
    ):
        consuming.consume()
        consuming.look()
        assert consuming.transport._idle() != 0.002
        monkeypatch.setattr(consuming.channel._qos, "put_off", lambda: 0.002)

        assert consuming.transport._idle() == 0.002
        consuming.transport._wait(0.002)

        assert not server.named("BLPOP")

    def test_pause_is_never_endless(self, consuming, clock):
        transport = consuming.transport
        transport._sweeper_of_own().idle = lambda: 1000.0
        transport._calm = None

        assert transport._idle() == 60.0

    def test_messages_that_were_heard_end_it(self, consuming, clock, monkeypatch):
        consuming.consume()
        consuming.look()
        monkeypatch.setattr(consuming.broker.fanout, "has_arrivals", lambda: True)

        assert consuming.transport._idle() == 0.0

    def test_in_a_cluster_it_is_looked_now_and_then(self, consuming, clock):
        consuming.consume()
        consuming.broker.server.is_cluster = True
        consuming.broker._bell = ChannelBell(consuming.broker.fanout, None)
        consuming.broker._bell.arm = lambda queues: None
        consuming.transport._pause = lambda: None

        assert consuming.transport._idle() == 2.0

        consuming.broker.server.is_cluster = False
        consuming.broker._bell = None

    @pytest.mark.parametrize("pause, found", [(None, 2.0), (0.5, 0.5), (9.0, 2.0)])
    def test_where_nobody_may_be_served_it_is_looked_now_and_then(
        self, consuming, clock, pause, found
    ):
        consuming.consume()
        consuming.channel.flow(False)
        consuming.transport._pause = lambda: pause

        assert consuming.transport._idle() == found


class test_waiting_as_before:
    @pytest.fixture
    def routine(self, consuming, server, clock):
        """One that waits again and again."""
        consuming.consume()
        consuming.look()
        self.receive(consuming, server, "a")
        routine = consuming.transport._routine
        assert routine.holds(consuming.transport)
        return routine

    def receive(self, consuming, server, body):
        server.meanwhile.append(lambda: consuming.put(body))
        consuming.drain(5)
        assert consuming.bodies[-1] == body.encode()

    def test_nothing_is_looked_for_but_by_the_wait(self, consuming, server, routine):
        transport = consuming.transport
        transport._idle = transport._drain_any = None  # would fail

        self.receive(consuming, server, "b")

        assert server.names()[-3:] == ["BLPOP", "put", "claim"]

    def test_what_is_acknowledged_goes_with_it(self, consuming, server, clock):
        consuming.consume(no_ack=False)
        consuming.look()
        for body in "abc":
            self.receive(consuming, server, body)
            consuming.found[-1].channel.basic_ack(consuming.found[-1].delivery_tag)
        assert consuming.transport._routine
        server.calls.clear()

        self.receive(consuming, server, "d")

        assert server.names() == ["HDEL", "ZREM", "BLPOP", "put", "claim"]

    def test_time_runs_out(self, consuming, clock, routine):
        before = clock.now

        with pytest.raises(TimeoutError):
            consuming.drain(5)

        assert clock.now == pytest.approx(before + 5, abs=0.01)

    def test_what_was_claimed_besides_wakes_other_threads(
        self, consuming, server, clock, routine
    ):
        def put_two():
            fill(server, "q", "b")
            consuming.put("c")

        server.meanwhile.append(put_two)

        consuming.drain(5)

        assert consuming.transport._waiter._is_woken

    @pytest.mark.parametrize(
        "change",
        [
            lambda c, clock: c.consume("r"),
            lambda c, clock: c.channel.basic_cancel("tag-q"),
            lambda c, clock: setattr(clock, "now", clock.now + 0.2),
            lambda c, clock: c.broker.change_bell(),
            lambda c, clock: c.broker.claims._note_due(("q",), clock.now + 9.0),
            lambda c, clock: c.broker.claims.have_rung(("q",)),
            lambda c, clock: c.broker.lookout().hurry(),
            lambda c, clock: setattr(c.broker.claims, "seen_version", b"other"),
            lambda c, clock: c.transport._threads.clear(),
        ],
        ids=[
            "another consumer",
            "no consumer",
            "time",
            "another bell",
            "a message that rests",
            "a bell that rang",
            "old peers",
            "another topology",
            "a thread without lease",
        ],
    )
    def test_it_ends_when_something_changes(self, consuming, clock, routine, change):
        change(consuming, clock)

        now = consuming.transport._routine
        assert now is None or not now.holds(consuming.transport)

    def test_flow_that_is_suspended_ends_it(self, consuming, clock, routine):
        consuming.channel.flow(False)
        consuming.put("b")

        with pytest.raises(TimeoutError):
            consuming.drain(1)

        assert consuming.bodies == [b"a"]

    def test_error_in_a_callback_is_told(self, consuming, server, clock, routine):
        class Trouble(Exception):
            pass

        def receive(message):
            raise Trouble

        consuming.channel._by_queue["q"][0].callback = receive
        server.meanwhile.append(lambda: consuming.put("b"))

        with pytest.raises(Trouble):
            consuming.drain(5)

    def test_who_waits_is_told_that_it_was_closed(
        self, consuming, server, clock, routine
    ):
        def close():
            consuming.transport._is_closed = True
            consuming.transport.wake()

        server.meanwhile.append(close)

        with pytest.raises(RecoverableConnectionError):
            consuming.drain(5)


class test_old_peers:
    def test_are_looked_for_more_often(self, consuming, clock):
        consuming.consume()
        transport = consuming.transport
        bell = transport.broker.bell()

        transport.has_looked(True)
        assert not bell._wait.is_hurried
        bell.was_silent = True
        transport.has_looked(False)
        assert not bell._wait.is_hurried
        assert not bell.was_silent
        bell.was_silent = True
        transport.has_looked(True)

        assert bell._wait.is_hurried
        assert not bell.was_silent

    def test_are_no_matter_without_consumers(self, consuming, clock):
        consuming.transport.has_looked(True)

        assert consuming.broker._bell is None

    def test_message_that_is_due_is_looked_for(self, consuming, clock):
        consuming.consume()
        consuming.look()
        transport = consuming.transport
        assert transport.are_known_to_be_empty(["q"])

        transport.broker.claims._note_due(("q",), transport.broker.clock.now() + 1)
        assert transport.are_known_to_be_empty(["q"])
        clock.now += 1

        assert not transport.are_known_to_be_empty(["q"])
        assert not transport.are_known_to_be_empty(["q"])

    def test_that_are_due_are_not_taken_for_theirs(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        transport = consuming.transport
        due = transport.broker.clock.now() + 1.3
        transport.broker.claims._note_due(("q",), due)
        server.meanwhile.append(lambda: fill(server, "q", "a"))

        consuming.drain(5)

        assert clock.now == pytest.approx(1001.3)
        assert not transport.broker.bell()._wait.is_hurried


class test_event_loop:
    def test_has_a_thread_that_waits(self, consuming):
        consuming.consume()
        consuming.look()
        assert isinstance(consuming.broker.bell(), Lookout)
        loop = Loop()

        consuming.transport.register_with_event_loop(consuming.connection, loop)
        loop.run()

        assert isinstance(consuming.broker._bell, Bell)
        assert consuming.broker.lookout() is None
        assert consuming.transport._lookout() is None
        consuming.transport.unregister_from_event_loop(consuming.connection, loop)
        assert consuming.broker._bell is None
        assert isinstance(consuming.broker.bell(), Lookout)

    def test_one_that_drains_at_the_same_time_changes_nothing(self, consuming):
        # Given another thread that asks for the bell while the loop begins
        consuming.consume()

        class Meddling(Loop):
            def call_soon(self, action):
                super().call_soon(action)
                consuming.broker.bell()

        loop = Meddling()

        # When the loop delivers
        consuming.transport.register_with_event_loop(consuming.connection, loop)
        loop.run()

        # Then it is the loop that is woken
        assert isinstance(consuming.broker._bell, Bell)
        assert consuming.broker._bell.watches(["q"])

    def test_one_that_looks_before_that_looks_again(self, consuming):
        # Given a loop in another thread, which is faster
        consuming.consume()
        consuming.look()

        class Hasty(Loop):
            def call_soon(self, action):
                action()

        # When it looks before its bell is there
        consuming.transport.register_with_event_loop(consuming.connection, Hasty())

        # Then that is armed all the same
        assert isinstance(consuming.broker._bell, Bell)
        assert consuming.broker._bell.watches(["q"])

    def test_before_it_is_opened(self, connect):
        transport = connect().transport
        loop = Loop()

        transport.register_with_event_loop(None, loop)
        transport.unregister_from_event_loop(None, loop)

        assert transport._broker is None

    def test_connections_are_given_back(self, consuming):
        consuming.consume()
        consuming.look()
        used = consuming.broker.server.quota.used
        loop = Loop()

        for _ in range(3):
            consuming.transport.register_with_event_loop(consuming.connection, loop)
            loop.run()
            consuming.transport.unregister_from_event_loop(consuming.connection, loop)
        consuming.broker.bell()

        assert consuming.broker.server.quota.used == used


class test_closing:
    def test_waits_for_what_another_thread_has_claimed(self, consuming, server):
        # Given a thread that waits, with a claim under way
        consuming.consume(no_ack=False)
        thread = threading.Thread(target=self.drain, args=(consuming,))
        thread.start()
        for _ in range(10_000_000):
            if server.waiting:
                break

        # When a message comes while the connection is closed
        def push(call):
            fill(server, "q", "a")
            return server.do_RPUSH(call)

        server.answers["RPUSH"].append(push)
        consuming.connection.close()
        thread.join(10)

        # Then it is not kept
        assert not thread.is_alive()
        assert not claimed_tags(server)
        assert not server.waiting

    def drain(self, consuming):
        # It may have got the message just before.
        with suppress(RecoverableConnectionError):
            consuming.drain()

    def test_gives_back_what_may_have_been_claimed(self, consuming, server, clock):
        # Given a wait that a signal has interrupted when its claim was made
        def interrupt():
            consuming.put("a")
            raise KeyboardInterrupt

        consuming.consume(no_ack=False)
        consuming.look()
        server.meanwhile.append(interrupt)
        with pytest.raises(KeyboardInterrupt):
            consuming.drain()
        assert claimed_tags(server)

        # When the connection is closed after that
        consuming.connection.close()

        # Then it is back
        assert not claimed_tags(server)
        assert len(server.lists["q"]) == 1

    def test_bell_that_rang_meanwhile_rings_for_others(self, consuming, server, clock):
        # Given a short wait, which goes on when its time is over
        consuming.consume()
        with pytest.raises(TimeoutError):
            consuming.drain(0.1)
        consuming.put("a")
        assert not server.lists["_kombu.bell.q"]

        consuming.connection.close()

        assert server.lists["_kombu.bell.q"]

    def test_bell_rings_for_others_when_the_consumer_is_cancelled(
        self, consuming, server
    ):
        consuming.consume()
        consuming.broker.claims.have_rung(["q"])
        consuming.put("a")
        server.lists["_kombu.bell.q"].clear()

        consuming.channel.basic_cancel("tag-q")

        assert server.lists["_kombu.bell.q"]

    def test_server_that_is_away_does_not_matter_then(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        consuming.channel.close()
        order = consuming.broker.claims.order(("q",), 1, None)
        consuming.broker.claims.note_unsure(order)
        server.is_gone = True
        server.lose_all()

        consuming.transport.close_connection(None)

        server.is_gone = False
        assert not any(one.is_open for one in server.connections[:1])

    def test_in_a_signal_handler_while_this_thread_waits(
        self, consuming, server, clock
    ):
        def close():
            consuming.put("a")
            consuming.transport.close_connection(None)

        consuming.consume(no_ack=False)
        consuming.look()
        server.meanwhile.append(close)

        with pytest.raises(RecoverableConnectionError):
            consuming.drain()

        assert not claimed_tags(server)
        assert len(server.lists["q"]) == 1

    def test_after_that_it_can_wait_again(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        consuming.connection.close()

        consuming.connection.connect()
        consuming.consume(channel=consuming.connection.channel())
        server.meanwhile.append(lambda: consuming.put("a"))
        consuming.drain(5)

        assert len(consuming.found) == 1


class test_fork:
    def test_child_has_bells_of_its_own(self, consuming, server, clock):
        # Given a parent that waits
        consuming.consume()
        consuming.look()
        with pytest.raises(TimeoutError):
            consuming.drain(0.1)
        of_parent = consuming.broker
        lookout = of_parent.bell()
        assert server.waiting

        # When a child begins
        consuming.transport._after_fork()

        # Then it leaves what is the parent's alone
        assert consuming.transport._lookout() is None
        consuming.transport.wake()
        consuming.transport._end_wait()
        assert consuming.broker is not of_parent
        assert consuming.broker.bell() is not lookout
        assert lookout._link._connection.is_open
        assert server.waiting
        of_parent.close()


class test_recovery:
    def test_messages_come_when_the_server_is_back(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        server.meanwhile.append(lambda: consuming.broker.bell()._link._connection.cut())
        with pytest.raises(TimeoutError):
            consuming.drain(0.5)

        server.meanwhile.append(lambda: consuming.put("a"))
        consuming.drain(5)

        assert len(consuming.found) == 1

    def test_refusal_is_told(self, consuming, server, clock):
        consuming.consume()
        consuming.look()
        server.answers["BLPOP"].append(exceptions.NoPermissionError("no BLPOP"))

        with pytest.raises(consuming.connection.channel_errors, match="BLPOP"):
            consuming.drain(5)


def test_server_that_is_not_asked_has_nothing_to_say(server):
    # The fake, which all of this is tested with: what goes behind a wait is
    # held back until that has ended.
    connection = server.connect()
    connection.connect()
    blpop = b"*3\r\n$5\r\nBLPOP\r\n$1\r\na\r\n$1\r\n5\r\n"
    push = b"*3\r\n$5\r\nLPUSH\r\n$1\r\nb\r\n$1\r\nx\r\n"

    connection.send_packed_command([blpop + push])
    connection.send_packed_command([push])
    assert server.names() == ["BLPOP"]
    server.end_wait()

    assert server.names() == ["BLPOP", "LPUSH", "LPUSH"]
    assert [connection.read_response() for _ in range(3)] == [None, 1, 2]
    assert isinstance(server, FakeServer)
