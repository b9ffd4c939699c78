from __future__ import annotations

import pytest


class test_channel:
    def test_options_become_attributes(self, connect):
        channel = connect(global_keyprefix="app:", sep=":", unacked_key="u").channel()

        assert channel.global_keyprefix == "app:"
        assert channel.sep == ":"
        assert channel.unacked_key == "u"
        assert channel.unacked_index_key == "unacked_index"

    @pytest.mark.parametrize(
        "given, step", [(0, 0), (2, 0), (3, 3), (5, 3), (9, 9), (99, 9), (-1, 0)]
    )
    def test_steps(self, channel, given, step):
        assert channel.priority(given) == step

    def test_lists_by_priority(self, channel):
        assert channel._q_for_pri("q", 0) == "q"
        assert channel._q_for_pri("q", 4) == "q\x06\x163"

    def test_active_queues(self, channel):
        channel.queue_declare("q")
        channel.basic_consume("q", False, print, "tag")

        assert channel.active_queues == {"q"}

    def test_client_of_the_driver(self, channel):
        import redis

        assert isinstance(channel.client, redis.Redis)
        assert channel.pool.connection_kwargs["host"] == "home"
        with channel.conn_or_acquire() as client:
            assert isinstance(client, redis.Redis)
        with channel.conn_or_acquire(7) as client:
            assert client == 7

    def test_client_for_channels(self, channel):
        from redis.client import PubSub

        assert isinstance(channel.subclient, PubSub)
