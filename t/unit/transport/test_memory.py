from __future__ import annotations

import os
import signal
import threading
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from queue import Empty
from uuid import uuid4

import pytest

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.asynchronous import Hub
from kombu.exceptions import NotFound, ResourceLocked, TimeoutError
from kombu.transport import memory
from kombu.transport.memory import MemoryBroker
from kombu.transport.memory._queues import MemoryQueue

#: Seconds after which a thread that should have been woken is given up.
LIMIT = 10


class Background:
    """A thread whose result, or error, is given to who joins it."""

    def __init__(self, function, *args):
        self._result = None
        self._error = None
        self._thread = threading.Thread(
            target=self._run, args=(function, *args), daemon=True
        )
        self._thread.start()

    def _run(self, function, *args):
        try:
            self._result = function(*args)
        except BaseException as exc:
            self._error = exc

    def join(self):
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "was not woken"
        if self._error is not None:
            raise self._error
        return self._result


class Waiter:
    """Notes when a transport begins to wait, and lets others wait for that."""

    def __init__(self, transport):
        self._wrapped = transport._waiter
        self.has_begun = threading.Event()
        transport._waiter = self

    def wait(self, timeout=None):
        self.has_begun.set()
        return self._wrapped.wait(timeout)

    def wake(self):
        self._wrapped.wake()


def publish(connection, *bodies, queue="q", exchange="", **options):
    producer = Producer(connection)
    for body in bodies:
        producer.publish(body, routing_key=queue, exchange=exchange, **options)


def consume(connection, queue="q", **kwargs):
    got = []
    channel = connection.channel()
    consumer = Consumer(channel, Queue(queue), on_message=got.append, **kwargs)
    consumer.consume()
    return consumer, got


def payloads(messages):
    return [message.payload for message in messages]


def nothing_comes(connection):
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0)
    return True


class test_brokers:
    def test_have_names(self, connect):
        first, second = connect("memory://one-of-two"), connect("memory://two-of-two")
        publish(first, 1)

        assert second.channel().basic_get("q") is None
        assert second.channel().get_exchanges() == []
        assert first.channel().basic_get("q").payload == 1
        assert repr(first.transport.broker).startswith("<MemoryBroker: one-of-two, ")

    def test_of_one_name_are_one(self, connect):
        first, second = connect(), connect()
        Queue("q", Exchange("e"), "k")(first.channel()).declare()

        publish(second, 1, exchange="e", queue="k")

        assert first.channel().basic_get("q").payload == 1
        assert first.transport.state is second.transport.state

    @pytest.mark.parametrize(
        "address",
        [
            {"hostname": "memory://"},
            {"hostname": "memory://localhost"},
            {"hostname": "memory://localhost/vhost"},
            {"hostname": "memory:///"},
            {"transport": "memory"},
        ],
        ids=str,
    )
    def test_without_a_name_are_one(self, connect, address):
        connection = (
            connect(**address)
            if "transport" in address
            else connect(address["hostname"])
        )

        assert connection.transport.broker is memory.brokers.get()
        assert connection.transport.state is memory.Transport.global_state
        assert connection.channel().queues is memory.Channel.queues
        assert "(unnamed)" in repr(connection.transport.broker)

    def test_outlive_their_connections(self, url):
        with Connection(url) as connection:
            publish(connection, 1)

        with Connection(url) as connection:
            assert connection.channel().basic_get("q").payload == 1

    def test_clear(self, connection):
        publish(connection, 1)
        Queue("q2", Exchange("e"), "k")(connection.channel()).declare()

        connection.transport.broker.clear()

        assert connection.transport.broker.queues == {}
        assert connection.channel().get_exchanges() == []

    def test_queue(self):
        broker = MemoryBroker("name")

        assert broker.queue("q") is broker.queue("q")
        assert repr(broker.queue("q")) == "<MemoryQueue: q, 0 messages>"
        assert broker.name == "name"

    def test_a_queue_that_nobody_waits_for_is_woken_in_vain(self):
        assert MemoryQueue("q").wake() is None
        assert MemoryQueue("q").was_deleted() is None


