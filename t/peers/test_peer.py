"""The other release does what it is told, and so does ours."""

from __future__ import annotations

import pytest

from t.peers.peer import Peer, PeerError


@pytest.fixture(params=[False, True], ids=["kombu 5.7", "this tree"], scope="module")
def ours(request):
    return request.param


@pytest.fixture
def peer(ours):
    with Peer(ours=ours) as peer:
        peer.connect("memory://tasks")
        yield peer


def bodies(messages):
    return [message["body"] for message in messages]


def test_release(peer, ours):
    assert (peer.release == "5.7.0") is not ours


def test_message_travels(peer):
    peer.declare("tasks", "work", "topic", "task.*")
    peer.publish(
        {"id": 1}, "work", "task.new", headers={"h": "é"}, correlation_id="one"
    )
    message = peer.get("tasks")

    assert message["body"] == {"id": 1}
    assert message["headers"] == {"h": "é"}
    assert message["properties"]["correlation_id"] == "one"
    assert (message["exchange"], message["routing_key"]) == ("work", "task.new")
    assert not message["redelivered"]
    assert peer.get("tasks", timeout=0) is None


def test_bytes(peer):
    peer.declare("tasks")
    peer.publish(b"\x00\xff", routing_key="tasks")

    assert peer.get("tasks")["body"] == b"\x00\xff"


def test_consume(peer, ours):
    peer.declare("tasks")
    for i in range(10):
        peer.publish(i, routing_key="tasks")

    assert bodies(peer.consume("tasks", 3)) == [0, 1, 2]
    assert peer.size("tasks") == 7
    assert bodies(peer.consume("tasks", 3, ack=False)) == [3, 4, 5]
    assert bodies(peer.consume("tasks", 1)) == [6]
    peer.settle("requeue")
    rest = peer.consume("tasks", timeout=0.2)
    assert sorted(bodies(rest)) == [3, 4, 5, 7, 8, 9]
    # kombu 5.7 stores it, but does not say so.
    assert sum(message["redelivered"] for message in rest) == (3 if ours else 0)


def test_purge_and_delete(peer):
    peer.declare("tasks")
    peer.publish(1, routing_key="tasks")

    assert peer.purge("tasks") == 1
    peer.delete("tasks")


def test_commands_in_the_background(peer):
    peer.declare("tasks")
    for i in range(3):
        peer.tell("publish", body=i, routing_key="tasks")
    for _ in range(3):
        peer.answer()

    assert peer.size("tasks") == 3


def test_failure_over_there_is_told(peer):
    with pytest.raises(PeerError, match=r"(?s)KeyError.*Traceback"):
        peer.connect("nonsense://")
    assert peer.release  # it goes on


def test_time_limit_names_what_it_complained_about(ours):
    with Peer(ours=ours, patience=0.2) as peer:
        peer.patience = 30
        peer.connect("memory://")
        peer.patience = 0.1
        peer.tell("get", queue="tasks", timeout=60)
        with pytest.raises(PeerError, match="no answer from <Peer"):
            peer.answer()


def test_killed(peer):
    peer.kill()

    with pytest.raises(PeerError, match="is gone"):
        peer.size("tasks")


def test_close(peer):
    peer.close()
    peer.connect("memory://another")
    assert peer.release
