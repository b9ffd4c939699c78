"""Redis: processes are killed, sockets are cut, and the server dies, all at random."""

from __future__ import annotations

import os

import pytest

from kombu.testing import FaultProxy
from t.brokers.redis import Redis, redis_client
from t.integration.crash.fleet import Fleet
from t.integration.crash.test_processes import LEASE, Server, run
from t.integration.crash.worker import DEAD, JOBS

MESSAGES = int(os.environ.get("KOMBU_TEST_CRASH_MESSAGES", "20000"))


class Cuts:
    """Cuts all sockets, those of the living too, at every third kill."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.count = 0

    def __call__(self, kills):
        if kills % 3 == 0:
            self.proxy.cut()
            self.count += 1


def account(url, through, folder, on_kill, lost_acks=0):
    """Let a fleet run, and see that nothing of it is left in the store."""
    # The exchange of the dead letters is a fanout, whose queue nobody listens to.
    options = {"visibility_timeout": LEASE, "fanout": "durable"}
    (folder / "logs").mkdir()
    fleet = Fleet(through, options, folder / "logs", MESSAGES, on_kill)

    run(fleet, lost_acks)

    with redis_client(url) as client:
        # What is in flight for nobody would never come back, nor go away.
        assert client.hlen("unacked") == 0
        assert client.zcard("unacked_index") == 0
        assert client.llen(JOBS.name) == client.llen(DEAD.name) == 0


def test_sockets_are_cut(redis_server, tmp_path):
    url = redis_server.new_database()
    with redis_server.client() as client:
        address = client.connection_pool.connection_kwargs
    with FaultProxy(address["host"], address["port"], patience=20.0) as proxy:
        cuts = Cuts(proxy)
        account(url, proxy.url_for(url), tmp_path, cuts)
    assert cuts.count > 5


@pytest.mark.parametrize("appendfsync", ["no", "always"])
def test_server_is_killed(redis_server, tmp_path, appendfsync):
    # Where there is a Redis, there is another one.
    with Redis(appendfsync) as server:
        url = server.new_database()

        account(url, url, tmp_path, Server(server), lost_acks=10)