class test_transport:
    def test_what_it_is(self, connection):
        transport = connection.transport

        assert transport.driver_type == "memory"
        assert transport.driver_name == "memory"
        assert transport.driver_version() == "N/A"
        assert transport.supports_ev
        assert transport.polling_interval is None
        assert connection.supports_exchange_type("headers")

    def test_a_body_is_kept_as_it_is(self, connection):
        body = b"\x00\xff" * 10

        publish(
            connection, body, content_type="application/data", content_encoding="binary"
        )

        [envelope] = connection.transport.broker.queues["q"].envelopes
        assert envelope["body"] is body
        assert envelope["properties"]["body_encoding"] is None

    def test_a_body_may_be_encoded(self, connect, url):
        connection = connect(url, transport_options={"body_encoding": "base64"})

        publish(connection, {"a": 1})

        [envelope] = connection.transport.broker.queues["q"].envelopes
        assert envelope["body"] == "eyJhIjogMX0="
        assert connection.channel().basic_get("q").payload == {"a": 1}

    def test_a_reply_queue_is_left_to_be_used_again(self, channel):
        channel.queue_declare("replies")
        channel.after_reply_message_received("replies")

        assert channel.queue_declare("replies", passive=True)

    def test_a_subclass_that_puts_elsewhere_is_not_relied_on_to_wake(self, connect):
        class Channel(memory.Channel):
            seen = ()

            def _put(self, queue, message, **kwargs):
                self.seen = (queue, sorted(kwargs))
                super()._put(queue, message, **kwargs)

        class Transport(memory.Transport):
            pass

        Transport.Channel = Channel
        connection = connect(transport=Transport)

        assert connection.transport.polling_interval == 1.0
        channel = connection.channel()
        channel.queue_declare("q-of-mine")
        Producer(channel).publish(1, routing_key="q-of-mine")
        assert channel.seen == (
            "q-of-mine",
            ["confirm_timeout", "immediate", "mandatory", "timeout"],
        )
        channel.queue_delete("q-of-mine")

    def test_its_interval_can_be_set(self, connect, url):
        connection = connect(url, transport_options={"polling_interval": 0.5})

        assert connection.transport.polling_interval == 0.5


