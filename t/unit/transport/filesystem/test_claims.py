from __future__ import annotations

import json
import logging
import os
import uuid
from collections import Counter

import pytest

from kombu.transport.filesystem import _claims
from kombu.transport.filesystem._locks import LOCK_EX, lock, unlock
from kombu.transport.filesystem._names import suffix_in
from t.unit.transport.filesystem.conftest import envelope


def put_foreign(folders, data, number=1, queue="q"):
    """Write a message as kombu 5.7 does."""
    name = f"{number}_{uuid.uuid4()}.{queue}.msg"
    with open(folders.ready + name, "wb") as file:
        file.write(data)
    return name


def places(folders):
    """Return where each body is, however it got there."""
    found = Counter()
    for place, _, names in os.walk(folders.ready):
        for name in names:
            if suffix_in(name) is not None and not place.endswith(".bad"):
                with open(os.path.join(place, name)) as file:
                    found[json.load(file)["body"]] += 1
    return found


def deliver(claims):
    for claim in claims:
        claim.was_delivered = True
    return claims


class test_claiming:
    def test_takes_the_oldest_up_to_the_limit(self, peer):
        peer.put(*range(5))

        assert peer.bodies(2) == [0, 1]
        assert peer.bodies(100) == [2, 3, 4]
        assert peer.take() == []

    def test_takes_each_but_once(self, connect):
        one, two = connect("one"), connect("two")
        one.put(*range(10))
        # Both have listed all of them.
        one.store.listing.peek(".q.msg")
        two.store.listing.peek(".q.msg")

        found = []
        for _ in range(10):
            found += one.bodies(1) + two.bodies(1)

        assert sorted(found) == list(range(10))

    def test_tells_of_former_deliveries(self, peer):
        peer.put("a")
        for count in range(3):
            (claim,) = deliver(peer.take())
            assert claim.deliveries == count
            peer.claims.release([claim])

    def test_begins_anew_when_its_folder_is_gone(self, peer, folders):
        peer.put("a", "b")
        peer.take(1)
        os.rename(f"{folders.claimed}-one", f"{folders.reaping}x")

        assert peer.bodies() == ["b"]

    def test_of_a_higher_rank_overtakes_what_is_listed(self, connect):
        one, two = connect("one"), connect("two")
        one.put(*range(3))
        assert two.bodies(1) == [0]
        one.put("high", rank=5)

        assert two.bodies() == ["high", 1, 2]

    def test_that_is_broken_off_leaves_nothing_behind(self, peer, folders, monkeypatch):
        class Interrupted(BaseException):
            pass

        peer.put(*range(5))
        taken = []

        def read_file(path):
            taken.append(path)
            if len(taken) == 3:
                raise Interrupted
            return real(path)

        real = _claims.read_file
        with monkeypatch.context() as patch:
            patch.setattr(_claims, "read_file", read_file)
            with pytest.raises(Interrupted):
                peer.take()

        assert os.listdir(f"{folders.claimed}-one") == []
        assert peer.bodies() == [0, 1, 2, 3, 4]

    def test_that_lacks_what_it_takes_to_read_is_an_error(self, peer, monkeypatch):
        def read_file(path):
            raise OSError(24, "Too many open files", path)

        peer.put("a")
        with monkeypatch.context() as patch:
            patch.setattr(_claims, "read_file", read_file)
            with pytest.raises(OSError, match="Too many"):
                peer.take()

        assert peer.bodies() == ["a"]

    def test_that_the_disk_refuses_is_an_error(self, peer, monkeypatch):
        def rename(source, target):
            raise OSError(5, "Input/output error", source)

        peer.put("a")
        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename)
            with pytest.raises(OSError, match="Input/output"):
                peer.take()

        assert peer.bodies() == ["a"]


class test_settling:
    def test_leaves_nothing(self, peer, folders):
        peer.put("a", "b")
        one, two = peer.take()
        peer.claims.settle([one])
        peer.claims.settle([one])  # as after it was lost

        assert places(folders) == {"b": 1}

    def test_keeps_what_was_processed(self, connect, folders):
        peer = connect(stores_processed=True)
        peer.put("a")
        claims = peer.take()
        peer.claims.settle(claims)
        peer.claims.settle(claims)

        (name,) = os.listdir(folders.processed)
        assert suffix_in(name) == ".q.msg"
        assert places(folders) == {}


