from __future__ import annotations

import threading

import pytest


@pytest.fixture
def records(store):
    return store.connect().transport.own_records


class test_records:
    def test_is_added_once(self, records):
        assert records.add("queue", "q", {"durable": True})
        assert not records.add("queue", "q", {"durable": False})

        assert records.read("queue") == {"q": {"durable": True}}

    def test_is_written_over(self, records):
        records.write("use", "q", {"at": 1})
        records.write("use", "q", {"at": 2})

        assert records.read("use") == {"q": {"at": 2}}

    def test_groups(self, records):
        records.write("binding", "b", {"n": 1}, "x")
        records.write("binding", "b", {"n": 2}, "y")

        assert records.read("binding", "x") == {"b": {"n": 1}}
        assert records.read("binding", "z") == {}

    def test_is_removed_once(self, records):
        records.write("binding", "b", {}, "x")

        assert not records.remove("binding", "b")
        assert records.remove("binding", "b", "x")
        assert not records.remove("binding", "b", "x")

    @pytest.mark.parametrize(
        "name", ["", "é", "a\x00b", "A", "a ", "x" * 5000, "\ud800"]
    )
    def test_any_name(self, records, name):
        records.write("binding", "a", {"other": True}, "a")
        records.write("binding", name, {"v": name}, name)

        assert records.read("binding", name) == {name: {"v": name}}

    def test_others_see_it(self, records, store):
        records.write("exchange", "e", {"type": "topic"})

        others = store.connect().transport.own_records
        assert others.read("exchange") == {"e": {"type": "topic"}}


class test_version:
    def test_changes_with_topology(self, records, store):
        others = store.connect().transport.own_records
        seen = [others.version()]
        for change in (
            lambda: records.add("queue", "q", {}),
            lambda: records.write("binding", "b", {}, "e"),
            lambda: records.remove("exchange", "e"),
            lambda: records.remove("queue", "q"),
        ):
            change()
            seen.append(others.version())

        assert seen[2] == seen[3]  # there was no exchange
        assert len(set(map(str, seen))) == 4

    @pytest.mark.parametrize("kind", ["consumer", "use"])
    def test_stays_with_anything_else(self, records, kind):
        before = records.version()

        records.write(kind, "x", {})
        records.remove(kind, "x")

        assert records.version() == before

    def test_stays_if_nothing_was_added(self, records):
        records.add("queue", "q", {})
        before = records.version()

        records.add("queue", "q", {"other": 1})

        assert records.version() == before

    def test_counts_every_change_of_many_threads(self, records, store):
        before = records.version()

        def change(thread):
            own = store.connect().transport.own_records
            for number in range(10):
                own.write("queue", f"{thread}-{number}", {})

        threads = [threading.Thread(target=change, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert records.version() == before + 30
        assert len(records.read("queue")) == 30


class test_owners:
    def test_first_renewal_makes_it_live(self, records):
        assert records.renew("me", 60) is False
        assert records.renew("me", 60) is True
        assert records.live_owners() == {"me"}

    def test_lease_runs_out(self, records):
        records.renew("me", 0)

        assert records.live_owners() == set()
        assert records.renew("me", 60) is False

    def test_is_forgotten(self, records):
        records.renew("me", 60)

        records.retire("me")

        assert records.live_owners() == set()