class test_waking:
    def test_a_consumer_that_waits_is_woken_by_a_publisher(self, connect):
        consuming, publishing = connect(), connect()
        _, got = consume(consuming)
        waiter = Waiter(consuming.transport)
        thread = Background(consuming.drain_events)
        assert waiter.has_begun.wait(LIMIT)

        publish(publishing, "hello")
        thread.join()

        assert payloads(got) == ["hello"]

    def test_by_an_exchange(self, connect):
        consuming, publishing = connect(), connect()
        got = []
        queue = Queue("q", Exchange("e", "topic"), "a.#")
        Consumer(consuming, queue, on_message=got.append).consume()
        waiter = Waiter(consuming.transport)
        thread = Background(consuming.drain_events)
        assert waiter.has_begun.wait(LIMIT)

        publish(publishing, "hello", exchange="e", queue="a.b.c")
        thread.join()

        assert payloads(got) == ["hello"]

    def test_by_a_consumer_that_gives_a_message_back(self, connect):
        consuming, other = connect(), connect()
        publish(other, 1)
        message = other.channel().basic_get("q")
        _, got = consume(consuming)
        waiter = Waiter(consuming.transport)
        thread = Background(consuming.drain_events)
        assert waiter.has_begun.wait(LIMIT)

        message.requeue()
        thread.join()

        assert got[0].delivery_info["redelivered"] is True

    def test_by_a_connection_that_is_closed(self, connect):
        consuming, other = connect(), connect()
        publish(other, 1)
        other.channel().basic_get("q")
        _, got = consume(consuming)
        waiter = Waiter(consuming.transport)
        thread = Background(consuming.drain_events)
        assert waiter.has_begun.wait(LIMIT)

        other.close()
        thread.join()

        assert payloads(got) == [1]

    def test_by_an_acknowledgement_that_makes_room(self, connection):
        _, got = consume(connection, prefetch_count=1)
        publish(connection, 1, 2)
        connection.drain_events(timeout=LIMIT)
        waiter = Waiter(connection.transport)
        thread = Background(connection.drain_events)
        assert waiter.has_begun.wait(LIMIT)

        got[0].ack()
        thread.join()

        assert payloads(got) == [1, 2]

    def test_by_a_consumer_that_is_added(self, connection):
        publish(connection, 1)
        connection.connect()
        waiter = Waiter(connection.transport)
        thread = Background(connection.drain_events)
        assert waiter.has_begun.wait(LIMIT)

        _, got = consume(connection)
        thread.join()

        assert payloads(got) == [1]

    def test_what_came_before_the_wait_is_not_missed(self, connect):
        consuming, publishing = connect(), connect()
        _, got = consume(consuming)

        publish(publishing, 1)
        consuming.drain_events(timeout=LIMIT)

        assert payloads(got) == [1]

    def test_each_of_two_threads_that_wait(self, connection):
        _, got = consume(connection)
        waiters = [Waiter(connection.transport)]
        threads = [Background(connection.drain_events) for _ in range(2)]
        assert waiters[0].has_begun.wait(LIMIT)

        publish(connection, 1, 2)
        for thread in threads:
            thread.join()

        assert sorted(payloads(got)) == [1, 2]

    def test_a_consumer_that_was_cancelled_is_not(self, connection):
        consumer, _ = consume(connection)
        consumer.cancel()

        assert connection.transport.broker.queues["q"].waiters == ()

    def test_as_long_as_another_of_its_connection_is_there(self, connection):
        first, _ = consume(connection)
        _, got = consume(connection)
        first.cancel()

        assert connection.transport.broker.queues["q"].waiters == (
            connection.transport,
        )
        publish(connection, 1)
        connection.drain_events(timeout=LIMIT)
        assert payloads(got) == [1]

    def test_closing_wakes_who_waits(self, connect):
        from kombu.exceptions import RecoverableConnectionError

        connection = connect()
        consume(connection)
        transport = connection.transport
        waiter = Waiter(transport)
        thread = Background(transport.drain_events, transport)
        assert waiter.has_begun.wait(LIMIT)

        connection.close()

        with pytest.raises(RecoverableConnectionError):
            thread.join()


class test_threads:
    def test_32_publish_on_one_connection_and_all_arrives_once(self, connect):
        publishing, consuming = connect(), connect()
        _, got = consume(consuming, no_ack=True)
        exchange = Exchange("e", "topic")
        Queue("q", exchange, "#")(consuming.channel()).declare()
        producer = Producer(publishing, exchange)
        start = threading.Barrier(32)

        def publish_500(thread):
            start.wait(LIMIT)
            for number in range(500):
                producer.publish((thread, number), routing_key=f"t.{thread}")

        threads = [Background(publish_500, number) for number in range(32)]
        while len(got) < 32 * 500:
            consuming.drain_events(timeout=LIMIT)
        for thread in threads:
            thread.join()

        assert nothing_comes(consuming)
        assert Counter(map(tuple, payloads(got))) == {
            (thread, number): 1 for thread in range(32) for number in range(500)
        }
        for thread in range(32):
            order = [n for t, n in payloads(got) if t == thread]
            assert order == list(range(500))

    def test_4_consume_what_4_publish(self, connect):
        received = [[] for _ in range(4)]
        total = threading.Semaphore(0)

        def work(place):
            connection = connect()

            def take(message):
                message.ack()
                received[place].append(message.payload)
                total.release()

            Consumer(
                connection, Queue("q"), on_message=take, prefetch_count=3
            ).consume()
            while True:
                connection.drain_events(timeout=LIMIT)
                if received[place][-1] == "stop":
                    return connection.close()

        workers = [Background(work, place) for place in range(4)]
        publishers = [
            Background(publish, connect(), *range(start, start + 250))
            for start in range(0, 1000, 250)
        ]
        for publisher in publishers:
            publisher.join()
        for _ in range(1000):
            assert total.acquire(timeout=LIMIT)
        publish(connect(), *["stop"] * 4)
        # Who has got its own leaves; the others' are still there for them.
        for worker in workers:
            worker.join()

        bodies = [body for each in received for body in each if body != "stop"]
        assert sorted(bodies) == list(range(1000))

    def test_consumers_come_and_go_while_others_publish(self, connect):
        got = []
        enough = threading.Event()

        def publish_on():
            connection = connect()
            for number in range(300):
                publish(connection, number)
            enough.set()

        thread = Background(publish_on)
        connection = connect()
        channel = connection.channel()
        while not (enough.is_set() and channel._size("q") == 0):
            channel.basic_consume("q", True, got.append, "tag")
            try:
                connection.drain_events(timeout=0)
            except TimeoutError:
                pass
            channel.basic_cancel("tag")
        thread.join()

        assert payloads(got) == list(range(300))


