from __future__ import annotations

import os

from t.unit.transport.filesystem.conftest import Peer


class test_reaping:
    def test_puts_back_what_the_dead_had(self, connect):
        dead, other = connect("dead"), connect("other")
        dead.put(*range(4))
        dead.put("x", queue="p")
        dead.take(3)
        dead.take(queue="p")
        assert other.reap() == set()

        other.clock.offset += 61
        other.records.renew("other", 60)

        assert other.reap() == {"q", "p"}
        assert [(c.envelope["body"], c.deliveries) for c in other.take()] == [
            (0, 1),
            (1, 1),
            (2, 1),
            (3, 0),
        ]

    def test_leaves_an_owner_that_lives_after_all_an_empty_folder(self, connect):
        late, other = connect("late"), connect("other")
        late.put("a")
        (claim,) = late.take()
        late.records.renew("late", -1)
        other.reap()
        assert not late.records.renew("late", 60)
        (again,) = late.take()
        # The old claim is another one, though its owner is the same.
        late.claims.settle([claim])

        late.claims.release([again])
        assert late.bodies() == ["a"]

    def test_spares_who_renewed_in_time(self, connect, folders, monkeypatch):
        late, other = connect("late"), connect("other")
        late.put("a")
        late.take()
        late.records.renew("late", -1)
        real = os.rename

        def rename(source, target):
            if source.endswith("-late.lease"):
                late.records.renew("late", 60)
                monkeypatch.setattr(os, "rename", real)
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)

        assert other.reap() == set()
        assert late.records.renew("late", 60)

    def test_finishes_what_a_peer_was_killed_over(self, connect, folders):
        dead, other = connect("dead"), connect("other")
        dead.put("a", "b")
        dead.take()
        os.rename(f"{folders.claimed}-dead", f"{folders.reaping}x")

        assert other.reap() == {"q"}
        assert other.bodies() == ["a", "b"]
        assert os.listdir(folders.reaping) == []

    def test_needs_no_common_control_folder(self, connect, folders, clock, tmp_path):
        alive = connect("alive")
        alive.put("a")
        alive.take()
        stranger = Peer(folders._replace(control=f"{tmp_path}/own/"), clock, "stranger")
        stranger.records.renew("stranger", 60)

        assert stranger.reap() == set()
