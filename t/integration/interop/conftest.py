"""Brokers that both releases use, and a process of each release on one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from t.brokers.fixtures import mariadb, postgresql, redis_server
from t.peers.peer import Peer

__all__ = ("mariadb", "postgresql", "redis_server")


@dataclass
class Broker:
    """Where both releases meet.

    Attributes:
        url: URL, as both understand it.
        options: Transport options that both understand.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(params=["filesystem", "sqlite", "postgresql", "mariadb", "redis"])
def broker(request, tmp_path):
    """A folder, and a database of each kind, all empty."""
    if request.param == "filesystem":
        for name in ("data", "control"):
            (tmp_path / name).mkdir()
        folders = {
            f"data_folder_{way}": str(tmp_path / "data") for way in ("in", "out")
        }
        folders["control_folder"] = str(tmp_path / "control")
        return Broker("filesystem://", folders)
    if request.param == "sqlite":
        return Broker(f"sqla+sqlite:///{tmp_path / 'broker.db'}")
    if request.param == "redis":
        return Broker(request.getfixturevalue("redis_server").new_database())
    server = request.getfixturevalue(request.param)
    return Broker(f"sqla+{server.new_database()}")


@pytest.fixture
def connected(broker, tmp_path):
    """Starts a process of a release and connects it: ``connected(ours=True)``."""
    started = []

    def start(*, ours):
        peer = Peer(ours=ours, folder=tmp_path)
        peer.__enter__()
        started.append(peer)
        peer.connect(broker.url, broker.options)
        return peer

    yield start
    for peer in started:
        peer.__exit__()


@pytest.fixture(params=["theirs to ours", "ours to theirs"])
def pair(request, connected):
    """A process of each release: one to publish, one to consume."""
    from_ours = request.param == "ours to theirs"
    return connected(ours=from_ours), connected(ours=not from_ours)