class test_closing:
    def test_puts_back_to_the_head_in_order(self, connect):
        first, second = connect(), connect()
        _, got = consume(first)
        publish(first, *range(6))
        for _ in range(4):
            first.drain_events(timeout=LIMIT)
        got[1].ack()

        first.close()

        _, again = consume(second)
        for _ in range(5):
            second.drain_events(timeout=LIMIT)
        assert payloads(again) == [0, 2, 3, 4, 5]
        assert [bool(m.delivery_info.get("redelivered")) for m in again] == [
            True,
            True,
            True,
            False,
            False,
        ]

    def test_of_several_channels_and_queues(self, connect):
        first, second = connect(), connect()
        for queue in ("q1", "q2"):
            consume(first, queue)
            publish(second, 1, 2, 3, queue=queue)
        for _ in range(4):
            first.drain_events(timeout=LIMIT)

        first.close()

        for queue in ("q1", "q2"):
            channel = second.channel()
            assert payloads([channel.basic_get(queue) for _ in range(3)]) == [1, 2, 3]

    def test_a_deleted_queue_takes_what_is_unsettled_along(self, connect):
        first, second = connect(), connect()
        publish(first, 1)
        message = first.channel().basic_get("q")

        second.channel().queue_delete("q")
        message.requeue()

        assert "q" not in second.transport.broker.queues

    def test_leaves_nothing_behind(self, connect):
        connection = connect()
        broker = connection.transport.broker
        consume(connection, "q1")
        publish(connection, 1, queue="q2")

        connection.close()

        assert broker.queues["q1"].waiters == ()
        assert broker.state.queues["q1"].consumers == set()


