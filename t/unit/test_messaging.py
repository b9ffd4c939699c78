"""Producers and consumers."""

from __future__ import annotations

import pickle
import socket
import threading

import pytest

from kombu import Consumer, Exchange, Producer, Queue
from kombu.exceptions import (
    BatchPublishError,
    ContentDisallowed,
    DecodeError,
    EncodeError,
    KombuError,
    NotBoundError,
    OperationalError,
    SerializerNotInstalled,
)
from t.unit.fakes import BrokerLost, FakeChannel


def published(channel):
    """Return (body, priority, type, encoding, headers, properties) and options."""
    (prepared,) = [args for name, args, _ in channel.calls if name == "prepare_message"]
    (options,) = channel.only("basic_publish")
    return prepared, options


class test_publish:
    def test_defaults(self, channel):
        Producer(channel).publish({"a": 1}, "key")
        assert published(channel) == (
            ('{"a": 1}', 0, "application/json", "utf-8", {}, {"delivery_mode": 2}),
            {
                "exchange": "",
                "routing_key": "key",
                "mandatory": False,
                "immediate": False,
                "timeout": None,
                "confirm_timeout": None,
            },
        )

    def test_everything(self, channel):
        headers = {"h": 1}
        Producer(channel).publish(
            "text",
            "key",
            delivery_mode="transient",
            mandatory=True,
            immediate=True,
            priority=3,
            headers=headers,
            exchange="e",
            expiration=1.5,
            timeout=3,
            confirm_timeout=4,
            reply_to=Queue("replies"),
            correlation_id="c",
            message_id="m",
            app_id="app",
        )
        assert published(channel) == (
            (
                b"text",
                3,
                "text/plain",
                "utf-8",
                {"h": 1},
                {
                    "delivery_mode": 1,
                    "expiration": "1500",
                    "reply_to": "replies",
                    "correlation_id": "c",
                    "message_id": "m",
                    "app_id": "app",
                },
            ),
            {
                "exchange": "e",
                "routing_key": "key",
                "mandatory": True,
                "immediate": True,
                "timeout": 3,
                "confirm_timeout": 4,
            },
        )

    @pytest.mark.parametrize(
        ("body", "encoding", "expected"),
        [
            (b"bytes", "binary", (b"bytes", "binary")),
            (b"bytes", None, (b"bytes", "binary")),
            ("text", None, (b"text", "utf-8")),
            ("t\xe9xt", "latin-1", (b"t\xe9xt", "latin-1")),
        ],
    )
    def test_bodies_that_are_encoded_already(self, channel, body, encoding, expected):
        Producer(channel).publish(
            body, content_type="application/x", content_encoding=encoding
        )
        (found, _, content_type, found_encoding, _, _), _ = published(channel)
        assert (found, found_encoding) == expected
        assert content_type == "application/x"

    def test_a_serializer_goes_before_a_content_type(self, channel):
        Producer(channel).publish([1], serializer="json", content_type="application/x")
        assert published(channel)[0][2] == "application/json"

    @pytest.mark.parametrize(
        ("producer", "mode", "exchange", "expected"),
        [
            ({}, None, None, 2),
            ({}, 1, None, 1),
            ({}, 5, None, 5),
            ({}, "persistent", Exchange("x", delivery_mode=1), 2),
            ({}, None, Exchange("x", delivery_mode=1), 1),
            ({"exchange": Exchange("d", delivery_mode="transient")}, None, None, 1),
            ({"exchange": Exchange("d", delivery_mode=1)}, None, "by name", 2),
        ],
    )
    def test_delivery_modes(self, channel, producer, mode, exchange, expected):
        Producer(channel, **producer).publish(1, delivery_mode=mode, exchange=exchange)
        assert published(channel)[0][5] == {"delivery_mode": expected}

    @pytest.mark.parametrize(
        ("expiration", "expected"), [(0, "0"), (0.0015, "1"), (60, "60000")]
    )
    def test_expirations_are_milliseconds_as_text(self, channel, expiration, expected):
        Producer(channel).publish(1, expiration=expiration)
        assert published(channel)[0][5]["expiration"] == expected

    def test_what_was_passed_is_not_touched(self, channel):
        headers, declare, policy = {"h": 1}, [Queue("q")], {"max_retries": 1}
        Producer(channel).publish(
            {},
            headers=headers,
            declare=declare,
            compression="zlib",
            retry_policy=policy,
        )
        assert (headers, declare, policy) == (
            {"h": 1},
            [Queue("q")],
            {"max_retries": 1},
        )
        assert published(channel)[0][4] == {
            "h": 1,
            "compression": "application/x-gzip",
        }

    def test_defaults_of_the_producer(self, channel):
        producer = Producer(
            channel,
            Exchange("e", "topic"),
            routing_key="default",
            serializer="yaml",
            compression="bzip2",
        )
        producer.publish([1])
        (_, _, content_type, _, headers, _), options = published(channel)
        assert (options["exchange"], options["routing_key"]) == ("e", "default")
        assert content_type == "application/x-yaml"
        assert headers == {"compression": "application/x-bz2"}
        assert len(channel.only("exchange_declare")) == 1

    def test_subclasses_have_defaults_too(self, channel):
        class Mine(Producer):
            routing_key = "k"
            serializer = "yaml"
            auto_declare = False

        Mine(channel, "e").publish(1)
        prepared, options = published(channel)
        assert (options["exchange"], options["routing_key"]) == ("e", "k")
        assert prepared[2] == "application/x-yaml"
        assert "exchange_declare" not in channel.names()

    @pytest.mark.parametrize("exchange", [None, ""])
    def test_no_exchange_means_the_default_one(self, channel, exchange):
        Producer(channel, Exchange("e")).publish(1, exchange=exchange, routing_key="")
        options = published(channel)[1]
        assert (options["exchange"], options["routing_key"]) == ("e", "")

    def test_the_exchange_is_declared_once(self, channel):
        producer = Producer(channel, Exchange("e"))
        for _ in range(3):
            producer.publish(1)
        assert len(channel.only("exchange_declare")) == 1

    def test_the_exchange_is_declared_again_if_it_can_vanish(self, connection):
        producer = connection.Producer(exchange=Exchange("e", auto_delete=True))
        declared = []
        real = producer.channel.exchange_declare
        producer.channel.exchange_declare = lambda **kw: (
            declared.append(kw) or real(**kw)
        )
        for _ in range(3):
            producer.publish(1)
        assert len(declared) == 3

    def test_the_exchange_is_declared_again_after_a_reconnect(self, network):
        connection = network.connect()
        producer = connection.Producer(exchange=Exchange("e"))
        producer.publish(1)
        assert Exchange("e") in connection.declared_entities
        connection.collect()
        producer.revive(connection)
        producer.publish(1)
        assert Exchange("e") in connection.declared_entities

    def test_auto_declare_off(self, channel):
        Producer(channel, Exchange("e"), auto_declare=False).publish(1)
        assert "exchange_declare" not in channel.names()

    def test_declare(self, channel):
        queue = Queue("q", Exchange("e2"), "k")
        producer = Producer(channel)
        producer.publish(1, declare=[queue])
        assert [n for n in channel.names() if not n.startswith("prepare")] == [
            "exchange_declare",
            "queue_declare",
            "queue_bind",
            "basic_publish",
        ]

    def test_replies_to_a_queue_named_by_the_broker(self, connection):
        replies = Queue("", exclusive=True)(connection)
        connection.Producer().publish(
            1,
            routing_key="q",
            declare=[Queue("q"), replies],
            reply_to=replies,
        )
        message = Queue("q")(connection).get()
        assert message.properties["reply_to"] == replies.name
        assert replies.name

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"serializer": "nosuch"}, SerializerNotInstalled),
            ({"compression": "nosuch"}, KeyError),
            ({"delivery_mode": "eternal"}, KeyError),
        ],
    )
    def test_mistakes(self, channel, options, error):
        with pytest.raises(error) as caught:
            Producer(channel).publish({}, **options)
        assert isinstance(caught.value, KombuError)
        assert "basic_publish" not in channel.names()

    def test_what_can_not_be_encoded(self, channel):
        with pytest.raises(EncodeError):
            Producer(channel).publish(object())