class test_releasing:
    def test_puts_to_the_head_for_all(self, connect):
        one, two = connect("one"), connect("two")
        one.put(*range(10))
        assert two.bodies(1) == [0]
        claims = one.take(3)
        one.claims.release(claims)

        assert two.bodies() == list(range(1, 10))

    def test_is_done_though_nobody_can_be_told(self, peer, monkeypatch):
        peer.put("a")
        claims = peer.take()

        def write(descriptor, data):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            peer.claims.release(claims)

        assert peer.bodies() == ["a"]

    def test_of_what_was_lost_does_nothing(self, peer, folders):
        peer.put("a")
        claims = peer.take()
        peer.claims.settle(claims)
        peer.claims.release(claims)

        assert places(folders) == {}

    def test_of_a_deleted_queue_does_nothing(self, peer, folders):
        peer.put("a")
        claims = peer.take()
        peer.store.delete("q")
        peer.claims.release(claims)

        assert places(folders) == {}


class test_moving:
    def test_is_into_another_queue(self, peer):
        peer.put("a")
        (claim,) = peer.take()
        peer.claims.move(claim, [("dead", envelope("A"), 0)])

        assert peer.store.size("q") == 0
        assert peer.bodies(queue="dead") == ["A"]

    def test_is_into_several(self, peer, folders):
        peer.put("a")
        (claim,) = peer.take()
        copies = [(f"d{n}", envelope(f"A{n}"), n) for n in range(3)]
        peer.claims.move(claim, copies)

        assert places(folders) == {"A0": 1, "A1": 1, "A2": 1}
        assert [peer.bodies(queue=f"d{n}") for n in range(3)] == [
            ["A0"],
            ["A1"],
            ["A2"],
        ]

    def test_into_none_settles(self, peer, folders):
        peer.put("a")
        (claim,) = peer.take()
        peer.claims.move(claim, [])

        assert places(folders) == {}

    def test_of_what_was_lost_does_nothing(self, connect, folders):
        one, two = connect("one"), connect("two")
        one.put("a")
        (claim,) = one.take()
        one.records.renew("one", -1)
        two.reap()
        one.claims.move(claim, [("d", envelope("A"), 0), ("e", envelope("A"), 0)])

        assert places(folders) == {"a": 1}


class test_crash:
    """Killed between any two steps, a message is in exactly one place."""

    class Killed(BaseException):
        pass

    @pytest.fixture
    def kill(self, monkeypatch):
        """Has the process die at its n-th step."""

        def kill(number):
            left = [number]

            def dying(real):
                def step(*args, **kwargs):
                    left[0] -= 1
                    if left[0] < 0:
                        raise self.Killed
                    return real(*args, **kwargs)

                return step

            patch = pytest.MonkeyPatch()
            for name in ("rename", "replace", "unlink", "rmdir", "open", "write"):
                patch.setattr(os, name, dying(getattr(os, name)))
            return patch

        return kill

    def survive(self, kill, step, after):
        """Do *step* until it is through, dying one step later each time."""
        for number in range(100):
            patch = kill(number)
            try:
                step(number)
            except self.Killed:
                patch.undo()
                after(number)
                continue
            finally:
                patch.undo()
            assert number > 0
            return
        raise AssertionError("never through")

    def test_while_publishing(self, kill, peer, folders):
        def after(number):
            # Not published, and not in the way.
            assert peer.bodies() in ([], [number])

        self.survive(kill, lambda number: peer.put(number), after)

    def test_while_claiming(self, kill, connect, folders):
        setup = connect("setup")

        def step(number):
            connect_free[number].take()

        connect_free = {number: connect(f"c{number}") for number in range(30)}
        setup.put("a")

        def after(number):
            assert places(folders) == {"a": 1}
            connect_free[number].records.renew(f"c{number}", -1)
            setup.reap()
            assert places(folders) == {"a": 1}

        self.survive(kill, step, after)

    def test_while_releasing(self, kill, peer, folders):
        peer.put("a")

        def step(number):
            peer.claims.release(deliver(claims))

        def after(number):
            assert places(folders) == {"a": 1}
            nonlocal claims
            claims = peer.take() or claims

        claims = peer.take()
        self.survive(kill, step, after)
        assert peer.bodies() == ["a"]

    def test_while_reaping(self, kill, connect, folders):
        dead = connect("dead")
        dead.put("a", "b")
        dead.take()
        dead.records.renew("dead", -1)
        peers = {number: connect(f"c{number}") for number in range(60)}

        def after(number):
            assert places(folders) == {"a": 1, "b": 1}

        self.survive(kill, lambda number: peers[number].reap(), after)
        assert peers[0].bodies() == ["a", "b"]

    def test_while_moving(self, kill, connect, folders):
        peer = connect("setup")
        copies = [(f"d{n}", envelope("a"), 0) for n in range(2)]

        def step(number):
            (claim,) = claims
            peer.claims.move(claim, copies)

        def after(number):
            nonlocal claims
            # In hand yet, or moved; the further copy is one, however often.
            found = places(folders)["a"]
            assert found in (1, 2)
            assert peer.store.size("d1") == found - 1
            if peer.store.size("d0") == 0:
                (name,) = os.listdir(f"{folders.claimed}-setup")
                assert name == claims[0].token

        peer.put("a")
        claims = peer.take()
        self.survive(kill, step, after)
        assert places(folders) == {"a": 2}
        assert peer.store.size("d0") == peer.store.size("d1") == 1