class test_exclusive_queues:
    @pytest.fixture
    def owner(self, connect):
        connection = connect()
        Queue("mine", Exchange("e"), "k", exclusive=True)(
            connection.channel()
        ).declare()
        return connection

    @pytest.mark.parametrize(
        "use",
        [
            lambda channel: channel.queue_declare("mine"),
            lambda channel: channel.queue_declare("mine", passive=True),
            lambda channel: channel.queue_declare("mine", exclusive=True),
            lambda channel: channel.basic_consume("mine", True, print, "tag"),
            lambda channel: channel.basic_get("mine"),
            lambda channel: channel.queue_bind("mine", "e", "other"),
            lambda channel: channel.queue_unbind("mine", "e", "k"),
            lambda channel: channel.queue_purge("mine"),
            lambda channel: channel.queue_delete("mine"),
        ],
    )
    def test_are_locked_for_others(self, owner, connect, use):
        channel = connect().channel()

        with pytest.raises(
            ResourceLocked, match="'mine' in vhost '/' is exclusive to another"
        ) as excinfo:
            use(channel)
        assert excinfo.value.code == 405

    def test_can_be_used_by_all_channels_of_the_owner(self, owner):
        channel = owner.channel()

        assert channel.queue_declare("mine").queue == "mine"
        channel.basic_consume("mine", True, print, "tag")
        channel.queue_purge("mine")
        channel.queue_delete("mine")

    def test_can_be_published_to_by_all(self, owner, connect):
        publish(connect(), 1, exchange="e", queue="k")
        publish(connect(), 2, queue="mine")

        channel = owner.channel()
        assert payloads([channel.basic_get("mine") for _ in range(2)]) == [1, 2]

    def test_are_deleted_with_the_connection(self, owner, connect):
        publish(owner, 1, queue="mine")

        owner.close()

        channel = connect().channel()
        with pytest.raises(NotFound):
            channel.queue_declare("mine", passive=True)
        assert channel.get_bindings() == []
        assert channel.queue_declare("mine") == ("mine", 0, 0)

    def test_are_not_deleted_with_the_last_consumer(self, owner):
        channel = owner.channel()
        channel.basic_consume("mine", True, print, "tag")

        channel.basic_cancel("tag")

        assert channel.queue_declare("mine", passive=True)

    def test_an_exchange_they_are_bound_to_can_be_deleted(self, owner, connect):
        channel = connect().channel()

        channel.exchange_delete("e")

        assert channel.get_bindings() == []

    def test_of_which_two_declare_one_at_once(self, connect):
        """Both find it free; one of them is told in the end."""
        first, second = connect().channel(), connect().channel()
        new_queue = second._new_queue

        def be_late(queue, **kwargs):
            first.queue_declare(queue, exclusive=True)
            new_queue(queue, **kwargs)

        second._new_queue = be_late

        with pytest.raises(ResourceLocked):
            second.queue_declare("mine", exclusive=True)


class test_auto_delete_queues:
    @pytest.fixture
    def queue(self):
        return Queue("brief", Exchange("e"), "k", auto_delete=True)

    def exists(self, connection):
        return "brief" in connection.transport.broker.queues

    def test_are_deleted_with_the_last_consumer(self, connect, queue):
        first, second = connect(), connect()
        consumers = [
            Consumer(connection, queue, on_message=print)
            for connection in (first, second)
        ]
        for consumer in consumers:
            consumer.consume()

        consumers[0].cancel()
        assert self.exists(first)
        second.close()

        assert not self.exists(first)
        assert first.channel().get_bindings() == []

    def test_are_not_deleted_before_the_first_one(self, connection, queue):
        queue(connection.channel()).declare()
        publish(connection, 1, exchange="e", queue="k")

        assert connection.channel().basic_get("brief").payload == 1
        assert self.exists(connection)

    def test_take_what_is_unsettled_along(self, connection, queue):
        consumer = Consumer(connection.channel(), queue, on_message=print)
        consumer.consume()
        publish(connection, 1, exchange="e", queue="k")
        connection.drain_events(timeout=LIMIT)

        consumer.channel.close()

        assert not self.exists(connection)

    def test_others_stay(self, connection):
        consumer, _ = consume(connection)
        consumer.cancel()

        assert connection.channel().queue_declare("q", passive=True)