class test_publish_with_retry:
    policy = {"max_retries": 3, "interval_start": 0, "interval_max": 0}

    def test_tries_again(self, network, clock):
        connection = network.connect()
        producer = connection.Producer(exchange=Exchange("e"))
        queue = Queue("q", Exchange("e"), "k")
        before = producer.channel
        network.kill()

        def errback(error, pause):
            network.revive()

        producer.publish(
            {"a": 1},
            routing_key="k",
            declare=[queue],
            retry=True,
            retry_policy={**self.policy, "errback": errback},
        )
        assert producer.channel is not before
        assert producer.channel is connection.default_channel
        assert queue(connection).get().payload == {"a": 1}

    def test_gives_up(self, network, clock):
        producer = network.connect().Producer()
        network.kill()
        with pytest.raises(OperationalError, match="dead"):
            producer.publish(1, retry=True, retry_policy=self.policy)

    def test_without_retry_there_is_the_error(self, network):
        producer = network.connect().Producer()
        producer.channel
        network.kill()
        with pytest.raises(BrokerLost):
            producer.publish(1)

    def test_what_a_failed_try_left_is_not_published(self, network, clock):
        connection = network.connect()
        producer = connection.Producer()
        seen = []

        class Failing(FakeChannel):
            def prepare_message(self, body, priority, ctype, enc, headers, properties):
                seen.append(dict(properties))
                properties["delivery_tag"] = "from a lost channel"
                raise BrokerLost

        connection.default_channel
        failing = Failing()
        failing.connection = connection.default_channel.connection
        producer.channel = failing
        producer.publish(
            1,
            routing_key="q",
            correlation_id="c",
            declare=[Queue("q")],
            retry=True,
            retry_policy=self.policy,
        )
        message = Queue("q")(connection).get()
        assert seen == [{"delivery_mode": 2, "correlation_id": "c"}]
        assert message.delivery_tag != "from a lost channel"