class test_foreign_files:
    def test_are_read(self, peer, folders):
        put_foreign(folders, json.dumps(envelope("old")).encode())

        (claim,) = peer.take()

        assert claim.envelope["body"] == "old"
        assert claim.deliveries == 0
        peer.claims.release(deliver([claim]))
        (claim,) = peer.take()
        assert claim.deliveries == 1
        peer.claims.settle([claim])
        assert places(folders) == {}

    def test_that_were_redelivered_are_counted(self, peer, folders):
        put_foreign(
            folders, json.dumps({**envelope("o"), "redelivered": True}).encode()
        )

        assert peer.take()[0].deliveries == 1

    def test_are_left_while_they_are_written(self, peer, folders):
        name = put_foreign(folders, b"")
        assert peer.take() == []
        with open(folders.ready + name, "wb") as file:
            lock(file, LOCK_EX)
            file.write(b'{"body": "1", ')
            file.flush()
            assert peer.take() == []
            file.write(json.dumps(envelope("2"))[1:].encode())
            file.flush()
            unlock(file)

        assert peer.bodies() == ["2"]

    def test_that_stay_empty_are_bad(self, peer, folders):
        put_foreign(folders, b"")
        peer.clock.offset += 10

        assert peer.take()[0].envelope == b""


class test_bad_files:
    @pytest.mark.parametrize("data", [b"garbage", b"\xff\xfe", b'{"body'])
    def test_are_claims_of_bytes(self, peer, folders, data, caplog):
        put_foreign(folders, data)
        peer.put("good")
        claims = peer.take()
        assert {claim.envelope for claim in claims if claim.envelope == data} == {data}
        bad = next(claim for claim in claims if claim.envelope == data)

        with caplog.at_level(logging.WARNING):
            peer.claims.set_aside(bad)

        (name,) = os.listdir(folders.bad)
        assert folders.bad + name in caplog.text
        peer.claims.set_aside(bad)  # as after it was lost

    def test_that_are_folders_are_put_away(self, peer, folders, caplog):
        os.mkdir(f"{folders.ready}1_x.q.msg")
        peer.put("good")

        with caplog.at_level(logging.WARNING):
            assert peer.bodies() == ["good"]
            assert peer.bodies() == []

        assert len(os.listdir(folders.bad)) == 1
        assert len(caplog.records) == 1

    def test_that_can_not_be_moved_are_left_and_told_of_once(
        self, peer, folders, caplog, monkeypatch
    ):
        put_foreign(folders, b"x")
        real = os.rename

        def rename(source, target):
            if "/1_" in source:
                raise PermissionError(13, "Permission denied", source)
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
        with caplog.at_level(logging.WARNING):
            assert peer.bodies() == []
            peer.put("good")
            assert peer.bodies() == ["good"]
            assert peer.bodies() == []

        assert len(caplog.records) == 1