class test_consumers_whose_queue_is_deleted:
    def test_are_told_in_their_own_thread(self, connect):
        consuming, deleting = connect(), connect()
        told = []
        channel = consuming.channel()
        channel.queue_declare("q")
        channel.basic_consume(
            "q",
            True,
            print,
            "tag",
            on_cancel=lambda tag: told.append((tag, threading.get_ident())),
        )
        waiter = Waiter(consuming.transport)

        def wait():
            with pytest.raises(TimeoutError):
                while not told:
                    consuming.drain_events(timeout=LIMIT)
                raise TimeoutError
            return threading.get_ident()

        # The wait goes on after the notice: another message ends it.
        channel.basic_consume("other", True, print, "other")
        thread = Background(wait)
        assert waiter.has_begun.wait(LIMIT)
        deleting.channel().queue_delete("q")
        publish(deleting, 1, queue="other")

        ident = thread.join()
        assert told == [("tag", ident)]
        assert ident != threading.get_ident()
        assert channel._active_queues == ["other"]

    def test_forget_it(self, connection):
        consumer, _ = consume(connection)
        assert consumer.consuming_from("q")

        connection.channel().queue_delete("q")
        assert nothing_comes(connection)

        assert not consumer.consuming_from("q")
        assert consumer.channel._consumers == set()

    def test_can_begin_again(self, connection):
        consumer, got = consume(connection)
        connection.channel().queue_delete("q")
        assert nothing_comes(connection)

        consumer.declare()
        consumer.consume()
        publish(connection, 1)
        connection.drain_events(timeout=LIMIT)

        assert payloads(got) == [1]

    def test_are_told_but_once(self, connection):
        channel = connection.channel()
        told = []
        channel.queue_declare("q")
        for tag in ("one", "two"):
            channel.basic_consume("q", True, print, tag, on_cancel=told.append)
        channel.queue_delete("q")

        assert nothing_comes(connection)
        assert nothing_comes(connection)

        assert told == ["one", "two"]

    def test_not_if_they_were_cancelled_meanwhile(self, connection):
        channel = connection.channel()
        told = []
        channel.basic_consume("q", True, print, "tag", on_cancel=told.append)
        channel.queue_delete("q")
        channel.basic_cancel("tag")

        assert nothing_comes(connection)

        assert told == []

    def test_without_a_callback(self, connection):
        channel = connection.channel()
        channel.basic_consume("q", True, print, "tag")
        channel.queue_delete("q")

        assert nothing_comes(connection)

        assert channel._consumers == set()

    def test_of_a_queue_that_was_never_declared(self, connection):
        channel = connection.channel()
        told = []
        channel.basic_consume("undeclared", True, print, "tag", on_cancel=told.append)
        channel.queue_delete("undeclared")

        assert nothing_comes(connection)

        assert told == ["tag"]

    def test_when_the_broker_is_cleared(self, connection):
        channel = connection.channel()
        told = []
        channel.basic_consume("q", True, print, "tag", on_cancel=told.append)

        connection.transport.broker.clear()
        assert nothing_comes(connection)

        assert told == ["tag"]


GARBAGE = [
    None,
    5,
    1.5,
    "garbage",
    b"\xff\x00",
    [],
    [1, 2],
    {},
    {"properties": None},
    {"properties": {"delivery_info": 5}},
    {"properties": {}, "headers": "text"},
    {"body": "WzF", "properties": {"body_encoding": "base64"}},
    {"body": b"{", "content-type": "application/json", "properties": {}},
    {"body": b"x", "content-type": "application/x-nothing", "properties": {}},
    {"body": b"x", "content-type": ["list"], "properties": {}},
    {"body": b"x", "headers": {"compression": "nothing"}, "properties": {}},
    {
        "body": b"{",
        "content-type": "application/json",
        "properties": {"delivery_tag": [1]},
    },
    {"body": b"\xff", "content-type": "application/json", "properties": {}},
    {
        "body": b"x",
        "content-type": "application/json",
        "content-encoding": "x-nothing",
        "properties": {},
    },
    object(),
]


class test_poison:
    @pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
    def test_reaches_on_decode_error_and_the_consumer_goes_on(
        self, connection, garbage
    ):
        errors, got = [], []

        def on_decode_error(message, error):
            errors.append((repr(message), error))
            message.reject()

        channel = connection.channel()
        Consumer(
            channel,
            Queue("q"),
            callbacks=[lambda body, message: got.append(body)],
            on_decode_error=on_decode_error,
            accept=["json"],
        ).consume()
        publish(connection, ["before"])
        connection.transport.broker.queue("q").envelopes.append(garbage)
        publish(connection, ["after"])

        for _ in range(3):
            connection.drain_events(timeout=LIMIT)

        assert got == [["before"], ["after"]]
        [(text, error)] = errors
        assert isinstance(error, Exception)
        assert "Message" in text
        # Rejected: what is held are those that nobody acknowledged.
        assert len(channel.qos._delivered) == 2

    @pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
    def test_is_raised_if_nobody_cares_and_the_consumer_goes_on(
        self, connection, garbage
    ):
        got = []
        consumer = Consumer(
            connection,
            Queue("q"),
            callbacks=[lambda body, message: got.append(body)],
            accept=["json"],
        )
        consumer.consume()
        connection.transport.broker.queue("q").envelopes.append(garbage)
        publish(connection, [1])

        with pytest.raises(Exception):  # noqa: PT011
            connection.drain_events(timeout=LIMIT)
        connection.drain_events(timeout=LIMIT)

        assert got == [[1]]

    def test_is_put_back_as_it_was(self, connect):
        first, second = connect(), connect()
        envelopes = first.transport.broker.queue("q").envelopes
        envelopes.extend(GARBAGE)
        channel = first.channel()
        for _ in GARBAGE:
            channel.basic_get("q")
        assert not envelopes

        first.close()

        assert [second.channel()._get("q") for _ in range(len(GARBAGE))][:8] == [
            *GARBAGE[:8]
        ]