class test_returned_messages:
    def test_on_return_listens(self, channel):
        def on_return(*args):
            pass

        Producer(channel, on_return=on_return)
        assert channel.events["basic_return"] == {on_return}

    def test_on_return_listens_on_a_promised_channel(self, connection):
        def on_return(*args):
            pass

        producer = connection.Producer(on_return=on_return)
        assert on_return in producer.channel.events["basic_return"]

    def test_a_mandatory_message_comes_back(self, connection):
        returned = []
        producer = connection.Producer(on_return=lambda *args: returned.append(args))
        producer.publish({}, routing_key="nowhere", mandatory=True)
        ((error, exchange, routing_key, _),) = returned
        assert isinstance(error, KombuError)
        assert (exchange, routing_key) == ("", "nowhere")


class BatchChannel(FakeChannel):
    supports_batch_publish = True

    def __init__(self):
        super().__init__()
        self.batches = []

    def create_publish_batch(self, max_size):
        self.batches.append(Batch(max_size))
        return self.batches[-1]


class Batch:
    def __init__(self, max_size):
        self.max_size = max_size
        self.held = []
        self.done = []

    def publish(self, message, **options):
        self.held.append((message, options))

    def flush(self):
        self.done.append("flush")

    def discard(self):
        self.done.append("discard")

    def close(self):
        self.done.append("close")


