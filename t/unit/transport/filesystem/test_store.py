from __future__ import annotations

import json
import os

import pytest

from kombu.transport.filesystem import _folders
from kombu.transport.filesystem._folders import Folders, read_file, write_file
from kombu.transport.filesystem._locks import locked
from kombu.transport.filesystem._names import FileName
from kombu.transport.virtual.claims import EXPIRES_AT
from t.unit.transport.filesystem.conftest import Peer, envelope


class test_putting:
    def test_is_all_at_once(self, peer, folders, monkeypatch):
        seen = []
        real = os.write
        monkeypatch.setattr(
            os,
            "write",
            lambda *args: seen.append(os.listdir(folders.ready)) or real(*args),
        )
        peer.put("a")

        assert not [n for names in seen for n in names if n.endswith(".msg")]
        (name,) = [n for n in os.listdir(folders.ready) if n.endswith(".msg")]
        with open(folders.ready + name) as file:
            assert json.load(file) == envelope("a")
        assert os.listdir(f"{folders.ready}.tmp") == []

    def test_notes_in_the_name_what_must_be_known(self, peer, folders):
        peer.put("a", rank=7, **{EXPIRES_AT: 123})

        (name,) = [n for n in os.listdir(folders.ready) if n.endswith(".msg")]
        assert FileName.parse(name)[3:] == (7, 0, 123)

    def test_survives_short_writes(self, peer, monkeypatch):
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        peer.put("a" * 100)

        assert peer.bodies() == ["a" * 100]

    def test_leaves_nothing_when_the_disk_is_full(self, peer, folders, monkeypatch):
        def write(fd, data):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(OSError, match="No space"):
                peer.put("a")

        assert os.listdir(f"{folders.ready}.tmp") == []
        assert peer.take() == []

    def test_makes_what_was_removed(self, peer, folders):
        os.rmdir(f"{folders.ready}.tmp")
        peer.put("a")

        assert peer.bodies() == ["a"]

    def test_waits_for_the_disk_if_asked_to(self, connect, monkeypatch):
        synced = []
        monkeypatch.setattr(os, "fsync", synced.append)
        connect("hasty").put("a")
        assert synced == []

        connect("safe", is_durable=True).put("b")
        assert len(synced) == 2  # the file, and its folder

    def test_goes_into_the_folder_for_it(self, folders, clock, tmp_path):
        producer = Peer(folders._replace(ready=f"{tmp_path}/in/"), clock, "producer")
        producer.folders.make()
        producer.put("a")
        producer.put("later", **{"x-deliver-at": int(clock.now() * 1000 + 50_000)})
        producer.put("high", rank=2)
        consumer = Peer(folders, clock, "consumer")
        consumer.records.renew("consumer", 60)

        assert producer.take() == []
        assert consumer.bodies() == ["high", "a"]
        assert producer.store.cancel("q", "None") is False
        clock.offset += 51
        claims = consumer.take()
        consumer.claims.release(claims)
        assert consumer.bodies() == ["later"]


class test_twisted_envelopes:
    @pytest.mark.parametrize(
        "properties",
        [
            {EXPIRES_AT: float("nan")},
            {EXPIRES_AT: 1e300},
            {EXPIRES_AT: -5},
            {EXPIRES_AT: "soon"},
            {"x-deliver-at": "soon"},
            {"x-deliver-at": float("nan")},
            {"x-deliver-at": -1},
        ],
        ids=str,
    )
    def test_are_put(self, peer, properties):
        peer.put("a", **properties)

        assert peer.bodies() == ["a"]

    def test_rest_as_long_as_can_be(self, peer):
        peer.put("a", **{"x-deliver-at": 1e300})

        assert peer.bodies() == []
        assert peer.store.purge("q") == 1

    @pytest.mark.parametrize("count", [-5, 10**100])
    def test_are_put_back(self, peer, count):
        peer.put("a", **{"x-delivery-count": count})
        peer.claims.release(peer.take())

        assert peer.bodies() == ["a"]


class test_names:
    @pytest.mark.parametrize("queue", ["a/b", "a\0b", "x" * 300, "\ud800", "a.b"])
    def test_of_any_queue_work(self, peer, queue):
        peer.put("a", queue=queue)

        assert peer.store.size(queue) == 1
        assert peer.store.has(queue)
        assert peer.bodies(queue=queue) == ["a"]
        assert peer.store.has(queue)  # in flight
        peer.store.delete(queue)
        assert not peer.store.has(queue)


class test_counting:
    def test_is_of_ready_messages(self, peer):
        peer.put("a", "b", "c")
        peer.put("x", queue="p.q")
        peer.take(1)

        assert peer.store.size("q") == 2
        assert peer.store.size_bytes("q") == 2 * len(json.dumps(envelope("b")))
        assert peer.store.purge("q") == 2
        assert peer.store.size("q") == 0
        assert peer.store.size("p.q") == 1

    def test_of_no_folder_is_none(self, folders, clock, tmp_path):
        peer = Peer(folders._replace(ready=f"{tmp_path}/none/"), clock, "one")

        assert peer.store.size("q") == 0
        assert peer.store.purge("q") == 0


class test_deleting:
    def test_takes_what_is_in_flight(self, peer, folders):
        peer.put("a", "b")
        claims = peer.take(1)
        with locked(peer.store.lock_of("q")):
            pass
        peer.store.delete("q")
        peer.claims.settle(claims)

        assert not peer.store.has("q")
        assert os.listdir(folders.locks) == []


class test_tidying:
    def test_removes_what_writers_left_behind(self, peer, folders):
        old = write_file(folders.ready, b"old", "old")
        new = write_file(folders.ready, b"new", "new")
        os.utime(old, (5, 5))
        peer.store.tidy()

        assert not os.path.exists(old)
        assert os.path.exists(new)


class test_Folders:
    def test_are_absolute(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)

        assert Folders.of("a", "b", "c", "/d").ready == f"{tmp_path}/a/"

    def test_read_files_of_any_length(self, folders, monkeypatch):
        monkeypatch.setattr(_folders, "WHOLE_FILE", 4)
        for length in (0, 3, 4, 5, 400):
            path = write_file(folders.ready, b"x" * length, str(length))
            assert read_file(path) == b"x" * length
