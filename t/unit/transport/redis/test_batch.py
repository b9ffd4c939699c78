from __future__ import annotations

import pytest
from redis import exceptions

from kombu import Exchange, Producer, Queue
from kombu.transport.redis.errors import ServerLost


@pytest.fixture
def queue(channel):
    queue = Queue("q", Exchange("e", "direct"), "k")
    queue(channel).declare()
    return queue


def count(server):
    return len(server.lists["q"])


class test_batch:
    def test_is_put_at_its_end(self, channel, queue, server):
        producer = Producer(channel, queue.exchange, routing_key="k")

        with producer.batch(max_size=100):
            for number in range(5):
                producer.publish(number)
            assert count(server) == 0

        assert count(server) == 5

    def test_is_put_when_it_is_full(self, channel, queue, server):
        batch = channel.create_publish_batch(max_size=2)
        message = channel.prepare_message("x")

        for _ in range(3):
            batch.publish(message, exchange="e", routing_key="k")

        assert count(server) == 2
        assert "1 of 2 messages" in repr(batch)
        batch.discard()
        batch.flush()
        batch.close()
        assert count(server) == 2

    def test_is_kept_when_the_server_is_away(self, channel, queue, server):
        batch = channel.create_publish_batch()
        batch.publish(channel.prepare_message("x"), exchange="e", routing_key="k")
        server.answers["put"].append(exceptions.ConnectionError("cut"))
        with pytest.raises(ServerLost):
            batch.flush()

        batch.flush()

        assert count(server) == 1

    def test_topology_that_changes_meanwhile(self, channel, queue, server, connect):
        # Given a batch that was routed
        batch = channel.create_publish_batch()
        for number in range(3):
            message = channel.prepare_message(str(number))
            batch.publish(message, exchange="e", routing_key="k")

        # When another process binds a second queue
        other = connect().channel()
        Queue("r", queue.exchange, "k")(other).declare()
        server.calls.clear()
        batch.flush()

        # Then all of it goes there too, in one more round trip
        assert count(server) == len(server.lists["r"]) == 3
        assert len(server.named("put")) == 6

    def test_topology_that_changes_all_the_time(self, channel, queue, server):
        batch = channel.create_publish_batch()
        batch.publish(channel.prepare_message("x"), exchange="e", routing_key="k")
        server.answers["put"].extend([0] * 50)

        batch.flush()

        assert count(server) == 1
