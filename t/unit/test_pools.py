"""The pools that the whole process shares."""

from __future__ import annotations

import os

import pytest

from kombu import Connection, Producer, Queue, pools
from kombu.exceptions import LimitExceeded, OperationalError
from t.unit.fakes import Network


@pytest.fixture(autouse=True)
def no_pools_are_left():
    limit = pools.get_limit()
    yield
    pools.reset()
    pools.set_limit(limit)


class test_ProducerPool:
    def test_a_producer_has_a_connection_while_in_use(self, connection):
        pool = pools.ProducerPool(connection.Pool(1), 1)
        producer = pool.acquire()
        assert producer.connection.as_uri() == connection.as_uri()
        with pytest.raises(LimitExceeded):
            pool.acquire()
        producer.release()
        assert producer._channel is None
        assert len(pool.connections._dirty) == 0
        with pool.acquire() as again:
            assert again is producer
            again.publish("x", routing_key="q", declare=[Queue("q")])
        assert Queue("q")(connection).get().payload == "x"

    def test_without_a_limit(self, connection):
        pool = pools.ProducerPool(connection.Pool(1))
        with pool.acquire() as producer:
            assert len(pool.connections._dirty) == 1
        assert len(pool.connections._dirty) == 0
        with pool.acquire() as another:
            assert another is not producer

    def test_two_producers_have_two_connections(self, connection):
        pool = pools.ProducerPool(connection.Pool(2), 2)
        with pool.acquire() as one, pool.acquire() as other:
            assert one.connection is not other.connection

    def test_a_class_of_ones_own(self, connection):
        class Mine(Producer):
            pass

        pool = pools.ProducerPool(connection.Pool(1), 1, Producer=Mine)
        assert type(pool.acquire()) is Mine

    @pytest.mark.parametrize("method", ["create_producer", "acquire"])
    def test_errors_give_the_connection_back(self, connection, method):
        class Failing(Producer):
            def revive(self, channel):
                raise ZeroDivisionError

        pool = pools.ProducerPool(connection.Pool(1), 1, Producer=Failing)
        with pytest.raises(ZeroDivisionError):
            getattr(pool, method)()
        assert len(pool.connections._dirty) == 0

    def test_create_producer(self, connection):
        pool = pools.ProducerPool(connection.Pool(1), 1)
        producer = pool.create_producer()
        assert isinstance(producer, Producer)
        assert len(pool.connections._dirty) == 1

    def test_promised_producers(self, connection):
        pool = pools.ProducerPool(connection.Pool(2), 1)
        producer = pool.prepare(lambda: Producer(None))
        assert producer.connection is not None

    def test_prepare_leaves_what_is_ready(self, connection):
        pool = pools.ProducerPool(connection.Pool(1), 1)
        producer = pool.acquire()
        channel = producer.channel
        assert pool.prepare(producer) is producer
        assert producer.channel is channel

    def test_replace_and_close(self, connection):
        pool = pools.ProducerPool(connection.Pool(1), 1)
        pool.replace(pool.acquire())
        assert len(pool.connections._dirty) == 0
        producer = pool.acquire()
        pool.force_close_all()
        assert producer._channel is None
        assert len(pool.connections._dirty) == 0

    def test_collect_leaves_the_connection_to_its_pool(self, connection):
        pool = pools.ProducerPool(connection.Pool(1), 1)
        producer = pool.acquire()
        pool.collect_resource(producer)
        assert producer._channel is producer.__connection__ is None
        assert len(pool.connections._dirty) == 1

    def test_the_broker_goes_while_a_producer_rests(self, clock):
        network = Network()
        pool = pools.ProducerPool(network.connect().Pool(1), 1)
        publish = {"routing_key": "q", "declare": [Queue("q")]}
        with pool.acquire() as producer:
            producer.publish(1, **publish)
        network.kill()
        with pytest.raises(OperationalError):
            with pool.acquire() as producer:
                producer.publish(2, retry=True, retry_policy={"max_retries": 1})
        network.revive()
        with pool.acquire() as producer:
            producer.publish(3, **publish)


class test_groups:
    def test_one_pool_for_equal_connections(self, connection):
        assert pools.connections[connection] is pools.connections[connection.clone()]
        assert pools.producers[connection] is pools.producers[connection.clone()]
        assert pools.producers[connection].connections is pools.connections[connection]
        other = Connection(f"{connection.hostname}", transport="memory", port=3)
        assert pools.connections[other] is not pools.connections[connection]

    def test_use(self, connection):
        with pools.producers[connection].acquire(block=True) as producer:
            producer.publish({"a": 1}, routing_key="q", declare=[Queue("q")])
        with pools.connections[connection].acquire(block=True) as pooled:
            assert Queue("q")(pooled).get().payload == {"a": 1}

    def test_limit(self, connection):
        assert pools.get_limit() == 10
        assert pools.connections[connection].limit == 10
        assert pools.set_limit(5) == 5
        assert pools.connections[connection].limit == 5
        assert pools.connections[connection.clone(port=4)].limit == 5
        assert pools.set_limit(None) == 0

    def test_limit_while_in_use(self, connection):
        pooled = pools.connections[connection].acquire()
        with pytest.raises(RuntimeError, match="was=10 now=2"):
            pools.set_limit(2)
        assert pools.connections[connection].limit == 10
        pools.set_limit(3, ignore_errors=True)
        assert pools.connections[connection].limit == 3
        pools.set_limit(2, force=True)
        assert not pooled.connected
        pools.set_limit(4, reset_after=True)
        assert pools.connections[connection].limit == 4

    def test_reset(self, connection):
        pool = pools.connections[connection]
        pools.producers[connection]
        pools.reset()
        assert (dict(pools.connections), dict(pools.producers)) == ({}, {})
        with pytest.raises(RuntimeError):
            pool.acquire()

    def test_a_group_of_ones_own(self, connection):
        group = pools.register_group(pools.Connections(limit=3))
        assert group[connection].limit == 3
        pools.reset()
        assert len(group) == 0

    def test_two_threads_get_the_same_pool(self, connection):
        class Slow(pools.Connections):
            def create(self, connection, limit):
                if not self.is_within:
                    self.is_within = True
                    self.other = self[connection]  # as a thread might, meanwhile
                return super().create(connection, limit)

            is_within = False

        group = Slow(limit=1)
        assert group[connection] is group.other

    def test_a_group_must_know_what_it_makes(self):
        with pytest.raises(NotImplementedError, match="create"):
            pools.PoolGroup(limit=3)["x"]

    def test_use_global_limit_says_what_it_is(self):
        assert repr(pools.use_global_limit) == "<the limit of kombu.pools.set_limit>"

    def test_producers_by_the_global_limit(self, connection):
        pools.set_limit(4)
        assert pools.Producers(limit=pools.use_global_limit)[connection].limit == 4

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    @pytest.mark.parametrize("close_after_fork", [True, False])
    def test_a_child_begins_with_no_pools(self, connection, close_after_fork):
        group = pools.Connections(limit=1, close_after_fork=close_after_fork)
        group[connection]
        pid = os.fork()
        if not pid:
            os._exit(len(group))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status == (0 if close_after_fork else 1)
        assert len(group) == 1