class test_hub:
    @pytest.fixture
    def hub(self):
        hub = Hub()
        yield hub
        hub.close()

    def run_until(self, hub, condition):
        """Run the loop until *condition* holds; give up after a while."""
        hub.call_later(LIMIT, hub.stop)
        while not condition():
            hub.run_once()

    def test_delivers_what_a_thread_publishes(self, connect, hub):
        consuming, publishing = connect(), connect()
        _, got = consume(consuming)
        consuming.register_with_event_loop(hub)

        thread = Background(publish, publishing, *range(100))
        self.run_until(hub, lambda: len(got) == 100)
        thread.join()

        assert payloads(got) == list(range(100))

    def test_a_loop_that_sleeps_is_woken(self, connect, hub):
        consuming, publishing = connect(), connect()
        _, got = consume(consuming)
        consuming.register_with_event_loop(hub)
        hub.run_once()
        finished = []

        def stop(message):
            finished.append(message.payload)
            hub.stop()

        got_channel = consuming.channel()
        got_channel.basic_consume("stop", True, stop, "tag")
        thread = Background(publish, publishing, "now")
        thread.join()
        thread = Background(lambda: publish(publishing, "end", queue="stop"))
        hub.call_later(LIMIT, hub.stop)
        hub.run_forever()
        thread.join()

        assert finished == ["end"]
        assert payloads(got) == ["now"]

    def test_prefetch_that_is_freed_continues_delivery(self, connect, hub):
        consuming, publishing = connect(), connect()
        _, got = consume(consuming, prefetch_count=2)
        consuming.register_with_event_loop(hub)
        publish(publishing, *range(6))

        self.run_until(hub, lambda: len(got) >= 2)
        hub.run_once()
        assert payloads(got) == [0, 1]

        for message in tuple(got):
            message.ack()
        self.run_until(hub, lambda: len(got) >= 4)
        assert payloads(got) == [0, 1, 2, 3]

        # From another thread, too.
        Background(got[2].ack).join()
        self.run_until(hub, lambda: len(got) >= 5)
        assert payloads(got) == [0, 1, 2, 3, 4]

    def test_unregistered_it_stops(self, connect, hub):
        consuming, publishing = connect(), connect()
        _, got = consume(consuming)
        consuming.register_with_event_loop(hub)
        hub.run_once()

        consuming.transport.unregister_from_event_loop(consuming.connection, hub)
        publish(publishing, 1)
        hub.run_once()
        hub.run_once()

        assert got == []
        consuming.drain_events(timeout=LIMIT)
        assert payloads(got) == [1]

    def test_two_connections_on_one_loop(self, connect, hub):
        got = []
        for queue in ("q1", "q2"):
            connection = connect()
            connection.channel().basic_consume(queue, True, got.append, queue)
            connection.register_with_event_loop(hub)
        publishing = connect()
        for queue in ("q1", "q2"):
            publish(publishing, queue, queue=queue)

        self.run_until(hub, lambda: len(got) == 2)

        assert sorted(payloads(got)) == ["q1", "q2"]

    def test_a_consumer_is_told_of_its_deleted_queue(self, connect, hub):
        consuming, deleting = connect(), connect()
        told = []
        channel = consuming.channel()
        channel.basic_consume("q", True, print, "tag", on_cancel=told.append)
        consuming.register_with_event_loop(hub)
        hub.run_once()

        deleting.channel().queue_delete("q")
        self.run_until(hub, lambda: told)

        assert told == ["tag"]