class test_batch:
    def test_sent_at_the_end(self):
        channel = BatchChannel()
        producer = Producer(channel)
        assert producer.supports_batch_publish
        with producer.batch(max_size=5):
            producer.publish(1, "k")
            producer.publish(2, "k", exchange="e")
        (batch,) = channel.batches
        assert batch.max_size == 5
        assert [options["exchange"] for _, options in batch.held] == ["", "e"]
        assert batch.done == ["flush", "close"]
        assert "basic_publish" not in channel.names()
        producer.publish(3)
        assert len(channel.only("basic_publish")) == 1

    def test_dropped_after_an_error(self):
        channel = BatchChannel()
        producer = Producer(channel)
        with pytest.raises(ZeroDivisionError):
            with producer.batch():
                producer.publish(1)
                raise ZeroDivisionError
        assert channel.batches[0].done == ["discard", "close"]

    def test_an_error_of_the_broker_passes(self):
        producer = Producer(BatchChannel())

        def flush():
            raise BatchPublishError("2 of 3")

        with pytest.raises(BatchPublishError):
            with producer.batch():
                producer.publish(1)
                (batch,) = producer.channel.batches
                batch.flush = flush
        assert batch.done == ["close"]
        producer.publish(1)
        assert len(producer.channel.only("basic_publish")) == 1

    def test_nested_ones_are_one(self):
        channel = BatchChannel()
        producer = Producer(channel)
        with producer.batch(7):
            producer.publish(1)
            with producer.batch(1):
                producer.publish(2)
            assert channel.batches[0].done == []
            producer.publish(3)
        assert len(channel.batches) == 1
        assert len(channel.batches[0].held) == 3

    def test_an_empty_one_needs_no_channel(self):
        producer = Producer(None)
        with producer.batch():
            pass

    def test_a_new_channel_gets_a_new_batch(self):
        first, second = BatchChannel(), BatchChannel()
        producer = Producer(first)
        with producer.batch():
            producer.publish(1)
            producer.revive(second)
            producer.publish(2)
        assert first.batches[0].done == ["flush", "close"]
        assert len(second.batches[0].held) == 1

    def test_channels_that_can_not_publish_at_once(self, channel):
        producer = Producer(channel)
        assert not producer.supports_batch_publish
        with producer.batch():
            producer.publish(1)
            assert len(channel.only("basic_publish")) == 1

    def test_other_threads_are_not_in_it(self):
        channel = BatchChannel()
        producer = Producer(channel)
        with producer.batch():
            thread = threading.Thread(target=producer.publish, args=(1,))
            thread.start()
            thread.join()
        assert channel.batches == []
        assert len(channel.only("basic_publish")) == 1

    @pytest.mark.parametrize("size", [0, -1, 1.5, "9", True, None])
    def test_sizes_that_make_no_sense(self, channel, size):
        with pytest.raises(ValueError, match="max_size must be a positive integer"):
            Producer(channel).batch(size)


