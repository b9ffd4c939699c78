"""Programs that consume, and go on after the broker was lost."""

from __future__ import annotations

import socket
from contextlib import contextmanager

import pytest

from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.mixins import ConsumerMixin, ConsumerProducerMixin
from t.unit.fakes import BrokerLost


class Worker(ConsumerMixin):
    """Writes down what happens to it; stops after so many iterations."""

    queue = Queue("q", Exchange("e"), "k")

    def __init__(self, connection, iterations=None):
        self.connection = connection
        self.log = []
        self.iterations = iterations
        self.before_iteration = lambda: None

    def get_consumers(self, Consumer, channel):
        return [Consumer(queues=[self.queue], callbacks=[self.on_task])]

    def on_task(self, body, message):
        self.log.append(("task", body))
        message.ack()

    def on_connection_revived(self):
        self.log.append("revived")

    def on_consume_ready(self, connection, channel, consumers, **kwargs):
        self.log.append(("ready", len(consumers), kwargs))

    def on_consume_end(self, connection, channel):
        self.log.append("end")

    def on_iteration(self):
        self.log.append("iteration")
        self.before_iteration()
        if self.iterations is not None:
            self.iterations -= 1
            self.should_stop = not self.iterations

    def on_connection_error(self, error, interval):
        self.log.append(("error", str(error), interval))

    def publish(self, *bodies, **options):
        for body in bodies:
            with self.connection.clone() as connection:
                connection.Producer().publish(
                    body, exchange="e", routing_key="k", declare=[self.queue], **options
                )


class test_consume:
    def test_hooks_in_order(self, connection):
        worker = Worker(connection)
        worker.publish(0, 1)
        assert list(worker.consume(limit=2, timeout=1, foo=3)) == [None, None]
        assert worker.log == [
            "revived",
            ("ready", 1, {"foo": 3}),
            "iteration",
            ("task", 0),
            "iteration",
            ("task", 1),
            "end",
        ]

    def test_it_uses_a_connection_of_its_own(self, connection):
        worker = Worker(connection)
        worker.publish(0)
        list(worker.consume(limit=1, timeout=1))
        assert not connection.connected

    def test_timeout(self, connection, clock):
        worker = Worker(connection)
        with pytest.raises(socket.timeout):
            list(worker.consume(timeout=3, safety_interval=1))
        assert worker.log.count("iteration") == 3
        assert clock.now == 1003.0

    def test_an_event_begins_the_time_anew(self, connection, clock):
        worker = Worker(connection)

        def publish():
            if clock.now == 1002.0:
                worker.publish("late")
                clock.now += 0.5

        worker.before_iteration = publish
        with pytest.raises(socket.timeout):
            list(worker.consume(timeout=3))
        assert clock.now == 1005.5

    def test_heartbeats_are_checked_while_nothing_comes(self, network, clock):
        checked = []

        class Beating(network.transport):
            def heartbeat_check(self, connection, rate=2):
                checked.append(rate)

        network.transport = Beating
        with pytest.raises(socket.timeout):
            list(Worker(network.connect()).consume(timeout=2))
        assert checked == [2, 2]

    def test_should_stop(self, connection, clock):
        worker = Worker(connection, iterations=2)
        assert list(worker.consume()) == []
        assert worker.log.count("iteration") == 2

    def test_errors_while_it_is_to_stop_do_not_matter(self, network):
        worker = Worker(network.connect(), iterations=1)

        class Failing(network.transport):
            def drain_events(self, *args, **kwargs):
                raise OSError("interrupted")

        worker.connection = network.connect().clone(transport=Failing)
        assert list(worker.consume()) == []
        worker = Worker(worker.connection)
        with pytest.raises(OSError, match="interrupted"):
            list(worker.consume())

    def test_messages_that_can_not_be_decoded_are_dropped(self, connection, caplog):
        worker = Worker(connection)
        worker.publish(1)
        worker.publish(
            "{bad", content_type="application/json", content_encoding="utf-8"
        )
        worker.publish(2)
        list(worker.consume(limit=3, timeout=1))
        assert [entry for entry in worker.log if entry[0] == "task"] == [
            ("task", 1),
            ("task", 2),
        ]
        assert "Can't decode message body" in caplog.text
        assert worker.queue(connection).queue_declare(passive=True)[1] == 0

    def test_extra_context(self, connection):
        worker = Worker(connection)

        @contextmanager
        def extra_context(connection, channel):
            worker.log.append("enter")
            yield
            worker.log.append("leave")

        worker.extra_context = extra_context
        worker.publish(0)
        list(worker.consume(limit=1, timeout=1))
        assert worker.log == [
            "revived",
            "enter",
            ("ready", 1, {}),
            "iteration",
            ("task", 0),
            "leave",
            "end",
        ]

    def test_consumer_context(self, connection):
        worker = Worker(connection)
        with worker.consumer_context() as (own, channel, consumers):
            assert own is not connection
            assert channel is own.default_channel
            assert consumers[0].consuming_from("q")
        assert not consumers[0].consuming_from("q")