class test_store:
    def test_hooks(self, channel):
        channel._put("q", "a")
        channel._put("q", "b", mandatory=False)
        channel._put_back("q", "c")

        assert channel._size("q") == 3
        assert channel._has_queue("q")
        assert [channel._get("q") for _ in range(3)] == ["c", "a", "b"]
        with pytest.raises(Empty):
            channel._get("q")
        with pytest.raises(Empty):
            channel._get("nowhere")
        assert channel._size("nowhere") == 0
        assert not channel._has_queue("nowhere")
        assert channel._purge("nowhere") == 0

    def test_a_put_by_the_hook_wakes_too(self, connection, channel):
        channel.basic_consume("q", True, print, "tag")
        woken = []
        connection.transport.wake = lambda: woken.append(True)

        channel._put("q", "a")

        assert woken == [True]

    def test_a_purge_that_others_help_with(self, channel):
        class Helped(list):
            """Is emptied by another thread between two steps."""

            def popleft(self):
                try:
                    return self.pop(0)
                finally:
                    helped = self.copy()
                    self.clear()
                    self.extend(helped[1:])

        class Gone(list):
            def __len__(self):
                return 1

            def popleft(self):
                raise IndexError

        channel.broker.queue("q").envelopes = Helped([1, 2, 3, 4])
        assert channel._purge("q") == 2
        channel.broker.queue("q").envelopes = Gone()
        assert channel._purge("q") == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_child_works_though_its_parent_held_every_lock():
    # given a broker whose locks a thread holds when the process forks
    connection = Connection(f"memory://{uuid4()}")
    producer = connection.Producer()
    producer.publish("kept", routing_key="q")
    broker = connection.transport.broker
    with (
        broker.lock,
        broker.state.lock,
        broker.state.routes._lock,
        connection._lock,
        ThreadPoolExecutor(1) as pool,
    ):
        # when the child uses the broker, by the same connection and a new one
        pid = pool.submit(_fork_and_publish, connection).result()
        _, status = os.waitpid(pid, 0)
    # then it is not stopped by what nobody will release
    assert os.waitstatus_to_exitcode(status) == 0


def _fork_and_publish(connection):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(10)
    try:
        queue = Queue("declared", Exchange("e"), "k")
        connection.Producer().publish("mine", routing_key="q")
        with connection.clone() as other:
            other.Producer().publish(
                "new", routing_key="k", exchange="e", declare=[queue]
            )
            simple = other.SimpleQueue(Queue("q"))
            bodies = [simple.get(timeout=5).payload for _ in range(2)]
            os._exit(0 if bodies == ["kept", "mine"] else 1)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(2)


class test_a_callback_that_raises_Empty:
    """As one that looks into another queue; it does not mean "no message"."""

    @pytest.fixture
    def connection(self):
        def look_elsewhere(body, message):
            message.ack()
            raise Empty("the other queue")

        with Connection(f"memory://{uuid4()}") as connection:
            connection.Producer().publish("hello", routing_key="q")
            consumer = connection.Consumer([Queue("q")], callbacks=[look_elsewhere])
            consumer.consume()
            yield connection

    def test_reaches_who_waits(self, connection):
        with pytest.raises(Empty, match="the other queue"):
            connection.drain_events(timeout=LIMIT)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0)

    def test_reaches_who_drains_what_is_readable(self, connection):
        with pytest.raises(Empty, match="the other queue"):
            connection.transport.on_readable(connection.connection, None)

    def test_is_logged_by_an_event_loop(self, connection, caplog):
        hub = Hub()
        connection.register_with_event_loop(hub)
        hub.run_once()
        assert "the other queue" in caplog.text
        hub.close()
