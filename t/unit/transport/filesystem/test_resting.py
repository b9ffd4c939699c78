from __future__ import annotations

import os

import pytest

from kombu.transport.filesystem import _resting
from kombu.transport.virtual.claims import DELIVER_AT


def rest(peer, seconds, body="later", queue="q", **properties):
    due = int((peer.clock.now() + seconds) * 1000)
    peer.put(body, queue=queue, **{DELIVER_AT: due}, **properties)
    return due / 1000


class test_delay:
    def test_is_kept_and_ends(self, peer):
        due = rest(peer, 100)

        assert peer.take() == []
        assert peer.store.size("q") == 0
        assert peer.store.resting.next_due(".q.msg") == pytest.approx(due, abs=0.001)
        peer.clock.offset += 100.01
        assert peer.bodies() == ["later"]
        assert peer.store.resting.next_due(".q.msg") is None

    def test_that_is_over_is_none(self, peer):
        rest(peer, -1)

        assert peer.bodies() == ["later"]

    def test_ends_in_the_order_in_which_it_is_due(self, peer):
        for seconds in (90, 30, 60, 30.5, 3000):
            rest(peer, seconds, seconds)
        peer.clock.offset += 100

        assert peer.bodies() == [30, 30.5, 60, 90]

    def test_is_that_of_one_queue(self, peer):
        rest(peer, 10, queue="other")
        rest(peer, 20)
        peer.clock.offset += 30

        assert peer.bodies() == ["later"]
        assert peer.store.size("other") == 1

    def test_leaves_no_folders_behind(self, peer, folders):
        rest(peer, 10)
        peer.clock.offset += 200
        peer.take()

        assert os.listdir(f"{folders.ready}.delayed/q.msg") == []

    def test_is_seen_by_a_peer_that_has_looked_before(self, peer, connect):
        other = connect("other")
        assert other.store.resting.next_due(".q.msg") is None

        due = rest(peer, 50)

        assert other.store.resting.next_due(".q.msg") == pytest.approx(due, abs=0.001)

    def test_costs_no_listing_of_what_is_not_due(self, peer, monkeypatch):
        for minute in range(5):
            rest(peer, 600 + 60 * minute)
        peer.take()
        listed = []
        real = os.listdir
        monkeypatch.setattr(os, "listdir", lambda f: listed.append(f) or real(f))

        peer.take()

        assert not [folder for folder in listed if "/.delayed/q.msg/" in folder[:-1]]

    def test_survives_the_removal_of_its_folder(self, peer, monkeypatch):
        # Another process removes the folder, which is empty, before each try.
        real, tries = os.rename, []

        def rename(source, target):
            tries.append(target)
            if len(tries) < 5:
                raise FileNotFoundError(2, "gone", target)
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
        rest(peer, 50)

        assert len(tries) == 5
        assert peer.store.resting.next_due(".q.msg") is not None

    def test_gives_up_in_the_end(self, peer, monkeypatch):
        def rename(source, target):
            raise FileNotFoundError(2, "gone", target)

        monkeypatch.setattr(os, "rename", rename)
        monkeypatch.setattr(_resting, "_TRIES", 3)

        with pytest.raises(FileNotFoundError):
            rest(peer, 50)


class test_cancelling:
    def test_removes_the_one_of_that_id(self, peer):
        for number in "123":
            rest(peer, 50, number, message_id=number)

        assert peer.store.cancel("q", "2")
        assert not peer.store.cancel("q", "2")
        assert not peer.store.cancel("other", "1")
        peer.clock.offset += 60
        assert peer.bodies() == ["1", "3"]

    def test_looks_at_the_id_itself(self, peer, monkeypatch):
        monkeypatch.setattr(_resting, "crc32", lambda data: 7)
        rest(peer, 50, "one", message_id="1")
        rest(peer, 60, "two", message_id="2")

        assert peer.store.cancel("q", "2")
        peer.clock.offset += 70
        assert peer.bodies() == ["one"]

    def test_passes_what_is_no_envelope(self, peer, folders):
        rest(peer, 50, "one", message_id="1")
        for place, _, names in os.walk(f"{folders.ready}.delayed/q.msg"):
            for name in names:
                with open(os.path.join(place, name), "w") as file:
                    file.write("[]")

        assert not peer.store.cancel("q", "1")


class test_purging:
    def test_counts_what_rests(self, peer, folders):
        rest(peer, 50)
        rest(peer, 5000)
        peer.put("ready")
        rest(peer, 50, queue="other")

        assert peer.store.purge("q") == 3
        assert os.listdir(f"{folders.ready}.delayed/") != []
        assert peer.store.has("other")
        assert not peer.store.has("q")