class test_run:
    def test_until_it_is_to_stop(self, connection, clock):
        worker = Worker(connection, iterations=2)
        worker.run()
        assert worker.log == [
            "revived",
            ("ready", 1, {}),
            "iteration",
            "iteration",
            "end",
        ]

    def test_keywords_reach_the_hook(self, connection, clock):
        worker = Worker(connection, iterations=1)
        worker.run(foo=1)
        assert ("ready", 1, {"foo": 1}) in worker.log

    def test_goes_on_after_the_broker_was_lost(self, network, clock, caplog):
        worker = Worker(network.connect(), iterations=4)
        worker.publish("before")

        def lose():
            if len(network.attempts) and worker.iterations == 3:
                network.kill()

        def on_connection_error(error, interval):
            worker.log.append(("error", str(error), interval))
            if worker.log.count(("error", "a is dead", interval)) and interval >= 4:
                network.revive()
                worker.publish("after")

        worker.before_iteration = lose
        worker.on_connection_error = on_connection_error
        worker.run()
        assert [entry for entry in worker.log if entry != "iteration"] == [
            "revived",
            ("ready", 1, {}),
            ("task", "before"),
            ("error", "a is dead", 2),
            ("error", "a is dead", 4),
            "revived",
            ("ready", 1, {}),
            ("task", "after"),
            "end",
        ]
        assert "Connection to broker lost" in caplog.text

    def test_not_more_than_one_restart_a_second(self, network, clock):
        worker = Worker(network.connect())
        began = []

        def lose():
            began.append(clock.now)
            worker.should_stop = len(began) == 4
            raise BrokerLost

        worker.before_iteration = lose
        worker.run()
        pauses = [b - a for a, b in zip(began, began[1:], strict=False)]
        assert all(pause >= 1 for pause in pauses[1:])
        assert clock.now <= 1004.0

    def test_gives_up_connecting(self, network, clock):
        network.kill()
        worker = Worker(network.connect())
        worker.connect_max_retries = 2
        with pytest.raises(OperationalError):
            worker.run()
        assert network.tried() == "aaa"
        assert [entry[0] for entry in worker.log] == ["error", "error"]

    def test_other_errors_end_it(self, connection):
        worker = Worker(connection)

        def fail():
            raise ZeroDivisionError

        worker.before_iteration = fail
        with pytest.raises(ZeroDivisionError):
            worker.run()

    def test_many_losses_do_not_recurse(self, network, clock):
        worker = Worker(network.connect())
        losses = []

        def lose():
            losses.append(1)
            worker.should_stop = len(losses) == 1500
            raise BrokerLost

        worker.before_iteration = lose
        worker.on_iteration = lose
        worker.run()
        assert len(losses) == 1500


class test_ConsumerMixin:
    def test_what_must_be_defined(self):
        with pytest.raises(NotImplementedError):
            ConsumerMixin().get_consumers(None, None)

    def test_defaults_of_hooks(self, connection, caplog):
        mixin = ConsumerMixin()
        mixin.connection = connection
        assert mixin.connect_max_retries is None
        assert mixin.should_stop is False
        mixin.on_connection_revived()
        mixin.on_consume_ready(None, None, None)
        mixin.on_consume_end(None, None)
        mixin.on_iteration()
        mixin.on_connection_error(BrokerLost("x"), 3)
        assert "trying again in 3 seconds: BrokerLost('x')" in caplog.text

    def test_errors_of_the_connection(self, connection):
        worker = Worker(connection)
        assert worker.connection_errors == connection.connection_errors
        assert worker.channel_errors == connection.channel_errors

    def test_maybe_conn_error(self, network):
        worker = Worker(network.connect())

        def fail():
            raise BrokerLost

        assert worker.maybe_conn_error(lambda: 3) == 3
        assert worker.maybe_conn_error(fail) is None


class test_ConsumerProducerMixin:
    def test_publishing_has_a_connection_of_its_own(self, connection):
        class Both(ConsumerProducerMixin):
            pass

        both = Both()
        both.connection = connection
        own = both.producer_connection
        assert own is both.producer_connection
        assert own is not connection
        assert own.connected
        assert both.producer.connection is own
        both.producer.publish("x", routing_key="q", declare=[Queue("q")])
        assert Queue("q")(connection).get().payload == "x"
        both.on_consume_end(None, None)
        assert not own.connected
        both.on_consume_end(None, None)
        assert both.producer_connection is not own

    def test_connecting_has_the_limits_of_the_program(self, network, clock):
        network.kill()
        both = ConsumerProducerMixin()
        both.connection = network.connect()
        both.connect_max_retries = 1
        with pytest.raises(OperationalError):
            both.producer_connection
        assert network.tried() == "aa"
        network.revive()
        assert both.producer_connection.connected