class test_Producer:
    def test_on_a_connection(self, connection):
        producer = Producer(connection, Exchange("e"))
        assert connection._connection is None  # nothing is opened before it is used
        assert producer.connection is producer.__connection__ is connection
        assert producer.channel is connection.default_channel
        assert producer.exchange.channel is connection.default_channel

    def test_on_a_channel(self, connection):
        channel = connection.channel()
        producer = Producer(channel)
        assert (producer.channel, producer.connection) == (channel, connection)
        channel.close()
        assert producer.connection is None

    def test_on_nothing(self):
        producer = Producer(None, "e")
        assert (producer.channel, producer.connection) == (None, None)
        assert not producer.exchange.is_bound

    def test_the_channel_can_be_set(self, channel):
        producer = Producer(None)
        producer.channel = channel
        assert producer.channel is channel
        assert repr(producer) == f"<Producer: {channel}>"

    def test_with_leaves_the_connection_alone(self, connection):
        with Producer(connection) as producer:
            producer.publish(1, declare=[Queue("q")])
        assert connection.connected
        assert not producer.channel.closed

    def test_declare(self, channel):
        Producer(channel).declare()
        assert channel.calls == []
        Producer(channel, Exchange("e")).declare()
        assert channel.names() == ["exchange_declare"]

    def test_maybe_declare(self, connection):
        producer = Producer(connection)
        assert producer.maybe_declare(Queue("q")) is True
        assert producer.maybe_declare(Queue("q")) is False
        assert not producer.maybe_declare(None)
        assert producer.maybe_declare(Queue("r")(connection), retry=True) is True

    def test_pickling(self, channel):
        producer = Producer(channel, Exchange("e"), "rk", "yaml", False, "gzip")
        copied = pickle.loads(pickle.dumps(producer))
        assert copied.exchange == Exchange("e")
        assert (copied.routing_key, copied.serializer) == ("rk", "yaml")
        assert (copied.auto_declare, copied.compression) == (False, "gzip")
        assert copied.channel is None

    def test_many_threads_publish_on_one_connection(self, connection):
        queue = Queue("q")
        queue(connection).declare()
        producer = connection.Producer()

        def publish(first):
            for number in range(first, first + 50):
                producer.publish(number, routing_key="q")

        threads = [threading.Thread(target=publish, args=(n * 50,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bound = queue(connection)
        got = [bound.get(no_ack=True).payload for _ in range(400)]
        assert sorted(got) == list(range(400))


class test_Consumer_calls:
    def test_declares_and_limits_at_once(self, channel):
        Consumer(channel, [Queue("a"), Queue("b")], prefetch_count=3)
        assert [k["queue"] for k in channel.only("queue_declare")] == ["a", "b"]
        assert channel.calls[-1] == ("basic_qos", (0, 3, False), {})

    def test_auto_declare_off(self, channel):
        consumer = Consumer(channel, Queue("a"), auto_declare=False)
        assert channel.calls == []
        consumer.declare()
        assert "queue_declare" in channel.names()

    def test_consume(self, channel):
        consumer = Consumer(
            channel, [Queue("a"), Queue("b")], no_ack=True, tag_prefix="T"
        )
        consumer.consume()
        one, other = channel.only("basic_consume")
        assert (one["queue"], one["no_ack"], one["nowait"]) == ("a", True, True)
        assert (other["queue"], other["no_ack"], other["nowait"]) == ("b", True, False)
        assert one["consumer_tag"].startswith("T")
        assert one["consumer_tag"] != other["consumer_tag"]
        assert one["callback"] == consumer._receive_callback
        consumer.consume()
        assert len(channel.only("basic_consume")) == 2  # and not twice

    @pytest.mark.parametrize(
        ("of_queue", "of_consumer", "asked", "expected"),
        [
            (False, None, None, False),
            (True, None, None, True),
            (True, False, None, False),
            (False, True, None, True),
            (False, True, False, False),
            (True, None, False, False),
        ],
    )
    def test_no_ack(self, channel, of_queue, of_consumer, asked, expected):
        consumer = Consumer(channel, Queue("a", no_ack=of_queue), no_ack=of_consumer)
        consumer.consume(no_ack=asked)
        assert channel.only("basic_consume")[0]["no_ack"] is expected

    def test_cancel(self, channel):
        consumer = Consumer(channel, [Queue("a"), Queue("b")])
        consumer.consume()
        tags = [kwargs["consumer_tag"] for kwargs in channel.only("basic_consume")]
        consumer.cancel()
        assert [a for n, a, _ in channel.calls if n == "basic_cancel"] == [
            (tag,) for tag in tags
        ]
        assert not consumer.consuming_from("a")
        consumer.close()
        assert channel.names().count("basic_cancel") == 2

    @pytest.mark.parametrize("queue", ["a", Queue("a")])
    def test_cancel_by_queue(self, channel, queue):
        consumer = Consumer(channel, [Queue("a"), Queue("b")])
        consumer.consume()
        assert consumer.consuming_from(queue)
        consumer.cancel_by_queue(queue)
        assert not consumer.consuming_from(queue)
        assert consumer.consuming_from("b")
        assert [q.name for q in consumer.queues] == ["b"]
        assert channel.names().count("basic_cancel") == 1
        consumer.cancel_by_queue("unknown")
        assert channel.names().count("basic_cancel") == 1

    def test_add_queue(self, channel):
        consumer = Consumer(channel, Queue("a"))
        consumer.consume()
        added = consumer.add_queue(Queue("b"))
        assert added.is_bound
        assert channel.only("queue_declare")[-1]["queue"] == "b"
        consumer.consume()
        assert [k["queue"] for k in channel.only("basic_consume")] == ["a", "b"]
        quiet = Consumer(channel, auto_declare=False)
        quiet.add_queue(Queue("c"))
        assert channel.only("queue_declare")[-1]["queue"] == "b"

    def test_a_queue_named_by_the_broker(self, channel):
        consumer = Consumer(channel, Queue(""))
        consumer.consume()
        assert consumer.consuming_from("amq.gen-1")
        assert channel.only("basic_consume")[0]["queue"] == "amq.gen-1"

    def test_a_name_that_comes_later(self, channel):
        consumer = Consumer(channel, Queue(""), auto_declare=False)
        consumer.queues[0].declare()
        consumer.consume()
        consumer.consume()
        assert len(channel.only("basic_consume")) == 1
        after = FakeChannel()
        consumer.revive(after)
        assert after.only("basic_consume")[0]["queue"] == "amq.gen-1"

    def test_the_broker_cancels(self, channel):
        consumer = Consumer(channel, [Queue("a"), Queue("b")])
        consumer.consume()
        call = channel.only("basic_consume")[0]
        call["on_cancel"](call["consumer_tag"])
        assert not consumer.consuming_from("a")
        assert consumer.consuming_from("b")

    def test_a_consume_that_fails_can_be_tried_again(self, channel):
        consumer = Consumer(channel, Queue("a"))
        answer = channel.answer

        def failing(name, args, kwargs):
            channel.answer = answer
            raise BrokerLost

        channel.answer = failing
        with pytest.raises(BrokerLost):
            consumer.consume()
        assert not consumer.consuming_from("a")
        consumer.consume()
        assert consumer.consuming_from("a")

    def test_passed_on(self, channel):
        consumer = Consumer(channel, [Queue("a"), Queue("b")])
        channel.calls.clear()
        consumer.qos(1, 2, True)
        consumer.recover(requeue=True)
        consumer.flow(False)
        assert consumer.purge() == 10
        assert channel.calls == [
            ("basic_qos", (1, 2, True), {}),
            ("basic_recover", (), {"requeue": True}),
            ("flow", (False,), {}),
            ("queue_purge", (), {"queue": "a", "nowait": False}),
            ("queue_purge", (), {"queue": "b", "nowait": False}),
        ]

    def test_revive_goes_on_where_it_was(self, channel):
        consumer = Consumer(channel, [Queue("a"), Queue("b")], prefetch_count=2)
        consumer.consume(no_ack=True)
        consumer.cancel_by_queue("a")
        consumer.add_queue(Queue("c"))
        after = FakeChannel()
        consumer.revive(after)
        assert consumer.channel is after
        assert [k["queue"] for k in after.only("queue_declare")] == ["b", "c"]
        assert ("basic_qos", (0, 2, False), {}) in after.calls
        (call,) = after.only("basic_consume")
        assert (call["queue"], call["no_ack"], call["nowait"]) == ("b", True, False)
        assert {q.channel for q in consumer.queues} == {after}

    @pytest.mark.parametrize("stop", ["never began", "cancelled"])
    def test_revive_does_not_begin(self, channel, stop):
        consumer = Consumer(channel, Queue("a"))
        if stop == "cancelled":
            consumer.consume()
            consumer.cancel()
        after = FakeChannel()
        consumer.revive(after)
        assert after.only("basic_consume") == []

    def test_without_a_channel(self):
        consumer = Consumer(None, Queue("a"))
        assert repr(consumer) == (
            "<Consumer: [<unbound Queue a -> <unbound Exchange ''(direct)> -> >]>"
        )
        assert consumer.connection is None
        with pytest.raises(NotBoundError):
            consumer.consume()

    def test_on_a_connection(self, connection):
        consumer = Consumer(connection, Queue("a"))
        assert consumer.channel is connection.default_channel
        assert consumer.connection is connection


class test_Consumer_context:
    def test_cancels(self, channel):
        with Consumer(channel, Queue("a")) as consumer:
            assert consumer.consuming_from("a")
        assert "basic_cancel" in channel.names()

    def test_does_not_cancel_when_the_connection_is_lost(self, channel):
        with pytest.raises(BrokerLost):
            with Consumer(channel, Queue("a")):
                raise BrokerLost
        assert "basic_cancel" not in channel.names()

    def test_cancels_after_other_errors(self, channel):
        with pytest.raises(KeyError):
            with Consumer(channel, Queue("a")):
                raise KeyError
        assert "basic_cancel" in channel.names()

    @pytest.mark.parametrize("error", [None, KeyError])
    def test_an_error_of_cancelling_hides_nothing(self, channel, error):
        def answer(name, args, kwargs):
            if name == "basic_cancel":
                raise RuntimeError("could not cancel")
            return FakeChannel.answer(channel, name, args, kwargs)

        channel.answer = answer
        entered = False
        try:
            with Consumer(channel, Queue("a")):
                entered = True
                if error:
                    raise error
        except KeyError:
            assert error
        assert entered

    def test_a_closed_channel(self, channel):
        with Consumer(channel, Queue("a")):
            channel.connection = None
        assert "basic_cancel" not in channel.names()


class Received:
    """A consumer of one queue, what it got, and a producer for it."""

    def __init__(self, connection, **options):
        self.connection = connection
        self.got = []
        options.setdefault("callbacks", [self.on_task])
        self.consumer = connection.Consumer(Queue("q"), **options)
        self.consumer.consume()

    def on_task(self, body, message):
        self.got.append(body)
        message.ack()

    def publish(self, body, **options):
        self.connection.Producer().publish(body, routing_key="q", **options)

    def drain(self):
        self.connection.drain_events(timeout=1)

    def left(self):
        """Return how many messages there are, after all were given back."""
        self.consumer.cancel()
        self.consumer.recover(requeue=True)
        return Queue("q")(self.connection.channel()).purge()


GARBAGE = pytest.mark.parametrize(
    ("body", "options", "error"),
    [
        (
            "{bad",
            {"content_type": "application/json", "content_encoding": "utf-8"},
            DecodeError,
        ),
        (
            b"\xff\xfe",
            {"content_type": "application/json", "content_encoding": "utf-8"},
            DecodeError,
        ),
        ({"a": 1}, {"serializer": "pickle"}, ContentDisallowed),
        (
            b"no gzip",
            {
                "content_type": "application/json",
                "content_encoding": "utf-8",
                "headers": {"compression": "gzip"},
            },
            DecodeError,
        ),
        (
            b"no gzip",
            {
                "content_type": "application/json",
                "content_encoding": "utf-8",
                "headers": {"compression": "application/x-nosuch"},
            },
            KombuError,
        ),
        (
            b"x",
            {"content_type": "application/json", "content_encoding": "no-such-charset"},
            KombuError,
        ),
    ],
    ids=["syntax", "charset", "refused", "damaged", "compression", "unknown charset"],
)


class test_receiving:
    def test_callbacks_in_turn(self, connection):
        seen = []
        received = Received(
            connection,
            callbacks=[
                lambda body, message: seen.append(("one", body, message.acknowledged)),
                lambda body, message: message.ack(),
            ],
        )
        received.consumer.register_callback(
            lambda body, message: seen.append(("three", body, message.acknowledged))
        )
        received.publish({"a": 1})
        received.drain()
        assert seen == [("one", {"a": 1}, False), ("three", {"a": 1}, True)]
        assert received.left() == 0

    def test_subclasses_have_callbacks_too(self, connection):
        seen = []

        class Mine(Consumer):
            callbacks = [lambda body, message: seen.append(body)]

        one, other = Mine(connection), Mine(connection)
        one.register_callback(print)
        assert len(other.callbacks) == len(Mine.callbacks) == 1
        other.callbacks = None
        other.register_callback(print)
        assert other.callbacks == [print]

    def test_on_message_is_not_given_the_body(self, connection):
        messages = []
        received = Received(connection, on_message=messages.append, callbacks=[print])
        received.publish({"a": 1})
        received.drain()
        (message,) = messages
        assert message.payload == {"a": 1}
        message.ack()

    def test_without_callbacks(self, connection):
        received = Received(connection, callbacks=[])
        received.publish(1)
        with pytest.raises(NotImplementedError, match="any callbacks") as caught:
            received.drain()
        assert isinstance(caught.value, KombuError)
        assert received.left() == 1

    def test_an_error_in_a_callback_is_not_a_decode_error(self, connection):
        told = []

        def callback(body, message):
            raise ZeroDivisionError

        received = Received(
            connection,
            callbacks=[callback],
            on_decode_error=lambda *args: told.append(args),
        )
        received.publish(1)
        with pytest.raises(ZeroDivisionError):
            received.drain()
        assert told == []

    def test_accept(self, connection):
        received = Received(connection, accept=["pickle", "application/json"])
        assert received.consumer.accept == {
            "application/json",
            "application/x-python-serialize",
        }
        received.publish({"a": 1}, serializer="pickle")
        received.drain()
        assert received.got == [{"a": 1}]

    def test_accept_is_checked(self, connection):
        with pytest.raises(SerializerNotInstalled, match="nosuch"):
            connection.Consumer(accept=["nosuch"])
        assert connection.Consumer().accept is None
        assert connection.Consumer(accept=[]).accept == set()

    @GARBAGE
    def test_without_a_handler(self, connection, body, options, error):
        received = Received(connection)
        received.publish(body, **options)
        received.publish("good")
        with pytest.raises(error):
            received.drain()
        received.drain()  # the consumer goes on
        assert received.got == ["good"]
        assert received.left() == 1  # and the message is not lost

    @GARBAGE
    def test_with_a_handler(self, connection, body, options, error):
        told = []

        def on_decode_error(message, exc):
            told.append(exc)
            message.reject()

        received = Received(connection, on_decode_error=on_decode_error)
        received.publish(body, **options)
        received.publish("good")
        received.drain()
        received.drain()
        assert [isinstance(exc, error) for exc in told] == [True]
        assert received.got == ["good"]
        assert received.left() == 0

    @GARBAGE
    def test_a_handler_that_fails_is_called_once(
        self, connection, body, options, error
    ):
        told = []

        def on_decode_error(message, exc):
            told.append(exc)
            raise ZeroDivisionError

        received = Received(connection, on_decode_error=on_decode_error)
        received.publish(body, **options)
        with pytest.raises(ZeroDivisionError):
            received.drain()
        assert len(told) == 1

    def test_on_message_decides_when_to_decode(self, connection):
        messages = []
        received = Received(connection, on_message=messages.append)
        received.publish({"a": 1}, serializer="pickle")
        received.drain()
        with pytest.raises(ContentDisallowed):
            messages[0].payload

    def test_messages_of_a_driver_are_converted(self, channel):
        class Driver(FakeChannel):
            def message_to_python(self, raw):
                if raw == "garbage":
                    raise ValueError("no message")
                return type(
                    "Message",
                    (),
                    {"errors": (), "raw": raw, "decode": lambda self: self.raw.upper()},
                )()

        got, told = [], []
        consumer = Consumer(
            Driver(), Queue("q"), callbacks=[lambda body, message: got.append(body)]
        )
        consumer._receive_callback("raw")
        with pytest.raises(ValueError):
            consumer._receive_callback("garbage")
        consumer.on_decode_error = lambda message, exc: told.append((message, str(exc)))
        consumer._receive_callback("garbage")
        assert got == ["RAW"]
        assert told == [("garbage", "no message")]

    def test_prefetch_count(self, connection):
        messages = []
        received = Received(connection, on_message=messages.append, prefetch_count=2)
        for number in range(3):
            received.publish(number)
        received.drain()
        received.drain()
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=0.001)
        messages[0].ack()
        received.drain()
        assert [message.payload for message in messages] == [0, 1, 2]

    def test_two_consumers_of_a_queue(self, connection):
        one, other = Received(connection), Received(connection)
        one.consumer.cancel()
        other.publish("x")
        other.drain()
        assert (one.got, other.got) == ([], ["x"])
