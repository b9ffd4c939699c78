from __future__ import annotations

import pytest
from redis import exceptions
from redis.crc import key_slot

from kombu import Connection
from kombu.transport.redis import ClusterTransport, SSLClusterTransport
from kombu.transport.redis.cluster import ClusterServer
from kombu.transport.redis.errors import ServerLost, ServerRefused
from kombu.transport.redis.lines import Quota
from kombu.transport.redis.parameters import Parameters
from kombu.transport.redis.server import Request
from t.unit.transport.redis.server import FakeServer

FIRST, SECOND = ("one", 1), ("two", 2)


class Nodes:
    """Two nodes: the first has the lower half of the slots."""

    def __init__(self):
        self.nodes = {FIRST: FakeServer(), SECOND: FakeServer()}
        for node in self.nodes.values():
            node.always["CLUSTER"] = self._slots

    def _slots(self, call):
        return [[0, 8191, [b"one", 1, b"id"]], [8192, 16383, [b"two", 2, b"id"]]]

    def __getitem__(self, address):
        return self.nodes[address]

    def connection(self, host, port):
        return self.nodes[host, port].connect()


class FakeParameters:
    secret = None
    busy_wait = 0.0

    def __init__(self, nodes):
        self.connection = nodes.connection


def key_on(address):
    """Return a key whose slot a node has."""
    keys = (f"k{number}" for number in range(1000))
    return next(
        key for key in keys if (key_slot(key.encode()) < 8192) == (address == FIRST)
    )


LOWER, UPPER = key_on(FIRST), key_on(SECOND)


@pytest.fixture
def nodes():
    return Nodes()


@pytest.fixture
def cluster(nodes):
    return ClusterServer(FakeParameters(nodes), [FIRST], Quota(3))


def push(key):
    return Request.plain("LPUSH", key, "x")


def moved(key, address=SECOND):
    return exceptions.MovedError(f"{key_slot(key.encode())} {address[0]}:{address[1]}")


def ask(key):
    return exceptions.AskError(f"{key_slot(key.encode())} two:2")


class test_asking:
    def test_each_key_is_asked_where_it_is(self, cluster, nodes):
        assert cluster.run_all([push(LOWER), push(UPPER), push(LOWER)]) == [1, 1, 2]

        assert len(nodes[FIRST].lists[LOWER]) == 2
        assert len(nodes[SECOND].lists[UPPER]) == 1
        assert len(nodes[FIRST].connections) == 1

    def test_posting_waits(self, cluster, nodes):
        cluster.post_all([push(UPPER)])

        assert nodes[SECOND].lists[UPPER]

    def test_closing(self, cluster, nodes):
        cluster.run(push(UPPER))

        cluster.close()

        assert not any(one.is_open for one in nodes[SECOND].connections)
        assert repr(cluster) == "<ClusterServer: Redis cluster at one:1>"

    def test_any_node_does_for_channels(self, cluster):
        link = cluster.make_link()

        assert link.exchange(push(LOWER).packed(True), 1) == [1]


class test_slots_that_move:
    def test_moved_for_good(self, cluster, nodes):
        nodes[FIRST].answers["LPUSH"].append(moved(LOWER))

        assert cluster.run(push(LOWER)) == 1
        assert cluster.run(push(LOWER)) == 2

        assert len(nodes[SECOND].lists[LOWER]) == 2
        assert len(nodes[FIRST].named("LPUSH")) == 1

    def test_about_to_move(self, cluster, nodes):
        nodes[FIRST].answers["LPUSH"].append(ask(LOWER))

        assert cluster.run(push(LOWER)) == 1

        assert nodes[SECOND].names() == ["ASKING", "LPUSH"]
        assert cluster.run(push(LOWER)) == 1  # the first one still has it
        assert nodes[FIRST].lists[LOWER]

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.TryAgainError("keys on their way"),
            exceptions.ClusterDownError(""),
        ],
        ids=type,
    )
    def test_is_tried_again_after_a_pause(self, cluster, nodes, clock, error):
        nodes[FIRST].answers["LPUSH"].extend([error, error])

        assert cluster.run(push(LOWER)) == 1

        assert clock.sleeps == [0.01, 0.02]

    def test_not_for_ever(self, cluster, nodes, clock):
        nodes[FIRST].always["LPUSH"] = exceptions.TryAgainError("still")

        with pytest.raises(ServerLost, match="refuses LPUSH"):
            cluster.run(push(LOWER))

        assert len(clock.sleeps) == 12

    def test_script_that_the_new_node_does_not_know(self, cluster, nodes):
        from kombu.transport.redis.resp import part

        nodes[FIRST].answers["ring"].append(ask(LOWER))
        nodes[SECOND].knows_scripts = False
        request = Request("ring", part(LOWER), part(), LOWER)

        assert cluster.run(request) == 1

        # The server forgets that it was asked by ASKING with each command.
        assert nodes[SECOND].names() == ["ASKING", "ASKING", "ring"]

    def test_refusal(self, cluster, nodes):
        nodes[FIRST].answers["LPUSH"].append(exceptions.ResponseError("WRONGTYPE"))

        with pytest.raises(ServerRefused, match="WRONGTYPE"):
            cluster.run(push(LOWER))


class test_nodes_that_are_lost:
    def test_slots_are_asked_for_again(self, cluster, nodes):
        cluster.run(push(LOWER))
        nodes[SECOND].always["CLUSTER"] = lambda call: [[0, 16383, [b"two", 2, b"id"]]]
        nodes[FIRST].is_gone = True
        nodes[FIRST].lose_all()
        with pytest.raises(ServerLost):
            cluster.run(push(LOWER))
        cluster._first.append(SECOND)

        assert cluster.run(push(LOWER)) == 1

        assert nodes[SECOND].lists[LOWER]

    def test_all(self, cluster, nodes):
        nodes[FIRST].is_gone = True

        with pytest.raises(ServerLost, match="Redis cluster at one:1 can not be"):
            cluster.run(push(LOWER))

    def test_node_that_does_not_tell(self, cluster, nodes):
        nodes[FIRST].always["CLUSTER"] = exceptions.ResponseError("no cluster support")

        with pytest.raises(ServerLost, match="no cluster support"):
            cluster.run(push(LOWER))

    def test_slot_that_nobody_serves(self, cluster, nodes):
        nodes[FIRST].always["CLUSTER"] = lambda call: [[0, 8191, [b"", 1, b"id"]]]

        assert cluster.run(push(LOWER)) == 1  # an empty name is that of who was asked
        with pytest.raises(ServerLost, match="nobody serves slot"):
            cluster.run(push(UPPER))


class test_transport:
    def test_hosts_of_the_url(self):
        url = "redis+cluster://u:pw@one:1/;redis+cluster://two:2"
        transport = Connection(url).transport

        assert type(transport) is ClusterTransport
        assert transport._hosts() == [FIRST, SECOND]
        assert isinstance(transport._make_server(Quota(1)), ClusterServer)
        assert transport.parameters.arguments["password"] == "pw"

    def test_one_host(self):
        transport = Connection("redis+cluster://one").transport

        assert transport._hosts() == [("one", 6379)]

    def test_tls(self):
        transport = Connection("rediss+cluster://one").transport

        assert type(transport) is SSLClusterTransport
        assert transport.parameters.uses_tls
        assert isinstance(transport.parameters, Parameters)
