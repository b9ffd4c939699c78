from __future__ import annotations

import json

import pytest

from kombu.exceptions import PublishRefused
from t.unit.transport.redis.messages import declare, publish, receive, texts
from t.unit.transport.redis.server import bodies, envelope


class test_topology:
    def test_changed_between_routing_and_putting(self, channel, connect, server):
        declare(channel)
        publish(channel, "x")
        declare(connect().channel(), name="r")

        publish(channel, "y")

        assert len(texts(server)) == 2
        assert len(texts(server, "r")) == 1

    def test_that_changes_all_the_time(self, channel, server):
        declare(channel)
        publish(channel, "x")
        server.answers["put"].extend([0] * 50)

        publish(channel, "y")

        assert len(texts(server)) == 2

    def test_that_others_have_made_meanwhile(self, channel, connect, server):
        channel.exchange_declare("e", "direct", durable=True, auto_delete=False)
        publish(channel, "x")
        declare(connect().channel())

        publish(channel, "y", mandatory=True)

        assert len(texts(server)) == 1

    def test_changed_under_a_message_with_a_limit(self, channel, connect, server):
        declare(channel, max_length=5)
        publish(channel, "x")
        declare(connect().channel(), name="r")

        publish(channel, "y")

        assert len(texts(server, "r")) == 1

    def test_claim_of_who_knows_an_old_one_takes_nothing(
        self, channel, connect, server
    ):
        declare(channel)
        publish(channel, "x")
        declare(connect().channel(), name="r")

        assert channel._claim_from_server(["q"], 1) == []
        assert bodies(channel._claim_from_server(["q"], 1))

    def test_of_who_claims(self, connection, channel, connect, server):
        queue = declare(channel)
        publish(channel, "x")
        declare(connect().channel(), name="r")

        assert receive(connection, queue, 1) == ["x"]

    def test_purge_and_delete(self, channel, server):
        declare(channel)
        publish(channel, "x")
        publish(channel, "y")

        assert channel.queue_purge("q") == 2
        publish(channel, "z")
        assert channel._size("q") == 1
        channel.queue_delete("q")
        assert not server.lists["q"]


class test_limits:
    def test_message_goes_through_the_limit(self, channel, server):
        declare(channel, max_length=3)

        publish(channel, "x")

        assert server.named("put_limited")
        assert len(texts(server)) == 1

    def test_what_is_too_much_is_settled(self, channel, server):
        declare(channel, max_length=3)
        text = json.dumps(envelope("old")).encode()
        server.answers["put_limited"].append([1, text])

        publish(channel, "x")
        channel.connection._flush()

        assert server.named("HDEL")

    def test_delayed_message_rests(self, channel, server):
        declare(channel, max_length=3)

        publish(channel, "x", headers={"x-delay": 30_000})

        assert server.named("rest")

    def test_refused_one_is_buried(self, channel, server):
        channel.queue_declare("graves")
        declare(
            channel,
            queue_arguments={
                "x-max-length": 1,
                "x-overflow": "reject-publish-dlx",
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "graves",
            },
        )
        server.answers["put_limited"].append([0])

        with pytest.raises(PublishRefused):
            publish(channel, "x")

        assert len(texts(server, "graves")) == 1

    def test_time_to_live_of_the_queue(self, channel, server):
        declare(channel, message_ttl=60)

        publish(channel, "x")

        (found,) = texts(server)
        assert found["properties"]["x-expires-at"] > 0
