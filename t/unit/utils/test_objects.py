from __future__ import annotations

import functools
import threading

import pytest

from kombu.utils.objects import cached_property


class Thing:
    def __init__(self):
        self.computed = 0
        self.calls = []

    @cached_property
    def plain(self):
        """How often it was computed."""
        self.computed += 1
        return self.computed

    @cached_property
    def managed(self):
        return "computed"

    @managed.setter
    def managed(self, value):
        self.calls.append(("set", value))
        return value * 2

    @managed.deleter
    def managed(self, value):
        self.calls.append(("deleted", value))


def test_is_computed_once_and_kept_in_the_instance():
    thing = Thing()

    assert (thing.plain, thing.plain) == (1, 1)
    assert thing.__dict__["plain"] == 1


def test_instances_are_independent():
    one, other = Thing(), Thing()

    assert one.plain == other.plain == 1
    assert one.__dict__ is not other.__dict__


def test_a_value_of_none_is_kept_too():
    class Nothing:
        computed = 0

        @cached_property
        def value(self):
            self.computed += 1

    nothing = Nothing()

    assert nothing.value is nothing.value is None
    assert nothing.computed == 1


def test_assignment_replaces_the_value():
    thing = Thing()

    thing.plain = 9

    assert thing.plain == 9
    assert thing.computed == 0


def test_deletion_makes_it_compute_anew():
    thing = Thing()
    assert thing.plain == 1

    del thing.plain

    assert "plain" not in thing.__dict__
    assert thing.plain == 2


def test_deleting_what_was_not_computed_is_no_error():
    thing = Thing()

    del thing.plain
    del thing.managed

    assert thing.calls == []


def test_the_setter_decides_what_is_kept():
    thing = Thing()

    thing.managed = "ab"

    assert thing.managed == "abab"
    assert thing.calls == [("set", "ab")]


def test_the_deleter_gets_the_value():
    thing = Thing()
    assert thing.managed == "computed"

    del thing.managed

    assert thing.calls == [("deleted", "computed")]
    assert thing.managed == "computed"


def test_setter_and_deleter_may_be_arguments():
    class Other:
        value = cached_property(
            lambda self: 1,
            lambda self, value: value + 1,
            lambda self, value: setattr(self, "gone", value),
        )

    other = Other()
    other.value = 5
    del other.value

    assert other.gone == 6
    assert other.value == 1


def test_the_class_has_the_property_itself():
    assert isinstance(Thing.plain, functools.cached_property)
    assert Thing.plain.__doc__ == "How often it was computed."


def test_an_error_while_computing_stands_alone_and_is_not_kept():
    class Failing:
        @cached_property
        def value(self):
            raise AttributeError("inner")

    with pytest.raises(AttributeError, match="inner") as caught:
        Failing().value

    assert caught.value.__context__ is None


def test_needs_a_dictionary():
    class Slotted:
        __slots__ = ()

        @cached_property
        def value(self):
            return 1

    with pytest.raises(TypeError, match=r"No '__dict__' attribute on 'Slotted'"):
        Slotted().value
    with pytest.raises(TypeError, match="No '__dict__'"):
        Slotted().value = 1


def test_needs_a_name():
    nameless = cached_property(lambda self: 1)

    with pytest.raises(TypeError, match="__set_name__"):
        nameless.__get__(Thing(), Thing)


def test_threads_share_one_computation():
    started, may_end = threading.Event(), threading.Event()

    class Slow:
        computed = 0

        @cached_property
        def value(self):
            type(self).computed += 1
            started.set()
            may_end.wait(5)
            return object()

    slow, results = Slow(), []
    threads = [
        threading.Thread(target=lambda: results.append(slow.value)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    started.wait(5)
    may_end.set()
    for thread in threads:
        thread.join()

    assert Slow.computed == 1
    assert len(results) == 3
    assert len(set(map(id, results))) == 1
