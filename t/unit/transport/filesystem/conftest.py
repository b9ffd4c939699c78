from __future__ import annotations

import pytest

from kombu.transport.filesystem._claims import Claims
from kombu.transport.filesystem._clock import StoreClock
from kombu.transport.filesystem._folders import Folders
from kombu.transport.filesystem._reaping import Reaping
from kombu.transport.filesystem._store import MessageStore
from kombu.transport.filesystem.records import FileRecords
from kombu.transport.virtual.wire import pack


def envelope(body, **properties):
    return {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "text/plain",
        "headers": {},
        "properties": {"body_encoding": None, **properties},
    }


class Peer:
    """One connection: its view of the store, and what it has in hand."""

    def __init__(self, folders, clock, owner, **options):
        self.folders = folders
        self.clock = clock
        self.owner = owner
        self.store = MessageStore(folders, clock, **options)
        self.records = FileRecords(folders, clock)
        self.claims = Claims(self.store, owner)

    def put(self, *bodies, queue="q", rank=0, **properties):
        for body in bodies:
            message = envelope(body, **properties)
            path = self.store.put(queue, message, pack(message).encode(), rank)
            if rank:
                self.store.tell_ranked(path)

    def take(self, limit=100, queue="q"):
        from kombu.transport.filesystem._names import suffix_of

        self.store.listing.catch_up()
        self.store.wake_due(suffix_of(queue))
        return self.claims.take(queue, suffix_of(queue), limit)

    def bodies(self, limit=100, queue="q"):
        return [claim.envelope["body"] for claim in self.take(limit, queue)]

    def reap(self):
        return Reaping(self.store, self.owner).reap(self.records.bury)


@pytest.fixture
def folders(tmp_path):
    data = str(tmp_path / "data")
    found = Folders.of(data, data, str(tmp_path / "control"), str(tmp_path / "done"))
    found.make()
    return found


@pytest.fixture
def clock():
    """The store's clock; a test turns it by its offset."""
    return StoreClock()


@pytest.fixture
def connect(folders, clock):
    def connect(owner="one", **options):
        peer = Peer(folders, clock, owner, **options)
        peer.records.renew(owner, 60)
        return peer

    return connect


@pytest.fixture
def peer(connect):
    return connect()
