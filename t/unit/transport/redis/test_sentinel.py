from __future__ import annotations

import pytest

from kombu import Connection
from kombu.transport._options import InvalidTransportOption
from kombu.transport.redis import SentinelChannel, SentinelTransport
from kombu.transport.redis.errors import ServerLost
from kombu.transport.redis.lines import Quota

URL = "sentinel://u:pw@one:1/3;sentinel://two"


def transport(url=URL, **options):
    options.setdefault("master_name", "group")
    return Connection(url, transport_options=options).transport


class test_sentinel:
    def test_hosts_are_sentinels(self):
        assert transport()._hosts() == [("one", 1), ("two", 26379)]
        assert transport().default_port == 26379
        assert transport().Channel is SentinelChannel

    def test_login_and_database_are_those_of_the_first_url(self):
        found = transport().parameters

        assert found.database == 3
        assert found.arguments["username"] == "u"
        assert found.arguments["password"] == "pw"

    def test_master_must_be_named(self):
        without = transport(master_name=None)

        with pytest.raises(InvalidTransportOption, match="'master_name' transport"):
            without._make_server(Quota(1))

    def test_sentinels_are_asked_at_each_connection(self, monkeypatch):
        from redis import sentinel as driver

        asked = []

        def discover(self, name):
            asked.append((name, len(self.sentinels), self.min_other_sentinels))
            raise driver.MasterNotFoundError("nobody knows")

        monkeypatch.setattr(driver.Sentinel, "discover_master", discover)
        server = transport(min_other_sentinels=2)._make_server(Quota(1))
        link = server.make_link()

        for _ in range(2):
            with pytest.raises(ServerLost, match="master 'group'"):
                link.send(b"x")
        assert asked == [("group", 2, 2)] * 2

    def test_login_of_the_sentinels_own(self):
        found = transport(sentinel_kwargs={"password": "other"}).client_of_driver()

        sentinels = found.connection_pool.sentinel_manager.sentinels
        kwargs = sentinels[0].connection_pool.connection_kwargs
        assert kwargs["password"] == "other"

    @pytest.mark.parametrize(
        "options, expected",
        [
            ({}, None),
            ({"sentinel_fanout_compat": True}, "/{db}."),
            ({"sentinel_fanout_compat": True, "fanout_prefix": False}, ""),
            ({"sentinel_fanout_compat": True, "fanout_prefix": "/x{db}."}, "/x{db}."),
        ],
    )
    def test_older_channels(self, options, expected):
        assert transport(**options)._compat_prefix() == expected

    def test_type(self):
        assert type(transport()) is SentinelTransport
