from __future__ import annotations

import pytest

from kombu.utils.scheduling import (
    FairCycle,
    cycle_by_name,
    priority_cycle,
    round_robin_cycle,
    sorted_cycle,
)


class Empty(Exception):
    pass


def ask(resource, callback, **kwargs):
    """Have something, unless the resource is in capitals."""
    if resource.isupper():
        raise Empty
    return callback(resource, **kwargs)


def same(resource, **kwargs):
    return resource


class test_FairCycle:
    def test_takes_turns(self):
        cycle = FairCycle(ask, ["a", "b", "c"], Empty)

        assert [cycle.get(same) for _ in range(5)] == ["a", "b", "c", "a", "b"]

    def test_skips_what_has_nothing(self):
        cycle = FairCycle(ask, ["A", "b", "c"], Empty)

        assert [cycle.get(same) for _ in range(4)] == ["b", "c", "b", "c"]

    def test_arguments_are_passed_on(self):
        cycle = FairCycle(ask, ["a"], Empty)

        assert cycle.get(lambda resource, timeout: timeout, timeout=5) == 5

    def test_asks_each_once_when_none_has_anything(self):
        asked = []

        def nothing(resource, callback):
            asked.append(resource)
            raise Empty

        cycle = FairCycle(nothing, ["a", "b", "c"], (KeyError, Empty))

        with pytest.raises(Empty):
            cycle.get(same)
        assert asked == ["a", "b", "c"]

    @pytest.mark.parametrize("predicate", [Empty, (Empty, KeyError)])
    def test_without_resources(self, predicate):
        with pytest.raises(Empty) as caught:
            FairCycle(ask, [], predicate).get(same)

        assert caught.value.__cause__ is None

    def test_other_errors_go_through(self):
        def fail(resource, callback):
            raise KeyError(resource)

        with pytest.raises(KeyError):
            FairCycle(fail, ["a", "b"], Empty).get(same)

    def test_resources_may_go_away(self):
        resources = ["a", "b", "c"]
        cycle = FairCycle(ask, resources, Empty)
        assert [cycle.get(same) for _ in range(3)] == ["a", "b", "c"]

        del resources[1:]

        assert cycle.get(same) == "a"
        resources.clear()
        with pytest.raises(Empty):
            cycle.get(same)

    def test_repr_and_close(self):
        cycle = FairCycle(ask, ["a", "b"], Empty)
        cycle.get(same)

        assert repr(cycle) == "<FairCycle: 1/2 ['a', 'b']>"
        assert cycle.close() is None
        assert cycle.get(same) == "b"


class test_cycles:
    def test_round_robin(self):
        cycle = round_robin_cycle(["b", "a", "c"])

        assert cycle.consume(2) == ["b", "a"]
        assert cycle.rotate("b") == "b"
        assert cycle.consume(10) == ["a", "c", "b"]
        assert cycle.rotate("unknown") == "unknown"
        assert cycle.consume(0) == []

    def test_priority(self):
        cycle = priority_cycle(["b", "a", "c"])

        assert cycle.rotate("b") is None
        assert cycle.consume(2) == ["b", "a"]

    def test_sorted(self):
        cycle = sorted_cycle(["b", "a", "c"])

        assert cycle.rotate("a") is None
        assert cycle.consume(3) == ["a", "b", "c"]

    @pytest.mark.parametrize("kind", [round_robin_cycle, priority_cycle, sorted_cycle])
    def test_update(self, kind):
        cycle = kind(["x"])

        cycle.update(iter("ab"))

        assert cycle.consume(5) == ["a", "b"]
        assert kind().consume(5) == []
        assert repr(cycle) == f"<{kind.__name__}: ['a', 'b']>"

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("round_robin", round_robin_cycle),
            ("priority", priority_cycle),
            ("sorted", sorted_cycle),
            ("kombu.utils.scheduling:sorted_cycle", sorted_cycle),
            (priority_cycle, priority_cycle),
        ],
    )
    def test_by_name(self, name, kind):
        assert cycle_by_name(name) is kind

    def test_unknown_name(self):
        with pytest.raises(ImportError):
            cycle_by_name("nope")
